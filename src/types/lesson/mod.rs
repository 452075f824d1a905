//! The lesson: its sentence and numbers, exercises, sheets of matrices, and the two models with and without the mask.

use serde::{Deserialize, Serialize};

mod exercise;
mod sheet;

pub use exercise::{Exercise, MaskPlace, Weights};
pub use sheet::{Axis, Made, Matrix, Part, Sheet};

/// The sentence whose attention is computed in the lesson, token by token.
pub const WORDS: [&str; 6] = ["Your", "journey", "starts", "with", "one", "step"];

/// X: one row of three numbers per token.
pub const EMBEDDINGS: [f32; 18] = [
    0.43, 0.15, 0.89, //
    0.55, 0.87, 0.66, //
    0.57, 0.85, 0.64, //
    0.22, 0.58, 0.33, //
    0.77, 0.25, 0.10, //
    0.05, 0.80, 0.55,
];

/// The initial seed of the weights.
pub const SEED: u64 = 42;

/// GPT-2's ids of [`WORDS`], all but the first with the preceding space.
pub const IDS: [u32; 6] = [7120, 7002, 4940, 351, 530, 2239];

/// Candidates for the token after the first five; the first one is the actual next token.
pub const CANDIDATES: [&str; 5] = ["step", "leap", "day", "idea", "breath"];

/// The logits of [`CANDIDATES`].
pub const LOGITS: [f32; 5] = [2.0, 1.2, 0.4, -0.3, -1.0];

/// The rewards of the other responses to the prompt, in the step about one policy-gradient step.
pub const OTHER_REWARDS: [f32; 3] = [0.0, 1.0, 0.5];

/// Number of responses of the group in the step about equal rewards.
pub const GROUP_SIZE: usize = 8;

/// Sentences that are compared with the first one.
pub const SENTENCES: [&str; 5] = [
    "the red ball rolled down the hill to the river",
    "the red ball rolled down the hill to the lake",
    "the blue ball rolled down the hill to the river",
    "a red ball rolled slowly down the hill",
    "the river is near the old mill",
];

/// Number of hash functions of a signature.
pub const N_HASHES: usize = 8;

/// Number of ranks in the step about the ring.
pub const RANKS: usize = 4;

/// Number of steps of the lesson's learning rate schedule.
pub const SCHEDULE_STEPS: usize = 100;

/// Number of updates of the single weight.
pub const WEIGHT_STEPS: usize = 8;

/// One training step of both models.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairPoint {
    /// Step number, counted from 1.
    pub step: u64,
    /// The training loss with the causal mask.
    pub causal: f32,
    /// The training loss without it.
    pub open: f32,
}

/// Evaluation of one of the two models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairText {
    /// Steps done before.
    pub step: u64,
    /// The continuation of [`PAIR_PROMPT`].
    pub text: String,
    /// Mean loss of the token after a held-out text, which is not part of the input.
    pub end_loss: f32,
}

/// Number of training steps of both models.
pub const PAIR_STEPS: u64 = 200;

/// The prompt for both models.
pub const PAIR_PROMPT: &str = "One day, Lily";
