//! Imports and exports models in the files of Hugging Face's `transformers`: `config.json`, `model.safetensors`,
//! `tokenizer.json` and related files. Two of its architectures correspond to settings of [`ModelConfig`]: Llama
//! (`LlamaForCausalLM`) and GPT-2 (`GPT2LMHeadModel`).

use thiserror::Error;

use crate::config::{ConfigError, FeedForward, ModelConfig, Norm, NormPlacement, Positions};
use crate::data::DataError;

pub mod archive;
pub mod companions;
mod config;
pub mod export;
pub mod import;
mod layout;
pub mod state;
pub mod tensors;

/// The fixed file names.
pub mod files {
    /// The model's configuration.
    pub const CONFIG: &str = "config.json";
    /// The weights, if they are one file.
    pub const WEIGHTS: &str = "model.safetensors";
    /// The list of files of weights that are several.
    pub const WEIGHTS_INDEX: &str = "model.safetensors.index.json";
    /// The vocabulary and its merges.
    pub const TOKENIZER: &str = "tokenizer.json";
    /// Special tokens and clean-up rules.
    pub const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
    /// Defaults for sampling.
    pub const GENERATION_CONFIG: &str = "generation_config.json";
    /// The optimizer's state, written by this program only.
    pub const TRAINING_STATE: &str = "training_state.safetensors";
}

/// An architecture of `transformers` with an equivalent [`ModelConfig`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Pre-norm RMSNorm, RoPE, SwiGLU (Touvron et al. 2023).
    Llama,
    /// Pre-norm LayerNorm, learned positions, GELU, biases (Radford et al. 2019).
    Gpt2,
}

/// The reason why a model cannot be imported or exported.
#[derive(Debug, Error)]
pub enum InteropError {
    /// No supported architecture matches the model.
    #[error("transformers has no architecture for this model: for Llama's, set {llama}; for GPT-2's, set {gpt2}")]
    NoArchitecture {
        /// The settings that differ from Llama.
        llama: String,
        /// The settings that differ from GPT-2.
        gpt2: String,
    },
    /// A file is missing.
    #[error("there is no {name}: {fix}")]
    MissingFile {
        /// The file name.
        name: String,
        /// How to fix it.
        fix: &'static str,
    },
    /// A file cannot be read.
    #[error("{name}: {detail}")]
    File {
        /// The file name.
        name: String,
        /// The problem and, where possible, how to fix it.
        detail: String,
    },
    /// A setting in `config.json` is unsupported.
    #[error("config.json: {field} is {value}; {wanted}")]
    Setting {
        /// The setting's name.
        field: &'static str,
        /// Its value.
        value: String,
        /// The supported values.
        wanted: String,
    },
    /// A tensor is missing from the weights.
    #[error("the weights have no tensor {name}; config.json asks for it")]
    MissingTensor {
        /// The tensor's name.
        name: String,
    },
    /// A tensor's shape or type differs from the configuration.
    #[error("{name} is {dtype} {shape:?}; config.json asks for F32, F16 or BF16 {expected:?}")]
    Tensor {
        /// The tensor's name.
        name: String,
        /// The type in the file.
        dtype: String,
        /// The shape in the file.
        shape: Vec<usize>,
        /// The expected shape.
        expected: Vec<usize>,
    },
    /// A tensor contains a non-finite value.
    #[error(
        "{name} holds {value} (number {at} of it), so the model would write nothing but noise; export or save it again \
         from a state before it diverged"
    )]
    NonFinite {
        /// The tensor's name.
        name: String,
        /// The value: NaN or infinity.
        value: f32,
        /// The index of the value in the tensor, from 0.
        at: usize,
    },
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The tokenizer cannot be read or written.
    #[error(transparent)]
    Tokenizer(#[from] DataError),
}

impl Architecture {
    /// The architecture that matches `config`.
    ///
    /// # Errors
    /// When there is none; names the settings that differ.
    pub fn of(config: &ModelConfig) -> Result<Self, InteropError> {
        let (llama, gpt2) = (in_llamas_way(config), in_gpt2s_way(config));
        match (llama.is_empty(), gpt2.is_empty()) {
            (true, _) => Ok(Self::Llama),
            (_, true) => Ok(Self::Gpt2),
            _ => Err(InteropError::NoArchitecture { llama: llama.join(", "), gpt2: gpt2.join(", ") }),
        }
    }
}

fn in_llamas_way(config: &ModelConfig) -> Vec<&'static str> {
    blocking(&[
        (config.norm != Norm::Rmsnorm, "norm=rmsnorm"),
        (config.norm_placement != NormPlacement::Pre, "norm_placement=pre"),
        (!config.causal, "causal=true"),
        (config.positions != Positions::Rope, "positions=rope"),
        (config.feed_forward != FeedForward::Swiglu, "feed_forward=swiglu"),
    ])
}

fn in_gpt2s_way(config: &ModelConfig) -> Vec<&'static str> {
    blocking(&[
        (config.norm != Norm::Layernorm, "norm=layernorm"),
        (config.norm_placement != NormPlacement::Pre, "norm_placement=pre"),
        (!config.causal, "causal=true"),
        (config.positions != Positions::Learned, "positions=learned"),
        (config.feed_forward != FeedForward::Gelu, "feed_forward=gelu"),
        (!config.bias, "bias=true"),
        (config.n_kv_heads != config.n_heads, "n_kv_heads to n_heads"),
    ])
}

fn blocking(switches: &[(bool, &'static str)]) -> Vec<&'static str> {
    switches.iter().filter(|(blocks, _)| *blocks).map(|&(_, switch)| switch).collect()
}
