//! How one attention weight comes about: q·k, ÷ √D, the causal mask, softmax over the row.

use crate::protocol::inspect::HeadRows;

/// A query row, worked out.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// √D
    pub root: f32,
    /// q·k for every key up to the query; later keys are masked.
    pub dots: Vec<f32>,
    /// The largest scaled score of the row.
    pub largest: f32,
    /// exp(score − largest)
    pub exps: Vec<f32>,
    /// Σ of them.
    pub sum: f32,
}

impl Row {
    /// Works out the row of `query`; none outside the sentence.
    pub fn of(rows: &HeadRows, query: usize) -> Option<Self> {
        if query >= rows.n() {
            return None;
        }
        let root = (rows.d_head as f32).sqrt();
        let dot = |key: usize| products(rows, query, key).map(|(_, _, product)| product).sum();
        let dots: Vec<f32> = (0..=query).map(dot).collect();
        let largest = dots.iter().map(|dot| dot / root).fold(f32::NEG_INFINITY, f32::max);
        let exps: Vec<f32> = dots.iter().map(|dot| (dot / root - largest).exp()).collect();
        let sum = exps.iter().sum();
        Some(Self { root, dots, largest, exps, sum })
    }

    /// The score of a key; masked keys have none.
    pub fn score(&self, key: usize) -> Option<f32> {
        self.dots.get(key).map(|dot| dot / self.root)
    }

    /// The softmax weight of a key, 0 where masked.
    pub fn weight(&self, key: usize) -> f32 {
        self.exps.get(key).map_or(0.0, |exp| exp / self.sum)
    }
}

/// q, k and q·k of every dimension.
pub fn products(rows: &HeadRows, query: usize, key: usize) -> impl Iterator<Item = (f32, f32, f32)> + '_ {
    let (q, k) = (rows.row(&rows.q, query), rows.row(&rows.k, key));
    q.iter().zip(k).map(|(&q, &k)| (q, k, q * k))
}
