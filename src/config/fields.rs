//! The table of all configuration fields. The command line's `--set`, the page's forms and links, the validation of single
//! values, which fields can change during training, and docs/settings.md are derived from it. A new field is a row of
//! [`super::table`] and a member of [`ModelConfig`] or [`TrainConfig`].

use super::table::{FIELDS, Kind};
use super::{ConfigError, ModelConfig, Preset, RunConfig, TrainConfig};

/// One field of a configuration.
pub struct Field {
    /// Name in the configuration, in files, links and on the command line.
    pub name: &'static str,
    /// Label in forms.
    pub label: &'static str,
    /// Description, in one clause.
    pub help: &'static str,
    /// Unit; empty for plain numbers and choices.
    pub unit: &'static str,
    /// When a change takes effect.
    pub applies: Applies,
    /// Whether forms hide the field by default.
    pub advanced: bool,
    /// Type, range and location.
    pub kind: Kind,
}

/// When a change of a field takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    /// Part of the model's shape: takes effect with the next run.
    ModelOnReset,
    /// Part of the training setup: takes effect with the next run.
    TrainingOnReset,
    /// Takes effect with the next step.
    Live,
}

impl Field {
    /// The field with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.name == name)
    }

    /// Whether a change takes effect during training.
    pub fn is_live(&self) -> bool {
        self.applies == Applies::Live
    }

    /// The field's value in a configuration, in the format that [`Field::set`] parses.
    pub fn get(&self, config: &RunConfig) -> String {
        match self.kind {
            Kind::Count { get, .. } => get(config).to_string(),
            Kind::Number { get, .. } => get(config).to_string(),
            Kind::Choice { get, .. } => get(config).into(),
        }
    }

    /// Sets the field in a configuration. Digits may be grouped by spaces or underscores.
    ///
    /// # Errors
    /// If the text does not parse as the field's type; the configuration is then unchanged. Ranges are checked by
    /// [`Field::check`].
    pub fn set(&self, config: &mut RunConfig, text: &str) -> Result<(), ConfigError> {
        let done = match self.kind {
            Kind::Count { set, .. } => number(text).map(|value| set(config, value)),
            Kind::Number { set, .. } => number(text).map(|value| set(config, value)),
            Kind::Choice { set, .. } => set(config, text.trim()),
        };
        done.ok_or_else(|| ConfigError::Value {
            field: self.name,
            value: text.trim().into(),
            expected: self.expected(text),
        })
    }

    /// What the field accepts, for an error message about `text`.
    fn expected(&self, text: &str) -> String {
        match &self.kind {
            Kind::Count { .. } => "a whole number".into(),
            Kind::Number { .. } if text.contains(',') => "a number with a decimal point, such as 0.5".into(),
            Kind::Number { .. } => "a number".into(),
            Kind::Choice { names, .. } => match names() {
                names if names == ["true", "false"] => "true or false".into(),
                names => format!("one of {}", names.join(", ")),
            },
        }
    }

    /// Checks the field's value against its range, independent of other fields.
    ///
    /// # Errors
    /// If the value is out of range.
    pub fn check(&self, config: &RunConfig) -> Result<(), ConfigError> {
        let field = self.name;
        match self.kind {
            Kind::Count { get, min, max, .. } => match get(config) {
                0 if min == 1 => Err(ConfigError::Zero { field }),
                value if value < min || value > max => Err(ConfigError::OutOfRange { field, value, min, max }),
                _ => Ok(()),
            },
            Kind::Number { get, contains, range, .. } => match get(config) {
                value if !value.is_finite() || !contains(value) => {
                    Err(ConfigError::Domain { field, value, domain: range })
                }
                // Kernels compute in f32: a value that overflows there would diverge, and a subnormal one, which devices may
                // flush to 0, would lead to a division by 0.
                value if value != 0.0 && !(value as f32).is_normal() => {
                    let domain = "a number that 32-bit floating point can hold";
                    Err(ConfigError::Domain { field, value, domain })
                }
                _ => Ok(()),
            },
            Kind::Choice { .. } => Ok(()),
        }
    }

    /// Copies the field's value from one configuration to another.
    pub fn copy(&self, from: &RunConfig, to: &mut RunConfig) {
        match self.kind {
            Kind::Count { get, set, .. } => set(to, get(from)),
            Kind::Number { get, set, .. } => set(to, get(from)),
            // `set` accepts every name that `get` returns.
            Kind::Choice { get, set, .. } => set(to, get(from)).unwrap_or_default(),
        }
    }

    /// The field's range, for documentation.
    pub fn range(&self) -> String {
        match &self.kind {
            Kind::Count { min, max, .. } if *max == u64::MAX => format!("at least {min}"),
            Kind::Count { min, max, .. } => format!("{min} to {max}"),
            Kind::Number { range, .. } => (*range).into(),
            Kind::Choice { names, .. } => names().join(", "),
        }
    }
}

/// Parses a number whose digits may be grouped by spaces or underscores.
pub fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.trim().replace(['_', ' ', '\u{2009}'], "").parse().ok()
}

impl RunConfig {
    /// Changes one field by its name, for example `norm` to `layernorm` or `d_model` to `96`.
    ///
    /// # Errors
    /// If the field does not exist or the value does not parse as its type; nothing changes then. Ranges and combinations of
    /// values are checked by [`RunConfig::validate`].
    pub fn set(&mut self, field: &str, value: &str) -> Result<(), ConfigError> {
        let found = Field::find(field).ok_or_else(|| ConfigError::Unknown {
            field: field.into(),
            known: FIELDS.iter().map(|field| field.name).collect::<Vec<_>>().join(", "),
        });
        found?.set(self, value)
    }

    /// The value of one field by name; `None` for an unknown field.
    pub fn get(&self, field: &str) -> Option<String> {
        Field::find(field).map(|field| field.get(self))
    }

    /// Copies the values of all fields that can change during training.
    pub fn adopt_live(&mut self, from: &Self) {
        FIELDS.iter().filter(|field| field.is_live()).for_each(|field| field.copy(from, self));
    }

    /// Checks the range of each field selected by `wanted`.
    pub(super) fn check_fields(&self, wanted: impl Fn(&Field) -> bool) -> Result<(), ConfigError> {
        FIELDS.iter().filter(|field| wanted(field)).try_for_each(|field| field.check(self))
    }

    /// The names of the fields whose values differ, in table order.
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        FIELDS.iter().filter(|field| field.get(self) != field.get(other)).map(|field| field.name).collect()
    }
}

impl ModelConfig {
    /// Checks the range of each model field.
    pub(super) fn check_fields(&self) -> Result<(), ConfigError> {
        let config = RunConfig { model: self.clone(), ..Preset::Nano.config() };
        config.check_fields(|field| field.applies == Applies::ModelOnReset)
    }
}

impl TrainConfig {
    /// Checks the range of each training field.
    pub(super) fn check_fields(&self) -> Result<(), ConfigError> {
        self.clone().in_a_run().check_fields(|field| field.applies != Applies::ModelOnReset)
    }

    /// These settings, with the fields that can change during training taken from `from`.
    pub fn with_live_of(&self, from: &Self) -> Self {
        let mut config = self.clone().in_a_run();
        config.adopt_live(&from.clone().in_a_run());
        config.train
    }

    fn in_a_run(self) -> RunConfig {
        RunConfig { train: self, ..Preset::Nano.config() }
    }
}

/// The content of docs/settings.md.
pub fn documentation() -> String {
    let mut page = String::from(
        "# Settings\n\nEvery field of a run's configuration. On the command line `--set FIELD=VALUE` changes it, in a link \
         `FIELD=VALUE`, and on the page the setup. This page is generated from the table of fields (`src/config/table.rs`); \
         a test compares it, and `glasshead settings` prints it.\n",
    );
    let sections = [
        (Applies::ModelOnReset, "Model (takes effect on reset)"),
        (Applies::TrainingOnReset, "Training (takes effect on reset)"),
        (Applies::Live, "Training (takes effect during training)"),
    ];
    let nano = Preset::Nano.config();
    for (applies, title) in sections {
        page += &format!(
            "\n## {title}\n\n| field | name | range | unit | nano | what it is |\n|---|---|---|---|---|---|\n"
        );
        for field in FIELDS.iter().filter(|field| field.applies == applies) {
            let Field { name, label, help, unit, .. } = field;
            page += &format!("| `{name}` | {label} | {} | {unit} | {} | {help} |\n", field.range(), field.get(&nano));
        }
    }
    page
}
