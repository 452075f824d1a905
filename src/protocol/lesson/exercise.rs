//! What can be computed in the lesson.

use serde::{Deserialize, Serialize};

/// One thing to compute. `x` is always (6, 3), row-major; a `query` is one of its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "exercise", rename_all = "snake_case")]
pub enum Exercise {
    /// The dot products of one row with all.
    Scores {
        /// X
        x: Vec<f32>,
        /// The row.
        query: usize,
    },
    /// The same scores, all shifted, as shares of their sum and through softmax.
    Weights {
        /// X
        x: Vec<f32>,
        /// The row.
        query: usize,
        /// Added to every score.
        shift: f32,
    },
    /// The same scores, multiplied, through softmax with and without subtracting the maximum.
    Overflow {
        /// X
        x: Vec<f32>,
        /// The row.
        query: usize,
        /// Factor of every score.
        factor: f32,
    },
    /// The context vector of one row.
    Context {
        /// X
        x: Vec<f32>,
        /// The row.
        query: usize,
    },
    /// The context vectors of all rows in three steps.
    AllAtOnce {
        /// X
        x: Vec<f32>,
    },
    /// The rows of an embedding table that belong to ids.
    Embed {
        /// X
        x: Vec<f32>,
    },
    /// All scores, one dot product after the other and as one matrix product, both timed.
    Race {
        /// X
        x: Vec<f32>,
        /// How many tokens, the sentence again and again.
        n_tokens: usize,
    },
    /// Queries, keys and values.
    Projections {
        /// X
        x: Vec<f32>,
        /// Where W_q, W_k and W_v are from.
        weights: Weights,
    },
    /// Scores of queries and keys, softmax, context vectors.
    Attention {
        /// X
        x: Vec<f32>,
        /// Where W_q, W_k and W_v are from.
        weights: Weights,
        /// Whether scores are divided by √d_k.
        scaled: bool,
    },
    /// Projections and attention of a module in one.
    Module {
        /// X
        x: Vec<f32>,
        /// Seed of the three `Linear(3, 2)`.
        seed: u64,
    },
    /// Attention without the causal mask, and what of it goes to later tokens.
    Leak {
        /// X
        x: Vec<f32>,
        /// Where W_q and W_k are from.
        weights: Weights,
    },
    /// One random query against six random keys, with and without the scale.
    Saturation {
        /// Seed of all.
        seed: u64,
        /// Their length.
        d_k: usize,
    },
    /// The causal mask in the right place, and in others.
    Masked {
        /// X
        x: Vec<f32>,
        /// Where W_q and W_k are from.
        weights: Weights,
        /// What stands beside it.
        beside: MaskPlace,
    },
    /// Causal attention with several heads of the same total width.
    Heads {
        /// X
        x: Vec<f32>,
        /// Seed of W_q, W_k, W_v and W_o, drawn in this order.
        seed: u64,
        /// 1, 2 or 4.
        n_heads: usize,
    },
    /// A row, multiplied, and divided by its root mean square.
    RmsNorm {
        /// X
        x: Vec<f32>,
        /// The row.
        query: usize,
        /// Factor of the row.
        factor: f32,
    },
    /// Queries and keys, turned by their positions.
    Rope {
        /// X
        x: Vec<f32>,
        /// Where W_q and W_k are from.
        weights: Weights,
        /// The row.
        query: usize,
        /// How far one position turns.
        degrees: f32,
    },
    /// The gated feed-forward network on one row.
    Swiglu {
        /// X
        x: Vec<f32>,
        /// The row.
        query: usize,
        /// Seed of W_1, W_3 and W_2.
        seed: u64,
        /// Factor of the gates.
        factor: f32,
    },
    /// Two branches on one row, added to it and instead of it.
    Residual {
        /// X
        x: Vec<f32>,
        /// The row.
        query: usize,
        /// Seed of the branches' weights.
        seed: u64,
        /// Factor of what each branch returns.
        factor: f32,
    },
    /// Cross-entropy of five predictions, token by token.
    Loss {
        /// Seed of the logits.
        seed: u64,
        /// Added to the logit of each token that comes next.
        bonus: f32,
    },
    /// One weight in the valley k·w²/2, moved by AdamW and by plain gradient descent.
    OneWeight {
        /// k
        steepness: f32,
    },
    /// The learning rate over [`super::SCHEDULE_STEPS`] steps.
    Schedule {
        /// Steps of warm-up.
        warmup: usize,
    },
    /// Logits divided by a temperature, softmax, and a hundred draws.
    Sampling {
        /// The temperature.
        temperature: f32,
        /// Seed of the draws.
        seed: u64,
    },
}

/// Where the weights of the lesson's attention are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights {
    /// Of PyTorch's generator.
    pub seed: u64,
    /// From three `Linear(3, 2)`, whose rows are outputs, instead of three `randn(3, 2)`.
    pub module: bool,
}

/// Where the causal mask stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskPlace {
    /// −∞ in the scores.
    BeforeSoftmax,
    /// 0 in the weights.
    AfterSoftmax,
    /// 0 in the weights, whose rows are then divided by their sums.
    Renormalised,
}
