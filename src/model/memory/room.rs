//! Checks whether a device has enough memory for a plan.

use thiserror::Error;

use super::MemoryPlan;
use crate::config::RunConfig;
use crate::gpu::context::DeviceLimits;
use crate::gpu::interpret::has_room;
use crate::gpu::recording::BufferSpec;
use crate::model::params::ParamTable;

/// A plan that exceeds the memory of a device.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the {what}, and this device allows {most_mib} MiB; {advice}")]
pub struct MemoryError {
    /// What is too large, and its size.
    pub what: String,
    /// Required size in MiB.
    pub need_mib: u64,
    /// Size that the device allows, in MiB.
    pub most_mib: u64,
    /// The setting to lower, and the value that fits.
    pub advice: String,
}

/// A run that exceeds this program's own memory.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("training needs {need_mib} MiB here, and less memory is left; {advice}")]
pub struct RoomError {
    /// Required size in MiB.
    pub need_mib: u64,
    /// The setting to lower, and the value that fits.
    pub advice: String,
}

/// Allocates the memory that a run takes on the CPU besides its text, and frees it again: running out of it later would
/// end the program.
///
/// # Errors
/// When the memory is not available, with the setting to lower.
pub fn check_room(config: &RunConfig) -> Result<(), RoomError> {
    let plan = MemoryPlan::new(config, &ParamTable::new(&config.model), 0, 0);
    // Plans that exceed what any tab can hold are reported when the trainer is created.
    if plan.check(config, DeviceLimits::CPU).is_err() || holds(config) {
        return Ok(());
    }
    Err(RoomError {
        need_mib: (bytes(config) + beside(config) as u64).div_ceil(1 << 20),
        advice: config.lowering(holds),
    })
}

/// The setting to lower where a run lacks `lacking` bytes.
pub fn spare(config: &RunConfig, lacking: u64) -> String {
    let have = bytes(config).saturating_sub(lacking);
    config.lowering(|smaller| bytes(smaller) <= have)
}

/// The bytes of every buffer in main memory, where all elements have 32 bits.
fn sizes(config: &RunConfig) -> Vec<usize> {
    let plan = MemoryPlan::new(config, &ParamTable::new(&config.model), 0, 0);
    plan.buffers.specs.iter().filter(|spec| !spec.grows).map(|spec| spec.len.saturating_mul(4)).collect()
}

/// Other memory of a run: text and tokens, evaluation and inspection, fragmentation.
fn beside(config: &RunConfig) -> usize {
    (8 << 20) + bytes(config) as usize / 8
}

fn holds(config: &RunConfig) -> bool {
    has_room(sizes(config).into_iter().chain([beside(config)]))
}

/// The total size of the buffers in bytes.
fn bytes(config: &RunConfig) -> u64 {
    sizes(config).iter().map(|&size| size as u64).sum()
}

impl MemoryPlan {
    /// Compares the size of every buffer, and their total, with the limits of the device.
    ///
    /// # Errors
    /// The first size that is too large, with the setting to lower.
    pub fn check(&self, config: &RunConfig, limits: DeviceLimits) -> Result<(), MemoryError> {
        let Some((what, need, most)) = self.too_large(limits) else { return Ok(()) };
        let (n_train, n_val) = (self.train_tokens.len, self.val_tokens.len);
        let advice = config.advice(|smaller| {
            let table = ParamTable::new(&smaller.model);
            MemoryPlan::within(self.budget, smaller, &table, n_train, n_val).too_large(limits).is_none()
        });
        Err(MemoryError { what, need_mib: need.div_ceil(1 << 20), most_mib: most >> 20, advice })
    }

    /// Whether a device with these limits can hold the plan.
    pub fn fits(&self, limits: DeviceLimits) -> bool {
        self.too_large(limits).is_none()
    }

    /// What exceeds the limits, its size in bytes, and the limit.
    fn too_large(&self, limits: DeviceLimits) -> Option<(String, u64, u64)> {
        // Growing buffers stay small where the total is limited: inspected windows are short.
        let total = self.buffers.fixed_bytes();
        let most = |spec: &BufferSpec| match spec.in_parts {
            true => limits.buffer_bytes,
            false => limits.buffer_bytes.min(limits.binding_bytes),
        };
        let spec = self.buffers.specs.iter().find(|spec| spec.size_bytes() > most(spec));
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        match spec.map(|spec| (spec.label(), spec.size_bytes(), most(spec))) {
            Some((name, bytes, most)) => Some((format!("{name} need {} MiB in one buffer", mib(bytes)), bytes, most)),
            None if total > limits.total_bytes => {
                Some((format!("buffers need {} MiB together", mib(total)), total, limits.total_bytes))
            }
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    #[test]
    fn what_lacks_memory_is_told_what_to_lower() {
        let mut config = Preset::Nano.config();
        assert_eq!(check_room(&config), Ok(()));
        let whole = bytes(&config);
        config.train.batch_size *= 8;
        let larger = bytes(&config);
        assert_eq!(spare(&config, larger - whole), "lower batch_size from 64 to 8");
        assert_eq!(spare(&config, 1), "lower batch_size from 64 to 32");
        assert_eq!(spare(&config, larger), "choose a smaller model, such as another preset");
    }
}
