//! Comparison of runs by their settings.

use serde_json::Value;

use super::runs::ShownRun;
use glasshead::config::RunConfig;

/// A table with one row per run.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The names of the hyper-parameters that differ, and `corpus` and `device` if those differ.
    pub columns: Vec<String>,
    /// Their values, one row per run.
    pub rows: Vec<Vec<String>>,
    /// Whether the runs have different vocabularies, so that losses per token are not comparable.
    pub vocabularies_differ: bool,
}

/// Compares all settings of the runs.
pub fn compare(runs: &[ShownRun]) -> Comparison {
    let all: Vec<Vec<(String, String)>> = runs.iter().map(properties).collect();
    let first = all.first().cloned().unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for (name, _) in all.iter().flatten() {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let value = |row: &[(String, String)], name: &str| {
        row.iter().find(|(other, _)| other == name).map_or("–".to_string(), |(_, value)| value.clone())
    };
    names.retain(|name| all.iter().any(|row| value(row, name) != value(&first, name)));
    let rows = all.iter().map(|row| names.iter().map(|name| value(row, name)).collect()).collect();
    let vocabularies_differ = names.iter().any(|name| name == "vocab_size" || name == "corpus");
    Comparison { columns: names, rows, vocabularies_differ }
}

fn properties(run: &ShownRun) -> Vec<(String, String)> {
    let mut properties = leaves(&run.config);
    properties.push(("corpus".into(), run.corpus.clone()));
    properties.push(("device".into(), run.device.clone()));
    properties
}

/// Every number and switch of a configuration with its name.
fn leaves(config: &RunConfig) -> Vec<(String, String)> {
    fn walk(name: &str, value: &Value, out: &mut Vec<(String, String)>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(field, value)| walk(field, value, out)),
            Value::String(text) => out.push((name.into(), text.clone())),
            other => out.push((name.into(), other.to_string())),
        }
    }
    let mut out = Vec::new();
    walk("", &serde_json::to_value(config).unwrap_or_default(), &mut out);
    out
}
