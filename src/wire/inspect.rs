//! Messages for inspecting the model beyond its attention maps: the rows of one head, the logit lens, what-if changes, scores
//! of known kinds of heads.
//!
//! The page sends what it inspects ([`Watched`]); the worker replies immediately, and again with every snapshot of the maps
//! until the page sends a different [`Watched`].

use serde::{Deserialize, Serialize};

use crate::types::Token;
use crate::types::inspect::{Comparison, Scores, TensorInfo, Watched, WeightAt};

/// Inspection commands, sent within [`Command::Inspect`](super::Command::Inspect).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InspectCommand {
    /// Set what the page inspects from now on.
    Watch(Watched),
    /// Change a weight of the run permanently. Replies with [`InspectEvent::Kept`].
    Keep(WeightAt, f32),
    /// Whether the page displays the maps; while it does not, they are computed rarely.
    Shown(bool),
}

/// Inspection events, emitted within [`Event::Inspect`](super::Event::Inspect).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InspectEvent {
    /// Queries, keys and values of one head. [`HeadRows::from_bytes`](crate::types::inspect::HeadRows::from_bytes) parses the attached bytes.
    Head {
        /// Steps done when they were computed.
        step: u64,
        /// (layer, head)
        at: (usize, usize),
        /// n: number of positions of the probe.
        n: usize,
        /// D: size of the head.
        d_head: usize,
        /// Whether keys after the query are masked.
        causal: bool,
    },
    /// The logit lens: each layer's predictions at each position. [`Lens::from_bytes`](crate::types::inspect::Lens::from_bytes) parses the attached bytes.
    Lens {
        /// Steps done when it was computed.
        step: u64,
        /// L: number of layers.
        n_layers: usize,
        /// The tokens of the probe.
        tokens: Vec<Token>,
        /// All tokens that occur among the predictions.
        predicted: Vec<Token>,
    },
    /// Comparison of the changed model with the current one.
    WhatIf(Box<Comparison>),
    /// The parameters whose weights can be changed, in the model's order.
    Tensors(Vec<TensorInfo>),
    /// A weight was changed permanently.
    Kept {
        /// Steps done before the change.
        step: u64,
        /// Location of the weight.
        weight: WeightAt,
        /// The previous value.
        old: f32,
        /// The new value.
        new: f32,
    },
    /// The request was refused: the reason and how to correct it.
    Refused {
        /// One or two sentences.
        message: String,
    },
    /// The scores of all heads on the scoring sequence.
    Scores {
        /// Steps done when they were computed.
        step: u64,
        /// H: number of heads per layer.
        n_heads: usize,
        /// Scores of all L·H heads, each in the order of [`ScoreKind::ALL`](crate::types::inspect::ScoreKind::ALL).
        scores: Vec<Scores>,
    },
    /// The heads of this run cannot be scored.
    NoScores {
        /// The reason and how to correct it.
        reason: String,
    },
}
