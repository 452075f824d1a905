//! The rows of the table of fields; see [`super::fields`].

use super::Choice as _;
use super::field::Applies::{Live, ModelOnReset, TrainingOnReset};
pub use super::field::Kind;
use super::field::{Applies, Field};
use super::{
    FeedForward, MAX_LAYERS, MAX_SIZE, MAX_STEPS, Norm, NormPlacement, Optimizer, Positions, Schedule, Storage,
};

const fn field(
    applies: Applies,
    names: [&'static str; 2],
    unit: &'static str,
    kind: Kind,
    help: &'static str,
) -> Field {
    Field { name: names[0], label: names[1], help, unit, applies, advanced: false, kind }
}

/// Marks a row as hidden in forms by default.
const fn advanced(row: Field) -> Field {
    Field { advanced: true, ..row }
}

/// An integer field of type usize or u64, from `$min` to `$max`.
macro_rules! count {
    ($min:expr, $max:expr, $($path:ident).+ as $number:ty) => {
        Kind::Count {
            min: $min,
            max: $max,
            get: |config| config.$($path).+ as u64,
            // A value larger than usize exceeds every maximum.
            set: |config, value| config.$($path).+ = <$number>::try_from(value).unwrap_or(<$number>::MAX),
        }
    };
}

macro_rules! number {
    ($($path:ident).+, $range:expr, $contains:expr) => {
        Kind::Number {
            contains: $contains,
            range: $range,
            get: |config| config.$($path).+,
            set: |config, value| config.$($path).+ = value,
        }
    };
}

macro_rules! choice {
    ($kind:ty, $($path:ident).+) => {
        Kind::Choice {
            names: || <$kind>::ALL.iter().map(|(name, _)| *name).collect(),
            get: |config| config.$($path).+.name(),
            set: |config, name| <$kind>::from_name(name).map(|choice| config.$($path).+ = choice),
        }
    };
}

macro_rules! switch {
    ($($path:ident).+) => {
        Kind::Choice {
            names: || vec!["true", "false"],
            get: |config| if config.$($path).+ { "true" } else { "false" },
            set: |config, name| name.parse().ok().map(|on| config.$($path).+ = on),
        }
    };
}

/// Setting `n_heads` also sets `n_kv_heads` if both were equal, so that multi-head attention remains multi-head.
const HEADS: Kind = Kind::Count {
    min: 1,
    max: MAX_SIZE,
    get: |config| config.model.n_heads as u64,
    set: |config, value| {
        let multi_head = config.model.n_kv_heads == config.model.n_heads;
        let value = usize::try_from(value).unwrap_or(usize::MAX);
        config.model.n_heads = value;
        if multi_head {
            config.model.n_kv_heads = value;
        }
    },
};

/// All fields, in the order in which forms show them.
pub static FIELDS: [Field; 33] = [
    field(
        ModelOnReset,
        ["vocab_size", "Vocabulary size"],
        "tokens",
        count!(1, MAX_SIZE, model.vocab_size as usize),
        "V: how many different tokens the tokenizer has",
    ),
    field(
        ModelOnReset,
        ["context_length", "Context"],
        "tokens",
        count!(1, MAX_SIZE, model.context_length as usize),
        "T: how many tokens the model sees at once",
    ),
    field(
        ModelOnReset,
        ["d_model", "Width"],
        "",
        count!(1, MAX_SIZE, model.d_model as usize),
        "C: width of the residual stream",
    ),
    field(
        ModelOnReset,
        ["n_layers", "Layers"],
        "blocks",
        count!(1, MAX_LAYERS, model.n_layers as usize),
        "L: Transformer blocks",
    ),
    field(ModelOnReset, ["n_heads", "Heads"], "per layer", HEADS, "H: attention heads of a block; they share d_model"),
    field(
        ModelOnReset,
        ["d_ff", "Feed-forward width"],
        "",
        count!(1, MAX_SIZE, model.d_ff as usize),
        "F: inner width of the feed-forward network",
    ),
    advanced(field(
        ModelOnReset,
        ["n_kv_heads", "Key/value heads"],
        "per layer",
        count!(1, MAX_SIZE, model.n_kv_heads as usize),
        "heads of keys and values; fewer than n_heads: several heads share them (grouped-query attention)",
    )),
    advanced(field(
        ModelOnReset,
        ["norm", "Normalization"],
        "",
        choice!(Norm, model.norm),
        "what normalizes the residual stream",
    )),
    advanced(field(
        ModelOnReset,
        ["norm_placement", "Norm placement"],
        "",
        choice!(NormPlacement, model.norm_placement),
        "pre: before each branch; post: after each sum, as in the first Transformer",
    )),
    advanced(field(
        ModelOnReset,
        ["norm_eps", "Normalization ε"],
        "",
        number!(model.norm_eps, "from 1e-30 to 1", |value| (1e-30..=1.0).contains(&value)),
        "ε of the norms: added to the mean square, or to the variance",
    )),
    advanced(field(
        ModelOnReset,
        ["positions", "Positions"],
        "",
        choice!(Positions, model.positions),
        "how the model knows the position of a token",
    )),
    advanced(field(
        ModelOnReset,
        ["rope_theta", "RoPE θ"],
        "",
        number!(model.rope_theta, "greater than 1", |value| value > 1.0),
        "Θ: the base of RoPE's wavelengths",
    )),
    advanced(field(
        ModelOnReset,
        ["feed_forward", "Feed-forward"],
        "",
        choice!(FeedForward, model.feed_forward),
        "what a block computes besides attention",
    )),
    advanced(field(
        ModelOnReset,
        ["causal", "Causal mask"],
        "",
        switch!(model.causal),
        "whether a token attends only to itself and earlier ones; without the mask the model looks the answer up",
    )),
    advanced(field(
        ModelOnReset,
        ["bias", "Biases"],
        "",
        switch!(model.bias),
        "whether linear layers and LayerNorm add a trainable bias",
    )),
    advanced(field(
        ModelOnReset,
        ["tied_embeddings", "Tied embeddings"],
        "",
        switch!(model.tied_embeddings),
        "whether the head's matrix is the token embedding",
    )),
    field(
        TrainingOnReset,
        ["batch_size", "Batch size"],
        "sequences",
        count!(1, MAX_SIZE, train.batch_size as usize),
        "B: sequences in a batch",
    ),
    field(
        TrainingOnReset,
        ["seed", "Seed"],
        "",
        count!(0, u64::MAX, train.seed as u64),
        "the same seed on the same backend gives the same run",
    ),
    advanced(field(
        TrainingOnReset,
        ["accumulation_steps", "Gradient accumulation"],
        "batches",
        count!(1, MAX_SIZE, train.accumulation_steps as usize),
        "batches whose gradients are averaged for one step",
    )),
    advanced(field(
        TrainingOnReset,
        ["activation_storage", "Activation storage"],
        "",
        choice!(Storage, train.activation_storage),
        "how activations are stored until the backward pass: f16 takes half the memory and needs a GPU with shader-f16",
    )),
    advanced(field(
        TrainingOnReset,
        ["optimizer", "Optimizer"],
        "",
        choice!(Optimizer, train.optimizer),
        "what turns gradients into updates",
    )),
    field(
        Live,
        ["max_lr", "Learning rate"],
        "",
        number!(train.max_lr, "greater than 0", |value| value > 0.0),
        "learning rate after warm-up",
    ),
    field(
        Live,
        ["min_lr", "Final learning rate"],
        "",
        number!(train.min_lr, "at least 0", |value| value >= 0.0),
        "learning rate at the end of the schedule and after it, at most max_lr",
    ),
    field(
        Live,
        ["warmup_steps", "Warm-up"],
        "steps",
        count!(0, MAX_STEPS, train.warmup_steps as u64),
        "steps in which the learning rate rises from 0",
    ),
    field(
        Live,
        ["schedule_steps", "Schedule length"],
        "steps",
        count!(0, MAX_STEPS, train.schedule_steps as u64),
        "the step at which the schedule reaches min_lr",
    ),
    field(
        Live,
        ["schedule", "Schedule"],
        "",
        choice!(Schedule, train.schedule),
        "learning rate after warm-up: constant, a cosine or a line down to min_lr, or constant with a decay at the end (wsd)",
    ),
    advanced(field(
        Live,
        ["decay_fraction", "Decay fraction"],
        "of the schedule",
        number!(train.decay_fraction, "greater than 0 and at most 1", |value| value > 0.0 && value <= 1.0),
        "wsd: the last part of the schedule, in which the learning rate falls linearly from max_lr to min_lr",
    )),
    field(
        Live,
        ["weight_decay", "Weight decay"],
        "",
        number!(train.weight_decay, "at least 0", |value| value >= 0.0),
        "decoupled weight decay of the matrices",
    ),
    field(
        Live,
        ["max_grad_norm", "Gradient clipping"],
        "",
        number!(train.max_grad_norm, "greater than 0", |value| value > 0.0),
        "gradients are scaled down to this global norm",
    ),
    advanced(field(
        Live,
        ["beta1", "Adam β₁"],
        "",
        number!(train.beta1, "at least 0 and less than 1", |value| (0.0..1.0).contains(&value)),
        "AdamW: decay of the mean of the gradients",
    )),
    advanced(field(
        Live,
        ["beta2", "Adam β₂"],
        "",
        number!(train.beta2, "at least 0 and less than 1", |value| (0.0..1.0).contains(&value)),
        "AdamW: decay of the mean of their squares",
    )),
    advanced(field(
        Live,
        ["adam_eps", "Adam ε"],
        "",
        number!(train.adam_eps, "greater than 0", |value| value > 0.0),
        "AdamW: added to the denominator",
    )),
    advanced(field(
        Live,
        ["momentum", "SGD momentum"],
        "",
        // Values closer to 1 round to 1 in f32, so that past updates would never decay.
        number!(train.momentum, "at least 0 and at most 0.99999997", |value| value >= 0.0 && (value as f32) < 1.0),
        "SGD: share of the last update that is repeated; 0 is plain gradient descent",
    )),
];
