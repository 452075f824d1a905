//! Models in the files of Hugging Face's `transformers`, out and in: `config.json`, `model.safetensors`,
//! `tokenizer.json` and what goes with them. Two of its architectures can be written as switches of ours: Llama
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

/// The files' names, which are fixed.
pub(crate) mod files {
    pub const CONFIG: &str = "config.json";
    pub const WEIGHTS: &str = "model.safetensors";
    pub const WEIGHTS_INDEX: &str = "model.safetensors.index.json";
    pub const TOKENIZER: &str = "tokenizer.json";
    pub const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
    pub const GENERATION_CONFIG: &str = "generation_config.json";
    pub const TRAINING_STATE: &str = "training_state.safetensors";
}

/// An architecture of `transformers` that a configuration maps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Pre-norm RMSNorm, RoPE, SwiGLU (Touvron et al. 2023).
    Llama,
    /// Pre-norm LayerNorm, learned positions, GELU, biases (Radford et al. 2019).
    Gpt2,
}

/// Why a model cannot be written or read in this format.
#[derive(Debug, Error)]
pub enum InteropError {
    /// No architecture computes what this model computes.
    #[error("transformers has no architecture for this model: for Llama's, set {llama}; for GPT-2's, set {gpt2}")]
    NoArchitecture {
        /// The switches in the way of Llama.
        llama: String,
        /// The switches in the way of GPT-2.
        gpt2: String,
    },
    /// A file is not there.
    #[error("there is no {name}: {fix}")]
    MissingFile {
        /// Which one.
        name: String,
        /// What to do.
        fix: &'static str,
    },
    /// A file cannot be read.
    #[error("{name}: {detail}")]
    File {
        /// Which one.
        name: String,
        /// What is wrong, and where it can be said what to change.
        detail: String,
    },
    /// A setting of `config.json` that this program does not compute.
    #[error("config.json: {field} is {value}; {wanted}")]
    Setting {
        /// Its name.
        field: &'static str,
        /// What it says.
        value: String,
        /// What could be read.
        wanted: String,
    },
    /// The weights lack a tensor.
    #[error("the weights have no tensor {name}; config.json asks for it")]
    MissingTensor {
        /// Which one.
        name: String,
    },
    /// A tensor has another shape or type than the configuration says.
    #[error("{name} is {dtype} {shape:?}; config.json asks for F32, F16 or BF16 {expected:?}")]
    Tensor {
        /// Which one.
        name: String,
        /// Its type in the file.
        dtype: String,
        /// Its shape in the file.
        shape: Vec<usize>,
        /// The shape that the model has.
        expected: Vec<usize>,
    },
    /// A tensor holds a number that nothing can be computed with.
    #[error(
        "{name} holds {value} (number {at} of it), so the model would write nothing but noise; export or save it again \
         from a state before it diverged"
    )]
    NonFinite {
        /// Which one.
        name: String,
        /// NaN or infinity.
        value: f32,
        /// Which number of it, from 0.
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
    /// The one that computes what `config` says.
    ///
    /// # Errors
    /// When there is none: which switches are in the way.
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
