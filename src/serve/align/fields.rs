//! The fields of a stage, for the page's settings.

use crate::config::{Preset, RunConfig};
use crate::run::stage::configure;
use crate::train::align::{Settings, Stage};
use crate::types::align::FieldInfo;

/// Fields of training that a stage may change, with their help and valid values.
const TRAINING: [(&str, &str, &str); 4] = [
    ("max_lr", "learning rate", "a number greater than 0, at most 10"),
    ("warmup_steps", "updates with a growing learning rate", "an integer from 0 on"),
    ("weight_decay", "weight decay", "a number from 0 to 10"),
    ("max_grad_norm", "gradients with a larger norm are scaled down to it", "a number greater than 0"),
];

/// All fields: those of training, then those of the method.
pub(super) fn all() -> Vec<FieldInfo> {
    let configs = Stage::ALL.map(|stage| {
        let mut config = Preset::Nano.config();
        // Without changes nothing can be refused.
        drop(configure(stage, false, 200, &[], &mut config));
        config
    });
    let info = |(name, help, expected): (&str, &str, &str), defaults: [String; 4]| FieldInfo {
        name: name.into(),
        help: help.into(),
        expected: expected.into(),
        defaults,
    };
    let of_config = |config: &RunConfig, name: &str| {
        crate::config::fields::Field::find(name).map_or_else(String::new, |field| field.get(config))
    };
    let training = TRAINING.map(|row| info(row, [0, 1, 2, 3].map(|stage: usize| of_config(&configs[stage], row.0))));
    let settings = Stage::ALL.map(|stage| Settings::of(stage).to_pairs());
    let value = |stage: usize, name: &str| match name {
        "method" => "grpo".to_string(),
        name => settings[stage]
            .iter()
            .find(|(field, _)| *field == name)
            .map_or_else(String::new, |(_, value)| value.clone()),
    };
    let method = Settings::fields().iter().map(|&row| info(row, [0, 1, 2, 3].map(|stage| value(stage, row.0))));
    training.into_iter().chain(method).collect()
}
