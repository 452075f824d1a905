//! Whether a device has room for a plan.

use thiserror::Error;

use super::MemoryPlan;
use crate::config::RunConfig;
use crate::gpu::context::DeviceLimits;
use crate::model::params::ParamTable;

/// A plan that the device cannot hold.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the {what}, and this device allows {most_mib} MiB; {advice}")]
pub struct MemoryError {
    /// What is too large, and how large it is.
    pub what: String,
    /// What it needs.
    pub need_mib: u64,
    /// What the device allows.
    pub most_mib: u64,
    /// What to lower, and to what.
    pub advice: String,
}

impl MemoryPlan {
    /// Compares every buffer, and all of them, with what the device allows.
    ///
    /// # Errors
    /// The first that is too large, and what of the configuration to lower.
    pub fn check(&self, config: &RunConfig, limits: DeviceLimits) -> Result<(), MemoryError> {
        let Some((what, need, most)) = self.too_large(limits) else { return Ok(()) };
        let (n_train, n_val) = (self.train_tokens.len, self.val_tokens.len);
        let advice = config.advice(|smaller| {
            let table = ParamTable::new(&smaller.model);
            MemoryPlan::new(smaller, &table, n_train, n_val).too_large(limits).is_none()
        });
        Err(MemoryError { what, need_mib: need.div_ceil(1 << 20), most_mib: most >> 20, advice })
    }

    /// What the device has no room for, the bytes that it needs, and those that there are.
    fn too_large(&self, limits: DeviceLimits) -> Option<(String, u64, u64)> {
        // Those that grow stay small where memory is told: windows that are looked at are.
        let (most, total) = (limits.buffer_bytes.min(limits.binding_bytes), self.buffers.fixed_bytes());
        let spec = self.buffers.specs.iter().find(|spec| spec.size_bytes() > most);
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        match spec.map(|spec| (&spec.name, spec.size_bytes())) {
            Some((name, bytes)) => Some((format!("{name} need {} MiB in one buffer", mib(bytes)), bytes, most)),
            None if total > limits.total_bytes => {
                Some((format!("buffers need {} MiB together", mib(total)), total, limits.total_bytes))
            }
            None => None,
        }
    }
}
