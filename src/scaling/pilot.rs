//! The learning rate of a sweep: its smallest run is trained at several rates.

use serde::{Deserialize, Serialize};

/// The rates, relative to the usual one.
const FACTORS: [f64; 4] = [0.5, 1.0, 2.0, 4.0];

/// How many rates follow below or above these while the lowest loss is at an edge, in factors of 2.
const MAX_BEYOND: usize = 2;

/// Rates whose losses are this close to the lowest are equally good: seeds differ by more.
const EQUAL_LOSS: f64 = 1.01;

/// One learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The learning rate.
    pub lr: f64,
    /// Held-out loss at the end; `None` if it diverged.
    pub loss: Option<f64>,
}

/// The rates that were tried, in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pilot(Vec<Trial>);

impl Pilot {
    /// The trials in ascending order.
    pub fn trials(&self) -> &[Trial] {
        &self.0
    }

    /// Adds a trial.
    pub fn add(&mut self, trial: Trial) {
        self.0.retain(|other| other.lr != trial.lr);
        self.0.push(trial);
        self.0.sort_by(|a, b| a.lr.total_cmp(&b.lr));
    }

    /// The next rate to try around the usual one; `None` once the lowest loss is not at an edge, or enough were tried.
    pub fn next(&self, usual: f64) -> Option<f64> {
        if let Some(factor) = FACTORS.get(self.0.len()) {
            return Some(factor * usual);
        }
        let (first, last) = (self.0.first()?.lr, self.0.last()?.lr);
        let lowest = self.lowest().filter(|_| self.0.len() < FACTORS.len() + MAX_BEYOND)?;
        if lowest == first { Some(0.5 * first) } else { (lowest == last).then_some(2.0 * last) }
    }

    /// The learning rate with the lowest loss.
    fn lowest(&self) -> Option<f64> {
        let losses = self.0.iter().filter_map(|trial| Some((trial.lr, trial.loss?)));
        losses.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(lr, _)| lr)
    }

    /// The geometric mean of the learning rates that are as good as the lowest.
    pub fn best(&self) -> Option<f64> {
        let lowest = self.0.iter().filter_map(|trial| trial.loss).min_by(f64::total_cmp)?;
        let good = self.0.iter().filter(|trial| trial.loss.is_some_and(|loss| loss <= EQUAL_LOSS * lowest));
        let logs: Vec<f64> = good.map(|trial| trial.lr.ln()).collect();
        Some((logs.iter().sum::<f64>() / logs.len() as f64).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(loss: impl Fn(f64) -> Option<f64>) -> Pilot {
        let mut pilot = Pilot::default();
        while let Some(lr) = pilot.next(0.01) {
            pilot.add(Trial { lr, loss: loss(lr) });
        }
        pilot
    }

    #[test]
    fn the_pilot_goes_on_while_the_lowest_loss_is_at_an_edge() {
        let around = |best: f64| move |lr: f64| Some(1.0 + (lr / best).ln().powi(2));
        assert_eq!(tried(around(0.02)).trials().len(), 4);
        assert_eq!(tried(around(0.05)).trials().len(), 5);
        assert_eq!(tried(around(1e-6)).trials().len(), 6);
        assert!((tried(around(0.02)).best().unwrap() / 0.02 - 1.0).abs() < 1e-9);
        // Two equally good rates count as their mean; rates that diverged never win.
        let both = tried(|lr| (lr < 0.03).then_some(if lr > 0.007 { 1.0 } else { 2.0 }));
        assert!((both.best().unwrap() / (0.01f64 * 0.02).sqrt() - 1.0).abs() < 1e-9);
        assert_eq!(tried(|_| None).best(), None);
    }
}
