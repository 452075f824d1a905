//! How the buffers of forward and backward passes are planned.

use super::{Activations, BlockActivations, Cache, Gradients, NormActivations, Pass};
use crate::config::{FeedForward, ModelConfig, Norm, NormPlacement};
use crate::gpu::recording::{Buffers, Slice, Storage};

/// Numbers per position in RoPE's table; a head of odd size, which only other positions allow, still gets a table.
pub(super) fn rope_width(model: &ModelConfig) -> usize {
    model.d_head().next_multiple_of(2)
}

/// The width of queries, keys and values beside each other.
fn qkv_width(model: &ModelConfig) -> usize {
    model.d_model + 2 * model.d_kv()
}

/// The width of what comes into the feed-forward network.
fn gate_up_width(model: &ModelConfig) -> usize {
    if model.feed_forward == FeedForward::Swiglu { 2 * model.d_ff } else { model.d_ff }
}

/// Whose activations are planned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Every block keeps its own, for the backward pass.
    Batch(Storage),
    /// All blocks share one set.
    Probe,
    /// The same, for one token.
    NextToken,
}

impl Kind {
    /// How what waits for the backward pass is stored.
    fn storage(self) -> Storage {
        if let Self::Batch(storage) = self { storage } else { Storage::F32 }
    }

    fn is_batch(self) -> bool {
        matches!(self, Self::Batch(_))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Batch(_) => "batch",
            Self::Probe => "probe",
            Self::NextToken => "next token",
        }
    }
}

impl Activations {
    /// N: rows of the pass.
    pub fn n_rows(&self) -> usize {
        self.batch_size * self.window
    }

    /// The same buffers for one sequence of only `window` positions.
    pub fn shortened(&self, window: usize) -> Self {
        let whole = self.window;
        let rows = |slice: Slice| slice.part(0, slice.len / whole * window);
        let norm = |norm: NormActivations| NormActivations { values: rows(norm.values), stats: rows(norm.stats) };
        let block = |block: &BlockActivations| BlockActivations {
            x: rows(block.x),
            norm1: block.norm1.map(norm),
            qkv: rows(block.qkv),
            lse: rows(block.lse),
            weights: block.weights.map(|pairs| pairs.part(0, pairs.len / (whole * whole) * window * window)),
            heads: rows(block.heads),
            x_mid: rows(block.x_mid),
            norm2: block.norm2.map(norm),
            gate_up: rows(block.gate_up),
            hidden: rows(block.hidden),
        };
        Self {
            window,
            inputs: rows(self.inputs),
            blocks: self.blocks.iter().map(block).collect(),
            branch: rows(self.branch),
            x_final: rows(self.x_final),
            norm_final: self.norm_final.map(norm),
            logits: rows(self.logits),
            ..self.clone()
        }
    }

    pub(super) fn plan(
        buffers: &mut Buffers,
        model: &ModelConfig,
        batch_size: usize,
        kind: Kind,
        logit_rows: usize,
    ) -> Self {
        let one = kind == Kind::NextToken;
        let (pass, window) = if one { (Pass::NextToken, 1) } else { (Pass::Window, model.context_length) };
        let (n_rows, name) = (batch_size * window, kind.name());
        let inputs = buffers.add(format!("{name} inputs"), n_rows);
        let mut blocks: Vec<BlockActivations> = Vec::new();
        for layer in 0..model.n_layers {
            let block = match blocks.first() {
                Some(&first) if !kind.is_batch() => first,
                _ => BlockActivations::plan(buffers, model, n_rows, kind, &format!("{name} block {layer}")),
            };
            blocks.push(block);
        }
        let wide = n_rows * model.d_model;
        let branch = buffers.add(format!("{name} branch"), wide);
        let x_final = buffers.add(format!("{name} final stream"), wide);
        let pre = model.norm_placement == NormPlacement::Pre;
        let norm_final =
            if pre { NormActivations::plan(buffers, model, n_rows, kind, &format!("{name} final norm")) } else { None };
        let logits = buffers.add(format!("{name} logits"), logit_rows * model.vocab_size);
        Self { pass, batch_size, window, inputs, blocks, branch, x_final, norm_final, logits, head_scale: None }
    }
}

impl NormActivations {
    pub(super) fn plan(
        buffers: &mut Buffers,
        model: &ModelConfig,
        n_rows: usize,
        kind: Kind,
        name: &str,
    ) -> Option<Self> {
        let stats = match model.norm {
            Norm::Rmsnorm => n_rows,
            Norm::Layernorm => 2 * n_rows,
            Norm::None => return None,
        };
        let values = buffers.add_stored(name, n_rows * model.d_model, kind.storage());
        Some(Self { values, stats: buffers.add(format!("{name} statistics"), stats) })
    }
}

impl BlockActivations {
    pub(super) fn plan(buffers: &mut Buffers, model: &ModelConfig, n_rows: usize, kind: Kind, owner: &str) -> Self {
        let (wide, inner) = (n_rows * model.d_model, n_rows * model.d_ff);
        let pairs = || n_rows * model.n_heads * model.context_length;
        let norm1 = NormActivations::plan(buffers, model, n_rows, kind, &format!("{owner} first norm"));
        let norm2 = NormActivations::plan(buffers, model, n_rows, kind, &format!("{owner} second norm"));
        let mut stored = |name: &str, len: usize, storage| buffers.add_stored(format!("{owner} {name}"), len, storage);
        // In 16 bits only what products and their gradients read: the residual stream adds up over all blocks.
        let (full, waiting) = (Storage::F32, kind.storage());
        Self {
            x: stored("stream", wide, full),
            norm1,
            qkv: stored("queries, keys and values", n_rows * qkv_width(model), waiting),
            lse: stored("log-sum-exp", n_rows * model.n_heads, full),
            weights: (!kind.is_batch()).then(|| stored("attention weights", pairs(), full)),
            heads: stored("heads", wide, waiting),
            x_mid: stored("middle stream", wide, full),
            norm2,
            gate_up: stored("gate and up", n_rows * gate_up_width(model), waiting),
            hidden: stored("hidden", inner, waiting),
        }
    }
}

impl Gradients {
    pub(super) fn plan(buffers: &mut Buffers, model: &ModelConfig, batch_size: usize) -> Self {
        let n_rows = batch_size * model.context_length;
        let (wide, inner) = (n_rows * model.d_model, n_rows * model.d_ff);
        let mut add = |name: &str, len: usize| buffers.add(format!("gradient of {name}"), len);
        Self {
            stream: add("the stream", wide),
            branch: add("a branch's input", wide),
            qkv: add("queries, keys and values", n_rows * qkv_width(model)),
            heads: add("heads", wide),
            gate_up: add("gate and up", n_rows * gate_up_width(model)),
            hidden: add("hidden", inner),
        }
    }
}

impl Cache {
    pub(super) fn plan(buffers: &mut Buffers, model: &ModelConfig) -> Self {
        let acts = Activations::plan(buffers, model, 1, Kind::NextToken, 1);
        let position = buffers.add("next position", 1);
        let cos_sin = buffers.add("rope table of the next position", rope_width(model));
        let len = model.context_length * model.d_kv();
        let mut of_layers = |name: &str| -> Vec<Slice> {
            (0..model.n_layers).map(|layer| buffers.add(format!("{name} cache {layer}"), len)).collect()
        };
        let (k, v) = (of_layers("key"), of_layers("value"));
        Self { acts, position, cos_sin, k, v }
    }
}
