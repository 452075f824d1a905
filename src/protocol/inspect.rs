//! What the page asks of the model beyond its maps, and what the worker answers: the numbers of one head, the logit
//! lens, the model with a change, scores of heads that are known to form.
//!
//! The page says what it looks at ([`Watched`]); the worker answers at once, and again with every snapshot of the maps
//! until the page looks elsewhere.

use serde::{Deserialize, Serialize};

use super::Token;

/// Asked of the worker within [`Command::Inspect`](super::Command::Inspect).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InspectCommand {
    /// What the page looks at from now on.
    Watch(Watched),
    /// Put a weight into the run for good. Answered by [`InspectEvent::Kept`].
    Keep(WeightAt, f32),
    /// Whether the page has the maps on show; while it has not, they are computed rarely.
    Shown(bool),
}

/// What the page looks at, and so what is computed with every snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// Queries, keys and values of this (layer, head).
    pub head: Option<(usize, usize)>,
    /// What each layer would predict.
    pub lens: bool,
    /// The model with a change beside the model as it is.
    pub what_if: Option<WhatIf>,
}

/// A change to the model that is tried out beside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WhatIf {
    /// The heads (layer, head) whose output is set to 0.
    pub off: Vec<(usize, usize)>,
    /// The weight that is looked at.
    pub weight: Option<WeightAt>,
    /// What it is set to; none leaves it as it is.
    pub value: Option<f32>,
    /// The position of the probe whose next token is predicted; none is the last one.
    pub position: Option<usize>,
}

/// One number of the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightAt {
    /// The parameter's name, for example `layers.0.attn.q_proj.weight`.
    pub tensor: String,
    /// Counted from 0.
    pub row: usize,
    /// Counted from 0.
    pub column: usize,
}

/// Told by the worker within [`Event::Inspect`](super::Event::Inspect).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InspectEvent {
    /// The numbers of one head. [`HeadRows::from_bytes`] reads the bytes that ride along.
    Head {
        /// Steps done when they were computed.
        step: u64,
        /// (layer, head)
        at: (usize, usize),
        /// n, the positions of the probe.
        n: usize,
        /// D
        d_head: usize,
        /// Whether keys after the query are masked.
        causal: bool,
    },
    /// What each layer would predict at each position. [`Lens::from_bytes`] reads the bytes that ride along.
    Lens {
        /// Steps done when it was computed.
        step: u64,
        /// L
        n_layers: usize,
        /// The tokens of the probe.
        tokens: Vec<Token>,
        /// Every token that occurs among the predictions.
        predicted: Vec<Token>,
    },
    /// The model with the change beside the model as it is.
    WhatIf(Box<Comparison>),
    /// The parameters that have weights to change, in the order of the model.
    Tensors(Vec<TensorInfo>),
    /// A weight was put into the run for good.
    Kept {
        /// Steps done before.
        step: u64,
        /// Which.
        weight: WeightAt,
        /// What it was.
        old: f32,
        /// What it is.
        new: f32,
    },
    /// A question cannot be answered: why, and what to change.
    Refused {
        /// One or two sentences.
        message: String,
    },
    /// The scores of all heads on the measuring sequence.
    Scores {
        /// Steps done when they were measured.
        step: u64,
        /// H
        n_heads: usize,
        /// (L·H), each in the order of [`ScoreKind::ALL`].
        scores: Vec<Scores>,
    },
    /// The heads of this run cannot be scored.
    NoScores {
        /// Why, and what to change.
        reason: String,
    },
}

/// One head's scores, in the order of [`ScoreKind::ALL`]; each from 0 to 1.
pub type Scores = [f32; ScoreKind::ALL.len()];

/// What a head may be known for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreKind {
    /// Looks at the token before.
    PreviousToken,
    /// Looks at the first token.
    Sink,
    /// Looks at earlier occurrences of the same token.
    SameToken,
    /// Looks at what came after earlier occurrences of the same token.
    Induction,
}

impl ScoreKind {
    /// All of them, in the order of [`Scores`].
    pub const ALL: [Self; 4] = [Self::PreviousToken, Self::Sink, Self::SameToken, Self::Induction];

    /// From this score on a head bears the name: it then spends two fifths of its attention that way.
    pub const THRESHOLD: f32 = 0.4;

    /// Its name, which the glossary explains.
    pub fn name(self) -> &'static str {
        match self {
            Self::PreviousToken => "previous-token head",
            Self::Sink => "attention sink",
            Self::SameToken => "same-token head",
            Self::Induction => "induction head",
        }
    }

    /// A short name for the heads of tables.
    pub fn short(self) -> &'static str {
        match self {
            Self::PreviousToken => "previous",
            Self::Sink => "sink",
            Self::SameToken => "same",
            Self::Induction => "induction",
        }
    }
}

/// A parameter as a matrix; a vector has one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// Outputs.
    pub rows: usize,
    /// Inputs.
    pub columns: usize,
}

/// The model with a change beside the model as it is, on the same text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What was asked.
    pub change: WhatIf,
    /// Steps done when it was computed.
    pub step: u64,
    /// The looked-at weight as it is.
    pub old: Option<f32>,
    /// Held-out tokens that the losses are means over; always the same ones.
    pub n_tokens: usize,
    /// Mean cross-entropy of the model as it is, and with the change.
    pub losses: [f32; 2],
    /// The position whose next token is predicted, and its token; none without a probe.
    pub position: Option<(usize, Token)>,
    /// The likeliest tokens of either, likeliest as it is first.
    pub choices: Vec<Compared>,
}

/// A token's probability as it is, and with the change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The token.
    pub token: Token,
    /// As it is, and with the change.
    pub p: [f32; 2],
}

/// Queries, keys (both after the position encoding) and values of one head, each (n, D).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeadRows {
    /// D
    pub d_head: usize,
    /// Whether keys after the query are masked.
    pub causal: bool,
    /// (n, D)
    pub q: Vec<f32>,
    /// (n, D)
    pub k: Vec<f32>,
    /// (n, D)
    pub v: Vec<f32>,
}

impl HeadRows {
    /// All numbers, little-endian: q, k, v.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.q, &self.k, &self.v].into_iter().flatten().flat_map(|x| x.to_le_bytes()).collect()
    }

    /// Reads what [`HeadRows::to_bytes`] has written for n positions; none when the length is another.
    pub fn from_bytes(bytes: &[u8], n: usize, d_head: usize, causal: bool) -> Option<Self> {
        let numbers: Vec<f32> = words(bytes).map(f32::from_bits).collect();
        if numbers.len() != 3 * n * d_head || d_head == 0 {
            return None;
        }
        let part = |i: usize| numbers[i * n * d_head..(i + 1) * n * d_head].to_vec();
        Some(Self { d_head, causal, q: part(0), k: part(1), v: part(2) })
    }

    /// How many positions there are.
    pub fn n(&self) -> usize {
        self.q.len() / self.d_head.max(1)
    }

    /// How many keys a query may look at.
    pub fn keys(&self, query: usize) -> usize {
        visible_keys(self.causal, self.n(), query)
    }

    /// The row of `position` in one of the three.
    pub fn row<'a>(&self, of: &'a [f32], position: usize) -> &'a [f32] {
        of.get(position * self.d_head..(position + 1) * self.d_head).unwrap_or_default()
    }
}

/// How many of n keys, from the first on, a query may look at: those up to itself, or all of them without the causal mask.
pub fn visible_keys(causal: bool, n: usize, query: usize) -> usize {
    if causal { query + 1 } else { n }
}

/// What a layer would predict at a position.
#[derive(Clone, Debug, PartialEq)]
pub struct LensCell {
    /// The likeliest tokens with their probabilities, likeliest first.
    pub choices: Vec<(u32, f32)>,
    /// Of the token that comes next: its rank, counted from 0, and its probability. None at the last position.
    pub next: Option<(u32, f32)>,
}

/// The logit lens.
#[derive(Clone, Debug, PartialEq)]
pub struct Lens {
    /// n
    pub n: usize,
    /// (L, n)
    pub cells: Vec<LensCell>,
}

/// How many predictions a cell of the lens tells.
pub const LENS_CHOICES: usize = 5;

/// Words of a cell: ids and probabilities, rank and probability of the next token.
const CELL_WORDS: usize = 2 * LENS_CHOICES + 2;

/// Stands for "there is none" among words.
const NONE: u32 = u32::MAX;

impl Lens {
    /// All cells, each as words, little-endian.
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

    /// Reads what [`Lens::to_bytes`] has written for L layers and n positions; none when the length is another.
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

    /// What `layer` would predict at `position`.
    pub fn cell(&self, layer: usize, position: usize) -> Option<&LensCell> {
        self.cells.get(layer * self.n + position).filter(|_| position < self.n)
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
}
