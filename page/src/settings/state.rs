//! The groups of the settings drawer and its search. Pure.

use crate::state::State;
use crate::units::grouped;
use glasshead::config::fields::Field;
use glasshead::config::table::FIELDS;
use glasshead::types::{BackendChoice, CorpusChoice};

/// A group of settings, one disclosure of the drawer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The training text and the vocabulary.
    Text,
    /// The sizes of the model.
    Model,
    /// The variants of its parts.
    Architecture,
    /// The optimizer and the learning rate over time.
    Optimizer,
    /// Batches and storage formats.
    Batches,
    /// Stopping rules.
    Stop,
    /// The backend and its workers.
    Device,
    /// Evaluation, autosaves, wake lock.
    Saving,
    /// Parameters, memory and operations.
    Costs,
}

impl Group {
    /// All groups in the order of the drawer.
    pub const ALL: [Self; 9] = [
        Self::Text,
        Self::Model,
        Self::Architecture,
        Self::Optimizer,
        Self::Batches,
        Self::Stop,
        Self::Device,
        Self::Saving,
        Self::Costs,
    ];

    /// The name used in element ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Model => "model",
            Self::Architecture => "architecture",
            Self::Optimizer => "optimizer",
            Self::Batches => "batches",
            Self::Stop => "stop",
            Self::Device => "device",
            Self::Saving => "saving",
            Self::Costs => "costs",
        }
    }

    /// The title on the page.
    pub fn title(self) -> &'static str {
        match self {
            Self::Text => "Text and vocabulary",
            Self::Model => "Model",
            Self::Architecture => "Architecture",
            Self::Optimizer => "Optimizer and schedule",
            Self::Batches => "Batches and precision",
            Self::Stop => "Stop when",
            Self::Device => "Device",
            Self::Saving => "Saving",
            Self::Costs => "What it costs",
        }
    }

    /// The fields of the configuration in this group, the frequently used ones first.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Text => &["vocab_size"],
            Self::Model => &["n_layers", "n_heads", "d_model", "context_length", "d_ff", "n_kv_heads"],
            Self::Architecture => &[
                "norm",
                "norm_placement",
                "positions",
                "feed_forward",
                "causal",
                "tied_embeddings",
                "bias",
                "norm_eps",
                "rope_theta",
            ],
            Self::Optimizer => &[
                "max_lr",
                "min_lr",
                "warmup_steps",
                "schedule_steps",
                "weight_decay",
                "max_grad_norm",
                "optimizer",
                "schedule",
                "decay_fraction",
                "beta1",
                "beta2",
                "adam_eps",
                "momentum",
            ],
            Self::Batches => &["batch_size", "accumulation_steps", "activation_storage", "seed"],
            Self::Stop | Self::Device | Self::Saving | Self::Costs => &[],
        }
    }

    /// Names of this group's settings that are not fields of the configuration, with their labels.
    pub fn others(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Text => &[("text", "Text"), ("own files", "Your files"), ("TinyStories", "TinyStories")],
            Self::Model => &[("preset", "Model")],
            Self::Optimizer => &[("find max_lr", "Find a learning rate…")],
            Self::Stop => &[
                ("stop_steps", "Steps"),
                ("stop_tokens", "Tokens"),
                ("stop_loss", "Held-out loss is below"),
                ("stop_seconds", "Seconds of training"),
            ],
            Self::Device => &[("backend", "Device"), ("workers", "Workers")],
            Self::Saving => &[
                ("evaluate_every", "Evaluate every"),
                ("save_every", "Save every"),
                ("stay awake", "Keep the screen on"),
            ],
            Self::Costs => &[("parameters", "Parameters"), ("memory", "Memory")],
            Self::Architecture | Self::Batches => &[],
        }
    }

    /// The group of a field or other setting.
    pub fn of(name: &str) -> Option<Self> {
        let other = |group: &Self| group.others().iter().any(|(other, _)| *other == name);
        Self::ALL.into_iter().find(|group| group.fields().contains(&name) || other(group))
    }

    /// The current values, in a few words.
    pub fn summary(self, state: &State) -> String {
        let config = &state.draft.config;
        let (model, train) = (&config.model, &config.train);
        let chosen = |name: &str| choice_label(&config.get(name).unwrap_or_default()).to_string();
        match self {
            Self::Text => format!("{} · {}", text_name(state), grouped(model.vocab_size)),
            Self::Model => {
                let plural = |n: usize| if n == 1 { "" } else { "s" };
                let (layers, heads) = (model.n_layers, model.n_heads);
                format!("{layers} layer{} · {heads} head{} · width {}", plural(layers), plural(heads), model.d_model)
            }
            Self::Architecture => {
                format!(
                    "{}, {} · {} · {}",
                    chosen("norm"),
                    chosen("norm_placement").to_lowercase(),
                    chosen("positions"),
                    chosen("feed_forward")
                )
            }
            Self::Optimizer => format!("{} · {}", chosen("optimizer"), chosen("schedule").to_lowercase()),
            Self::Batches => {
                let n = train.batch_size;
                format!("{n} sequence{} · {}", if n == 1 { "" } else { "s" }, chosen("activation_storage"))
            }
            Self::Stop => stop_summary(state),
            Self::Device => backend_name(state.draft.backend).into(),
            Self::Saving => match state.runs.autosave.every {
                Some(seconds) => format!("every {seconds} s"),
                None => "never".into(),
            },
            Self::Costs => {
                let (config, _) = state.accounted();
                format!("{} parameters", grouped(config.model.n_params()))
            }
        }
    }
}

fn stop_summary(state: &State) -> String {
    let rules = &state.runs.rules;
    let parts = [
        rules.stop_steps.map(|n| format!("{} steps", grouped(n))),
        rules.stop_tokens.map(|n| format!("{} tokens", grouped(n))),
        rules.stop_loss.map(|loss| format!("loss ≤ {loss}")),
        rules.stop_seconds.map(|n| format!("{n} s")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "never".into() } else { parts.join(" or ") }
}

/// The name of the draft's training text.
pub fn text_name(state: &State) -> String {
    match (state.draft.corpus, &state.draft.file_name) {
        (CorpusChoice::File, Some(name)) => name.clone(),
        (CorpusChoice::Task(number), _) => {
            state.data.tasks.get(number).map_or("Task".into(), |task| task_title(&task.name))
        }
        _ => "Built-in stories".into(),
    }
}

/// A task's name as a title: `modular-addition` becomes “Modular addition”.
pub fn task_title(name: &str) -> String {
    sentence_case(&name.replace('-', " "))
}

/// A backend choice in words.
pub fn backend_name(choice: BackendChoice) -> &'static str {
    match choice {
        BackendChoice::Auto => "GPU, or processor if there is none",
        BackendChoice::Gpu => "GPU only",
        BackendChoice::Cpu => "Processor only",
    }
}

/// A named value of a field, as shown in lists.
pub fn choice_label(name: &str) -> &str {
    match name {
        "true" => "Yes",
        "false" => "No",
        "none" => "None",
        "rmsnorm" => "RMSNorm",
        "layernorm" => "LayerNorm",
        "pre" => "Pre",
        "post" => "Post",
        "rope" => "RoPE",
        "learned" => "Learned",
        "swiglu" => "SwiGLU",
        "silu" => "SiLU",
        "gelu" => "GELU",
        "adamw" => "AdamW",
        "sgd" => "SGD",
        "constant" => "Constant",
        "cosine" => "Cosine",
        "linear" => "Linear",
        "wsd" => "Warm-up, stable, decay",
        other => other,
    }
}

/// A text with its first letter in upper case.
pub fn sentence_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// A help line: the description of the field.
pub fn help(field: &Field) -> String {
    let named = field.help.split_once(": ").is_some_and(|(symbol, _)| symbol.chars().count() <= 2);
    if named { field.help.into() } else { sentence_case(field.help) }
}

/// Whether all words of a search occur in one of the texts, ignoring case and the hyphens of the labels.
pub fn found(search: &str, texts: &[&str]) -> bool {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], " ");
    let all = texts.iter().map(|text| plain(text)).collect::<Vec<_>>().join("\n");
    let joined = all.replace(' ', "");
    plain(search).split_whitespace().all(|word| all.contains(word) || joined.contains(word))
}

/// Whether a field is shown for a search.
pub fn field_found(search: &str, field: &Field) -> bool {
    found(search, &[field.label, field.name, field.help])
}

/// Whether a group has anything to show for a search: its title, or one of its settings.
pub fn group_found(search: &str, group: Group) -> bool {
    let fields = FIELDS.iter().filter(|field| group.fields().contains(&field.name));
    let others = group.others().iter();
    found(search, &[group.title()])
        || fields.into_iter().any(|field| field_found(search, field))
        || others.into_iter().any(|(name, label)| found(search, &[name, label]))
}

/// The number of fields in this group whose value the run does not have yet.
pub fn changed(state: &State, group: Group) -> usize {
    group.fields().iter().filter(|name| state.mark(name).is_some_and(|mark| mark.pending)).count()
}
