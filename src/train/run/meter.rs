//! What a run measures in time: its speed, and when what is shown comes again.

/// Something that is shown from time to time. It may take a share of the time, and comes no more often than asked.
pub(super) struct Recurring {
    at_least_apart: f64,
    /// Seconds of pause per second that it took.
    pause_factor: f64,
    /// On the clock.
    pub not_before: f64,
}

impl Recurring {
    pub fn new(at_least_apart: f64, pause_factor: f64) -> Self {
        Self { at_least_apart, pause_factor, not_before: 0.0 }
    }

    pub fn done(&mut self, began: f64, now: f64) {
        self.not_before = now + self.at_least_apart.max((now - began) * self.pause_factor);
    }
}

/// Tokens per second over the steps of the last second or so. Only the time between a submission and its collection
/// counts: looking and writing are not training.
#[derive(Default)]
pub(super) struct Meter {
    pub per_second: f64,
    pub seconds_per_step: f64,
}

impl Meter {
    /// Others compute from now on: what was measured says nothing about them.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// `n_steps` with `tokens` in all took `seconds`.
    pub fn add(&mut self, n_steps: usize, tokens: usize, seconds: f64) {
        let seconds = seconds.max(1e-6);
        // The longer a chunk took, the more it says: half weight at a second.
        let weight = (seconds / (seconds + 1.0)).max(0.1);
        let mix = |old: f64, new: f64| if old == 0.0 { new } else { old + weight * (new - old) };
        self.per_second = mix(self.per_second, tokens as f64 / seconds);
        self.seconds_per_step = mix(self.seconds_per_step, seconds / n_steps.max(1) as f64);
    }
}
