//! Plans every buffer of a run before anything is allocated.

mod passes;
mod room;

use self::passes::{Kind, rope_width};
use super::params::ParamTable;
use crate::config::{ModelConfig, Positions, RunConfig};
use crate::gpu::context::Budget;
use crate::gpu::recording::{ALIGNMENT, BufferSpec, Buffers, Role, Slice};
use crate::ops::clip::PARTIAL_SUMS;
use crate::ops::step::STEP_LEN;

pub use room::{MemoryError, RoomError, check_room, spare};

/// Rows of a pass are cut into pieces of a multiple of this many rows, so that pieces begin at valid slice offsets, also
/// in f16 buffers.
pub const ROWS_UNIT: usize = 128;

/// Maximum number of rows, and of entries of the vocabulary, in one dispatch: a kernel with tiles of eight rows needs half of
/// WebGPU's 65,535 workgroups for them.
pub const MAX_ROWS: usize = 8 * 32_000;

/// Maximum size of the logits that are in memory at a time, in bytes.
const MAX_LOGIT_BYTES: usize = 64 << 20;

/// Smaller vocabularies are computed as one block even if they are not a multiple of four.
const MIN_TAIL_VOCABULARY: usize = 1024;

/// Number of losses and gradient norms that the rings on the device hold, and so of steps between two reads.
pub const RING: usize = 256;

/// Data that a norm's forward pass stores for the backward pass.
#[derive(Clone, Copy, Debug)]
pub struct NormActivations {
    /// (N, C): the norm's output for norms before the branches, its input for norms after the sums.
    pub values: Slice,
    /// RMSNorm: 1/RMS of its input (N). LayerNorm: mean and 1/standard deviation (N, 2).
    pub stats: Slice,
}

/// Data that one block's forward pass stores for the backward pass. N rows.
#[derive(Clone, Copy, Debug)]
pub struct BlockActivations {
    /// The residual stream at the block's input (N, C).
    pub x: Slice,
    /// The first norm's data, where there are norms.
    pub norm1: Option<NormActivations>,
    /// Rows of queries and keys, both rotated, and values (B, T, (H + 2·Hkv)·D).
    pub qkv: Slice,
    /// Log-sum-exp of each query's scores (B, H, T).
    pub lse: Slice,
    /// Softmax weights: (B, H, T, T) in the probe, scratch (B, H, T) in a next-token pass. Batches and prompts have none:
    /// FlashAttention needs no memory for them.
    pub weights: Option<Slice>,
    /// Weighted sums of all heads (B, T, H, D).
    pub heads: Slice,
    /// The residual stream after attention (N, C).
    pub x_mid: Slice,
    /// The second norm's data, where there are norms.
    pub norm2: Option<NormActivations>,
    /// W1·input (N, F); for SwiGLU rows of W1·input and W3·input (N, 2F).
    pub gate_up: Slice,
    /// SiLU(gate) ⊙ up, or the activation of gate (N, F).
    pub hidden: Slice,
}

/// What a forward pass processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Whole windows, from position 0 on.
    Window,
    /// Prompts for generation, from position 0 on.
    Prompt,
    /// One token of each sequence, after those whose keys and values are in the cache.
    NextToken,
}

/// Buffers that a forward pass over (B, window) tokens writes.
#[derive(Clone, Debug)]
pub struct Activations {
    /// What the pass processes.
    pub pass: Pass,
    /// B: number of sequences.
    pub batch_size: usize,
    /// Positions per sequence: T, fewer for a short sequence, or 1.
    pub window: usize,
    /// Token ids (B, T).
    pub inputs: Slice,
    /// One entry per block.
    pub blocks: Vec<BlockActivations>,
    /// A branch's output before it is added to the residual stream (N, C).
    pub branch: Slice,
    /// The residual stream after the last block (N, C).
    pub x_final: Slice,
    /// The last norm's data, where there is one.
    pub norm_final: Option<NormActivations>,
    /// (N, V), in blocks of the vocabulary. A batch has only [`MemoryPlan::head_rows`] rows at a time; training replaces
    /// them with their gradient.
    pub logits: Slice,
    /// Factor of each head's output (L, H), in passes that scale or switch off heads.
    pub head_scale: Option<Slice>,
}

/// Buffers that the backward pass writes besides the parameters' gradients. One set serves all blocks.
#[derive(Clone, Copy, Debug)]
pub struct Gradients {
    /// Gradient of the residual stream (N, C).
    pub stream: Slice,
    /// Gradient of a branch's input, or of the residual stream (N, C).
    pub branch: Slice,
    /// Gradient of queries, keys and values (B, T, (H + 2·Hkv)·D).
    pub qkv: Slice,
    /// Gradient of [`BlockActivations::heads`] (B, T, H, D).
    pub heads: Slice,
    /// Gradient of [`BlockActivations::gate_up`] (N, F), for SwiGLU (N, 2F).
    pub gate_up: Slice,
    /// Gradient of [`BlockActivations::hidden`] (N, F).
    pub hidden: Slice,
}

/// Keys and values of B texts during generation.
#[derive(Clone, Debug)]
pub struct Cache {
    /// The id of the first of these buffers. They come last in the plan, so that a larger batch can replace them.
    pub first_buffer: usize,
    /// The forward pass over the prompts (B, T). Its blocks share their buffers, and it has no separate logits.
    pub prompt: Activations,
    /// 0 … W − 1 for every prompt (B, W), for learned positions.
    pub prompt_positions: Slice,
    /// The row in (B, W) of each prompt's last token (B).
    pub last_rows: Slice,
    /// The forward pass of the next tokens (B).
    pub next: Activations,
    /// The next tokens' positions (B).
    pub position: Slice,
    /// RoPE's table for those positions (B, D/2, 2).
    pub cos_sin: Slice,
    /// Rotated keys by layer (B, T, Hkv, D).
    pub k: Vec<Slice>,
    /// Values by layer (B, T, Hkv, D).
    pub v: Vec<Slice>,
}

/// Buffers with one value per token of a batch, for objectives that weigh tokens.
#[derive(Clone, Copy, Debug)]
pub struct PerToken {
    /// The factor of each token's loss in the objective (N).
    pub coefficients: Slice,
    /// The entropy of each position's distribution in nats (N).
    pub entropies: Slice,
}

/// All buffers of a run, by role.
#[derive(Clone, Debug)]
pub struct MemoryPlan {
    /// The buffers to allocate.
    pub buffers: Buffers,
    /// Limits of one dispatch.
    pub budget: Budget,
    /// Rows of a batch whose logits are computed at a time.
    pub head_rows: usize,
    /// Columns of a block of the logits: V or a multiple of 64; the last block may be narrower.
    pub vocab_block: usize,
    /// Maximum number of parameters that one dispatch of the update binds.
    pub param_piece: usize,
    /// Parameters, laid out by the parameter table.
    pub params: Slice,
    /// Gradients of the parameters, of one batch.
    pub grads: Slice,
    /// The gradients of a step: `grads`, or the mean over several batches.
    pub step_grads: Slice,
    /// First moments of the optimizer.
    pub adam_m: Slice,
    /// Second moments of the optimizer.
    pub adam_v: Slice,
    /// Parameters of the current step, a [`Step`](crate::ops::step::Step).
    pub step: Slice,
    /// Positions of the batch's sequences in the tokens (B).
    pub starts: Slice,
    /// All training tokens.
    pub train_tokens: Slice,
    /// All held-out tokens.
    pub val_tokens: Slice,
    /// Next tokens of the batch (B, T).
    pub targets: Slice,
    /// Losses of all positions (N): the negative log-probabilities of the targets.
    pub losses: Slice,
    /// Coefficients and entropies, with objectives that weigh tokens.
    pub per_token: Option<PerToken>,
    /// Mean losses of the latest steps.
    pub loss_ring: Slice,
    /// Gradient norms of the latest steps.
    pub norm_ring: Slice,
    /// Partial sums of squares for the gradient norm.
    pub squared_sums: Slice,
    /// The gradient norm of this step (1).
    pub grad_norm: Slice,
    /// RoPE's table (T, D/2, 2).
    pub cos_sin: Slice,
    /// 0 … T − 1 for every sequence (B, T), for learned positions.
    pub position_ids: Slice,
    /// The forward pass of a training batch.
    pub batch: Activations,
    /// Buffers of its backward pass.
    pub gradients: Gradients,
    /// The forward pass of one sequence, for inspection. Its blocks share their buffers.
    pub probe: Activations,
    /// Without a causal mask: which of the probe's scores belong to real keys rather than padding (H, T, T).
    pub real_keys: Option<Slice>,
    /// The probe's softmax weights as bytes, (L, ⌈H·T·T/4⌉) words.
    pub heatmaps: Slice,
    /// Entropies of the probe's softmax rows in bits, (L, H + 1, T); the last row of a layer is that of the heads' mean.
    pub entropies: Slice,
    /// Factor of each head's output when the page scales or switches off heads (L, H).
    pub head_scale: Slice,
    /// Buffers for generation.
    pub cache: Cache,
}

impl MemoryPlan {
    /// Plans a run with this many training and held-out tokens, every layer in one piece.
    pub fn new(config: &RunConfig, table: &ParamTable, n_train: usize, n_val: usize) -> Self {
        Self::within(Budget::default(), config, table, n_train, n_val)
    }

    /// As [`MemoryPlan::new`], in pieces that fit this budget.
    pub fn within(budget: Budget, config: &RunConfig, table: &ParamTable, n_train: usize, n_val: usize) -> Self {
        let (model, batch_size) = (&config.model, config.train.batch_size);
        let n_rows = batch_size * model.context_length;
        let mut buffers = Buffers::default();
        let (head_rows, vocab_block) = (head_rows(config, budget), vocab_block(model, budget));
        let param_piece = (budget.binding_bytes as usize / 4 / ALIGNMENT * ALIGNMENT).min(table.buffer_len());
        let mut of_role = |role: Role, name: &str, len: usize| {
            buffers.push(BufferSpec { name: name.into(), role, len, ..BufferSpec::default() })
        };
        let mut of_table = |role: Role, name: &str| of_role(role, name, table.buffer_len());
        let params = of_table(Role::Parameters, "parameters");
        let grads = of_table(Role::Gradients, "gradients");
        let several = config.train.accumulation_steps > 1;
        let step_grads = if several { of_table(Role::Gradients, "gradients of the step") } else { grads };
        let [adam_m, adam_v] = ["first moments", "second moments"].map(|name| of_table(Role::OptimizerState, name));
        let [starts, train_tokens, val_tokens, targets] =
            [("starts", batch_size), ("training tokens", n_train), ("held-out tokens", n_val), ("targets", n_rows)]
                .map(|(name, len)| of_role(Role::Tokens, name, len));
        let mut add = |name: &str, len: usize| of_role(Role::Other, name, len);
        let step = add("step", STEP_LEN);
        let losses = add("losses", n_rows);
        let [loss_ring, norm_ring] = ["loss ring", "norm ring"].map(|name| add(name, RING));
        let n_pieces = table.buffer_len().div_ceil(param_piece);
        let squared_sums = add("squared sums", n_pieces * PARTIAL_SUMS);
        let grad_norm = add("gradient norm", 1);
        // FlashAttention binds the table even where nothing is rotated, and reads vectors of four.
        let cos_sin = add("rope table", (model.context_length * rope_width(model)).next_multiple_of(4));
        let learned = model.positions == Positions::Learned;
        let position_ids = add("positions", if learned { n_rows } else { 1 });
        let pairs = model.n_heads * model.context_length * model.context_length;
        let real_keys = (!model.causal).then(|| add("keys that are no padding", pairs));
        let heatmaps = add("heatmaps", model.n_layers * heatmap_words(model, model.context_length));
        let entropies = add("entropies of rows", model.n_layers * (model.n_heads + 1) * model.context_length);
        let head_scale = add("scales of heads", model.n_layers * model.n_heads);
        let kind = Kind::Batch(config.train.activation_storage);
        let batch = Activations::plan(&mut buffers, model, batch_size, kind, head_rows);
        let gradients = Gradients::plan(&mut buffers, model, batch_size);
        let probe = Activations::plan(&mut buffers, model, 1, Kind::Probe, model.context_length);
        let of_probe = probe.inputs.buffer.0..buffers.specs.len();
        mark(&mut buffers, of_probe, |spec| spec.grows = true);
        mark(&mut buffers, [heatmaps, entropies].map(|slice| slice.buffer.0), |spec| {
            (spec.grows, spec.role) = (true, Role::Inspection);
        });
        let cache = Cache::plan(&mut buffers, model, 1);
        let in_parts = [params, grads, step_grads, adam_m, adam_v, probe.logits, heatmaps];
        mark(&mut buffers, in_parts.map(|slice| slice.buffer.0), |spec| spec.in_parts = true);
        Self {
            buffers,
            budget,
            head_rows,
            vocab_block,
            param_piece,
            params,
            grads,
            step_grads,
            adam_m,
            adam_v,
            step,
            starts,
            train_tokens,
            val_tokens,
            targets,
            losses,
            per_token: None,
            loss_ring,
            norm_ring,
            squared_sums,
            grad_norm,
            cos_sin,
            position_ids,
            batch,
            gradients,
            probe,
            real_keys,
            heatmaps,
            entropies,
            head_scale,
            cache,
        }
    }
}

/// Changes the specifications of these buffers.
fn mark(buffers: &mut Buffers, of: impl IntoIterator<Item = usize>, change: impl Fn(&mut BufferSpec)) {
    of.into_iter().for_each(|index| change(&mut buffers.specs[index]));
}

impl MemoryPlan {
    /// The same plan with coefficients and entropies for each token of a batch.
    #[must_use]
    pub fn with_per_token(mut self, model: &ModelConfig) -> Self {
        self.buffers.specs.truncate(self.cache.first_buffer);
        let n_rows = self.batch.n_rows();
        let [coefficients, entropies] =
            ["coefficients of tokens", "entropies of tokens"].map(|name| self.buffers.add(name, n_rows));
        self.per_token = Some(PerToken { coefficients, entropies });
        // The buffers of generation stay last.
        self.cache = Cache::plan(&mut self.buffers, model, self.cache.capacity());
        self
    }

    /// The same buffers for batches of `batch_size` sequences of `window` positions, at most as many tokens as planned.
    #[must_use]
    pub fn for_rows(&self, batch_size: usize, window: usize) -> Self {
        let (planned, n_rows) = (self.batch.n_rows(), batch_size * window);
        let rows = |slice: Slice| slice.part(0, slice.len / planned * n_rows);
        let logits = self.batch.logits;
        let head_rows = self.head_rows.min(n_rows);
        let per_token = |PerToken { coefficients, entropies }| PerToken {
            coefficients: rows(coefficients),
            entropies: rows(entropies),
        };
        Self {
            head_rows,
            targets: rows(self.targets),
            losses: rows(self.losses),
            per_token: self.per_token.map(per_token),
            batch: Activations { logits, ..self.batch.for_batch(batch_size, window) },
            gradients: self.gradients.of_rows(planned, n_rows),
            ..self.clone()
        }
    }
}

/// Rows of a batch whose logits, and their gradients, one dispatch computes: as many as the budget allows, in equal
/// pieces.
fn head_rows(config: &RunConfig, budget: Budget) -> usize {
    let (model, n_rows) = (&config.model, config.train.batch_size * config.model.context_length);
    let bytes_per_row = 4 * model.vocab_size;
    let flops_per_row = 4.0 * model.d_model as f64 * model.vocab_size as f64;
    let by_flops = (budget.dispatch_flops / flops_per_row) as usize;
    let by_bytes =
        if budget == Budget::WHOLE { usize::MAX } else { MAX_LOGIT_BYTES.min(budget.binding_bytes as usize) };
    let most = (by_flops.min(by_bytes / bytes_per_row).min(MAX_ROWS) / ROWS_UNIT).max(1) * ROWS_UNIT;
    if n_rows <= most {
        return n_rows;
    }
    n_rows.div_ceil(n_rows.div_ceil(most)).next_multiple_of(ROWS_UNIT)
}

/// Columns of a block of the vocabulary, chosen so that its rows of the head's matrix fit one binding. A vocabulary that
/// is not a multiple of four gets a small last block, so that all others use the kernels that read vectors of four.
fn vocab_block(model: &ModelConfig, budget: Budget) -> usize {
    let (v, row_bytes) = (model.vocab_size, 4 * model.d_model);
    let n_blocks = v.div_ceil((budget.binding_bytes as usize / row_bytes).clamp(64, MAX_ROWS));
    if budget == Budget::WHOLE || n_blocks == 1 && (v.is_multiple_of(4) || v < MIN_TAIL_VOCABULARY) {
        return v;
    }
    (v / n_blocks / ALIGNMENT).max(1) * ALIGNMENT
}

/// Words for one layer's quantized weights in a window of `window` positions.
pub fn heatmap_words(model: &ModelConfig, window: usize) -> usize {
    (model.n_heads * window * window).div_ceil(4)
}
