//! The table of hyper-parameters that the page lets people change.

use crate::config::{
    Choice as _, FeedForward, Norm, NormPlacement, Optimizer, Positions, RunConfig, Schedule, Storage,
};

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

/// One switch of the setup.
pub struct Switch {
    /// Its name, as in the configuration.
    pub name: &'static str,
    /// What it is, for the tooltip.
    pub help: &'static str,
    /// Whether it applies while training; else a new run takes it over.
    pub live: bool,
    /// Its positions.
    pub positions: fn() -> Vec<&'static str>,
    /// Its position in a configuration.
    pub get: fn(&RunConfig) -> &'static str,
}

/// Puts a parsed entry into its place.
fn put<T: std::str::FromStr>(place: &mut T, entry: &str) -> bool {
    let value = number(entry);
    value.map(|value| *place = value).is_some()
}

/// The number in an entry, in which digits may be grouped by spaces or underscores.
pub fn number<T: std::str::FromStr>(entry: &str) -> Option<T> {
    entry.trim().replace(['_', ' ', '\u{2009}'], "").parse().ok()
}

/// What is wrong with an entry that is not a number of the right kind.
pub fn not_a_number(name: &str, entry: &str, whole: bool) -> String {
    let wanted = match (entry.contains(','), whole) {
        (true, false) => "a number with a decimal point, such as 0.5",
        (false, false) => "a number",
        (_, true) => "a whole number",
    };
    format!("{name} cannot be “{}”; enter {wanted}", entry.trim())
}

/// Puts an entry of a field or a switch into a configuration.
///
/// # Errors
/// A sentence when there is no such field, or the entry is of another kind. Then nothing changes.
pub fn set(config: &mut RunConfig, name: &str, entry: &str) -> Result<(), String> {
    if let Some(field) = FIELDS.iter().find(|field| field.name == name) {
        let mut changed = config.clone();
        if !(field.set)(&mut changed, entry) {
            let whole = !(field.set)(&mut changed, "0.5");
            return Err(not_a_number(name, entry, whole));
        }
        *config = changed;
        return Ok(());
    }
    config.set(name, entry).map_err(|error| error.to_string())
}

/// What a field or a switch is in a configuration; none where there is no such field.
pub fn get(config: &RunConfig, name: &str) -> Option<String> {
    let field = FIELDS.iter().find(|field| field.name == name).map(|field| (field.get)(config));
    field.or_else(|| SWITCHES.iter().find(|switch| switch.name == name).map(|switch| (switch.get)(config).to_string()))
}

/// The names of all fields and switches that apply while training (`live`), or of those that a new run takes over.
pub fn names(live: bool) -> impl Iterator<Item = &'static str> {
    let fields = FIELDS.iter().filter(move |field| field.live == live).map(|field| field.name);
    fields.chain(SWITCHES.iter().filter(move |switch| switch.live == live).map(|switch| switch.name))
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
pub const FIELDS: [Field; 20] = [
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
    field!("d_ff", false, model.d_ff, "F: inner width of the feed-forward network"),
    field!("batch_size", false, train.batch_size, "B: sequences in a batch"),
    field!("seed", false, train.seed, "the same seed on the same backend gives the same run"),
    field!("max_lr", true, train.max_lr, "learning rate after warm-up"),
    field!("min_lr", true, train.min_lr, "learning rate at the end of the schedule"),
    field!("warmup_steps", true, train.warmup_steps, "steps in which the learning rate rises from 0"),
    field!("schedule_steps", true, train.schedule_steps, "the step at which the schedule reaches min_lr"),
    field!("weight_decay", true, train.weight_decay, "decoupled weight decay of the matrices"),
    field!("max_grad_norm", true, train.max_grad_norm, "gradients are scaled down to this norm"),
    field!(
        "n_kv_heads",
        false,
        model.n_kv_heads,
        "heads of keys and values; fewer than n_heads: several heads share them (grouped-query attention)"
    ),
    field!("accumulation_steps", false, train.accumulation_steps, "batches whose gradients are averaged for one step"),
    field!("beta1", true, train.beta1, "AdamW: how long the mean of the gradients remembers"),
    field!("beta2", true, train.beta2, "AdamW: how long the mean of their squares remembers"),
    field!("adam_eps", true, train.adam_eps, "AdamW: added to the denominator"),
    field!("momentum", true, train.momentum, "SGD: how much of the last update goes on; 0 is plain descent"),
];

/// Fields that most people leave alone; they stand in a part of the setup that opens on demand.
pub const RARE: [&str; 6] = ["n_kv_heads", "accumulation_steps", "beta1", "beta2", "adam_eps", "momentum"];

macro_rules! switch {
    ($name:literal, $kind:ty, $live:literal, $($path:ident).+, $help:literal) => {
        Switch {
            name: $name,
            help: $help,
            live: $live,
            positions: || <$kind>::ALL.iter().map(|(name, _)| *name).collect(),
            get: |config| config.$($path).+.name(),
        }
    };
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "true" } else { "false" }
}

/// All switches, in the order of the page. [`RunConfig::set`] puts a position in.
pub const SWITCHES: [Switch; 10] = [
    switch!("norm", Norm, false, model.norm, "what normalises the residual stream"),
    switch!(
        "norm_placement",
        NormPlacement,
        false,
        model.norm_placement,
        "pre: before each branch; post: after each sum, as the first Transformer had it"
    ),
    switch!("positions", Positions, false, model.positions, "how the model knows where a token stands"),
    switch!("feed_forward", FeedForward, false, model.feed_forward, "what a block computes besides attention"),
    Switch {
        name: "causal",
        help: "whether a token sees only those before it and itself; without it the model looks the answer up",
        live: false,
        positions: || vec!["true", "false"],
        get: |config| yes_or_no(config.model.causal),
    },
    Switch {
        name: "bias",
        help: "whether linear layers and LayerNorm add a trainable bias",
        live: false,
        positions: || vec!["false", "true"],
        get: |config| yes_or_no(config.model.bias),
    },
    Switch {
        name: "tied_embeddings",
        help: "whether the head's matrix is the token embedding",
        live: false,
        positions: || vec!["false", "true"],
        get: |config| yes_or_no(config.model.tied_embeddings),
    },
    switch!(
        "activation_storage",
        Storage,
        false,
        train.activation_storage,
        "how what waits for the backward pass is stored: f16 takes half the memory, and needs a GPU that has it"
    ),
    switch!("optimizer", Optimizer, false, train.optimizer, "what turns gradients into updates"),
    switch!("schedule", Schedule, true, train.schedule, "how the learning rate goes on after warm-up"),
];
