//! Kernel variants: overrides from `--variant`, and the variant cache in the user's cache folder.

use std::path::PathBuf;
use std::sync::OnceLock;

use thiserror::Error;

use crate::gpu::choices::{Choices, ChoicesError, recall, remember};
use crate::gpu::context::Context;
use crate::ops::tuning::{self, memory_key};

/// The overrides from the command line.
static OVERRIDES: OnceLock<Choices> = OnceLock::new();

/// Why `--variant` cannot be followed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum OverrideError {
    /// The text has another form.
    #[error(transparent)]
    Form(#[from] ChoicesError),
    /// The kernel has no variants.
    #[error("--variant: {kernel} has no variants; these have: {}", known.join(", "))]
    Kernel {
        /// The kernel.
        kernel: String,
        /// The kernels that have variants.
        known: Vec<&'static str>,
    },
    /// The kernel has no such variant.
    #[error("--variant: {kernel} can be {}, not {chosen}", variants.join(", "))]
    Variant {
        /// The kernel.
        kernel: String,
        /// What was chosen.
        chosen: String,
        /// The names of its variants.
        variants: Vec<&'static str>,
    },
}

/// Sets the overrides from the command line.
///
/// # Errors
/// When there is no such kernel or variant.
pub fn set_overrides(variants: &[String]) -> Result<(), OverrideError> {
    let told = Choices::parse(&variants.join(","))?;
    for kernel in told.kernels() {
        let Some((_, variants)) = tuning::names().find(|(name, _)| *name == kernel) else {
            let known = tuning::names().map(|(name, _)| name).collect();
            return Err(OverrideError::Kernel { kernel: kernel.into(), known });
        };
        let chosen = told.get(kernel).unwrap_or_default();
        if !variants.contains(&chosen) {
            return Err(OverrideError::Variant { kernel: kernel.into(), chosen: chosen.into(), variants });
        }
    }
    OVERRIDES.get_or_init(|| told);
    Ok(())
}

/// Whether the command line overrides any variant.
pub fn any_overrides() -> bool {
    OVERRIDES.get().is_some_and(|told| told.kernels().next().is_some())
}

/// Passes the overrides and the cached choices to a device.
pub(super) fn prepare(context: &Context) {
    *context.told.borrow_mut() = OVERRIDES.get().cloned().unwrap_or_default();
    *context.known.borrow_mut() = recall(&memory(), &memory_key(context));
}

/// Writes the device's choices to the variant cache. If this fails, the next run measures again.
pub fn keep(context: &Context) {
    let (before, Some(path)) = (memory(), path()) else { return };
    let after = remember(&before, &memory_key(context), &context.known.borrow());
    if after != before {
        let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        drop(folder.and_then(|()| std::fs::write(path, after)));
    }
}

fn memory() -> String {
    path().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default()
}

/// The path of `glasshead/kernels.txt` in the system's cache folder.
fn path() -> Option<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = match std::env::consts::OS {
        "windows" => from("LOCALAPPDATA"),
        "macos" => from("HOME").map(|home| home.join("Library/Caches")),
        _ => from("XDG_CACHE_HOME").or_else(|| from("HOME").map(|home| home.join(".cache"))),
    };
    folder.map(|folder| folder.join("glasshead/kernels.txt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_exist_is_refused_with_what_does() {
        let refused = |variant: &str| set_overrides(&[variant.to_string()]).unwrap_err().to_string();
        assert!(refused("rope=rope_lanes").contains("rmsnorm"), "{}", refused("rope=rope_lanes"));
        assert!(refused("rmsnorm=fast").contains("rmsnorm_lanes"), "{}", refused("rmsnorm=fast"));
        assert!(refused("rmsnorm").contains("KERNEL=VARIANT"));
    }
}
