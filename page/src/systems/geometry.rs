//! The shared time axis of the timeline and the memory chart, and what is drawn on it. Pure.

use glasshead::systems::memory::{Group, MemoryTimeline};
use glasshead::systems::trace::{Phase, Trace};

use crate::draw::chart::Scale;

/// Pixels left of the axis, for the names of lanes and the numbers of the memory.
pub const LEFT: f64 = 84.0;
/// Pixels right of it.
pub const RIGHT: f64 = 16.0;

/// The visible part of a step in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Beginning.
    pub from: f64,
    /// End.
    pub to: f64,
}

impl Range {
    /// The whole step.
    pub fn whole(trace: &Trace) -> Self {
        Self { from: 0.0, to: trace.wall_ns.max(1.0) }
    }

    /// The scale of a chart of this width.
    pub fn scale(self, width: f64) -> Scale {
        Scale { low: self.from, high: self.to, from: LEFT, to: (width - RIGHT).max(LEFT + 1.0) }
    }

    /// Enlarged around a time by a factor, or reduced for a factor below 1; it stays within the step, and above a thousandth of it.
    pub fn zoomed(self, around: f64, factor: f64, whole: Self) -> Self {
        let length = ((self.to - self.from) / factor).clamp((whole.to - whole.from) / 1000.0, whole.to - whole.from);
        let part = ((around - self.from) / (self.to - self.from)).clamp(0.0, 1.0);
        Self { from: around - part * length, to: around + (1.0 - part) * length }.within(whole)
    }

    /// Moved by a fraction of its length.
    pub fn moved(self, part: f64, whole: Self) -> Self {
        let by = part * (self.to - self.from);
        Self { from: self.from + by, to: self.to + by }.within(whole)
    }

    fn within(self, whole: Self) -> Self {
        let length = (self.to - self.from).min(whole.to - whole.from);
        let from = self.from.clamp(whole.from, whole.to - length);
        Self { from, to: from + length }
    }

    /// Between two times of a drag; `None` for a click.
    pub fn dragged(a: f64, b: f64, whole: Self) -> Option<Self> {
        let (from, to) = (a.min(b).max(whole.from), a.max(b).min(whole.to));
        (to - from > (whole.to - whole.from) / 1000.0).then_some(Self { from, to })
    }
}

/// The lane of a phase, counted from the host's lane 0.
pub fn lane(phase: Phase) -> usize {
    match phase {
        Phase::Forward => 1,
        Phase::Recompute | Phase::Backward => 2,
        Phase::Update => 3,
    }
}

/// The names of the lanes.
pub const LANES: [&str; 4] = ["Host", "Forward", "Backward", "Update"];

/// The dispatch at a time: the one that runs, or the one before it.
pub fn dispatch_at(trace: &Trace, ns: f64) -> Option<usize> {
    let after = trace.spans.partition_point(|span| span.start_ns <= ns);
    after.checked_sub(1)
}

/// The bands of the stacked memory chart: a name, a color, and the groups that it adds up.
pub const BANDS: [(&str, &str, &[Group]); 4] = [
    ("Parameters and optimizer state", "--s5", &[Group::Parameters, Group::Moments, Group::Other]),
    ("Gradients", "--s4", &[Group::Gradients]),
    ("Activations", "--s1", &[Group::Activations, Group::ActivationGradients]),
    ("Logits", "--s2", &[Group::Logits]),
];

/// The tops of the bands at every dispatch, in bytes.
pub fn stacks(memory: &MemoryTimeline) -> Vec<[f64; 4]> {
    let of = |at: usize| {
        let live = memory.live(at).unwrap_or_default();
        let mut top = 0.0;
        BANDS.map(|(.., groups)| {
            let bytes = Group::ALL.iter().zip(live).filter(|(group, _)| groups.contains(group));
            top += bytes.map(|(_, bytes)| bytes as f64).sum::<f64>();
            top
        })
    };
    (0..memory.n_dispatches).map(of).collect()
}

/// The outline of a band as points of an SVG polygon: its top from left to right, the top of the band below back.
pub fn outline(trace: &Trace, stacks: &[[f64; 4]], band: usize, x: &Scale, y: &Scale) -> String {
    let steps = |of: &dyn Fn(&[f64; 4]) -> f64| -> Vec<(f64, f64)> {
        let mut points = Vec::new();
        for (at, (span, stack)) in trace.spans.iter().zip(stacks).enumerate() {
            let end = trace.spans.get(at + 1).map_or(trace.wall_ns, |next| next.start_ns);
            let start = if at == 0 { 0.0 } else { span.start_ns };
            let level = y.pixel(of(stack));
            points.extend([(x.pixel(start), level), (x.pixel(end), level)]);
        }
        points
    };
    let top = steps(&|stack| stack[band]);
    let mut bottom = steps(&|stack| if band == 0 { 0.0 } else { stack[band - 1] });
    bottom.reverse();
    let clamp = |x_pixel: f64| x_pixel.clamp(x.from, x.to);
    let text = |(px, py): &(f64, f64)| format!("{:.1},{:.1}", clamp(*px), py);
    top.iter().chain(&bottom).map(text).collect::<Vec<_>>().join(" ")
}
