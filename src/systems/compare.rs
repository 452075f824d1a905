//! Two timelines side by side: which kernels and which idle times became slower or faster, ranked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::trace::Trace;

/// The time of one kernel, or of one cause of idleness, in two traces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Kernel, or "idle: " and the cause.
    pub name: String,
    /// Dispatches before and after; 0 for idle time.
    pub times: [usize; 2],
    /// Nanoseconds before and after.
    pub ns: [f64; 2],
}

impl Difference {
    /// Nanoseconds that were added; negative where it became faster.
    pub fn change_ns(&self) -> f64 {
        self.ns[1] - self.ns[0]
    }
}

/// The differences of two traces, largest first. Their changes add up to the difference of the two timelines.
pub fn differences(before: &Trace, after: &Trace) -> Vec<Difference> {
    let mut rows: BTreeMap<String, Difference> = BTreeMap::new();
    for (side, trace) in [before, after].into_iter().enumerate() {
        let kernels = trace.spans.iter().map(|span| (span.kernel.clone(), span.ns, 1));
        let idle = trace.idle_ns().map(|(cause, ns)| (format!("idle: {}", cause.name()), ns, 0));
        for (name, ns, times) in kernels.chain(idle) {
            let row = rows.entry(name.clone()).or_insert(Difference { name, times: [0; 2], ns: [0.0; 2] });
            row.ns[side] += ns;
            row.times[side] += times;
        }
    }
    let mut rows: Vec<Difference> = rows.into_values().collect();
    rows.sort_by(|a, b| b.change_ns().abs().total_cmp(&a.change_ns().abs()));
    rows
}
