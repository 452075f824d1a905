//! Profiles a training step and compares it with the device's peak performance.

use std::collections::BTreeMap;

use crate::gpu::context::Context;
use crate::gpu::profile::Timing;
use crate::ops::cost::{Cost, Peaks};
use crate::ops::peak;
use crate::systems::memory::MemoryTimeline;
use crate::systems::trace::{HostSpan, HostWork, Span, Trace, Work};
use crate::train::trainer::{StepTimes, TrainError, Trainer};
use crate::types::profile::{KernelTime, Profile, TimedBy};

/// Everything that is measured of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepProfile {
    /// Its kernels.
    pub profile: Profile,
    /// Its timeline.
    pub trace: Trace,
    /// Its memory.
    pub memory: MemoryTimeline,
}

/// As [`profile_whole_step`], the kernels alone.
///
/// # Errors
/// As [`profile_whole_step`].
pub async fn profile_step(trainer: &mut Trainer, context: Option<&Context>) -> Result<Profile, TrainError> {
    Ok(profile_whole_step(trainer, context).await?.profile)
}

/// Times one step on the device of `context`, or on the CPU without one, immediately after measuring the device's peaks. The
/// run is not changed: the step's update is reverted.
///
/// # Errors
/// If a GPU has no timestamp queries, was lost, or rejected a command, or if the run diverged.
pub async fn profile_whole_step(trainer: &mut Trainer, context: Option<&Context>) -> Result<StepProfile, TrainError> {
    let peaks = peak::measure(context).await?;
    let before = trainer.state().await?;
    let times = trainer.time_step().await;
    trainer.restore(&before);
    let (times, work) = (times?, trainer.step_work());
    let mut by_kernel: BTreeMap<&str, KernelTime> = BTreeMap::new();
    for (timing, work) in times.run.timings.iter().zip(&work) {
        let sum = by_kernel.entry(timing.kernel).or_insert_with(|| KernelTime::none(timing.kernel));
        sum.times += 1;
        sum.ns += timing.ns;
        sum.flops += work.flops;
        sum.bytes += work.bytes;
        sum.least_ns += least_ns(peaks, work);
    }
    let mut kernels: Vec<KernelTime> = by_kernel.into_values().collect();
    kernels.sort_by(|a, b| b.ns.total_cmp(&a.ns));
    let profile = Profile {
        step: before.step,
        timed_by: if context.is_some() { TimedBy::Timestamps } else { TimedBy::Clock },
        kernels,
        peak_flops_per_s: peaks.flops_per_s,
        peak_bytes_per_s: peaks.bytes_per_s,
    };
    let device = context.map_or_else(|| "CPU".into(), |context| context.adapter.name.clone());
    let trace = Trace { device, step: before.step, ..timeline(times, work, peaks, context.is_some()) };
    Ok(StepProfile { profile, trace, memory: trainer.memory_timeline() })
}

fn least_ns(peaks: Peaks, work: &Work) -> f64 {
    1e9 * peaks.least_seconds(Cost { flops: work.flops, bytes: work.bytes })
}

/// The timeline of a step. The device's clock and the host's are different ones, so the first dispatch is placed at the end of
/// the submission, or earlier where the device would otherwise finish after the loss was read.
fn timeline(times: StepTimes, work: Vec<Work>, peaks: Peaks, on_gpu: bool) -> Trace {
    let StepTimes { run, plain_ns } = times;
    let last_ns = run.timings.last().map_or(0.0, |last| last.start_ns + last.ns);
    let wall_ns = run.wall_ns.max(last_ns);
    let first_ns = if on_gpu { run.submit_ns.min(wall_ns - last_ns) } else { 0.0 };
    let host = match on_gpu {
        true => vec![
            HostSpan { work: HostWork::Submit, start_ns: 0.0, ns: run.submit_ns },
            HostSpan { work: HostWork::Wait, start_ns: run.submit_ns, ns: (wall_ns - run.submit_ns).max(0.0) },
        ],
        false => vec![HostSpan { work: HostWork::Compute, start_ns: 0.0, ns: wall_ns }],
    };
    let mut spans: Vec<Span> = Vec::with_capacity(work.len());
    for (Timing { kernel, start_ns, ns }, work) in run.timings.into_iter().zip(work) {
        // Rounded timestamps may overlap a little.
        let start_ns = spans.last().map_or(first_ns, Span::end_ns).max(first_ns + start_ns);
        let ns = ns.min((wall_ns - start_ns).max(0.0));
        spans.push(Span { kernel: kernel.into(), start_ns, ns, least_ns: least_ns(peaks, &work), work });
    }
    Trace { plain_ns, wall_ns, host, spans, ..Trace::default() }
}
