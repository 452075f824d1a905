//! The table of hyper-parameters that the page lets people change.

use crate::config::RunConfig;

/// One number of the setup.
pub struct Field {
    /// Its name, as in the configuration.
    pub name: &'static str,
    /// What it is, for the tooltip.
    pub help: &'static str,
    /// Whether it applies while training; else a new run takes it over.
    pub live: bool,
    /// Its value in a configuration.
    pub get: fn(&RunConfig) -> String,
    /// Puts an entry into a configuration; false when it is not a number of the right kind.
    pub set: fn(&mut RunConfig, &str) -> bool,
}

/// Puts a parsed entry into its place.
fn put<T: std::str::FromStr>(place: &mut T, entry: &str) -> bool {
    let value = entry.trim().replace(['_', ' '], "").parse().ok();
    value.map(|value| *place = value).is_some()
}

macro_rules! field {
    ($name:literal, $live:literal, $($path:ident).+, $help:literal) => {
        Field {
            name: $name,
            help: $help,
            live: $live,
            get: |config| config.$($path).+.to_string(),
            set: |config, entry| put(&mut config.$($path).+, entry),
        }
    };
}

/// All numbers, in the order of the page.
pub const FIELDS: [Field; 14] = [
    field!("vocab_size", false, model.vocab_size, "V: how many different tokens the tokenizer makes"),
    field!("context_length", false, model.context_length, "T: how many tokens the model sees at once"),
    field!("d_model", false, model.d_model, "C: width of the residual stream"),
    field!("n_layers", false, model.n_layers, "L: how many blocks"),
    Field {
        name: "n_heads",
        help: "H: attention heads in a block; they share d_model",
        live: false,
        get: |config| config.model.n_heads.to_string(),
        // Ordinary multi-head attention stays what it is.
        set: |config, entry| {
            let multi_head = config.model.n_kv_heads == config.model.n_heads;
            let is_number = put(&mut config.model.n_heads, entry);
            if multi_head {
                config.model.n_kv_heads = config.model.n_heads;
            }
            is_number
        },
    },
    field!("d_ff", false, model.d_ff, "F: inner width of the SwiGLU feed-forward network"),
    field!("batch_size", false, train.batch_size, "B: sequences in a step"),
    field!("seed", false, train.seed, "the same seed on the same backend gives the same run"),
    field!("max_lr", true, train.max_lr, "learning rate after warm-up"),
    field!("min_lr", true, train.min_lr, "learning rate at the end of the schedule"),
    field!("warmup_steps", true, train.warmup_steps, "steps in which the learning rate rises from 0"),
    field!("schedule_steps", true, train.schedule_steps, "the step at which the schedule reaches min_lr"),
    field!("weight_decay", true, train.weight_decay, "decoupled weight decay of the matrices"),
    field!("max_grad_norm", true, train.max_grad_norm, "gradients are scaled down to this norm"),
];
