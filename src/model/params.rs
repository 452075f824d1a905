//! The table of parameters: offsets, initialisation, checkpoints and names all derive from it.

use crate::config::{FeedForward, ModelConfig, Norm, NormPlacement, Positions};
use crate::gpu::recording::{ALIGNMENT, Slice};
use crate::rng::Rng;

/// How a parameter is first drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// A normal distribution of this standard deviation, cut at ±3 of them.
    TruncatedNormal {
        /// Standard deviation.
        std: f64,
    },
    /// All ones.
    Ones,
    /// All zeros.
    Zeros,
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// As CS336 names it, for example `layers.0.attn.q_proj.weight`.
    pub name: String,
    /// Row-major; matrices are `[out, in]`.
    pub shape: Vec<usize>,
    /// First values.
    pub init: Init,
    /// Whether weight decay applies: to matrices, not to gains and biases.
    pub decay: bool,
    /// Where it starts in the buffers of parameters, gradients and moments, in elements.
    pub start: usize,
}

impl Param {
    /// How many numbers it has.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has none, which a valid configuration never gives.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its part of a buffer that is laid out by the table.
    pub fn of(&self, buffer: Slice) -> Slice {
        buffer.part(self.start, self.len())
    }
}

/// All parameters of a model. Those that decay come first, so that the optimizer is one dispatch per group.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamTable {
    params: Vec<Param>,
    decay_len: usize,
    len: usize,
}

/// A linear layer y = x·Wᵀ + b, as parts of one buffer.
#[derive(Clone, Copy, Debug)]
pub struct LinearSlices {
    /// W (out, in).
    pub weight: Slice,
    /// b (out), where the model has biases.
    pub bias: Option<Slice>,
}

/// A norm, as parts of one buffer.
#[derive(Clone, Copy, Debug)]
pub struct NormSlices {
    /// (C)
    pub gain: Slice,
    /// (C); LayerNorm's, where the model has biases.
    pub bias: Option<Slice>,
}

/// The parameters of a block, as parts of one buffer.
#[derive(Clone, Copy, Debug)]
pub struct BlockSlices {
    /// The norm before attention, or after it.
    pub ln1: Option<NormSlices>,
    /// W_q (C, C).
    pub q: LinearSlices,
    /// W_k (n_kv_heads·D, C).
    pub k: LinearSlices,
    /// W_v (n_kv_heads·D, C).
    pub v: LinearSlices,
    /// W_o (C, C).
    pub output: LinearSlices,
    /// The norm before the feed-forward network, or after it.
    pub ln2: Option<NormSlices>,
    /// W1 (F, C): the gate of SwiGLU, or the only way in.
    pub w1: LinearSlices,
    /// W2, back to the stream (C, F).
    pub w2: LinearSlices,
    /// W3 (F, C), SwiGLU's other factor.
    pub w3: Option<LinearSlices>,
}

/// Rows while they are collected.
struct Rows {
    params: Vec<Param>,
    /// Whether linear layers and LayerNorm have biases.
    bias: bool,
}

impl Rows {
    fn add(&mut self, name: String, shape: Vec<usize>, init: Init) {
        let decay = shape.len() > 1;
        self.params.push(Param { name, shape, init, decay, start: 0 });
    }

    /// CS336's initialisation of a linear layer: variance 2/(d_in + d_out). Biases begin at 0.
    fn add_linear(&mut self, name: &str, d_out: usize, d_in: usize) {
        self.add(format!("{name}.weight"), vec![d_out, d_in], linear_init(d_out, d_in));
        if self.bias {
            self.add(format!("{name}.bias"), vec![d_out], Init::Zeros);
        }
    }

    fn add_norm(&mut self, name: &str, norm: Norm, c: usize) {
        if norm != Norm::None {
            self.add(format!("{name}.weight"), vec![c], Init::Ones);
        }
        if norm == Norm::Layernorm && self.bias {
            self.add(format!("{name}.bias"), vec![c], Init::Zeros);
        }
    }

    fn add_block(&mut self, layer: usize, config: &ModelConfig) {
        let (c, f, kv) = (config.d_model, config.d_ff, config.d_kv());
        for (name, d_out) in [("q", c), ("k", kv), ("v", kv), ("output", c)] {
            self.add_linear(&format!("layers.{layer}.attn.{name}_proj"), d_out, c);
        }
        self.add_linear(&format!("layers.{layer}.ffn.w1"), f, c);
        self.add_linear(&format!("layers.{layer}.ffn.w2"), c, f);
        if config.feed_forward == FeedForward::Swiglu {
            self.add_linear(&format!("layers.{layer}.ffn.w3"), f, c);
        }
        self.add_norm(&format!("layers.{layer}.ln1"), config.norm, c);
        self.add_norm(&format!("layers.{layer}.ln2"), config.norm, c);
    }
}

fn linear_init(d_out: usize, d_in: usize) -> Init {
    Init::TruncatedNormal { std: (2.0 / (d_in + d_out) as f64).sqrt() }
}

impl ParamTable {
    /// The table for a valid configuration.
    pub fn new(config: &ModelConfig) -> Self {
        let (c, v) = (config.d_model, config.vocab_size);
        let mut rows = Rows { params: Vec::new(), bias: config.bias };
        // A tied embedding begins as a head does, so that the first logits are small.
        let embedding = if config.tied_embeddings { linear_init(v, c) } else { Init::TruncatedNormal { std: 1.0 } };
        rows.add("token_embeddings.weight".into(), vec![v, c], embedding);
        if config.positions == Positions::Learned {
            rows.add("position_embeddings.weight".into(), vec![config.context_length, c], embedding);
        }
        (0..config.n_layers).for_each(|layer| rows.add_block(layer, config));
        if config.norm_placement == NormPlacement::Pre {
            rows.add_norm("ln_final", config.norm, c);
        }
        if !config.tied_embeddings {
            rows.add("lm_head.weight".into(), vec![v, c], linear_init(v, c));
        }
        Self::lay_out(rows.params)
    }

    /// Gives every row its place.
    fn lay_out(rows: Vec<Param>) -> Self {
        let (decaying, rest): (Vec<Param>, Vec<Param>) = rows.into_iter().partition(|param| param.decay);
        let mut table = Self { params: Vec::new(), decay_len: 0, len: 0 };
        let mut place = |mut param: Param| {
            param.start = table.len;
            table.len = (table.len + param.len()).next_multiple_of(ALIGNMENT);
            if param.decay {
                table.decay_len = table.len;
            }
            table.params.push(param);
        };
        decaying.into_iter().chain(rest).for_each(&mut place);
        table
    }

    /// The rows, in the order of the buffers.
    pub fn iter(&self) -> impl Iterator<Item = &Param> {
        self.params.iter()
    }

    /// Elements of a buffer that holds one number per parameter, with the padding between them, which stays 0.
    pub fn buffer_len(&self) -> usize {
        self.len
    }

    /// The group that decays and the group that does not, of a buffer laid out by this table. A model without norms and
    /// biases has no second group.
    pub fn decay_groups(&self, buffer: Slice) -> Vec<(Slice, bool)> {
        let rest = buffer.len - self.decay_len;
        let groups = [(0, self.decay_len, true), (self.decay_len, rest, false)];
        let some = groups.into_iter().filter(|(_, len, _)| *len > 0);
        some.map(|(start, len, decay)| (buffer.part(start, len), decay)).collect()
    }

    /// The parameter with this name, if the model has one, in a buffer laid out by this table.
    pub fn find(&self, name: &str, buffer: Slice) -> Option<Slice> {
        self.params.iter().find(|param| param.name == name).map(|param| param.of(buffer))
    }

    /// The parameter with this name.
    ///
    /// # Panics
    /// When the model has none: a mistake of the program.
    fn named(&self, name: &str, buffer: Slice) -> Slice {
        self.find(name, buffer).unwrap_or_else(|| panic!("this model has no parameter {name}"))
    }

    /// The embedding (V, C).
    pub fn token_embeddings(&self, buffer: Slice) -> Slice {
        self.named("token_embeddings.weight", buffer)
    }

    /// Learned positions (T, C), where the model has them.
    pub fn position_embeddings(&self, buffer: Slice) -> Option<Slice> {
        self.find("position_embeddings.weight", buffer)
    }

    /// The language-model head (V, C): its own matrix, or the embedding when they are tied.
    pub fn lm_head(&self, buffer: Slice) -> Slice {
        self.find("lm_head.weight", buffer).unwrap_or_else(|| self.token_embeddings(buffer))
    }

    /// The last norm, where there is one.
    pub fn ln_final(&self, buffer: Slice) -> Option<NormSlices> {
        self.norm("ln_final", buffer)
    }

    fn norm(&self, name: &str, buffer: Slice) -> Option<NormSlices> {
        let gain = self.find(&format!("{name}.weight"), buffer)?;
        Some(NormSlices { gain, bias: self.find(&format!("{name}.bias"), buffer) })
    }

    fn linear(&self, name: &str, buffer: Slice) -> LinearSlices {
        let weight = self.named(&format!("{name}.weight"), buffer);
        LinearSlices { weight, bias: self.find(&format!("{name}.bias"), buffer) }
    }

    /// The parameters of block `layer`.
    pub fn block(&self, layer: usize, buffer: Slice) -> BlockSlices {
        let linear = |name: &str| self.linear(&format!("layers.{layer}.{name}"), buffer);
        let norm = |name: &str| self.norm(&format!("layers.{layer}.{name}"), buffer);
        let gated = self.find(&format!("layers.{layer}.ffn.w3.weight"), buffer).is_some();
        BlockSlices {
            ln1: norm("ln1"),
            q: linear("attn.q_proj"),
            k: linear("attn.k_proj"),
            v: linear("attn.v_proj"),
            output: linear("attn.output_proj"),
            ln2: norm("ln2"),
            w1: linear("ffn.w1"),
            w2: linear("ffn.w2"),
            w3: gated.then(|| linear("ffn.w3")),
        }
    }

    /// First values for the whole buffer. Each parameter has its own stream of the seed, so that a change of one
    /// size leaves the others' numbers alone.
    pub fn initial_values(&self, seed: u64) -> Vec<f32> {
        let mut values = vec![0.0; self.len];
        for (stream, param) in (1u64..).zip(&self.params) {
            let slots = &mut values[param.start..param.start + param.len()];
            match param.init {
                Init::Ones => slots.fill(1.0),
                Init::Zeros => slots.fill(0.0),
                Init::TruncatedNormal { std } => {
                    let mut rng = Rng::with_stream(seed, stream);
                    slots.iter_mut().for_each(|slot| *slot = (std * rng.truncated_normal(3.0)) as f32);
                }
            }
        }
        values
    }
}
