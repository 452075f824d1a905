//! What follows from the softmax weights of a sentence: heads taken together, rows and columns of several tokens,
//! entropies. Pure.

use std::borrow::Cow;

use super::state::Maps;
use crate::protocol::inspect::visible_keys;

/// A table of weights that can be shown large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// One head: layer, head.
    Head(usize, usize),
    /// The mean over the heads of a layer.
    Mean(usize),
    /// The largest over the heads of a layer, cell by cell.
    Max(usize),
}

impl Plane {
    /// Its layer.
    pub fn layer(self) -> usize {
        match self {
            Self::Head(layer, _) | Self::Mean(layer) | Self::Max(layer) => layer,
        }
    }

    /// Its name in words, counted from 1.
    pub fn name(self) -> String {
        let layer = self.layer() + 1;
        match self {
            Self::Head(_, head) => format!("layer {layer}, head {}", head + 1),
            Self::Mean(_) => format!("layer {layer}, mean of all heads"),
            Self::Max(_) => format!("layer {layer}, maximum of all heads"),
        }
    }

    /// Its name below a small picture.
    pub fn short(self) -> String {
        let layer = self.layer() + 1;
        match self {
            Self::Head(_, head) => format!("L{layer} H{}", head + 1),
            Self::Mean(_) => format!("L{layer} mean"),
            Self::Max(_) => format!("L{layer} max"),
        }
    }
}

/// Which way the token strip and the bars read the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Rows: what a query looks at.
    #[default]
    LooksAt,
    /// Columns: which queries look at a key.
    LookedAtBy,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::LooksAt, Self::LookedAtBy];

    /// Its name in links.
    pub fn name(self) -> &'static str {
        match self {
            Self::LooksAt => "rows",
            Self::LookedAtBy => "columns",
        }
    }
}

impl Maps {
    /// n, the number of tokens.
    pub fn n(&self) -> usize {
        self.tokens.len()
    }

    /// How many keys a query may look at.
    pub fn keys(&self, query: usize) -> usize {
        visible_keys(self.causal, self.n(), query)
    }

    /// Whether the mask hides a key from a query.
    pub fn hides(&self, query: usize, key: usize) -> bool {
        key >= self.keys(query)
    }

    /// A table's weights (n, n) as bytes; a mean is rounded.
    pub fn plane(&self, plane: Plane) -> Cow<'_, [u8]> {
        let heads = || (0..self.n_heads).map(move |head| self.head((plane.layer(), head)));
        match plane {
            Plane::Head(layer, head) => Cow::Borrowed(self.head((layer, head))),
            Plane::Max(_) => {
                let mut most = vec![0; self.n() * self.n()];
                for head in heads() {
                    most.iter_mut().zip(head).for_each(|(most, &weight)| *most = weight.max(*most));
                }
                Cow::Owned(most)
            }
            Plane::Mean(_) => {
                let mut sums = vec![0_u32; self.n() * self.n()];
                for head in heads() {
                    sums.iter_mut().zip(head).for_each(|(sum, &weight)| *sum += u32::from(weight));
                }
                let n_heads = self.n_heads.max(1) as u32;
                // A mean of bytes is a byte.
                Cow::Owned(sums.into_iter().map(|sum| ((sum + n_heads / 2) / n_heads) as u8).collect())
            }
        }
    }

    /// One weight of a table; 0 outside.
    pub fn value(&self, plane: Plane, query: usize, key: usize) -> f64 {
        let heads = || (0..self.n_heads).map(move |head| self.weight((plane.layer(), head), query, key));
        match plane {
            Plane::Head(layer, head) => self.weight((layer, head), query, key),
            Plane::Mean(_) => heads().sum::<f64>() / self.n_heads.max(1) as f64,
            Plane::Max(_) => heads().fold(0.0, f64::max),
        }
    }

    /// What the tokens `at` look at, or are looked at by, on average: a number for every token of the sentence, none
    /// where the mask hides it from all of them. A token that is hidden from some counts 0 for those.
    pub fn seen(&self, plane: Plane, at: &[usize], direction: Direction) -> Vec<Option<f64>> {
        self.seen_by(at, direction, |query, key| self.value(plane, query, key))
    }

    /// The same of other weights of this sentence.
    pub fn seen_by(&self, at: &[usize], direction: Direction, value: impl Fn(usize, usize) -> f64) -> Vec<Option<f64>> {
        let seen = |other: usize| {
            let pair = |&token: &usize| match direction {
                Direction::LooksAt => (token, other),
                Direction::LookedAtBy => (other, token),
            };
            let visible: Vec<_> = at.iter().map(pair).filter(|&(query, key)| !self.hides(query, key)).collect();
            let sum: f64 = visible.iter().map(|&(query, key)| value(query, key)).sum();
            (!visible.is_empty()).then(|| sum / at.len() as f64)
        };
        (0..self.n()).map(seen).collect()
    }

    /// The mean over all rows of a row's entropy −Σ w·log₂ w, in bits; none for maxima, whose rows do not sum to 1, and where
    /// it is unknown. Bytes would not hold it: of weights below 1/510 nothing is left in them.
    pub fn entropy(&self, plane: Plane) -> Option<f64> {
        let in_layer = match plane {
            Plane::Head(_, head) => head,
            Plane::Mean(_) => self.n_heads,
            Plane::Max(_) => return None,
        };
        self.entropies.get(plane.layer() * (self.n_heads + 1) + in_layer).map(|&entropy| f64::from(entropy))
    }

    /// The largest that [`Maps::entropy`] can be for n tokens: every row spreads evenly over the keys it may see.
    pub fn most_entropy(&self) -> f64 {
        (0..self.n()).map(|query| (self.keys(query) as f64).log2()).sum::<f64>() / self.n().max(1) as f64
    }
}
