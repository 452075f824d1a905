//! How an attention weight is computed: q·k, ÷ √D, the causal mask, softmax over the row.

use glasshead::types::inspect::HeadRows;

/// The intermediate results of one query row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// √D.
    pub root: f32,
    /// q·k for every key that the query may attend to; later keys are masked.
    pub dots: Vec<f32>,
    /// The largest scaled score of the row.
    pub largest: f32,
    /// exp(score − largest) for every such key.
    pub exps: Vec<f32>,
    /// The sum of `exps`.
    pub sum: f32,
}

impl Row {
    /// Computes the row of `query`; none if out of range.
    pub fn of(rows: &HeadRows, query: usize) -> Option<Self> {
        if query >= rows.n() {
            return None;
        }
        let root = (rows.d_head as f32).sqrt();
        let dot = |key: usize| products(rows, query, key).map(|(_, _, product)| product).sum();
        let dots: Vec<f32> = (0..rows.keys(query)).map(dot).collect();
        let largest = dots.iter().map(|dot| dot / root).fold(f32::NEG_INFINITY, f32::max);
        let exps: Vec<f32> = dots.iter().map(|dot| (dot / root - largest).exp()).collect();
        let sum = exps.iter().sum();
        Some(Self { root, dots, largest, exps, sum })
    }

    /// The scaled score of a key; none if masked.
    pub fn score(&self, key: usize) -> Option<f32> {
        self.dots.get(key).map(|dot| dot / self.root)
    }

    /// The softmax weight of a key; 0 if masked.
    pub fn weight(&self, key: usize) -> f32 {
        self.exps.get(key).map_or(0.0, |exp| exp / self.sum)
    }
}

/// q·k / √D for every query and key (n, n); 0 where masked.
pub fn scores(rows: &HeadRows) -> Vec<f32> {
    let (n, root) = (rows.n(), (rows.d_head as f32).sqrt());
    let mut scores = vec![0.0; n * n];
    for (query, line) in scores.chunks_exact_mut(n.max(1)).enumerate() {
        let q = rows.row(&rows.q, query);
        for (key, score) in line[..rows.keys(query)].iter_mut().enumerate() {
            *score = q.iter().zip(rows.row(&rows.k, key)).map(|(q, k)| q * k).sum::<f32>() / root;
        }
    }
    scores
}

/// The softmax weights for every query and key (n, n); 0 where masked.
pub fn weights(rows: &HeadRows) -> Vec<f32> {
    let n = rows.n();
    let row = |query: usize| {
        let row = Row::of(rows, query);
        (0..n).map(move |key| row.as_ref().map_or(0.0, |row| row.weight(key)))
    };
    (0..n).flat_map(row).collect()
}

/// The head's output for a query, (D): the sum of all values times their weights.
pub fn output(rows: &HeadRows, query: usize) -> Vec<f32> {
    let mut sums = vec![0.0; rows.d_head];
    let Some(row) = Row::of(rows, query) else { return sums };
    for key in 0..row.dots.len() {
        let weight = row.weight(key);
        sums.iter_mut().zip(rows.row(&rows.v, key)).for_each(|(sum, v)| *sum += weight * v);
    }
    sums
}

/// q, k and q·k for every dimension.
pub fn products(rows: &HeadRows, query: usize, key: usize) -> impl Iterator<Item = (f32, f32, f32)> + '_ {
    let (q, k) = (rows.row(&rows.q, query), rows.row(&rows.k, key));
    q.iter().zip(k).map(|(&q, &k)| (q, k, q * k))
}
