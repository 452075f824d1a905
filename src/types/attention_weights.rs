//! Attention weights in full precision and their file formats.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Token;
use super::inspect::visible_keys;

/// Describes exported attention weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightsAbout {
    /// Steps done when the weights were computed.
    pub step: u64,
    /// The seed of the run.
    pub seed: u64,
    /// The tokens of the probe, in order.
    pub tokens: Vec<Token>,
    /// L: number of layers.
    pub n_layers: usize,
    /// H: number of heads per layer.
    pub n_heads: usize,
    /// Whether keys after the query are masked.
    pub causal: bool,
    /// Whether the weights come from a snapshot that was stored as bytes and are therefore precise to 1/255 only.
    #[serde(default)]
    pub kept_as_bytes: bool,
}

/// Attention weights of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// Description of the weights.
    pub about: WeightsAbout,
    /// The weights (L, H, n, n).
    pub numbers: Vec<f32>,
}

impl Weights {
    /// Builds the weights from the attached bytes; `None` if the length does not match.
    pub fn from_bytes(about: WeightsAbout, bytes: &[u8]) -> Option<Self> {
        let n = about.tokens.len();
        let numbers: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        (bytes.len() == 4 * about.n_layers * about.n_heads * n * n).then_some(Self { about, numbers })
    }

    /// The weights of one head (n, n).
    pub fn head(&self, (layer, head): (usize, usize)) -> &[f32] {
        let cells = self.about.tokens.len() * self.about.tokens.len();
        let start = (layer * self.about.n_heads + head) * cells;
        self.numbers.get(start..start + cells).unwrap_or_default()
    }

    fn keys(&self, query: usize) -> usize {
        visible_keys(self.about.causal, self.about.tokens.len(), query)
    }

    fn heads(&self, only: Option<(usize, usize)>) -> Vec<(usize, usize)> {
        let all = (0..self.about.n_layers).flat_map(|layer| (0..self.about.n_heads).map(move |head| (layer, head)));
        all.filter(|&head| only.is_none_or(|only| only == head)).collect()
    }

    /// CSV with one line per unmasked cell, of one head or of all; layers and heads count from 1, positions from 0. Numbers
    /// have enough digits to be read back as the same f32; those stored as bytes are rounded to their precision, and
    /// the column `precision` contains the maximum error; otherwise it is empty.
    pub fn to_csv(&self, only: Option<(usize, usize)>) -> String {
        let mut csv = String::from(CSV_HEADER);
        self.write_csv(only, &mut csv);
        csv
    }

    fn write_csv(&self, only: Option<(usize, usize)>, csv: &mut String) {
        let tokens = &self.about.tokens;
        let quoted: Vec<String> = tokens.iter().map(|token| quoted(&token.text)).collect();
        for at in self.heads(only) {
            for (query, row) in self.head(at).chunks_exact(tokens.len().max(1)).enumerate() {
                for (key, weight) in row[..self.keys(query)].iter().enumerate() {
                    let (step, layer, head) = (self.about.step, at.0 + 1, at.1 + 1);
                    let [a, b] = [query, key].map(|at| &quoted[at]);
                    let [query_id, key_id] = [query, key].map(|at| tokens[at].id);
                    let weight = match self.about.kept_as_bytes {
                        true => format!("{weight:.3},{BYTE_PRECISION}"),
                        false => format!("{weight},"),
                    };
                    csv.push_str(&format!(
                        "{step},{layer},{head},{query},{key},{a},{b},{weight},{query_id},{key_id}\n"
                    ));
                }
            }
        }
    }

    /// The same as JSON: for each head one list per query, with the weights of the keys visible to it.
    pub fn to_json(&self, only: Option<(usize, usize)>) -> String {
        self.json(only).to_string()
    }

    fn json(&self, only: Option<(usize, usize)>) -> Value {
        let about = &self.about;
        let rows = |at| {
            let rows = self.head(at).chunks_exact(about.tokens.len().max(1)).enumerate();
            // Weights stored as bytes are written with as many decimals as they are precise to.
            let number = |&weight: &f32| match about.kept_as_bytes {
                true => (weight * 1e3).round() / 1e3,
                false => weight,
            };
            rows.map(|(query, row)| row[..self.keys(query)].iter().map(number).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        let heads: Vec<_> = self
            .heads(only)
            .into_iter()
            .map(|at| json!({ "layer": at.0 + 1, "head": at.1 + 1, "weights": rows(at) }))
            .collect();
        json!({
            "about": if about.causal {
                "softmax weights; weights[query][key], keys after the query are masked"
            } else {
                "softmax weights; weights[query][key], without a mask"
            },
            "precision": if about.kept_as_bytes { BYTE_PRECISION } else { "f32" },
            "step": about.step,
            "seed": about.seed,
            "tokens": about.tokens,
            "heads": heads,
        })
    }
}

const CSV_HEADER: &str = "step,layer,head,query,key,query_token,key_token,weight,precision,query_id,key_id\n";

/// Maximum error of a weight stored in steps of 1/255.
const BYTE_PRECISION: &str = "0.002";

/// Several snapshots of the same text as one CSV table; the first column contains the step.
pub fn csv_of(moments: impl Iterator<Item = Weights>, only: Option<(usize, usize)>) -> String {
    let mut csv = String::from(CSV_HEADER);
    moments.for_each(|weights| weights.write_csv(only, &mut csv));
    csv
}

/// Several snapshots of the same text as a JSON list of [`Weights::to_json`] values.
pub fn json_of(moments: impl Iterator<Item = Weights>, only: Option<(usize, usize)>) -> String {
    Value::Array(moments.map(|weights| weights.json(only)).collect()).to_string()
}

/// A quoted CSV field (RFC 4180).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
