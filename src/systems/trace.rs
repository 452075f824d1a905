//! The timeline of one training step: what the host does, and every dispatch on the device.

use serde::{Deserialize, Serialize};

/// The part of a step that a dispatch belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// From token ids to logits and the loss.
    Forward,
    /// Activations that were not stored, computed again.
    Recompute,
    /// Gradients.
    Backward,
    /// Gradient norm and optimizer.
    Update,
}

impl Phase {
    /// All phases.
    pub const ALL: [Self; 4] = [Self::Forward, Self::Recompute, Self::Backward, Self::Update];

    /// The name of the phase.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Recompute => "recompute",
            Self::Backward => "backward",
            Self::Update => "update",
        }
    }
}

/// What a dispatch does, known before it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// The part of the step.
    pub phase: Phase,
    /// The layer, from 0; `None` outside of layers.
    pub layer: Option<usize>,
    /// Name of the first tensor that it writes.
    pub tensor: String,
    /// Floating-point operations of matmuls and attention.
    pub flops: f64,
    /// Bytes of all bindings, each counted once.
    pub bytes: f64,
}

/// One dispatch on the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Name of the kernel.
    pub kernel: String,
    /// What it does.
    #[serde(flatten)]
    pub work: Work,
    /// Beginning, in nanoseconds since the beginning of the step.
    pub start_ns: f64,
    /// Duration in nanoseconds.
    pub ns: f64,
    /// Lower bound of the duration by the device's peaks, in nanoseconds.
    pub least_ns: f64,
}

impl Span {
    /// End, in nanoseconds since the beginning of the step.
    pub fn end_ns(&self) -> f64 {
        self.start_ns + self.ns
    }

    /// The fraction of what the roofline allows.
    pub fn share_of_roof(&self) -> f64 {
        if self.ns > 0.0 { self.least_ns / self.ns } else { 0.0 }
    }
}

/// What the host does during a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostWork {
    /// Writes the step's values, encodes and submits the dispatches. On the CPU backend, only the values.
    Submit,
    /// Computes the kernels: the CPU backend, where the host is the device.
    Compute,
    /// Waits for the device and reads the loss.
    Wait,
}

impl HostWork {
    /// The name of the work.
    pub fn name(self) -> &'static str {
        match self {
            Self::Submit => "write and submit",
            Self::Compute => "compute",
            Self::Wait => "wait for the loss",
        }
    }
}

/// A span of the host.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostSpan {
    /// What it does.
    pub work: HostWork,
    /// Beginning, in nanoseconds since the beginning of the step.
    pub start_ns: f64,
    /// Duration in nanoseconds.
    pub ns: f64,
}

/// Why the device computes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Before the first dispatch: the host writes and submits.
    Host,
    /// Between two dispatches: starting the next one, and memory barriers.
    Launch,
    /// After the last dispatch: the host reads the loss.
    Read,
}

impl Cause {
    /// All causes.
    pub const ALL: [Self; 3] = [Self::Host, Self::Launch, Self::Read];

    /// The name of the cause.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host prepares",
            Self::Launch => "between kernels",
            Self::Read => "host reads the loss",
        }
    }
}

/// The timeline of one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// What was measured, for example the adapter's name.
    pub device: String,
    /// Steps done before it.
    pub step: u64,
    /// Duration of a step without profiling, in nanoseconds.
    pub plain_ns: f64,
    /// Duration of the profiled step, in nanoseconds: the length of the timeline.
    pub wall_ns: f64,
    /// The host's spans in order.
    pub host: Vec<HostSpan>,
    /// The dispatches in order; they do not overlap.
    pub spans: Vec<Span>,
}

impl Trace {
    /// Time in kernels, in nanoseconds.
    pub fn busy_ns(&self) -> f64 {
        self.spans.iter().map(|span| span.ns).sum()
    }

    /// Idle time of the device for each cause, in nanoseconds. With [`Trace::busy_ns`] it adds up to the whole timeline.
    pub fn idle_ns(&self) -> [(Cause, f64); 3] {
        let first = self.spans.first().map_or(self.wall_ns, |span| span.start_ns);
        let last = self.spans.last().map_or(self.wall_ns, Span::end_ns);
        let between: f64 = self.spans.windows(2).map(|pair| (pair[1].start_ns - pair[0].end_ns()).max(0.0)).sum();
        [(Cause::Host, first), (Cause::Launch, between), (Cause::Read, (self.wall_ns - last).max(0.0))]
    }

    /// By what fraction profiling slows the step; negative where noise is larger than the effect.
    pub fn overhead(&self) -> f64 {
        if self.plain_ns > 0.0 { self.wall_ns / self.plain_ns - 1.0 } else { 0.0 }
    }

    /// Time in kernels of each phase, in nanoseconds.
    pub fn phase_ns(&self) -> [(Phase, f64); 4] {
        Phase::ALL.map(|phase| {
            let of_phase = self.spans.iter().filter(|span| span.work.phase == phase);
            (phase, of_phase.map(|span| span.ns).sum())
        })
    }

    /// Time in forward kernels and in backward kernels by layer, in nanoseconds; the last entry is everything outside of layers.
    /// Recomputation counts as backward, the update is left out.
    pub fn layer_ns(&self) -> Vec<[f64; 2]> {
        let n_layers = self.spans.iter().filter_map(|span| span.work.layer).max().map_or(0, |last| last + 1);
        let mut layers = vec![[0.0; 2]; n_layers + 1];
        for span in self.spans.iter().filter(|span| span.work.phase != Phase::Update) {
            let direction = usize::from(span.work.phase != Phase::Forward);
            layers[span.work.layer.unwrap_or(n_layers)][direction] += span.ns;
        }
        layers
    }
}
