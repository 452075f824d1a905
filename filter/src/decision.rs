//! The lines of the output files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::mask::Masked;
use crate::pipeline::Drop;

/// A line of `kept.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The number of the document in the input.
    pub id: u64,
    /// Its address.
    pub url: String,
    /// The text.
    pub text: String,
}

/// A line of `decisions.jsonl`: one for every document, in the order of the input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The number of the document in the input.
    pub id: u64,
    /// Its address.
    pub url: String,
    /// Its length in the source.
    pub bytes: usize,
    /// Whether it is in `kept.jsonl`.
    pub keep: bool,
    /// Why it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<Drop>,
    /// The identified language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Every measurement by the name of its rule; null where there was nothing to measure.
    pub measures: BTreeMap<String, Option<f64>>,
    /// Lines that were removed because they are elsewhere too.
    #[serde(default)]
    pub removed_lines: usize,
    /// Masked personal data.
    #[serde(default)]
    pub masked: Masked,
}
