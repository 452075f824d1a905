//! Exercises of the lesson.

use serde::{Deserialize, Serialize};

/// One computation. `x` is always (6, 3), row-major; `query` is the index of one of its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "exercise", rename_all = "snake_case")]
pub enum Exercise {
    /// Dot products of one row with all rows.
    Scores {
        /// X
        x: Vec<f32>,
        /// Index of the row.
        query: usize,
    },
    /// The same scores with a shift added, normalized by their sum and by softmax.
    Weights {
        /// X
        x: Vec<f32>,
        /// Index of the row.
        query: usize,
        /// Added to every score.
        shift: f32,
    },
    /// The same scores times a factor, through softmax with and without subtracting the maximum.
    Overflow {
        /// X
        x: Vec<f32>,
        /// Index of the row.
        query: usize,
        /// Factor of every score.
        factor: f32,
    },
    /// The context vector of one row.
    Context {
        /// X
        x: Vec<f32>,
        /// Index of the row.
        query: usize,
    },
    /// The context vectors of all rows in three steps.
    AllAtOnce {
        /// X
        x: Vec<f32>,
    },
    /// Embedding lookup: the rows of a table for a list of ids.
    Embed {
        /// X
        x: Vec<f32>,
    },
    /// All scores, computed one dot product at a time and as one matmul, both timed.
    Race {
        /// X
        x: Vec<f32>,
        /// Number of tokens, a repetition of the sentence.
        n_tokens: usize,
    },
    /// Queries, keys and values.
    Projections {
        /// X
        x: Vec<f32>,
        /// Initialization of W_q, W_k and W_v.
        weights: Weights,
    },
    /// Scores of queries and keys, softmax, context vectors.
    Attention {
        /// X
        x: Vec<f32>,
        /// Initialization of W_q, W_k and W_v.
        weights: Weights,
        /// Whether scores are divided by √d_k.
        scaled: bool,
    },
    /// Projections and attention combined in one module.
    Module {
        /// X
        x: Vec<f32>,
        /// Seed of the three `Linear(3, 2)`.
        seed: u64,
    },
    /// Attention without the causal mask, and its weights on later tokens.
    Leak {
        /// X
        x: Vec<f32>,
        /// Initialization of W_q and W_k.
        weights: Weights,
    },
    /// One random query against six random keys, with and without the scale.
    Saturation {
        /// Seed of all random numbers.
        seed: u64,
        /// Length of the vectors.
        d_k: usize,
    },
    /// The causal mask in the correct place, and in an alternative one.
    Masked {
        /// X
        x: Vec<f32>,
        /// Initialization of W_q and W_k.
        weights: Weights,
        /// The alternative to compare with.
        beside: MaskPlace,
    },
    /// Causal attention with several heads of the same total width.
    Heads {
        /// Seed of W_q, W_k, W_v and W_o, drawn in this order.
        x: Vec<f32>,
        /// Seed of W_q, W_k, W_v and W_o, drawn in this order.
        seed: u64,
        /// Number of heads: 1, 2 or 4.
        n_heads: usize,
    },
    /// A row times a factor, divided by its root mean square.
    RmsNorm {
        /// X
        x: Vec<f32>,
        /// Index of the row.
        query: usize,
        /// Factor of the row.
        factor: f32,
    },
    /// Queries and keys, rotated by their positions.
    Rope {
        /// X
        x: Vec<f32>,
        /// Initialization of W_q and W_k.
        weights: Weights,
        /// Index of the row.
        query: usize,
        /// Rotation per position in degrees.
        degrees: f32,
    },
    /// The gated feed-forward network on one row.
    Swiglu {
        /// X
        x: Vec<f32>,
        /// Index of the row.
        query: usize,
        /// Seed of W_1, W_3 and W_2.
        seed: u64,
        /// Factor of the gates.
        factor: f32,
    },
    /// Two branches applied to one row, with and without a residual connection.
    Residual {
        /// X
        x: Vec<f32>,
        /// Index of the row.
        query: usize,
        /// Seed of the branches' weights.
        seed: u64,
        /// Factor of the output of each branch.
        factor: f32,
    },
    /// Cross-entropy of five predictions, token by token.
    Loss {
        /// Seed of the logits.
        seed: u64,
        /// Added to the logit of each actual next token.
        bonus: f32,
    },
    /// One weight with loss k·w²/2, updated by AdamW and by plain gradient descent.
    OneWeight {
        /// k
        steepness: f32,
    },
    /// The learning rate schedule over [`super::SCHEDULE_STEPS`] steps.
    Schedule {
        /// Number of warm-up steps.
        warmup: usize,
    },
    /// The loss of a response alone: the sentence's first tokens are the prompt.
    ResponseMask {
        /// Seed of the logits.
        seed: u64,
        /// Number of tokens of the prompt, from 1 to 5.
        prompt_len: usize,
    },
    /// One policy-gradient step on one token, from the reward of its response.
    PolicyStep {
        /// The reward; those of the group's other responses are [`super::OTHER_REWARDS`].
        reward: f32,
    },
    /// A group of [`super::GROUP_SIZE`] responses of one token, and the gradient that it gives.
    EqualRewards {
        /// Number of right responses.
        right: usize,
    },
    /// Parameters and FLOPs of a model with two layers.
    SixNd {
        /// Its width, from 4 to 64 and divisible by 4.
        width: usize,
    },
    /// A parabola through five runs of one budget.
    IsoFlop {
        /// Moves the sizes by factors of 2, from −4 to 4.
        shift: i32,
    },
    /// The similarity of two sentences, as sets of pairs of words.
    Jaccard {
        /// The second sentence: an index into [`super::SENTENCES`], from 1.
        other: usize,
    },
    /// The same for the sentences 0 and 2, estimated from [`super::N_HASHES`] hashes in bands.
    MinHash {
        /// Number of bands: 1, 2, 4 or 8.
        bands: usize,
    },
    /// A matmul by tiles under the roofline of a device.
    Roofline {
        /// Rows and columns of a tile, from 1 to 512.
        tile: usize,
    },
    /// Some rounds of a ring all-reduce of [`super::RANKS`] numbers on as many ranks.
    Ring {
        /// Number of rounds, up to 6.
        rounds: usize,
    },
    /// Additions of 0.01 with accumulators of 16 and 32 bits.
    FourSums {
        /// Number of additions, up to 1,000.
        n: usize,
    },
    /// Logits divided by a temperature, softmax, and 100 samples.
    Sampling {
        /// The temperature.
        temperature: f32,
        /// Seed of the samples.
        seed: u64,
    },
}

/// Initialization of the attention weights in the lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights {
    /// Seed of PyTorch's generator.
    pub seed: u64,
    /// Whether to use three `Linear(3, 2)`, whose rows are outputs, instead of three `randn(3, 2)`.
    pub module: bool,
}

/// Where the causal mask is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskPlace {
    /// −∞ in the scores.
    BeforeSoftmax,
    /// 0 in the weights.
    AfterSoftmax,
    /// 0 in the weights, whose rows are then renormalized to sum to 1.
    Renormalised,
}
