//! Every buffer that a run needs, planned before anything is allocated.

use thiserror::Error;

use super::params::ParamTable;
use crate::config::{ModelConfig, RunConfig};
use crate::gpu::context::DeviceLimits;
use crate::gpu::recording::{Buffers, Slice};
use crate::ops::clip::PARTIAL_SUMS;
use crate::ops::step::STEP_LEN;

/// How many losses and gradient norms the rings on the device hold, and so how many steps can run between two reads.
pub const RING: usize = 256;

/// A plan that the device cannot hold.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "the {buffer} need {need_mib} MiB in one buffer, and this device allows {most_mib} MiB; lower batch_size, \
     context_length or vocab_size"
)]
pub struct MemoryError {
    /// The buffer that is too large.
    pub buffer: String,
    /// What it needs.
    pub need_mib: u64,
    /// What the device allows.
    pub most_mib: u64,
}

/// What one block leaves behind in its forward pass. N = B·T rows.
#[derive(Clone, Copy, Debug)]
pub struct BlockActivations {
    /// The stream that enters the block (N, C).
    pub x: Slice,
    /// After the first norm (N, C).
    pub norm1: Slice,
    /// 1/RMS of `x` (N).
    pub inv_rms1: Slice,
    /// Queries, rotated (B, T, H, D).
    pub q: Slice,
    /// Keys, rotated (B, T, H, D).
    pub k: Slice,
    /// Values (B, T, H, D).
    pub v: Slice,
    /// Softmax weights (B, H, T, T).
    pub weights: Slice,
    /// Weighted sums of all heads (B, T, H, D).
    pub heads: Slice,
    /// The stream after attention (N, C).
    pub x_mid: Slice,
    /// After the second norm (N, C).
    pub norm2: Slice,
    /// 1/RMS of `x_mid` (N).
    pub inv_rms2: Slice,
    /// W1·norm2 (N, F).
    pub gate: Slice,
    /// W3·norm2 (N, F).
    pub up: Slice,
    /// SiLU(gate) ⊙ up (N, F).
    pub hidden: Slice,
}

/// What a forward pass over (B, T) tokens writes.
#[derive(Clone, Debug)]
pub struct Activations {
    /// B
    pub batch_size: usize,
    /// Token ids (B, T).
    pub inputs: Slice,
    /// One entry per block.
    pub blocks: Vec<BlockActivations>,
    /// A branch's output on its way into the stream (N, C).
    pub branch: Slice,
    /// The stream after the last block (N, C).
    pub x_final: Slice,
    /// After the last norm (N, C).
    pub norm_final: Slice,
    /// 1/RMS of `x_final` (N).
    pub inv_rms_final: Slice,
    /// (N, V); training replaces it by its gradient.
    pub logits: Slice,
}

/// What the backward pass writes besides the parameters' gradients. One set serves all blocks.
#[derive(Clone, Copy, Debug)]
pub struct Gradients {
    /// The stream's (N, C).
    pub stream: Slice,
    /// A norm's output (N, C).
    pub norm: Slice,
    /// (B, T, H, D)
    pub q: Slice,
    /// (B, T, H, D)
    pub k: Slice,
    /// (B, T, H, D)
    pub v: Slice,
    /// (B, T, H, D)
    pub heads: Slice,
    /// Of the weights, then of the scores (B, H, T, T).
    pub scores: Slice,
    /// (N, F)
    pub gate: Slice,
    /// (N, F)
    pub up: Slice,
    /// (N, F)
    pub hidden: Slice,
}

/// All buffers of a run, by role.
#[derive(Clone, Debug)]
pub struct MemoryPlan {
    /// What to allocate.
    pub buffers: Buffers,
    /// Parameters, laid out by the table.
    pub params: Slice,
    /// Their gradients.
    pub grads: Slice,
    /// First moments.
    pub adam_m: Slice,
    /// Second moments.
    pub adam_v: Slice,
    /// The [`Step`](crate::ops::step::Step).
    pub step: Slice,
    /// Where the batch's sequences start (B).
    pub starts: Slice,
    /// All training tokens.
    pub train_tokens: Slice,
    /// All held-out tokens.
    pub val_tokens: Slice,
    /// Next tokens of the batch (B, T).
    pub targets: Slice,
    /// Losses of all positions (N).
    pub losses: Slice,
    /// Mean losses of the latest steps.
    pub loss_ring: Slice,
    /// Gradient norms of the latest steps.
    pub norm_ring: Slice,
    /// Partial sums of squares.
    pub squared_sums: Slice,
    /// The gradient norm of this step (1).
    pub grad_norm: Slice,
    /// RoPE's table (T, D/2, 2).
    pub cos_sin: Slice,
    /// The forward pass of a training batch.
    pub batch: Activations,
    /// Its backward pass.
    pub gradients: Gradients,
    /// The forward pass of one sequence, for looking and for writing. Its blocks share their buffers.
    pub probe: Activations,
    /// The probe's softmax weights as bytes, (L, ⌈H·T·T/4⌉) words.
    pub heatmaps: Slice,
}

impl MemoryPlan {
    /// Plans a run on this many training and held-out tokens.
    pub fn new(config: &RunConfig, table: &ParamTable, n_train: usize, n_val: usize) -> Self {
        let (model, batch_size) = (&config.model, config.train.batch_size);
        let n_rows = batch_size * model.context_length;
        let mut buffers = Buffers::default();
        let mut add = |name: &str, len: usize| buffers.add(name, len);
        let [params, grads] = ["parameters", "gradients"].map(|name| add(name, table.buffer_len()));
        let [adam_m, adam_v] = ["first moments", "second moments"].map(|name| add(name, table.buffer_len()));
        let [step, starts] = [("step", STEP_LEN), ("starts", batch_size)].map(|(name, len)| add(name, len));
        let train_tokens = add("training tokens", n_train);
        let val_tokens = add("held-out tokens", n_val);
        let targets = add("targets", n_rows);
        let losses = add("losses", n_rows);
        let [loss_ring, norm_ring] = ["loss ring", "norm ring"].map(|name| add(name, RING));
        let squared_sums = add("squared sums", PARTIAL_SUMS);
        let grad_norm = add("gradient norm", 1);
        let cos_sin = add("rope table", model.context_length * model.d_head());
        let heatmaps = add("heatmaps", model.n_layers * heatmap_words(model));
        let batch = Activations::plan(&mut buffers, model, batch_size, true);
        let gradients = Gradients::plan(&mut buffers, model, batch_size);
        let probe = Activations::plan(&mut buffers, model, 1, false);
        Self {
            buffers,
            params,
            grads,
            adam_m,
            adam_v,
            step,
            starts,
            train_tokens,
            val_tokens,
            targets,
            losses,
            loss_ring,
            norm_ring,
            squared_sums,
            grad_norm,
            cos_sin,
            batch,
            gradients,
            probe,
            heatmaps,
        }
    }

    /// Compares every buffer with what the device allows.
    ///
    /// # Errors
    /// The first buffer that is too large.
    pub fn check(&self, limits: DeviceLimits) -> Result<(), MemoryError> {
        let most = limits.buffer_bytes.min(limits.binding_bytes);
        match self.buffers.specs.iter().find(|spec| spec.size_bytes() > most) {
            None => Ok(()),
            Some(spec) => Err(MemoryError {
                buffer: spec.name.clone(),
                need_mib: spec.size_bytes().div_ceil(1 << 20),
                most_mib: most >> 20,
            }),
        }
    }
}

/// Words that the quantised weights of one layer take.
pub fn heatmap_words(model: &ModelConfig) -> usize {
    (model.n_heads * model.context_length * model.context_length).div_ceil(4)
}

impl Activations {
    /// `keep` gives every block its own buffers, which the backward pass needs; else all blocks share one set.
    fn plan(buffers: &mut Buffers, model: &ModelConfig, batch_size: usize, keep: bool) -> Self {
        let n_rows = batch_size * model.context_length;
        let pass = if keep { "batch" } else { "probe" };
        let inputs = buffers.add(format!("{pass} inputs"), n_rows);
        let mut blocks: Vec<BlockActivations> = Vec::new();
        for layer in 0..model.n_layers {
            let block = match blocks.first() {
                Some(&first) if !keep => first,
                _ => BlockActivations::plan(buffers, model, batch_size, &format!("{pass} block {layer}")),
            };
            blocks.push(block);
        }
        let mut add = |name: &str, len: usize| buffers.add(format!("{pass} {name}"), len);
        let wide = n_rows * model.d_model;
        Self {
            batch_size,
            inputs,
            blocks,
            branch: add("branch", wide),
            x_final: add("final stream", wide),
            norm_final: add("final norm", wide),
            inv_rms_final: add("final inverse RMS", n_rows),
            logits: add("logits", n_rows * model.vocab_size),
        }
    }
}

impl BlockActivations {
    fn plan(buffers: &mut Buffers, model: &ModelConfig, batch_size: usize, owner: &str) -> Self {
        let n_rows = batch_size * model.context_length;
        let (wide, inner) = (n_rows * model.d_model, n_rows * model.d_ff);
        let pairs = batch_size * model.n_heads * model.context_length * model.context_length;
        let mut add = |name: &str, len: usize| buffers.add(format!("{owner} {name}"), len);
        Self {
            x: add("stream", wide),
            norm1: add("first norm", wide),
            inv_rms1: add("first inverse RMS", n_rows),
            q: add("queries", wide),
            k: add("keys", wide),
            v: add("values", wide),
            weights: add("attention weights", pairs),
            heads: add("heads", wide),
            x_mid: add("middle stream", wide),
            norm2: add("second norm", wide),
            inv_rms2: add("second inverse RMS", n_rows),
            gate: add("gate", inner),
            up: add("up", inner),
            hidden: add("hidden", inner),
        }
    }
}

impl Gradients {
    fn plan(buffers: &mut Buffers, model: &ModelConfig, batch_size: usize) -> Self {
        let n_rows = batch_size * model.context_length;
        let (wide, inner) = (n_rows * model.d_model, n_rows * model.d_ff);
        let pairs = batch_size * model.n_heads * model.context_length * model.context_length;
        let mut add = |name: &str, len: usize| buffers.add(format!("gradient of {name}"), len);
        Self {
            stream: add("the stream", wide),
            norm: add("a norm", wide),
            q: add("queries", wide),
            k: add("keys", wide),
            v: add("values", wide),
            heads: add("heads", wide),
            scores: add("attention scores", pairs),
            gate: add("gate", inner),
            up: add("up", inner),
            hidden: add("hidden", inner),
        }
    }
}
