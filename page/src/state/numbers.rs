//! Displayed weights. Maps store them in steps of 1/255, which justifies two decimals; for the selected head, exact
//! numbers are available while any are displayed, and three decimals are shown.

use std::rc::Rc;

use super::State;
use super::ask::Head;
use crate::maps::{Direction, Plane};

impl State {
    /// The exact numbers of the displayed head, if they are of the same step as its map.
    pub fn exact_head(&self) -> Option<Rc<Head>> {
        let (maps, head) = (self.maps.as_ref()?, self.ask.head.as_ref()?);
        let same =
            head.step == maps.step && head.rows.n() == maps.n() && self.plane() == Plane::Head(head.at.0, head.at.1);
        (same && self.remember.earlier.is_none()).then(|| head.clone())
    }

    /// Whether single weights are displayed as numbers, so that the worker computes them with every snapshot.
    pub(super) fn shows_numbers(&self) -> bool {
        let pointed = self.hovered.is_some() || self.pinned.is_some() || !self.look.added.is_empty();
        self.look.together.is_none() && self.remember.earlier.is_none() && (pointed || self.table_shown)
    }

    /// The weight of a cell of the displayed table; 0 out of range.
    pub fn weight(&self, query: usize, key: usize) -> f64 {
        let Some(maps) = self.shown_maps() else { return 0.0 };
        match self.exact_head() {
            Some(head) => head.weights.get(query * maps.n() + key).map_or(0.0, |&weight| f64::from(weight)),
            None => maps.value(self.plane(), query, key),
        }
    }

    /// [`Maps::seen`](super::Maps::seen) for the displayed table, from exact numbers if available.
    pub fn seen(&self, at: &[usize], direction: Direction) -> Vec<Option<f64>> {
        let Some(maps) = self.shown_maps() else { return Vec::new() };
        match self.exact_head() {
            Some(head) => {
                let n = maps.n();
                maps.seen_by(at, direction, |query, key| {
                    head.weights.get(query * n + key).map_or(0.0, |&weight| f64::from(weight))
                })
            }
            None => maps.seen(self.plane(), at, direction),
        }
    }

    /// A weight of the displayed table, with as many decimals as are exact.
    pub fn weight_text(&self, weight: f64) -> String {
        if self.exact_head().is_some() { format!("{weight:.3}") } else { format!("{weight:.2}") }
    }
}
