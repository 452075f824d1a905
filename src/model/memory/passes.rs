//! Plans the buffers of forward and backward passes.

use super::{Activations, BlockActivations, Cache, Gradients, NormActivations, Pass};
use crate::config::{FeedForward, ModelConfig, Norm, NormPlacement, Positions};
use crate::gpu::recording::{BufferSpec, Buffers, Role, Slice, Storage};

/// Elements per position in RoPE's table; an odd head size, valid only for other position encodings, still gets a table.
pub(super) fn rope_width(model: &ModelConfig) -> usize {
    model.d_head().next_multiple_of(2)
}

/// The width of a row of queries, keys and values.
fn qkv_width(model: &ModelConfig) -> usize {
    model.d_model + 2 * model.d_kv()
}

/// The width of the feed-forward network's first layer.
fn gate_up_width(model: &ModelConfig) -> usize {
    if model.feed_forward == FeedForward::Swiglu { 2 * model.d_ff } else { model.d_ff }
}

/// The pass whose activations are planned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A training batch: the blocks of a segment have their own buffers, for the backward pass.
    Batch {
        /// Format of activations that wait for the backward pass.
        storage: Storage,
        /// Blocks of a segment.
        segment: usize,
    },
    /// An inspected sequence: all blocks share one set of buffers.
    Probe,
    /// Prompts for generation: as the probe, without attention weights and logits.
    Prompt,
    /// One token of each sequence: as the probe.
    NextToken,
}

impl Kind {
    /// Storage format of activations that wait for the backward pass.
    fn storage(self) -> Storage {
        if let Self::Batch { storage, .. } = self { storage } else { Storage::F32 }
    }

    fn is_batch(self) -> bool {
        matches!(self, Self::Batch { .. })
    }

    /// Consecutive blocks with separate buffers.
    fn segment(self) -> usize {
        if let Self::Batch { segment, .. } = self { segment.max(1) } else { 1 }
    }

    fn keeps_weights(self) -> bool {
        matches!(self, Self::Probe | Self::NextToken)
    }

    /// What the pass's tensors are for, and what their names begin with.
    fn role(self) -> (Role, &'static str) {
        match self {
            Self::Batch { .. } => (Role::Activations, ""),
            Self::Probe => (Role::Inspection, "inspected "),
            Self::Prompt => (Role::Generation, "prompts' "),
            Self::NextToken => (Role::Generation, "next tokens' "),
        }
    }

    /// The specification of one of the pass's tensors.
    fn spec(self, name: &str, len: usize) -> BufferSpec {
        let (role, prefix) = self.role();
        BufferSpec { name: format!("{prefix}{name}"), role, len, ..BufferSpec::default() }
    }

    /// As [`Kind::spec`], with the role `of_batch` in a training batch.
    fn spec_as(self, of_batch: Role, name: &str, len: usize) -> BufferSpec {
        let spec = self.spec(name, len);
        BufferSpec { role: if self.is_batch() { of_batch } else { spec.role }, ..spec }
    }
}

impl Activations {
    /// N: number of rows of the pass.
    pub fn n_rows(&self) -> usize {
        self.batch_size * self.window
    }

    /// The same buffers for one sequence of only `window` positions.
    pub fn shortened(&self, window: usize) -> Self {
        self.for_batch(1, window)
    }

    /// The same buffers for `batch_size` sequences of `window` positions, both at most those of the plan.
    pub fn for_batch(&self, batch_size: usize, window: usize) -> Self {
        let (whole, n_rows) = (self.window, batch_size * window);
        let rows = |slice: Slice| slice.part(0, slice.len / self.n_rows() * n_rows);
        let weights = |slice: Slice| match self.pass {
            Pass::NextToken => rows(slice),
            _ => slice.part(0, slice.len / (self.n_rows() * whole) * n_rows * window),
        };
        let norm = |norm: NormActivations| NormActivations { values: rows(norm.values), stats: rows(norm.stats) };
        let block = |block: &BlockActivations| BlockActivations {
            x: rows(block.x),
            norm1: block.norm1.map(norm),
            qkv: rows(block.qkv),
            lse: rows(block.lse),
            weights: block.weights.map(weights),
            heads: rows(block.heads),
            x_mid: rows(block.x_mid),
            norm2: block.norm2.map(norm),
            gate_up: rows(block.gate_up),
            hidden: rows(block.hidden),
        };
        Self {
            batch_size,
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
        let (pass, window) = match kind {
            Kind::Batch { .. } | Kind::Probe => (Pass::Window, model.context_length),
            Kind::Prompt => (Pass::Prompt, model.context_length),
            Kind::NextToken => (Pass::NextToken, 1),
        };
        let n_rows = batch_size * window;
        let inputs = buffers.push(kind.spec_as(Role::Tokens, "inputs", n_rows));
        let mut blocks: Vec<BlockActivations> = Vec::new();
        let segment = kind.segment();
        // Buffers that several layers use belong to none.
        let own = kind.is_batch() && segment >= model.n_layers;
        for layer in 0..model.n_layers {
            let block = match layer.checked_sub(segment) {
                // A checkpoint: the input of the segment. The inspected sequence needs none.
                Some(_) if kind.is_batch() && layer.is_multiple_of(segment) => {
                    let spec = kind.spec("residual stream", n_rows * model.d_model);
                    BlockActivations { x: buffers.push(BufferSpec { layer: Some(layer), ..spec }), ..blocks[0] }
                }
                Some(_) => blocks[layer % segment],
                None => BlockActivations::plan(buffers, model, n_rows, kind, own.then_some(layer)),
            };
            blocks.push(block);
        }
        let wide = n_rows * model.d_model;
        let branch = buffers.push(kind.spec("branch", wide));
        let x_final = buffers.push(kind.spec("final residual stream", wide));
        let pre = model.norm_placement == NormPlacement::Pre;
        let norm_final =
            if pre { NormActivations::plan(buffers, model, n_rows, kind, "final norm", None) } else { None };
        // The head runs only on the last row of each prompt.
        let logits_len = if kind == Kind::Prompt { 1 } else { logit_rows * model.vocab_size };
        let logits = buffers.push(kind.spec_as(Role::Logits, "logits", logits_len));
        Self {
            pass,
            batch_size,
            window,
            inputs,
            segment,
            blocks,
            branch,
            x_final,
            norm_final,
            logits,
            head_scale: None,
        }
    }
}

impl NormActivations {
    pub(super) fn plan(
        buffers: &mut Buffers,
        model: &ModelConfig,
        n_rows: usize,
        kind: Kind,
        name: &str,
        layer: Option<usize>,
    ) -> Option<Self> {
        let stats = match model.norm {
            Norm::Rmsnorm => n_rows,
            Norm::Layernorm => 2 * n_rows,
            Norm::None => return None,
        };
        let values = BufferSpec { layer, storage: kind.storage(), ..kind.spec(name, n_rows * model.d_model) };
        let stats = BufferSpec { layer, ..kind.spec(&format!("{name}'s statistics"), stats) };
        Some(Self { values: buffers.push(values), stats: buffers.push(stats) })
    }
}

impl BlockActivations {
    pub(super) fn plan(
        buffers: &mut Buffers,
        model: &ModelConfig,
        n_rows: usize,
        kind: Kind,
        layer: Option<usize>,
    ) -> Self {
        let (wide, inner) = (n_rows * model.d_model, n_rows * model.d_ff);
        let pairs = || n_rows * model.n_heads * model.context_length;
        let norm1 = NormActivations::plan(buffers, model, n_rows, kind, "first norm", layer);
        let norm2 = NormActivations::plan(buffers, model, n_rows, kind, "second norm", layer);
        let mut stored =
            |name: &str, len: usize, storage| buffers.push(BufferSpec { layer, storage, ..kind.spec(name, len) });
        // f16 only for the inputs of matmuls and their gradients: the residual stream accumulates over all blocks.
        let (full, waiting) = (Storage::F32, kind.storage());
        Self {
            x: stored("residual stream", wide, full),
            norm1,
            qkv: stored("queries, keys and values", n_rows * qkv_width(model), waiting),
            lse: stored("log-sum-exp", n_rows * model.n_heads, full),
            weights: kind.keeps_weights().then(|| stored("attention weights", pairs(), full)),
            heads: stored("heads", wide, waiting),
            x_mid: stored("middle residual stream", wide, full),
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
        let mut add = |name: &str, len: usize| {
            let (name, role) = (format!("gradient of {name}"), Role::ActivationGradients);
            buffers.push(BufferSpec { name, role, len, ..BufferSpec::default() })
        };
        Self {
            stream: add("the residual stream", wide),
            branch: add("a branch's input", wide),
            qkv: add("queries, keys and values", n_rows * qkv_width(model)),
            heads: add("heads", wide),
            gate_up: add("gate and up", n_rows * gate_up_width(model)),
            hidden: add("hidden", inner),
        }
    }
}

impl Gradients {
    /// The same buffers, planned for `planned` rows, for the first `n_rows`.
    pub(super) fn of_rows(&self, planned: usize, n_rows: usize) -> Self {
        let rows = |slice: Slice| slice.part(0, slice.len / planned * n_rows);
        Self {
            stream: rows(self.stream),
            branch: rows(self.branch),
            qkv: rows(self.qkv),
            heads: rows(self.heads),
            gate_up: rows(self.gate_up),
            hidden: rows(self.hidden),
        }
    }
}

impl Cache {
    /// Plans buffers for `batch_size` texts at the end of the table.
    pub fn plan(buffers: &mut Buffers, model: &ModelConfig, batch_size: usize) -> Self {
        let first_buffer = buffers.specs.len();
        let prompt = Activations::plan(buffers, model, batch_size, Kind::Prompt, 0);
        let learned = model.positions == Positions::Learned;
        let prompt_positions = buffers.add("positions of prompts", if learned { prompt.n_rows() } else { 1 });
        let last_rows = buffers.add("last rows of prompts", batch_size);
        // Most prompts are much shorter than the context, and so are most texts.
        buffers.specs[first_buffer..].iter_mut().for_each(|spec| spec.grows = true);
        let next = Activations::plan(buffers, model, batch_size, Kind::NextToken, batch_size);
        let position = buffers.add("next positions", batch_size);
        let cos_sin = buffers.add("rope table of the next positions", batch_size * rope_width(model));
        let len = batch_size * model.context_length * model.d_kv();
        let mut of_layers = |name: &str| -> Vec<Slice> {
            let spec = |layer| BufferSpec { name: name.into(), layer: Some(layer), len, ..BufferSpec::default() };
            (0..model.n_layers).map(|layer| buffers.push(spec(layer))).collect()
        };
        let (k, v) = (of_layers("cached keys"), of_layers("cached values"));
        buffers.specs[first_buffer..].iter_mut().for_each(|spec| spec.role = Role::Generation);
        Self { first_buffer, prompt, prompt_positions, last_rows, next, position, cos_sin, k, v }
    }

    /// The maximum number of texts.
    pub fn capacity(&self) -> usize {
        self.next.batch_size
    }

    /// The same buffers for the first `batch_size` texts, with prompts of `window` positions.
    pub fn for_batch(&self, batch_size: usize, window: usize) -> Self {
        let sequences = |slice: Slice| slice.part(0, slice.len / self.capacity() * batch_size);
        let learned = self.prompt_positions.len == self.prompt.n_rows();
        let prompt = self.prompt.for_batch(batch_size, window);
        Self {
            first_buffer: self.first_buffer,
            prompt_positions: self.prompt_positions.part(0, if learned { prompt.n_rows() } else { 1 }),
            prompt,
            last_rows: sequences(self.last_rows),
            next: self.next.for_batch(batch_size, 1),
            position: sequences(self.position),
            cos_sin: sequences(self.cos_sin),
            k: self.k.iter().copied().map(sequences).collect(),
            v: self.v.iter().copied().map(sequences).collect(),
        }
    }
}
