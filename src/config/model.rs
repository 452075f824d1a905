//! The shape of the Transformer: sizes, and the switches of CS336's ablations.

use serde::{Deserialize, Serialize};

use super::{Choice, ConfigError};

/// The shape of the Transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// V: number of different tokens.
    pub vocab_size: usize,
    /// T: the longest sequence of tokens that the model processes at once.
    pub context_length: usize,
    /// C: the width of the residual stream.
    pub d_model: usize,
    /// L: number of blocks.
    pub n_layers: usize,
    /// H: number of attention heads per block; d_head = d_model / n_heads.
    pub n_heads: usize,
    /// Number of KV heads per block; each serves n_heads / n_kv_heads query heads (grouped-query attention, Ainslie et al.
    /// 2023). Equal to `n_heads` for ordinary multi-head attention.
    pub n_kv_heads: usize,
    /// F: the inner width of the feed-forward network.
    pub d_ff: usize,
    /// Θ of rotary position embedding.
    pub rope_theta: f64,
    /// How the residual stream is normalized.
    pub norm: Norm,
    /// Where the norms are applied.
    pub norm_placement: NormPlacement,
    /// ε, which keeps a norm from dividing by zero: added to the mean square, or to the variance.
    #[serde(default = "cs336_norm_eps")]
    pub norm_eps: f64,
    /// How token positions are encoded.
    pub positions: Positions,
    /// The feed-forward network of a block.
    pub feed_forward: FeedForward,
    /// Whether attention to later tokens is masked, as text generation requires. Without the mask the model copies the next
    /// token instead of predicting it.
    #[serde(default = "masked")]
    pub causal: bool,
    /// Whether linear layers (except the output head) and LayerNorm have a trainable bias.
    pub bias: bool,
    /// Whether the output head shares the token embedding's matrix (Press & Wolf 2017).
    pub tied_embeddings: bool,
}

/// Default for files written before `causal` existed.
fn masked() -> bool {
    true
}

/// Default for files written before `norm_eps` existed: the ε of CS336's norms.
fn cs336_norm_eps() -> f64 {
    1e-5
}

/// How the residual stream is normalized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Divides by the root mean square (Zhang & Sennrich 2019).
    Rmsnorm,
    /// Subtracts the mean and divides by the standard deviation (Ba et al. 2016).
    Layernorm,
    /// No normalization.
    None,
}

/// Where the norms are applied in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormPlacement {
    /// Before each branch, x + f(norm(x)), plus a final norm before the output head (Xiong et al. 2020).
    Pre,
    /// After each sum, norm(x + f(x)), as in the original Transformer (Vaswani et al. 2017). There is no additional final norm.
    Post,
}

/// How token positions are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// Queries and keys are rotated by their position (Su et al. 2021).
    Rope,
    /// A trainable vector per position is added to the token embedding (Vaswani et al. 2017, Radford et al. 2019).
    Learned,
    /// No encoding; positions are implied only by the causal mask (NoPE, Kazemnejad et al. 2023).
    None,
}

/// The feed-forward network of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedForward {
    /// W2 · (SiLU(W1·x) ⊙ W3·x) (Shazeer 2020).
    Swiglu,
    /// W2 · SiLU(W1·x)
    Silu,
    /// W2 · GELU(W1·x), with GPT-2's tanh approximation (Hendrycks & Gimpel 2016).
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
    /// CS336's architecture: pre-norm RMSNorm, RoPE with Θ = 10,000, SwiGLU, no biases, untied embeddings.
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

    /// Width of keys and values: n_kv_heads · D.
    pub fn d_kv(&self) -> usize {
        self.n_kv_heads * self.d_head()
    }

    /// Number of trainable parameters. 64 bits, so that models too large for this machine's address space are counted as well.
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

    /// Checks whether a model can be built from these sizes.
    ///
    /// # Errors
    /// The first invalid field and how to correct it.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check_fields()?;
        self.check_heads()
    }

    /// Checks that `n_heads` divides `d_model` and `n_kv_heads` divides `n_heads`.
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
