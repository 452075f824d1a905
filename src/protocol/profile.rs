//! Where the time of a training step goes, kernel by kernel.

use serde::{Deserialize, Serialize};

/// What the page asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "profile", rename_all = "snake_case")]
pub enum ProfileCommand {
    /// Time one step of the run, which stays as it is. Answered by one [`ProfileEvent`].
    Measure,
}

/// What the worker answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "profile", rename_all = "snake_case")]
pub enum ProfileEvent {
    /// The step was timed.
    Measured(Box<Profile>),
    /// It cannot be timed.
    Unavailable {
        /// Why.
        reason: String,
    },
}

/// How kernels are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimedBy {
    /// Timestamps that the device takes before and after each kernel.
    Timestamps,
    /// The clock of the processor that computes.
    Clock,
}

/// All dispatches of one kernel in a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelTime {
    /// Its name.
    pub kernel: String,
    /// How many dispatches.
    pub times: usize,
    /// What they took together, in nanoseconds.
    pub ns: f64,
    /// Operations of their products; 0 for kernels that only go over their data.
    pub flops: f64,
    /// Bytes of everything that they bind, once.
    pub bytes: f64,
    /// The least time that this device could need for so many operations and bytes, in nanoseconds.
    pub least_ns: f64,
}

impl KernelTime {
    /// Of no dispatch yet.
    pub fn none(kernel: &str) -> Self {
        Self { kernel: kernel.into(), times: 0, ns: 0.0, flops: 0.0, bytes: 0.0, least_ns: 0.0 }
    }

    /// The share of the device's peak that they reach (the roofline's height, or its slope where bytes limit).
    pub fn share_of_peak(&self) -> f64 {
        if self.ns > 0.0 { self.least_ns / self.ns } else { 0.0 }
    }
}

/// One step, timed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Steps done before it.
    pub step: u64,
    /// How it was timed.
    pub timed_by: TimedBy,
    /// The kernels, the longest first.
    pub kernels: Vec<KernelTime>,
    /// The most operations a second that this device was seen to do.
    pub peak_flops_per_s: f64,
    /// The most bytes a second.
    pub peak_bytes_per_s: f64,
}

impl Profile {
    /// All kernels together.
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

    /// The step to which the times are rounded, in nanoseconds, where that is so coarse that single kernels drown in it:
    /// browsers tell timestamps in steps of 0.1 ms unless their developer features are on.
    pub fn coarse_ns(&self) -> Option<f64> {
        const STEP_NS: f64 = 1e5;
        // What the browser rounds it multiplies with the length of a tick again, hence a little room.
        let rounded = |ns: f64| (ns / STEP_NS - (ns / STEP_NS).round()).abs() < 1e-2;
        let timed = self.timed_by == TimedBy::Timestamps && self.kernels.iter().any(|kernel| kernel.ns > 0.0);
        (timed && self.kernels.iter().all(|kernel| rounded(kernel.ns))).then_some(STEP_NS)
    }
}
