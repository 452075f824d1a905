//! Profile of a training step, by kernel.

use serde::{Deserialize, Serialize};

/// How kernels are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimedBy {
    /// Timestamps taken by the device before and after each kernel.
    Timestamps,
    /// The CPU's clock.
    Clock,
}

/// Total time and cost of all dispatches of one kernel in a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelTime {
    /// Name of the kernel.
    pub kernel: String,
    /// Number of dispatches.
    pub times: usize,
    /// Total duration, in nanoseconds.
    pub ns: f64,
    /// Floating-point operations in matmuls; 0 for kernels that only stream their data.
    pub flops: f64,
    /// Total size of all bindings in bytes, each counted once.
    pub bytes: f64,
    /// Lower bound of the duration on this device for this number of operations and bytes, in nanoseconds.
    pub least_ns: f64,
}

impl KernelTime {
    /// An entry without dispatches.
    pub fn none(kernel: &str) -> Self {
        Self { kernel: kernel.into(), times: 0, ns: 0.0, flops: 0.0, bytes: 0.0, least_ns: 0.0 }
    }

    /// The fraction of the device's peak that the kernel reaches (according to the roofline model).
    pub fn share_of_peak(&self) -> f64 {
        if self.ns > 0.0 { self.least_ns / self.ns } else { 0.0 }
    }
}

/// The profile of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Steps done before it.
    pub step: u64,
    /// How the kernels were timed.
    pub timed_by: TimedBy,
    /// The kernels, sorted by descending duration.
    pub kernels: Vec<KernelTime>,
    /// Peak throughput measured on this device, in operations per second.
    pub peak_flops_per_s: f64,
    /// Peak bandwidth measured on this device, in bytes per second.
    pub peak_bytes_per_s: f64,
}

impl Profile {
    /// The sum over all kernels.
    pub fn total(&self) -> KernelTime {
        let sum = |of: fn(&KernelTime) -> f64| self.kernels.iter().map(of).sum();
        KernelTime {
            kernel: "all".into(),
            times: self.kernels.iter().map(|kernel| kernel.times).sum(),
            ns: sum(|kernel| kernel.ns),
            flops: sum(|kernel| kernel.flops),
            bytes: sum(|kernel| kernel.bytes),
            least_ns: sum(|kernel| kernel.least_ns),
        }
    }

    /// The timer resolution in nanoseconds, if it is too coarse for single kernels: browsers round timestamps to 0.1 ms unless
    /// their developer features are enabled. `None` otherwise.
    pub fn coarse_ns(&self) -> Option<f64> {
        const STEP_NS: f64 = 1e5;
        // The browser multiplies the rounded value by the tick length again, hence the tolerance.
        let rounded = |ns: f64| (ns / STEP_NS - (ns / STEP_NS).round()).abs() < 1e-2;
        let timed = self.timed_by == TimedBy::Timestamps && self.kernels.iter().any(|kernel| kernel.ns > 0.0);
        (timed && self.kernels.iter().all(|kernel| rounded(kernel.ns))).then_some(STEP_NS)
    }
}
