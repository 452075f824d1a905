//! Profiles a training step and compares it with the device's peak performance.

use std::collections::BTreeMap;

use crate::gpu::context::Context;
use crate::ops::peak;
use crate::train::trainer::{TrainError, Trainer};
use crate::types::profile::{KernelTime, Profile, TimedBy};

/// Times one step on the device of `context`, or on the CPU without one, immediately after measuring the device's peaks. The
/// run is not changed: the step's update is reverted.
///
/// # Errors
/// If a GPU has no timestamp queries, was lost, or rejected a command, or if the run diverged.
pub async fn profile_step(trainer: &mut Trainer, context: Option<&Context>) -> Result<Profile, TrainError> {
    let peaks = peak::measure(context).await?;
    let before = trainer.state().await?;
    let timings = trainer.profile_step().await;
    trainer.restore(&before);
    let mut by_kernel: BTreeMap<&str, KernelTime> = BTreeMap::new();
    for (timing, cost) in timings?.iter().zip(trainer.step_costs()) {
        let sum = by_kernel.entry(timing.kernel).or_insert_with(|| KernelTime::none(timing.kernel));
        sum.times += 1;
        sum.ns += timing.ns;
        sum.flops += cost.flops;
        sum.bytes += cost.bytes;
        sum.least_ns += peaks.least_seconds(cost) * 1e9;
    }
    let mut kernels: Vec<KernelTime> = by_kernel.into_values().collect();
    kernels.sort_by(|a, b| b.ns.total_cmp(&a.ns));
    Ok(Profile {
        step: before.step,
        timed_by: if context.is_some() { TimedBy::Timestamps } else { TimedBy::Clock },
        kernels,
        peak_flops_per_s: peaks.flops_per_s,
        peak_bytes_per_s: peaks.bytes_per_s,
    })
}
