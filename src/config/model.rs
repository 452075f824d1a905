//! The shape of the Transformer: sizes, and the switches of CS336's ablations.

use serde::{Deserialize, Serialize};

use super::{Choice, ConfigError};

/// The shape of the Transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// V: how many different tokens there are.
    pub vocab_size: usize,
    /// The longest window of tokens that the model sees at once.
    pub context_length: usize,
    /// C: the width of the residual stream.
    pub d_model: usize,
    /// L: how many blocks.
    pub n_layers: usize,
    /// H: how many attention heads a block has; d_head = d_model / n_heads.
    pub n_heads: usize,
    /// How many heads of keys and values a block has; each serves n_heads / n_kv_heads heads of queries (grouped-query
    /// attention, Ainslie et al. 2023). As many as `n_heads`: ordinary multi-head attention.
    pub n_kv_heads: usize,
    /// F: the inner width of the feed-forward network.
    pub d_ff: usize,
    /// Θ of rotary position embedding.
    pub rope_theta: f64,
    /// What normalises the residual stream.
    pub norm: Norm,
    /// Where it does.
    pub norm_placement: NormPlacement,
    /// ε, which keeps a norm from dividing by zero: added to the mean square, or to the variance.
    #[serde(default = "cs336_norm_eps")]
    pub norm_eps: f64,
    /// How the model knows where a token stands.
    pub positions: Positions,
    /// What a block computes besides attention.
    pub feed_forward: FeedForward,
    /// Whether a token attends to none behind it, as a model that writes has to. Without the mask it looks the next
    /// token up instead of predicting it.
    #[serde(default = "masked")]
    pub causal: bool,
    /// Whether linear layers (but the head) and LayerNorm add a trainable bias.
    pub bias: bool,
    /// Whether the head's matrix is the token embedding (Press & Wolf 2017).
    pub tied_embeddings: bool,
}

/// Files of runs from before there was a choice do not say.
fn masked() -> bool {
    true
}

/// The ε of CS336's norms, which runs from before there was a choice have.
fn cs336_norm_eps() -> f64 {
    1e-5
}

/// What normalises the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Divides by the root mean square (Zhang & Sennrich 2019).
    Rmsnorm,
    /// Subtracts the mean and divides by the standard deviation (Ba et al. 2016).
    Layernorm,
    /// Nothing.
    None,
}

/// Where the norms stand in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormPlacement {
    /// Before each branch, x + f(norm(x)), and once more before the head (Xiong et al. 2020).
    Pre,
    /// After each sum, norm(x + f(x)), as the first Transformer had it (Vaswani et al. 2017). The last block's own
    /// norm is the last one.
    Post,
}

/// How the model knows where a token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// Queries and keys are rotated by their position (Su et al. 2021).
    Rope,
    /// A trainable vector per position is added to the token's (Vaswani et al. 2017, Radford et al. 2019).
    Learned,
    /// Only through the causal mask (NoPE, Kazemnejad et al. 2023).
    None,
}

/// What a block computes besides attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedForward {
    /// W2 · (SiLU(W1·x) ⊙ W3·x) (Shazeer 2020).
    Swiglu,
    /// W2 · SiLU(W1·x)
    Silu,
    /// W2 · GELU(W1·x), in the form with tanh that GPT-2 has (Hendrycks & Gimpel 2016).
    Gelu,
}

impl Choice for Norm {
    const ALL: &'static [(&'static str, Self)] =
        &[("rmsnorm", Self::Rmsnorm), ("layernorm", Self::Layernorm), ("none", Self::None)];
}

impl Choice for NormPlacement {
    const ALL: &'static [(&'static str, Self)] = &[("pre", Self::Pre), ("post", Self::Post)];
}

impl Choice for Positions {
    const ALL: &'static [(&'static str, Self)] =
        &[("rope", Self::Rope), ("learned", Self::Learned), ("none", Self::None)];
}

impl Choice for FeedForward {
    const ALL: &'static [(&'static str, Self)] =
        &[("swiglu", Self::Swiglu), ("silu", Self::Silu), ("gelu", Self::Gelu)];
}

impl ModelConfig {
    /// A model as CS336 has it: pre-norm RMSNorm, RoPE with Θ = 10,000, SwiGLU, no biases, nothing shared.
    pub fn cs336(
        [vocab_size, context_length]: [usize; 2],
        [d_model, n_layers, n_heads, d_ff]: [usize; 4],
    ) -> ModelConfig {
        ModelConfig {
            vocab_size,
            context_length,
            d_model,
            n_layers,
            n_heads,
            n_kv_heads: n_heads,
            d_ff,
            rope_theta: 10_000.0,
            norm: Norm::Rmsnorm,
            norm_placement: NormPlacement::Pre,
            norm_eps: cs336_norm_eps(),
            positions: Positions::Rope,
            feed_forward: FeedForward::Swiglu,
            causal: true,
            bias: false,
            tied_embeddings: false,
        }
    }

    /// D: the size of one head.
    pub fn d_head(&self) -> usize {
        self.d_model / self.n_heads
    }

    /// The width of keys and of values: n_kv_heads · D.
    pub fn d_kv(&self) -> usize {
        self.n_kv_heads * self.d_head()
    }

    /// The number of trainable parameters, in 64 bits: models that this machine cannot address are counted, too.
    pub fn n_params(&self) -> u64 {
        let [c, f, v, t, l] =
            [self.d_model, self.d_ff, self.vocab_size, self.context_length, self.n_layers].map(|size| size as u64);
        let (kv, bias) = (self.d_kv() as u64, u64::from(self.bias));
        let linear = |d_out: u64, d_in: u64| d_out * d_in + bias * d_out;
        let norm = match self.norm {
            Norm::Rmsnorm => c,
            Norm::Layernorm => c + bias * c,
            Norm::None => 0,
        };
        let attention = 2 * linear(c, c) + 2 * linear(kv, c);
        let gates = if self.feed_forward == FeedForward::Swiglu { 2 } else { 1 };
        let block = attention + gates * linear(f, c) + linear(c, f) + 2 * norm;
        let embeddings = v * c * if self.tied_embeddings { 1 } else { 2 };
        let positions = if self.positions == Positions::Learned { t * c } else { 0 };
        let final_norm = if self.norm_placement == NormPlacement::Pre { norm } else { 0 };
        embeddings + positions + l * block + final_norm
    }

    /// Whether a model can be built from these sizes.
    ///
    /// # Errors
    /// The first field that is wrong, with what to change.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check_fields()?;
        self.check_heads()
    }

    /// Whether heads divide the width, and KV heads the heads.
    pub(super) fn check_heads(&self) -> Result<(), ConfigError> {
        let rope = self.positions == Positions::Rope;
        let unit = if rope { 2 * self.n_heads } else { self.n_heads };
        if !self.d_model.is_multiple_of(unit) {
            let below = (self.d_model / unit).max(1) * unit;
            let above = self.d_model.next_multiple_of(unit).max(2 * unit);
            let size = if rope { "an even size" } else { "the same size" };
            return Err(ConfigError::Heads { d_model: self.d_model, n_heads: self.n_heads, size, below, above });
        }
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            let (n_heads, n_kv_heads) = (self.n_heads, self.n_kv_heads);
            let below = (1..n_kv_heads.min(n_heads)).rev().find(|&n| n_heads.is_multiple_of(n)).unwrap_or(1);
            return Err(ConfigError::KvHeads { n_heads, n_kv_heads, below });
        }
        Ok(())
    }
}
