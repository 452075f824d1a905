//! Derived from the softmax weights of a sentence: aggregates of heads, rows and columns of several tokens, entropies.
//! Pure.

use std::borrow::Cow;

use super::state::Maps;
use glasshead::types::inspect::visible_keys;

/// A table of weights that can be shown large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// One head: layer, head.
    Head(usize, usize),
    /// The elementwise mean over the heads of a layer.
    Mean(usize),
    /// The elementwise maximum over the heads of a layer.
    Max(usize),
}

impl Plane {
    /// Its layer, from 0.
    pub fn layer(self) -> usize {
        match self {
            Self::Head(layer, _) | Self::Mean(layer) | Self::Max(layer) => layer,
        }
    }

    /// Its name in words; layers and heads are counted from 1.
    pub fn name(self) -> String {
        let layer = self.layer() + 1;
        match self {
            Self::Head(_, head) => format!("layer {layer}, head {}", head + 1),
            Self::Mean(_) => format!("layer {layer}, mean of all heads"),
            Self::Max(_) => format!("layer {layer}, maximum of all heads"),
        }
    }

    /// Its label below a small map.
    pub fn short(self) -> String {
        let layer = self.layer() + 1;
        match self {
            Self::Head(_, head) => format!("L{layer} H{}", head + 1),
            Self::Mean(_) => format!("L{layer} mean"),
            Self::Max(_) => format!("L{layer} max"),
        }
    }
}

/// Whether the token strip and the bars show rows or columns of the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Rows: what a query attends to.
    #[default]
    LooksAt,
    /// Columns: which queries attend to a key.
    LookedAtBy,
}

impl Direction {
    /// Both directions, rows first.
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
    /// The number of tokens, n.
    pub fn n(&self) -> usize {
        self.tokens.len()
    }

    /// How many keys a query may attend to.
    pub fn keys(&self, query: usize) -> usize {
        visible_keys(self.causal, self.n(), query)
    }

    /// Whether the mask hides a key from a query.
    pub fn hides(&self, query: usize, key: usize) -> bool {
        key >= self.keys(query)
    }

    /// A table's weights (n, n) as bytes; means are rounded.
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
                // The mean of bytes fits in a byte.
                Cow::Owned(sums.into_iter().map(|sum| ((sum + n_heads / 2) / n_heads) as u8).collect())
            }
        }
    }

    /// One weight of a table; 0 out of range.
    pub fn value(&self, plane: Plane, query: usize, key: usize) -> f64 {
        let heads = || (0..self.n_heads).map(move |head| self.weight((plane.layer(), head), query, key));
        match plane {
            Plane::Head(layer, head) => self.weight((layer, head), query, key),
            Plane::Mean(_) => heads().sum::<f64>() / self.n_heads.max(1) as f64,
            Plane::Max(_) => heads().fold(0.0, f64::max),
        }
    }

    /// The mean attention from (or to) the tokens `at`, for every token of the sentence; none for tokens whose pairs
    /// the mask hides entirely. Hidden pairs count as 0.
    pub fn seen(&self, plane: Plane, at: &[usize], direction: Direction) -> Vec<Option<f64>> {
        self.seen_by(at, direction, |query, key| self.value(plane, query, key))
    }

    /// [`Maps::seen`] for other weights of this sentence.
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

    /// The mean row entropy −Σ w·log₂ w, in bits; none for maxima, whose rows do not sum to 1, and if unknown. Not
    /// computed from the bytes, in which weights below 1/510 are lost.
    pub fn entropy(&self, plane: Plane) -> Option<f64> {
        let in_layer = match plane {
            Plane::Head(_, head) => head,
            Plane::Mean(_) => self.n_heads,
            Plane::Max(_) => return None,
        };
        self.entropies.get(plane.layer() * (self.n_heads + 1) + in_layer).map(|&entropy| f64::from(entropy))
    }

    /// The maximum of [`Maps::entropy`] for n tokens: every row spread evenly over the keys it may attend to.
    pub fn most_entropy(&self) -> f64 {
        (0..self.n()).map(|query| (self.keys(query) as f64).log2()).sum::<f64>() / self.n().max(1) as f64
    }
}
