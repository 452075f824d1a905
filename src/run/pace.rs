//! Schedules attention snapshots: as often as requested, as long as they take no more than a given share of the time.

/// A time budget: training earns time for snapshots, and snapshots spend it.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Maximum share of the total time.
    share: f64,
    /// Minimum interval between snapshots, in seconds.
    at_least_apart: f64,
    /// Available budget, in seconds.
    credit: f64,
    /// Duration of the latest snapshot, in seconds.
    cost: f64,
    /// Start of the latest snapshot, on the clock.
    began: f64,
}

impl Pace {
    /// Snapshots at least `at_least_apart` seconds apart that take at most `share` of the time.
    pub fn new(at_least_apart: f64, share: f64) -> Self {
        Self { share, at_least_apart, credit: 0.0, cost: 0.0, began: f64::NEG_INFINITY }
    }

    /// Changes interval and share; the measurements are retained.
    pub fn change(&mut self, at_least_apart: f64, share: f64) {
        (self.at_least_apart, self.share) = (at_least_apart, share);
    }

    /// Adds seconds of training. The budget is limited to two snapshots, because a longer burst would be noticeable.
    pub fn trained(&mut self, seconds: f64) {
        let earned = seconds * self.share / (1.0 - self.share);
        self.credit = (self.credit + earned).min((2.0 * self.cost).max(earned));
    }

    /// Whether a snapshot is due, assuming that it takes as long as the latest one.
    pub fn is_due(&self, now: f64) -> bool {
        now - self.began >= self.at_least_apart && self.credit >= self.cost
    }

    /// Records a snapshot taken from `began` to `now`.
    pub fn looked(&mut self, began: f64, now: f64) {
        (self.began, self.cost) = (began, now - began);
        self.credit -= self.cost;
    }
}
