//! What the page and the worker say to each other about weights as they are, and how such weights become a file.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::inspect::visible_keys;
use super::{FileInfo, Token};

/// What the page asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "export", rename_all = "snake_case")]
pub enum ExportCommand {
    /// The softmax weights of the probe sentence, in full precision, as the model is now.
    Weights {
        /// Tells the answers of this request from those of older ones.
        request: u32,
    },
    /// The model in the files of transformers: [`ExportEvent::Model`], [`ExportEvent::Files`], or [`ExportEvent::NoModel`].
    Model {
        /// Whether the files come one by one instead of in a ZIP.
        loose: bool,
        /// Whether what training goes on from comes too: the optimizer's moments, the step, what draws the batches.
        training_state: bool,
    },
}

/// What the worker answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "export", rename_all = "snake_case")]
pub enum ExportEvent {
    /// The weights ride along: f32 in little-endian order (L, H, n, n) with n = `tokens.len()`, row-major, query before
    /// key; 0 where masked.
    Weights {
        /// Which request.
        request: u32,
        /// What they are of.
        about: WeightsAbout,
    },
    /// The model's files ride along as one ZIP.
    Model {
        /// Steps done.
        step: u64,
    },
    /// The model's files ride along one after the other.
    Files {
        /// Steps done.
        step: u64,
        /// Their names and sizes.
        files: Vec<FileInfo>,
    },
    /// The model cannot be written in this format.
    NoModel {
        /// Which switch is in the way.
        message: String,
    },
}

/// What weights are of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightsAbout {
    /// Steps done when they were computed.
    pub step: u64,
    /// The seed of the run.
    pub seed: u64,
    /// The tokens of the sentence, in order.
    pub tokens: Vec<Token>,
    /// L
    pub n_layers: usize,
    /// H
    pub n_heads: usize,
    /// Whether keys after the query are masked.
    pub causal: bool,
    /// Whether they were kept as bytes since then, so that they are right to 1/255 only.
    #[serde(default)]
    pub kept_as_bytes: bool,
}

/// Softmax weights of a sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// What they are of.
    pub about: WeightsAbout,
    /// (L, H, n, n)
    pub numbers: Vec<f32>,
}

impl Weights {
    /// Puts together what came as bytes; none when they are not as many as they should be.
    pub fn from_bytes(about: WeightsAbout, bytes: &[u8]) -> Option<Self> {
        let n = about.tokens.len();
        let numbers: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        (bytes.len() == 4 * about.n_layers * about.n_heads * n * n).then_some(Self { about, numbers })
    }

    /// One head (n, n).
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

    /// One line per cell that is not masked, of one head or of all; layers and heads count from 1, positions from 0.
    /// Numbers have as many digits as it takes to read the same f32 again, or, where they were kept as bytes, those that
    /// they hold; the last column then says how far they may be off.
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

    /// The same as JSON: for each head one list per query, which holds the weights of the keys that it may look at.
    pub fn to_json(&self, only: Option<(usize, usize)>) -> String {
        self.json(only).to_string()
    }

    fn json(&self, only: Option<(usize, usize)>) -> Value {
        let about = &self.about;
        let rows = |at| {
            let rows = self.head(at).chunks_exact(about.tokens.len().max(1)).enumerate();
            // What was kept as bytes is written with the decimals that it holds.
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

/// How far a weight may be off that was kept in steps of 1/255.
const BYTE_PRECISION: &str = "0.002";

/// Several moments of the same sentence as one table; its first column tells them apart.
pub fn csv_of(moments: impl Iterator<Item = Weights>, only: Option<(usize, usize)>) -> String {
    let mut csv = String::from(CSV_HEADER);
    moments.for_each(|weights| weights.write_csv(only, &mut csv));
    csv
}

/// Several moments of the same sentence as a list of what [`Weights::to_json`] writes of one.
pub fn json_of(moments: impl Iterator<Item = Weights>, only: Option<(usize, usize)>) -> String {
    Value::Array(moments.map(|weights| weights.json(only)).collect()).to_string()
}

/// A field of CSV (RFC 4180), always in quotation marks.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
