//! What is told of a text that the model writes: every token with what else could have been chosen.

use serde::{Deserialize, Serialize};

/// A token that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WrittenToken {
    /// Its id; that of the end of the text is told too, with no text.
    pub id: u32,
    /// The characters that it has completed: none while a character waits for more bytes.
    pub text: String,
    /// The likeliest tokens in its place, likeliest first; the chosen one is among them, last when it was unlikelier.
    pub choices: Vec<Choice>,
    /// How many tokens top-k kept.
    pub kept_by_k: usize,
    /// How many of those top-p kept.
    pub kept_by_p: usize,
}

/// A token that could have been written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Its id.
    pub id: u32,
    /// Its text.
    pub text: String,
    /// Its place among all tokens, counted from 0.
    pub rank: usize,
    /// Probability at temperature 1.
    pub plain: f32,
    /// Probability at the asked temperature, before any cut.
    pub tempered: f32,
}

/// How the next token is chosen from the logits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Logits are divided by this; 0 always takes the likeliest token.
    pub temperature: f32,
    /// Only the `top_k` likeliest tokens; 0 keeps all.
    pub top_k: usize,
    /// Only the likeliest tokens whose probabilities reach this sum; 1 keeps all.
    pub top_p: f32,
    /// How many tokens at most.
    pub max_tokens: usize,
    /// The same seed writes the same text.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.8, top_k: 0, top_p: 0.95, max_tokens: 120, seed: 1 }
    }
}
