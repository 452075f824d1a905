//! Whether a device has room for a plan.

use thiserror::Error;

use super::MemoryPlan;
use crate::config::RunConfig;
use crate::gpu::context::DeviceLimits;
use crate::gpu::interpret::has_room;
use crate::gpu::recording::BufferSpec;
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

/// A run that this program's own memory cannot hold.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("training needs {need_mib} MiB here, and less memory is left; {advice}")]
pub struct RoomError {
    /// What it needs.
    pub need_mib: u64,
    /// What to lower, and to what.
    pub advice: String,
}

/// Asks for the memory that a run takes on the CPU besides its text, where running out of it would end the program, and gives
/// it back.
///
/// # Errors
/// When it cannot be had, and what of the configuration to lower.
pub fn check_room(config: &RunConfig) -> Result<(), RoomError> {
    let plan = MemoryPlan::new(config, &ParamTable::new(&config.model), 0, 0);
    // What no tab has room for, whoever makes the trainer tells.
    if plan.check(config, DeviceLimits::CPU).is_err() || holds(config) {
        return Ok(());
    }
    Err(RoomError { need_mib: (bytes(config) + beside(config) as u64).div_ceil(1 << 20), advice: config.advice(holds) })
}

/// What to lower where a run lacks so many bytes.
pub fn spare(config: &RunConfig, lacking: u64) -> String {
    let have = bytes(config).saturating_sub(lacking);
    config.advice(|smaller| bytes(smaller) <= have)
}

/// The bytes of every buffer in main memory, where all numbers have 32 bits.
fn sizes(config: &RunConfig) -> Vec<usize> {
    let plan = MemoryPlan::new(config, &ParamTable::new(&config.model), 0, 0);
    plan.buffers.specs.iter().filter(|spec| !spec.grows).map(|spec| spec.len.saturating_mul(4)).collect()
}

/// What else a run takes: its text and tokens, what is evaluated and looked at, what memory in pieces wastes.
fn beside(config: &RunConfig) -> usize {
    (8 << 20) + bytes(config) as usize / 8
}

fn holds(config: &RunConfig) -> bool {
    has_room(sizes(config).into_iter().chain([beside(config)]))
}

/// All of them together.
fn bytes(config: &RunConfig) -> u64 {
    sizes(config).iter().map(|&size| size as u64).sum()
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
            MemoryPlan::within(self.budget, smaller, &table, n_train, n_val).too_large(limits).is_none()
        });
        Err(MemoryError { what, need_mib: need.div_ceil(1 << 20), most_mib: most >> 20, advice })
    }

    /// Whether a device with these limits can hold the plan.
    pub fn fits(&self, limits: DeviceLimits) -> bool {
        self.too_large(limits).is_none()
    }

    /// What the device has no room for, the bytes that it needs, and those that there are.
    fn too_large(&self, limits: DeviceLimits) -> Option<(String, u64, u64)> {
        // Those that grow stay small where memory is told: windows that are looked at are.
        let total = self.buffers.fixed_bytes();
        let most = |spec: &BufferSpec| match spec.in_parts {
            true => limits.buffer_bytes,
            false => limits.buffer_bytes.min(limits.binding_bytes),
        };
        let spec = self.buffers.specs.iter().find(|spec| spec.size_bytes() > most(spec));
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        match spec.map(|spec| (&spec.name, spec.size_bytes(), most(spec))) {
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
