//! A field of a configuration: its name, kind and range, and its value in a configuration.

use super::{ConfigError, RunConfig};

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

/// Type, range and location of a field.
pub enum Kind {
    /// An integer.
    Count {
        /// The smallest accepted value.
        min: u64,
        /// The largest accepted value.
        max: u64,
        /// Reads the value.
        get: fn(&RunConfig) -> u64,
        /// Writes the value.
        set: fn(&mut RunConfig, u64),
    },
    /// A floating-point number.
    Number {
        /// Whether a finite value is accepted.
        contains: fn(f64) -> bool,
        /// The range accepted by `contains`, in words.
        range: &'static str,
        /// Reads the value.
        get: fn(&RunConfig) -> f64,
        /// Writes the value.
        set: fn(&mut RunConfig, f64),
    },
    /// One of several named values.
    Choice {
        /// All names.
        names: fn() -> Vec<&'static str>,
        /// Reads the name of the current value.
        get: fn(&RunConfig) -> &'static str,
        /// Sets the value by name; `None` if the name is unknown.
        set: fn(&mut RunConfig, &str) -> Option<()>,
    },
}

/// Parses a number whose digits may be grouped by spaces or underscores.
pub fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.trim().replace(['_', ' ', '\u{2009}'], "").parse().ok()
}
