//! Overrides of variants and fusions that run unchecked.

use thiserror::Error;

use super::{FUSIONS, classes, told};
use crate::gpu::context::Context;

/// The device cannot run a variant that the user has chosen.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("this device cannot run {variant} in place of {kernel}; leave out --variant {class}")]
pub struct ForceError {
    /// The variant.
    pub variant: String,
    /// The kernel that it was to replace.
    pub kernel: &'static str,
    /// The name of the kernel's class of shapes.
    pub class: &'static str,
}

/// Uses the variants that the user has chosen (`Context::told`) without a check. [`super::tune`] compares each with the
/// reference first and drops it where it is wrong; this function is for programs that make such comparisons themselves.
///
/// # Errors
/// When the device cannot run one.
pub fn force(context: &Context) -> Result<(), ForceError> {
    for (candidates, class) in classes() {
        let (of, Some(name)) = (candidates.of.name, told(context, candidates, class)) else { continue };
        context.choose_for(class.key);
        if name == of {
            continue;
        }
        let variant = candidates.variants.iter().find(|variant| variant.kernel.name == name);
        match variant.filter(|variant| context.can_run(variant)) {
            Some(variant) => context.use_variant(variant, class.key, class.holds),
            None => return Err(ForceError { variant: name.into(), kernel: of, class: class.key }),
        }
    }
    for of in &FUSIONS {
        let Some(name) = context.told.borrow().get(of.key).map(str::to_string) else { continue };
        context.choose_for(of.key);
        match of.fusions.iter().find(|fusion| fusion.kernel.name == name) {
            Some(fusion) => context.use_fusion(fusion),
            None if name == of.key => {}
            None => return Err(ForceError { variant: name, kernel: of.key, class: of.key }),
        }
    }
    Ok(())
}
