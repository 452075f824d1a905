//! Plain data about a run: its device, phases, steps, evaluations and tokens.

use serde::{Deserialize, Serialize};

use crate::config::{DeviceLimits, RunConfig};

/// Identifies a run: the page uses a new number for every `Command::Start`.
pub type RunId = u32;

/// The phases of preparation, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Requesting an adapter and a device.
    Device,
    /// Generating stories, or decoding the user's files.
    Corpus,
    /// Training the tokenizer.
    Tokenizer,
    /// Tokenizing the text and computing the baselines.
    Encoding,
    /// Allocating buffers, compiling shaders, initializing the weights.
    Model,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: [Phase; 5] = [Phase::Device, Phase::Corpus, Phase::Tokenizer, Phase::Encoding, Phase::Model];
}

/// The device that computes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// The adapter's name, or a substitute.
    pub name: String,
    /// `WebGPU`, `Vulkan`, `Metal`, `Dx12` or `CPU`.
    pub backend: String,
    /// Whether it is a GPU emulated on the CPU (SwiftShader, lavapipe …).
    pub software: bool,
    /// Its limits, with which the page checks settings before a run is started.
    pub limits: DeviceLimits,
}

impl DeviceInfo {
    /// The CPU backend.
    pub fn cpu() -> Self {
        Self { name: "CPU".into(), backend: "CPU".into(), software: false, limits: DeviceLimits::CPU }
    }

    /// Whether this is the CPU backend.
    pub fn is_cpu(&self) -> bool {
        self.backend == "CPU"
    }
}

/// Description of a prepared run, for `Event::Ready`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The configuration in use; `vocab_size` may be smaller than requested when the text has too few pairs to merge.
    pub config: RunConfig,
    /// Number of trainable parameters.
    pub n_params: u64,
    /// Total size of all buffers.
    pub memory_bytes: u64,
    /// Display name of the text's source.
    pub corpus: String,
    /// Size of the text in bytes.
    pub corpus_bytes: usize,
    /// Number of training tokens.
    pub train_tokens: usize,
    /// Number of held-out tokens.
    pub val_tokens: usize,
    /// Losses of simple models on the held-out tokens, for comparison.
    pub baselines: Baselines,
}

/// Cross-entropies of simple models on the held-out tokens, in nats per token.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baselines {
    /// ln V: all tokens equally likely, as predicted by random weights.
    pub uniform: f64,
    /// Smoothed unigram counts.
    pub unigram: f64,
    /// Smoothed bigram counts.
    pub bigram: f64,
}

/// One training step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepPoint {
    /// Step number, counted from 1.
    pub step: u64,
    /// Mean cross-entropy of the batch, before the update.
    pub loss: f32,
    /// Learning rate of the update.
    pub lr: f32,
    /// Global gradient norm before clipping.
    pub grad_norm: f32,
    /// Seconds of training up to and including this step, without inspection and generation. 0 if not measured.
    #[serde(default)]
    pub seconds: f64,
}

/// One evaluation on held-out tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationPoint {
    /// Steps done before the evaluation; 0 is the untrained model.
    pub step: u64,
    /// Mean cross-entropy.
    pub loss: f32,
}

/// One token of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Token id in the vocabulary.
    pub id: u32,
    /// Text of the token; bytes that do not form a complete character are spelled in hexadecimal, see [`spelling`](super::spelling).
    pub text: String,
}
