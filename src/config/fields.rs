//! The table of all configuration fields. The command line's `--set`, the page's forms and links, the validation of single
//! values, which fields can change during training, and docs/settings.md are derived from it. A new field is a row of
//! [`super::table`] and a member of [`ModelConfig`] or [`TrainConfig`].

pub use super::field::{Applies, Field, Kind, number};
use super::table::FIELDS;
use super::{ConfigError, ModelConfig, Preset, RunConfig, TrainConfig};

impl Field {
    /// The field with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.name == name)
    }
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
