//! What the loss chart shows, and where its values lie on the x axis.

use std::rc::Rc;

use crate::state::Theme;
use crate::state::runs::{Axis, ShownRun};
use crate::state::seeds::SeedSeries;
use glasshead::types::{Baselines, StepPoint};

/// Everything the chart shows.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The present run first, then the finished runs that are shown.
    pub runs: Vec<ShownRun>,
    /// Repetitions with several seeds, as bands.
    pub bands: Rc<Vec<SeedSeries>>,
    /// The unit of the x axis.
    pub axis: Axis,
    /// The baselines, drawn as horizontal lines.
    pub baselines: Option<Baselines>,
    /// Whether the x axis is linear instead of logarithmic.
    pub linear: bool,
    /// The x value under the pointer.
    pub pointed: Option<f64>,
    /// Whether the present run ended because its loss became infinite or NaN.
    pub diverged: bool,
    /// Other inputs that require repainting: the number of resizes, and the theme.
    pub look: (u32, Theme),
}

impl PartialEq for Picture {
    fn eq(&self, other: &Self) -> bool {
        let same = |picture: &Self| {
            (picture.axis, picture.linear, picture.baselines, picture.pointed, picture.diverged, picture.look)
        };
        let alike = |(a, b): (&ShownRun, &ShownRun)| Rc::ptr_eq(&a.history, &b.history) && a.name == b.name;
        let runs = self.runs.len() == other.runs.len() && self.runs.iter().zip(&other.runs).all(alike);
        runs && same(self) == same(other) && Rc::ptr_eq(&self.bands, &other.bands)
    }
}

impl Picture {
    /// The smallest value of a logarithmic axis.
    pub(super) fn floor(&self) -> f64 {
        if self.axis == Axis::Seconds { 0.1 } else { 1.0 }
    }

    /// The position of a value on the x axis, on which pixels are linear.
    pub(super) fn place(&self, value: f64) -> f64 {
        if self.linear { value } else { value.max(self.floor()).log10() }
    }

    /// The value at such a position.
    pub(super) fn value(&self, place: f64) -> f64 {
        if self.linear { place } else { 10f64.powf(place) }
    }

    /// The x value of a step; none on an axis of seconds, which differ from seed to seed.
    pub(super) fn step_at(&self, step: u64, tokens_per_step: usize) -> Option<f64> {
        match self.axis {
            Axis::Steps => Some(step as f64),
            Axis::Tokens => Some(step as f64 * tokens_per_step as f64),
            Axis::Seconds => None,
        }
    }

    /// The position of a point of a run.
    pub(super) fn at(&self, run: &ShownRun) -> impl Fn(&StepPoint) -> f64 {
        let tokens_per_step = run.config.tokens_per_step();
        move |point| self.place(self.axis.of(point, tokens_per_step))
    }
}
