//! A quality classifier that is trained here: logistic regression on hashed words and pairs of words.
//!
//! The features of a text are the frequencies of its words and of its pairs of neighboring words, in lower case, hashed to
//! 2¹⁸ weights. The weights are trained by stochastic gradient descent with a decaying learning rate, as in fastText's
//! supervised mode without a hidden layer.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::hash::{hash, mix};
use crate::rng::Rng;

const BITS: u32 = 18;
const N_WEIGHTS: usize = 1 << BITS;

/// Texts longer than this many words are judged by their start.
const MAX_WORDS: usize = 4000;

/// The number of passes over the examples, and the first learning rate.
const EPOCHS: usize = 6;
const LEARNING_RATE: f32 = 40.0;

/// Settings of the stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quality {
    /// Whether the stage runs.
    pub enabled: bool,
    /// The file of a trained model; the built-in model if empty.
    pub model: String,
    /// Minimum probability of the positive class.
    pub min_score: f64,
}

impl Default for Quality {
    /// Off: what good text is depends on the examples that the user chooses.
    fn default() -> Self {
        Self { enabled: false, model: String::new(), min_score: 0.5 }
    }
}

/// Why a classifier cannot be trained or read.
#[derive(Debug, Error)]
pub enum ClassifierError {
    /// A class has no examples.
    #[error("the classifier needs at least {needed} {class} examples, and there are {found}; add more documents")]
    TooFew {
        /// positive or negative
        class: &'static str,
        /// The number of usable examples.
        found: usize,
        /// The minimum.
        needed: usize,
    },
    /// A file is no classifier.
    #[error("this file is no classifier: {0}")]
    Format(String),
}

const MIN_EXAMPLES: usize = 5;

/// A trained classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    weights: Vec<f32>,
    bias: f32,
    /// The n-grams with the largest weights, for display.
    telling: Vec<(String, f32)>,
    /// The names of the positive and the negative class.
    labels: [String; 2],
}

/// Calls `found` with the index of each feature of a text; returns their number.
fn features(text: &str, mut found: impl FnMut(usize, &str, Option<&str>)) -> usize {
    let (mut previous, mut n): (Option<(&str, u64)>, usize) = (None, 0);
    for word in crate::words::words(text).into_iter().take(MAX_WORDS) {
        let lower = if word.bytes().any(|b| b.is_ascii_uppercase()) || !word.is_ascii() {
            hash(word.to_lowercase().as_bytes())
        } else {
            hash(word.as_bytes())
        };
        found((lower >> (64 - BITS)) as usize, word, None);
        n += 1;
        if let Some((before, before_hash)) = previous {
            let pair = mix(before_hash.rotate_left(17) ^ lower);
            found((pair >> (64 - BITS)) as usize, before, Some(word));
            n += 1;
        }
        previous = Some((word, lower));
    }
    n
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

impl Classifier {
    /// Trains on texts of both classes, whose names are `labels`. Equal seeds give equal classifiers.
    ///
    /// # Errors
    /// When a class has fewer than 5 examples with words.
    pub fn train(positive: &[&str], negative: &[&str], labels: [&str; 2], seed: u64) -> Result<Self, ClassifierError> {
        let mut examples = Vec::with_capacity(positive.len() + negative.len());
        for (class, texts, target) in [("positive", positive, 1.0), ("negative", negative, 0.0)] {
            let before = examples.len();
            for text in texts {
                let mut indices = Vec::new();
                if features(text, |index, _, _| indices.push(index as u32)) > 0 {
                    examples.push((indices, target));
                }
            }
            let found = examples.len() - before;
            if found < MIN_EXAMPLES {
                return Err(ClassifierError::TooFew { class, found, needed: MIN_EXAMPLES });
            }
        }
        let mut model =
            Self { weights: vec![0.0; N_WEIGHTS], bias: 0.0, telling: Vec::new(), labels: labels.map(str::to_string) };
        model.descend(&mut examples, [positive.len(), negative.len()], seed);
        model.telling = model.most_telling(positive.iter().chain(negative));
        Ok(model)
    }

    fn descend(&mut self, examples: &mut [(Vec<u32>, f32)], sizes: [usize; 2], seed: u64) {
        let mut rng = Rng::new(seed);
        let n_steps = (examples.len() * EPOCHS) as f32;
        // Both classes count equally.
        let total = (sizes[0] + sizes[1]) as f32 / 2.0;
        let share = |target: f32| total / if target > 0.5 { sizes[0] } else { sizes[1] } as f32;
        let mut step = 0.0;
        for _ in 0..EPOCHS {
            for last in (1..examples.len()).rev() {
                examples.swap(last, rng.below(last + 1));
            }
            for (indices, target) in examples.iter() {
                let scale = 1.0 / (indices.len() as f32).sqrt();
                let sum: f32 = indices.iter().map(|&index| self.weights[index as usize]).sum();
                let gradient = (sigmoid(self.bias + sum * scale) - target) * share(*target);
                let rate = LEARNING_RATE * 0.01 * (1.0 - step / n_steps);
                self.bias -= 0.1 * rate * gradient;
                indices.iter().for_each(|&index| self.weights[index as usize] -= rate * gradient * scale);
                step += 1.0;
            }
        }
    }

    /// The n-grams of the examples with the largest and smallest weights, 50 of each.
    fn most_telling<'t>(&self, texts: impl Iterator<Item = &'t &'t str>) -> Vec<(String, f32)> {
        let mut names: FxHashMap<usize, (String, u32)> = FxHashMap::default();
        for text in texts {
            features(text, |index, first, second| {
                if self.weights[index].abs() > 0.02 {
                    let name = || {
                        second.map_or_else(|| first.to_lowercase(), |second| format!("{first} {second}").to_lowercase())
                    };
                    names.entry(index).or_insert_with(|| (name(), 0)).1 += 1;
                }
            });
        }
        let mut all: Vec<(String, f32)> = names
            .into_iter()
            .filter(|(_, (_, n))| *n >= 3)
            .map(|(index, (name, _))| (name, self.weights[index]))
            .collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let n = all.len();
        if n > 100 {
            all.drain(50..n - 50);
        }
        all
    }

    /// The probability of the positive class.
    pub fn score(&self, text: &str) -> f64 {
        let mut sum = 0.0;
        let n = features(text, |index, _, _| sum += self.weights[index]);
        f64::from(sigmoid(self.bias + sum / (n.max(1) as f32).sqrt()))
    }

    /// The more likely class and its probability.
    pub fn label(&self, text: &str) -> (&str, f64) {
        let score = self.score(text);
        if score >= 0.5 { (&self.labels[0], score) } else { (&self.labels[1], 1.0 - score) }
    }

    /// The n-grams that speak most for the positive class (first) and for the negative class (last), with their weights.
    pub fn telling(&self) -> &[(String, f32)] {
        &self.telling
    }

    /// The file of the classifier.
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = serde_json::to_vec(&Header {
            bits: BITS,
            bias: self.bias,
            labels: self.labels.clone(),
            telling: self.telling.clone(),
        });
        let header = header.unwrap_or_default();
        let mut bytes = MAGIC.to_vec();
        bytes.extend((header.len() as u64).to_le_bytes());
        bytes.extend(header);
        // Most weights are zero: only the others are stored.
        for (index, weight) in self.weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
            bytes.extend((index as u32).to_le_bytes());
            bytes.extend(weight.to_le_bytes());
        }
        bytes
    }

    /// Reads the file of a classifier.
    ///
    /// # Errors
    /// When the bytes are no classifier.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClassifierError> {
        let wrong = |what: &str| ClassifierError::Format(what.to_string());
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| wrong("it does not start with the mark of a classifier"))?;
        let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(|| wrong("it ends in its header"))?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok().filter(|&length| length <= rest.len());
        let (header, entries) = rest.split_at(length.ok_or_else(|| wrong("it ends in its header"))?);
        let header: Header = serde_json::from_slice(header).map_err(|error| wrong(&error.to_string()))?;
        let (entries, rest) = entries.as_chunks::<8>();
        if header.bits != BITS || !rest.is_empty() {
            return Err(wrong("its weights have another size"));
        }
        let mut weights = vec![0.0; N_WEIGHTS];
        for &[a, b, c, d, w, x, y, z] in entries {
            let (index, weight) = (u32::from_le_bytes([a, b, c, d]) as usize, f32::from_le_bytes([w, x, y, z]));
            let place = weights.get_mut(index).filter(|_| weight.is_finite());
            *place.ok_or_else(|| wrong("a weight is out of range"))? = weight;
        }
        Ok(Self { weights, bias: header.bias, telling: header.telling, labels: header.labels })
    }
}

const MAGIC: &[u8] = b"glasshead classifier 1\n";

#[derive(Serialize, Deserialize)]
struct Header {
    bits: u32,
    bias: f32,
    labels: [String; 2],
    telling: Vec<(String, f32)>,
}

/// The built-in classifier: reference prose (`wiki`) against the rest of the web (`cc`), trained on generated examples
/// on first use.
pub fn builtin() -> &'static Classifier {
    static MODEL: LazyLock<Classifier> = LazyLock::new(|| {
        let (positive, negative) = crate::generate::quality_examples(1);
        let positive: Vec<&str> = positive.iter().map(String::as_str).collect();
        let negative: Vec<&str> = negative.iter().map(String::as_str).collect();
        Classifier::train(&positive, &negative, ["wiki", "cc"], 1).expect("there are enough examples")
    });
    &MODEL
}
