//! Results of inspecting a model: rows of a head, the logit lens, what-if changes, scores of known kinds of heads.

use serde::{Deserialize, Serialize};

use super::Token;

/// What the page inspects, computed with every snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// Queries, keys and values of this (layer, head); `None` for no head.
    pub head: Option<(usize, usize)>,
    /// The logit lens.
    pub lens: bool,
    /// A changed model to compare with the current one.
    pub what_if: Option<WhatIf>,
}

/// A temporary change of the model, for comparison.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WhatIf {
    /// The heads (layer, head) whose output is set to 0.
    pub off: Vec<(usize, usize)>,
    /// The inspected weight.
    pub weight: Option<WeightAt>,
    /// The temporary value of `weight`; `None` leaves it unchanged.
    pub value: Option<f32>,
    /// The position of the probe whose next token is predicted; `None` for the last one.
    pub position: Option<usize>,
}

/// Location of one weight of the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightAt {
    /// The parameter's name, for example `layers.0.attn.q_proj.weight`.
    pub tensor: String,
    /// Row, counted from 0.
    pub row: usize,
    /// Column, counted from 0.
    pub column: usize,
}

/// Scores of one head, in the order of [`ScoreKind::ALL`]; each from 0 to 1.
pub type Scores = [f32; ScoreKind::ALL.len()];

/// Known kinds of attention heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreKind {
    /// Attends to the previous token.
    PreviousToken,
    /// Attends to the first token.
    Sink,
    /// Attends to earlier occurrences of the same token.
    SameToken,
    /// Attends to the tokens that followed earlier occurrences of the same token.
    Induction,
}

impl ScoreKind {
    /// All kinds, in the order of [`Scores`].
    pub const ALL: [Self; 4] = [Self::PreviousToken, Self::Sink, Self::SameToken, Self::Induction];

    /// The minimum score at which a head is labeled as this kind: it then spends two fifths of its attention accordingly.
    pub const THRESHOLD: f32 = 0.4;

    /// Name of the kind, as in the glossary.
    pub fn name(self) -> &'static str {
        match self {
            Self::PreviousToken => "previous-token head",
            Self::Sink => "attention sink",
            Self::SameToken => "same-token head",
            Self::Induction => "induction head",
        }
    }

    /// Short name for table headers.
    pub fn short(self) -> &'static str {
        match self {
            Self::PreviousToken => "previous",
            Self::Sink => "sink",
            Self::SameToken => "same",
            Self::Induction => "induction",
        }
    }
}

/// The name and shape of a parameter as a matrix; a vector has one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorInfo {
    /// The parameter's name.
    pub name: String,
    /// Number of rows (outputs).
    pub rows: usize,
    /// Number of columns (inputs).
    pub columns: usize,
}

/// Comparison of the changed model with the current one on the same text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The change.
    pub change: WhatIf,
    /// Steps done when it was computed.
    pub step: u64,
    /// The current value of the inspected weight.
    pub old: Option<f32>,
    /// Number of held-out tokens over which the losses are averaged; always the same tokens.
    pub n_tokens: usize,
    /// Mean cross-entropy of the current model and of the changed one.
    pub losses: [f32; 2],
    /// The position whose next token is predicted, and its token; `None` without a probe.
    pub position: Option<(usize, Token)>,
    /// The most likely tokens of both models, sorted by probability in the current one.
    pub choices: Vec<Compared>,
}

/// A token's probability in the current model and in the changed one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The token.
    pub token: Token,
    /// Probability in the current model and in the changed one.
    pub p: [f32; 2],
}

/// Queries, keys (both after position encoding) and values of one head, each (n, D).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeadRows {
    /// D: size of the head.
    pub d_head: usize,
    /// Whether keys after the query are masked.
    pub causal: bool,
    /// Queries (n, D).
    pub q: Vec<f32>,
    /// Keys (n, D).
    pub k: Vec<f32>,
    /// Values (n, D).
    pub v: Vec<f32>,
}

impl HeadRows {
    /// Serializes q, k, v as little-endian f32.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.q, &self.k, &self.v].into_iter().flatten().flat_map(|x| x.to_le_bytes()).collect()
    }

    /// Parses the output of [`HeadRows::to_bytes`] for n positions; `None` if the length does not match.
    pub fn from_bytes(bytes: &[u8], n: usize, d_head: usize, causal: bool) -> Option<Self> {
        let numbers: Vec<f32> = words(bytes).map(f32::from_bits).collect();
        if numbers.len() != 3 * n * d_head || d_head == 0 {
            return None;
        }
        let part = |i: usize| numbers[i * n * d_head..(i + 1) * n * d_head].to_vec();
        Some(Self { d_head, causal, q: part(0), k: part(1), v: part(2) })
    }

    /// n: number of positions.
    pub fn n(&self) -> usize {
        self.q.len() / self.d_head.max(1)
    }

    /// Number of keys visible to a query.
    pub fn keys(&self, query: usize) -> usize {
        visible_keys(self.causal, self.n(), query)
    }

    /// The row of `position` in q, k or v.
    pub fn row<'a>(&self, of: &'a [f32], position: usize) -> &'a [f32] {
        of.get(position * self.d_head..(position + 1) * self.d_head).unwrap_or_default()
    }
}

/// How many of n keys, from the first on, are visible to a query: those up to its own position, or all of them without the
/// causal mask.
pub fn visible_keys(causal: bool, n: usize, query: usize) -> usize {
    if causal { query + 1 } else { n }
}

/// A layer's prediction at a position.
#[derive(Clone, Debug, PartialEq)]
pub struct LensCell {
    /// The most likely tokens with their probabilities, in descending order.
    pub choices: Vec<(u32, f32)>,
    /// Rank (counted from 0) and probability of the actual next token. `None` at the last position.
    pub next: Option<(u32, f32)>,
}

/// The logit lens.
#[derive(Clone, Debug, PartialEq)]
pub struct Lens {
    /// n: number of positions.
    pub n: usize,
    /// Predictions (L, n).
    pub cells: Vec<LensCell>,
}

/// Number of predictions per cell of the lens.
pub const LENS_CHOICES: usize = 5;

/// 32-bit words per cell: ids and probabilities, then rank and probability of the next token.
const CELL_WORDS: usize = 2 * LENS_CHOICES + 2;

/// Encodes `None`.
const NONE: u32 = u32::MAX;

impl Lens {
    /// Serializes all cells as little-endian words.
    pub fn to_bytes(&self) -> Vec<u8> {
        let cell = |cell: &LensCell| {
            let mut words = Vec::with_capacity(CELL_WORDS);
            for at in 0..LENS_CHOICES {
                let (id, p) = cell.choices.get(at).copied().unwrap_or((NONE, 0.0));
                words.extend([id, p.to_bits()]);
            }
            let (rank, p) = cell.next.unwrap_or((NONE, 0.0));
            words.extend([rank, p.to_bits()]);
            words
        };
        self.cells.iter().flat_map(cell).flat_map(u32::to_le_bytes).collect()
    }

    /// Parses the output of [`Lens::to_bytes`] for L layers and n positions; `None` if the length does not match.
    pub fn from_bytes(bytes: &[u8], n_layers: usize, n: usize) -> Option<Self> {
        let words: Vec<u32> = words(bytes).collect();
        if words.len() != n_layers * n * CELL_WORDS {
            return None;
        }
        let cell = |words: &[u32]| {
            let pair = |at: usize| (words[at], f32::from_bits(words[at + 1]));
            let choices = (0..LENS_CHOICES).map(|at| pair(2 * at)).filter(|(id, _)| *id != NONE).collect();
            LensCell { choices, next: Some(pair(2 * LENS_CHOICES)).filter(|(rank, _)| *rank != NONE) }
        };
        Some(Self { n, cells: words.chunks_exact(CELL_WORDS).map(cell).collect() })
    }

    /// The prediction of `layer` at `position`; `None` if out of range.
    pub fn cell(&self, layer: usize, position: usize) -> Option<&LensCell> {
        self.cells.get(layer * self.n + position).filter(|_| position < self.n)
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
}
