//! Tokens of generated text with their alternatives, and the sampling settings.

use serde::{Deserialize, Serialize};

/// A generated token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WrittenToken {
    /// Token id; the end-of-text token is included, with empty text.
    pub id: u32,
    /// The characters that this token completes; empty while a character is incomplete.
    pub text: String,
    /// The most likely tokens at this position, in descending order of probability, always including the chosen one, last if it
    /// is less likely.
    pub choices: Vec<Choice>,
    /// Number of tokens remaining after top-k.
    pub kept_by_k: usize,
    /// Number of tokens remaining after top-k and top-p.
    pub kept_by_p: usize,
}

/// A candidate token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Token id.
    pub id: u32,
    /// Text of the token.
    pub text: String,
    /// Rank among all tokens, counted from 0.
    pub rank: usize,
    /// Probability at temperature 1.
    pub plain: f32,
    /// Probability at the given temperature, before top-k and top-p.
    pub tempered: f32,
}

/// How the next token is sampled from the logits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Divisor of the logits; 0 always selects the most likely token.
    pub temperature: f32,
    /// Sample from the `top_k` most likely tokens only; 0 disables the limit.
    pub top_k: usize,
    /// Sample from the most likely tokens whose total probability reaches this value; 1 disables the limit.
    pub top_p: f32,
    /// Maximum number of tokens.
    pub max_tokens: usize,
    /// Seed; the same seed generates the same text.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.8, top_k: 0, top_p: 0.95, max_tokens: 120, seed: 1 }
    }
}
