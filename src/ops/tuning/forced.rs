//! Variant overrides that run unchecked.

use super::{classes, fusing, told};
use crate::gpu::context::Context;

/// Uses the variants that the user has chosen (`Context::told`) without a check. [`super::tune`] compares each with the
/// reference first and drops it where it is wrong; this function is for programs that make such comparisons themselves.
///
/// # Errors
/// A message when the device cannot run one.
pub fn force(context: &Context) -> Result<(), String> {
    for (candidates, class) in classes() {
        let (of, Some(name)) = (candidates.of.name, told(context, candidates, class)) else { continue };
        context.choose_for(class.key);
        if name == of {
            continue;
        }
        let variant = candidates.variants.iter().find(|variant| variant.kernel.name == name);
        match variant.filter(|variant| context.can_run(variant)) {
            Some(variant) => context.use_variant(variant, class.key, class.holds),
            None => {
                return Err(format!(
                    "this device cannot run {name} in place of {of}; leave out --variant {}",
                    class.key
                ));
            }
        }
    }
    fusing::force(context)
}
