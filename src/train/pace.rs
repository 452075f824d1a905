//! When maps are shown again: as often as asked, as long as showing them takes no more than a share of the time.

/// Training earns time for looking, looking spends it.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Of all time, at most this share is spent.
    share: f64,
    /// Seconds from one look to the next, at least.
    at_least_apart: f64,
    /// Seconds that may be spent.
    credit: f64,
    /// What the latest look has taken, in seconds.
    cost: f64,
    /// When it began, on the clock.
    began: f64,
}

impl Pace {
    /// Looks at least so many seconds apart, that take at most `share` of the time.
    pub fn new(at_least_apart: f64, share: f64) -> Self {
        Self { share, at_least_apart, credit: 0.0, cost: 0.0, began: f64::NEG_INFINITY }
    }

    /// The same with other looks from now on; what was measured stays.
    pub fn change(&mut self, at_least_apart: f64, share: f64) {
        (self.at_least_apart, self.share) = (at_least_apart, share);
    }

    /// So many seconds were spent on training. What is saved up is never more than two looks' worth: a burst of them
    /// would be felt.
    pub fn trained(&mut self, seconds: f64) {
        let earned = seconds * self.share / (1.0 - self.share);
        self.credit = (self.credit + earned).min((2.0 * self.cost).max(earned));
    }

    /// Whether it is time, if the next look takes as long as the latest.
    pub fn is_due(&self, now: f64) -> bool {
        now - self.began >= self.at_least_apart && self.credit >= self.cost
    }

    /// A look was taken from `began` to `now`.
    pub fn looked(&mut self, began: f64, now: f64) {
        (self.began, self.cost) = (began, now - began);
        self.credit -= self.cost;
    }
}
