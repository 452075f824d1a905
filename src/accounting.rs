//! What a model costs, part by part, following CS336's first assignment: parameters, bytes, and the floating-point
//! operations of its matmuls.
//!
//! A matmul of (m, k) and (k, n) takes 2·m·n·k operations: one multiplication and one addition per term. A backward pass
//! has two matmuls for each one of the forward pass. Everything else (norms, activations, softmax, the update) is
//! negligible in comparison and left out. Values are f32, except for activations that are stored in f16.

pub mod device;

use crate::config::{FeedForward, ModelConfig, Norm, NormPlacement, Positions, Storage, ValidConfig};

/// Bytes of an f32 value.
const F32: u64 = 4;

/// The cost of one part of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Name of the part.
    pub name: &'static str,
    /// Number of trainable parameters.
    pub params: u64,
    /// Values per token that the forward pass of a batch stores for the backward pass.
    pub activations: u64,
    /// How many of the activations are stored in `activation_storage` format.
    pub waiting: u64,
    /// Operations of a forward pass, per token.
    pub forward_flops: u64,
    /// Formulas of parameters, activations and operations, in the shape letters of the configuration.
    pub formulas: [String; 3],
}

/// The costs of all parts of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The parts, in the order of the forward pass.
    pub parts: Vec<Part>,
    /// Tokens of one batch: B·T.
    pub batch_tokens: u64,
    /// Batches per step.
    pub batches: u64,
    /// Storage format of activations that wait for the backward pass.
    pub storage: Storage,
}

impl Account {
    /// Computes the costs of a configuration.
    pub fn new(config: &ValidConfig) -> Self {
        let model = &config.model;
        let mut parts = parts(model);
        if let Some(stored) = Checkpoints::new(config) {
            stored.apply(&mut parts, model);
        }
        let [batch_size, context_length] = sizes([config.train.batch_size, model.context_length]);
        let batch_tokens = batch_size * context_length;
        let (batches, storage) = (config.train.accumulation_steps as u64, config.train.activation_storage);
        Self { parts, batch_tokens, batches, storage }
    }

    /// Bytes of a part's weights.
    pub fn weight_bytes(&self, part: &Part) -> u64 {
        F32 * part.params
    }

    /// Bytes of a part's gradients: those of a batch, and their mean where a step has several batches.
    pub fn gradient_bytes(&self, part: &Part) -> u64 {
        F32 * part.params * if self.batches > 1 { 2 } else { 1 }
    }

    /// Bytes of the optimizer's first and second moments.
    pub fn moment_bytes(&self, part: &Part) -> u64 {
        2 * F32 * part.params
    }

    /// Bytes of the activations that a batch stores for its backward pass.
    pub fn activation_bytes(&self, part: &Part) -> u64 {
        let of_a_token = F32 * (part.activations - part.waiting) + self.storage.element_bytes() * part.waiting;
        // Buffer sizes are rounded up to multiples of four bytes.
        of_a_token.saturating_mul(self.batch_tokens).div_ceil(4).saturating_mul(4)
    }

    /// Operations of a training step for every token of every batch: once for the forward pass, twice for the backward
    /// pass.
    pub fn step_flops(&self, part: &Part) -> u64 {
        // Saturates: a number of operations that overflows would take centuries to compute.
        (3 * part.forward_flops).saturating_mul(self.batch_tokens).saturating_mul(self.batches)
    }

    /// The sum of a cost over all parts.
    pub fn total(&self, of: impl Fn(&Part) -> u64) -> u64 {
        self.parts.iter().map(of).fold(0, u64::saturating_add)
    }
}

fn parts(model: &ModelConfig) -> Vec<Part> {
    vec![
        embedding(model),
        projections(model),
        scores(model),
        feed_forward(model),
        norms(model),
        stream(model),
        head(model),
    ]
}

/// What activation checkpointing stores.
struct Checkpoints {
    /// k: blocks whose activations are in memory at a time.
    blocks: usize,
    /// ⌈L/k⌉: blocks whose input is stored.
    segments: usize,
}

impl Checkpoints {
    /// `None` where all activations are stored.
    fn new(config: &ValidConfig) -> Option<Self> {
        let (blocks, n_layers) = (config.train.checkpoint_every, config.model.n_layers);
        (blocks > 0 && blocks < n_layers).then(|| Self { blocks, segments: n_layers.div_ceil(blocks) })
    }

    /// Replaces the activations of all blocks by those of k, and adds the inputs of the other segments.
    fn apply(&self, all: &mut [Part], model: &ModelConfig) {
        let few = parts(&ModelConfig { n_layers: self.blocks, ..model.clone() });
        for (part, few) in all.iter_mut().zip(few) {
            (part.activations, part.waiting) = (few.activations, few.waiting);
            part.formulas[1] = few.formulas[1].replace('L', "k");
            if part.name == STREAM {
                part.activations += (self.segments - 1) as u64 * model.d_model as u64;
                part.formulas[1] += ", and (⌈L/k⌉ − 1)·C: checkpoints";
            }
        }
    }
}

/// The name of the part with the residual stream.
const STREAM: &str = "residual stream";

/// Creates a part from its costs and their formulas.
fn part(name: &'static str, [params, activations, flops]: [(u64, String); 3]) -> Part {
    Part {
        name,
        params: params.0,
        activations: activations.0,
        waiting: 0,
        forward_flops: flops.0,
        formulas: [params.1, activations.1, flops.1],
    }
}

/// Sizes as u64, because their products may overflow 32 bits.
fn sizes<const N: usize>(sizes: [usize; N]) -> [u64; N] {
    sizes.map(|size| size as u64)
}

fn none(why: &str) -> (u64, String) {
    (0, why.into())
}

fn embedding(model: &ModelConfig) -> Part {
    let [v, c, t] = sizes([model.vocab_size, model.d_model, model.context_length]);
    let params = match model.positions {
        Positions::Learned => (v * c + t * c, "V·C + T·C".into()),
        Positions::Rope | Positions::None => (v * c, "V·C".into()),
    };
    part("embedding", [params, none("counted with the stream"), none("a row is looked up, nothing is multiplied")])
}

fn projections(model: &ModelConfig) -> Part {
    let [l, c, kv] = sizes([model.n_layers, model.d_model, model.d_kv()]);
    let products = 2 * c * c + 2 * kv * c;
    let (bias, biases) = if model.bias { (2 * c + 2 * kv, " + 2C + 2K") } else { (0, "") };
    let projections = part(
        "attention: Q, K, V, output",
        [
            (l * (products + bias), format!("L·(2C² + 2K·C{biases}), K = n_kv_heads·D")),
            (l * (c + 2 * kv), "L·(C + 2K): Q, K, V".into()),
            (l * 2 * products, "L·2·(2C² + 2K·C)".into()),
        ],
    );
    Part { waiting: projections.activations, ..projections }
}

fn scores(model: &ModelConfig) -> Part {
    let [l, c, t, h] = sizes([model.n_layers, model.d_model, model.context_length, model.n_heads]);
    let scores = part(
        "attention: scores, weighted sums",
        [
            none("no parameters"),
            (l * (h + c), "L·(H + C): log-sum-exp, sums".into()),
            (l * 4 * t * c, "L·(2T·C + 2T·C), the masked half included".into()),
        ],
    );
    Part { waiting: l * c, ..scores }
}

fn feed_forward(model: &ModelConfig) -> Part {
    let [l, c, f] = sizes([model.n_layers, model.d_model, model.d_ff]);
    let n = if model.feed_forward == FeedForward::Swiglu { 3 } else { 2 };
    let (bias, biases) = match (model.bias, n) {
        (false, _) => (0, ""),
        (true, 3) => (2 * f + c, " + 2F + C"),
        (true, _) => (f + c, " + F + C"),
    };
    let network = part(
        "feed-forward",
        [
            (l * (n * c * f + bias), format!("L·({n}C·F{biases})")),
            (l * n * f, format!("L·{n}F")),
            (l * 2 * n * c * f, format!("L·2·{n}C·F")),
        ],
    );
    Part { waiting: network.activations, ..network }
}

fn norms(model: &ModelConfig) -> Part {
    let [c, l] = sizes([model.d_model, model.n_layers]);
    let (gain, stats, gains, statistics) = match (model.norm, model.bias) {
        (Norm::None, _) => return part("norms", [none("none"), none("none"), none("none")]),
        (Norm::Rmsnorm, _) => (c, 1, "C", "1"),
        (Norm::Layernorm, false) => (c, 2, "C", "2"),
        (Norm::Layernorm, true) => (2 * c, 2, "2C", "2"),
    };
    let (n, count) = match model.norm_placement {
        NormPlacement::Pre => (2 * l + 1, "(2L + 1)"),
        NormPlacement::Post => (2 * l, "2L"),
    };
    let norms = part(
        "norms",
        [
            (n * gain, format!("{count}·{gains}")),
            (n * (c + stats), format!("{count}·(C + {statistics}): values, statistics")),
            none("not a matrix product"),
        ],
    );
    Part { waiting: n * c, ..norms }
}

fn stream(model: &ModelConfig) -> Part {
    let [l, c] = sizes([model.n_layers, model.d_model]);
    let kept = ((2 * l + 2) * c, "(2L + 2)·C: around every branch, at the end, and a branch under way".into());
    part(STREAM, [none("no parameters"), kept, none("sums only")])
}

fn head(model: &ModelConfig) -> Part {
    let [v, c] = sizes([model.vocab_size, model.d_model]);
    let params = if model.tied_embeddings { none("0: shared with the embedding") } else { (v * c, "V·C".into()) };
    part("head", [params, (v, "V: logits".into()), (2 * v * c, "2·V·C".into())])
}
