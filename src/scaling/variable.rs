//! What a sweep varies at equal compute. The same fits find the best size, learning rate, batch size, depth, or number of
//! epochs of each budget, and how it grows with compute.

use serde::{Deserialize, Serialize};

/// What is varied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variable {
    /// The number of parameters.
    #[default]
    Size,
    /// The maximum learning rate, at one size per budget.
    LearningRate,
    /// Sequences per step; the learning rate grows with the square root.
    BatchSize,
    /// The number of layers, at about equal size: deep and narrow against flat and wide.
    Depth,
    /// The vocabulary size; losses are per byte, because tokens have different lengths.
    Vocabulary,
    /// How often the training text is repeated at an equal number of tokens.
    Epochs,
}

impl Variable {
    /// All variables.
    pub const ALL: [Self; 6] =
        [Self::Size, Self::LearningRate, Self::BatchSize, Self::Depth, Self::Vocabulary, Self::Epochs];

    /// Its noun, and the plural.
    pub fn nouns(self) -> [&'static str; 2] {
        match self {
            Self::Size => ["size", "sizes"],
            Self::LearningRate => ["learning rate", "learning rates"],
            Self::BatchSize => ["batch size", "batch sizes"],
            Self::Depth => ["depth", "depths"],
            Self::Vocabulary => ["vocabulary size", "vocabulary sizes"],
            Self::Epochs => ["number of epochs", "numbers of epochs"],
        }
    }

    /// A sentence about sizes, with the noun of this variable.
    pub fn worded(self, sentence: &str) -> String {
        let [one, many] = self.nouns();
        match self {
            Self::Size => sentence.into(),
            _ => sentence.replace("sizes", "\u{1}").replace("size", one).replace('\u{1}', many),
        }
    }
}
