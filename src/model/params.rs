//! The table of parameters: offsets, initialisation, checkpoints and names all derive from it.

use crate::config::ModelConfig;
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
    /// Whether weight decay applies: to matrices, not to gains.
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

/// All parameters of a model. Those that decay come first, so that AdamW is one dispatch per group.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamTable {
    params: Vec<Param>,
    decay_len: usize,
    len: usize,
    n_layers: usize,
}

/// The nine parameters of a block, as parts of one buffer.
#[derive(Clone, Copy, Debug)]
pub struct BlockSlices {
    /// Gain of the norm before attention (C).
    pub ln1: Slice,
    /// W_q (C, C).
    pub q: Slice,
    /// W_k (C, C).
    pub k: Slice,
    /// W_v (C, C).
    pub v: Slice,
    /// W_o (C, C).
    pub output: Slice,
    /// Gain of the norm before the feed-forward network (C).
    pub ln2: Slice,
    /// W1, the gate (F, C).
    pub w1: Slice,
    /// W2, back to the stream (C, F).
    pub w2: Slice,
    /// W3, the other factor (F, C).
    pub w3: Slice,
}

const BLOCK_MATRICES: usize = 7;
const BLOCK_GAINS: usize = 2;

impl ParamTable {
    /// The table for a valid configuration.
    pub fn new(config: &ModelConfig) -> Self {
        let (c, f, v) = (config.d_model, config.d_ff, config.vocab_size);
        let mut table = Self { params: Vec::new(), decay_len: 0, len: 0, n_layers: config.n_layers };
        table.add("token_embeddings.weight".into(), vec![v, c], Init::TruncatedNormal { std: 1.0 });
        for layer in 0..config.n_layers {
            for name in ["q", "k", "v", "output"] {
                table.add_linear(format!("layers.{layer}.attn.{name}_proj.weight"), c, c);
            }
            table.add_linear(format!("layers.{layer}.ffn.w1.weight"), f, c);
            table.add_linear(format!("layers.{layer}.ffn.w2.weight"), c, f);
            table.add_linear(format!("layers.{layer}.ffn.w3.weight"), f, c);
        }
        table.add_linear("lm_head.weight".into(), v, c);
        table.decay_len = table.len;
        for layer in 0..config.n_layers {
            table.add(format!("layers.{layer}.ln1.weight"), vec![c], Init::Ones);
            table.add(format!("layers.{layer}.ln2.weight"), vec![c], Init::Ones);
        }
        table.add("ln_final.weight".into(), vec![c], Init::Ones);
        table
    }

    fn add(&mut self, name: String, shape: Vec<usize>, init: Init) {
        let param = Param { name, shape, init, decay: init != Init::Ones, start: self.len };
        self.len = (self.len + param.len()).next_multiple_of(ALIGNMENT);
        self.params.push(param);
    }

    /// CS336's initialisation of a linear layer: variance 2/(d_in + d_out).
    fn add_linear(&mut self, name: String, d_out: usize, d_in: usize) {
        let std = (2.0 / (d_in + d_out) as f64).sqrt();
        self.add(name, vec![d_out, d_in], Init::TruncatedNormal { std });
    }

    /// The rows, in the order of the buffers.
    pub fn iter(&self) -> impl Iterator<Item = &Param> {
        self.params.iter()
    }

    /// Elements of a buffer that holds one number per parameter, with the padding between them, which stays 0.
    pub fn buffer_len(&self) -> usize {
        self.len
    }

    /// The group that decays and the group that does not, of a buffer laid out by this table.
    pub fn decay_groups(&self, buffer: Slice) -> [(Slice, bool); 2] {
        let rest = buffer.len - self.decay_len;
        [(buffer.part(0, self.decay_len), true), (buffer.part(self.decay_len, rest), false)]
    }

    /// The embedding (V, C).
    pub fn token_embeddings(&self, buffer: Slice) -> Slice {
        self.params[0].of(buffer)
    }

    /// The language-model head (V, C).
    pub fn lm_head(&self, buffer: Slice) -> Slice {
        self.params[1 + BLOCK_MATRICES * self.n_layers].of(buffer)
    }

    /// The gain of the last norm (C).
    pub fn ln_final(&self, buffer: Slice) -> Slice {
        self.params[self.params.len() - 1].of(buffer)
    }

    /// The parameters of block `layer`.
    pub fn block(&self, layer: usize, buffer: Slice) -> BlockSlices {
        let matrix = |i: usize| self.params[1 + BLOCK_MATRICES * layer + i].of(buffer);
        let gains = 2 + BLOCK_MATRICES * self.n_layers + BLOCK_GAINS * layer;
        let gain = |i: usize| self.params[gains + i].of(buffer);
        BlockSlices {
            ln1: gain(0),
            q: matrix(0),
            k: matrix(1),
            v: matrix(2),
            output: matrix(3),
            ln2: gain(1),
            w1: matrix(4),
            w2: matrix(5),
            w3: matrix(6),
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
                Init::TruncatedNormal { std } => {
                    let mut rng = Rng::with_stream(seed, stream);
                    slots.iter_mut().for_each(|slot| *slot = (std * rng.truncated_normal(3.0)) as f32);
                }
            }
        }
        values
    }
}
