//! The table of parameters, from which offsets, initialization, checkpoints and names all derive.

use std::collections::HashMap;

use crate::config::{FeedForward, ModelConfig, Norm, NormPlacement, Positions};
use crate::gpu::recording::{ALIGNMENT, Slice};
use crate::rng::Rng;

/// Initial distribution of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Normal distribution with mean 0 and this standard deviation, truncated at ±3 standard deviations.
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
    /// Name as in CS336, for example `layers.0.attn.q_proj.weight`.
    pub name: String,
    /// The layer that it belongs to, from 0. None for embeddings, the last norm and the head.
    pub layer: Option<usize>,
    /// Shape, row-major; matrices are `[out, in]`.
    pub shape: Vec<usize>,
    /// Initial values.
    pub init: Init,
    /// Whether weight decay applies: to matrices, not to gains and biases.
    pub decay: bool,
    /// Offset in the buffers of parameters, gradients and moments, in elements.
    pub start: usize,
}

impl Param {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no elements, which never happens in a valid configuration.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its part of a buffer that is laid out by the table.
    pub fn of(&self, buffer: Slice) -> Slice {
        buffer.part(self.start, self.len())
    }
}

/// All parameters of a model. In the buffers those with weight decay come first, so that decay applies to a single range;
/// layers that read the same input (q, k, v; w1, w3) are adjacent without gaps, so that they form one matrix.
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
    /// Gain (C).
    pub gain: Slice,
    /// Bias (C), for LayerNorm in models with biases.
    pub bias: Option<Slice>,
}

/// The parameters of a block, as parts of one buffer.
#[derive(Clone, Copy, Debug)]
pub struct BlockSlices {
    /// The norm before or after attention, where there are norms.
    pub ln1: Option<NormSlices>,
    /// W_q, W_k and W_v, stacked (C + 2·n_kv_heads·D, C).
    pub qkv: LinearSlices,
    /// W_o (C, C).
    pub output: LinearSlices,
    /// The norm before or after the feed-forward network, where there are norms.
    pub ln2: Option<NormSlices>,
    /// W1, the first layer (F, C); for SwiGLU W1 (gate) and W3 (up), stacked (2F, C).
    pub gate_up: LinearSlices,
    /// W2, the last layer (C, F).
    pub w2: LinearSlices,
}

/// Collects the rows of the table.
struct Rows {
    params: Vec<Param>,
    /// Whether linear layers and LayerNorm have biases.
    bias: bool,
}

impl Rows {
    fn add(&mut self, name: String, shape: Vec<usize>, init: Init) {
        let decay = shape.len() > 1;
        self.params.push(Param { name, layer: None, shape, init, decay, start: 0 });
    }

    /// CS336's initialization of a linear layer: variance 2/(d_in + d_out). Biases start at 0.
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
        let first = self.params.len();
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
        self.params[first..].iter_mut().for_each(|param| param.layer = Some(layer));
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
        // A tied embedding is initialized like a head, so that the first logits are small.
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

    /// Assigns an offset to every row.
    fn lay_out(rows: Vec<Param>) -> Self {
        let (decaying, rest): (Vec<Param>, Vec<Param>) = rows.into_iter().partition(|param| param.decay);
        let mut params = [decaying, rest].concat();
        let (mut decay_len, mut end) = (0, 0usize);
        for index in Self::order(&params) {
            let param = &mut params[index];
            let joins = ["k_proj.weight", "v_proj.weight", "w3.weight", "k_proj.bias", "v_proj.bias", "w3.bias"];
            let joined = joins.iter().any(|name| param.name.ends_with(name));
            param.start = if joined { end } else { end.next_multiple_of(ALIGNMENT) };
            end = param.start + param.len();
            if param.decay {
                decay_len = end.next_multiple_of(ALIGNMENT);
            }
        }
        Self { params, decay_len, len: end.next_multiple_of(ALIGNMENT) }
    }

    /// The rows in the order of the buffers: unchanged, except that w3 directly follows w1.
    fn order(params: &[Param]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..params.len()).collect();
        let places: HashMap<&str, usize> =
            params.iter().enumerate().map(|(index, param)| (param.name.as_str(), index)).collect();
        let place = |index: usize| {
            let partner = params[index].name.replace("ffn.w3.", "ffn.w1.");
            // A w3 maps to its w1, everything else to itself.
            (places.get(partner.as_str()).copied().unwrap_or(index), index)
        };
        order.sort_by_cached_key(|&index| place(index));
        order
    }

    /// The rows, in the order of checkpoints.
    pub fn iter(&self) -> impl Iterator<Item = &Param> {
        self.params.iter()
    }

    /// Length of a buffer with one element per parameter and padding between them, which stays 0.
    pub fn buffer_len(&self) -> usize {
        self.len
    }

    /// Number of elements at the beginning of a buffer that belong to parameters with weight decay.
    pub fn decay_len(&self) -> usize {
        self.decay_len
    }

    /// The parameter at this offset of a buffer laid out by this table; None in the padding.
    pub fn at(&self, offset: usize) -> Option<&Param> {
        self.params.iter().find(|param| (param.start..param.start + param.len()).contains(&offset))
    }

    /// The slice of the parameter with this name in a buffer laid out by this table, if the model has one.
    pub fn find(&self, name: &str, buffer: Slice) -> Option<Slice> {
        self.params.iter().find(|param| param.name == name).map(|param| param.of(buffer))
    }

    /// The slice of the parameter with this name.
    ///
    /// # Panics
    /// When the model has none, which is a bug in the program.
    fn named(&self, name: &str, buffer: Slice) -> Slice {
        self.find(name, buffer).unwrap_or_else(|| panic!("this model has no parameter {name}"))
    }

    /// The token embedding (V, C).
    pub fn token_embeddings(&self, buffer: Slice) -> Slice {
        self.named("token_embeddings.weight", buffer)
    }

    /// Learned positions (T, C), where the model has them.
    pub fn position_embeddings(&self, buffer: Slice) -> Option<Slice> {
        self.find("position_embeddings.weight", buffer)
    }

    /// The language-model head (V, C): a separate matrix, or the embedding when they are tied.
    pub fn lm_head(&self, buffer: Slice) -> LinearSlices {
        let weight = self.find("lm_head.weight", buffer).unwrap_or_else(|| self.token_embeddings(buffer));
        LinearSlices { weight, bias: None }
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
        // The combined slice of adjacent layers, from the first to the last.
        let joined = |first: &str, last: &str| {
            let span = |first: Slice, last: Slice| Slice { len: last.start + last.len - first.start, ..first };
            let (first, last) = (linear(first), linear(last));
            let bias = first.bias.zip(last.bias).map(|(first, last)| span(first, last));
            LinearSlices { weight: span(first.weight, last.weight), bias }
        };
        let norm = |name: &str| self.norm(&format!("layers.{layer}.{name}"), buffer);
        let gated = self.find(&format!("layers.{layer}.ffn.w3.weight"), buffer).is_some();
        BlockSlices {
            ln1: norm("ln1"),
            qkv: joined("attn.q_proj", "attn.v_proj"),
            output: linear("attn.output_proj"),
            ln2: norm("ln2"),
            gate_up: joined("ffn.w1", if gated { "ffn.w3" } else { "ffn.w1" }),
            w2: linear("ffn.w2"),
        }
    }

    /// Initial values for the whole buffer. Each parameter has a separate random stream of the seed, so that changing one
    /// size does not affect the values of the others.
    pub fn initial_values(&self, seed: u64) -> Vec<f32> {
        let mut all = vec![0.0; self.len];
        for (start, values) in self.initial_values_of_each(seed) {
            all[start..start + values.len()].copy_from_slice(&values);
        }
        all
    }

    /// As [`ParamTable::initial_values`], parameter by parameter with offsets: a second copy of a large model may not
    /// fit.
    pub fn initial_values_of_each(&self, seed: u64) -> impl Iterator<Item = (usize, Vec<f32>)> + use<'_> {
        (1u64..).zip(&self.params).map(move |(stream, param)| {
            let values = match param.init {
                Init::Ones => vec![1.0; param.len()],
                Init::Zeros => vec![0.0; param.len()],
                Init::TruncatedNormal { std } => {
                    let mut rng = Rng::with_stream(seed, stream);
                    (0..param.len()).map(|_| (std * rng.truncated_normal(3.0)) as f32).collect()
                }
            };
            (param.start, values)
        })
    }
}
