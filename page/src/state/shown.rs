//! The table shown large and its legend: the same for the screen, images and films.

use std::rc::Rc;

use super::ask::Head;
use super::difference::{difference, most};
use super::look::Values;
use super::{Maps, State};
use crate::draw::heat::{ColorScale, Domain, pixels};
use crate::maps::Plane;
use glasshead::types::inspect::Watched;

/// Numbers (n, n), indexed by query, then key; with a causal mask, later keys are masked.
#[derive(Clone, Debug)]
pub enum Table {
    /// Softmax weights.
    Weights(Rc<Maps>, Plane),
    /// q·k / √D of one head, before mask and softmax.
    Scores(Rc<Head>),
}

impl PartialEq for Table {
    /// Compared by address: comparing all numbers would cost more than painting them.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Weights(maps, plane), Self::Weights(others, other)) => Rc::ptr_eq(maps, others) && plane == other,
            (Self::Scores(head), Self::Scores(other)) => Rc::ptr_eq(head, other),
            _ => false,
        }
    }
}

impl Table {
    /// The number of tokens, n.
    pub fn n(&self) -> usize {
        match self {
            Self::Weights(maps, _) => maps.n(),
            Self::Scores(head) => head.rows.n(),
        }
    }

    /// Steps completed when its numbers were computed.
    pub fn step(&self) -> u64 {
        match self {
            Self::Weights(maps, _) => maps.step,
            Self::Scores(head) => head.step,
        }
    }

    /// The plane that it shows.
    pub fn plane(&self) -> Plane {
        match self {
            Self::Weights(_, plane) => *plane,
            Self::Scores(head) => Plane::Head(head.at.0, head.at.1),
        }
    }

    /// Its title.
    pub fn title(&self) -> String {
        match self {
            Self::Weights(_, plane) => plane.name(),
            Self::Scores(_) => format!("{}, scores before softmax", self.plane().name()),
        }
    }

    /// Whether keys after the query are masked.
    pub fn causal(&self) -> bool {
        match self {
            Self::Weights(maps, _) => maps.causal,
            Self::Scores(head) => head.rows.causal,
        }
    }

    /// One number; 0 out of range.
    pub fn value(&self, query: usize, key: usize) -> f64 {
        match self {
            Self::Weights(maps, plane) => maps.value(*plane, query, key),
            Self::Scores(head) => head.scores.get(query * self.n() + key).map_or(0.0, |&score| f64::from(score)),
        }
    }

    /// Its RGBA pixels, one per cell; masked cells are transparent.
    pub fn pixels(&self, scale: &ColorScale) -> Vec<u8> {
        let (n, causal) = (self.n(), self.causal());
        match self {
            Self::Weights(maps, plane) => {
                let weights = maps.plane(*plane);
                pixels(n, causal, scale, |row, column| {
                    f32::from(weights.get(row * n + column).copied().unwrap_or(0)) / 255.0
                })
            }
            Self::Scores(head) => {
                pixels(n, causal, scale, |row, column| head.scores.get(row * n + column).copied().unwrap_or(0.0))
            }
        }
    }
}

/// The legend of a color scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Legend {
    /// The color scale.
    pub scale: ColorScale,
    /// The number at the low end, as text.
    pub low: String,
    /// The number at the high end, as text.
    pub high: String,
    /// The quantity shown.
    pub what: &'static str,
}

impl Legend {
    /// Creates a legend whose numbers have `decimals` decimals.
    fn new(scale: ColorScale, what: &'static str, decimals: usize) -> Self {
        let (low, high) = match scale.domain {
            Domain::EachRow => ("0".into(), "each row's maximum".into()),
            Domain::Fixed { low, high } if low < 0.0 => {
                (format!("−{:.decimals$}", -low), format!("+{high:.decimals$}"))
            }
            Domain::Fixed { low, high } => (low.to_string(), high.to_string()),
        };
        Self { scale, low, high, what }
    }

    /// Notes on gamma and threshold, where they differ from their defaults.
    pub fn notes(&self) -> String {
        let ColorScale { gamma, threshold, .. } = self.scale;
        let bent = (gamma != 1.0).then(|| format!("gamma {gamma:.2}"));
        let faded = (threshold > 0.0).then(|| format!("below {threshold:.2} faded"));
        bent.into_iter().chain(faded).collect::<Vec<_>>().join(" · ")
    }
}

/// shown − held for a plane as (n, n) numbers, and their legend.
pub fn change(held: &Maps, shown: &Maps, plane: Plane, gamma: f32) -> (Vec<f32>, Legend) {
    let difference = difference(held, shown, plane);
    let scale = ColorScale { gamma, ..ColorScale::around_zero(most(&difference)) };
    (difference, Legend::new(scale, "change of the softmax weight, B − A", 2))
}

impl State {
    /// The table shown. Scores are only available for the current weights, so an earlier snapshot shows weights.
    pub fn table(&self) -> Option<Table> {
        let maps = self.shown_maps()?;
        let is_it = |head: &Rc<Head>| Plane::Head(head.at.0, head.at.1) == self.plane() && head.rows.n() == maps.n();
        let live = self.look.values == Values::Scores && self.remember.earlier.is_none();
        Some(match self.ask.head.clone().filter(|head| live && is_it(head)) {
            Some(head) => Table::Scores(head),
            None => Table::Weights(maps, self.plane()),
        })
    }

    /// The legend of a table; `paper` is the color that faded cells fade to.
    pub fn legend_of(&self, table: &Table, paper: [u8; 3]) -> Legend {
        match table {
            Table::Weights(..) => Legend::new(self.color_scale(paper), "softmax weight", 2),
            Table::Scores(head) => {
                let scale = ColorScale { gamma: self.look.gamma, paper, ..ColorScale::around_zero(head.most()) };
                Legend::new(scale, "q·k / √D before softmax", 3)
            }
        }
    }

    /// What the worker has to compute with every snapshot.
    pub fn watched(&self) -> Watched {
        let scores = self.look.values == Values::Scores && self.look.together.is_none();
        let watched = self.ask.watched(self.selected);
        let wanted = scores || self.shows_numbers();
        Watched { head: watched.head.or(wanted.then_some(self.selected)), ..watched }
    }
}
