//! Models whose tensors are in memory under the names of `transformers`.

use safetensors::SafeTensors;

use super::config::{Biases, Description, read};
use super::import::{Source, SourceError, read_weights};
use super::{Architecture, InteropError, files, layout};
use crate::config::ModelConfig;

/// A model that was given as tensors.
pub struct NamedModel {
    /// The configuration.
    pub model: ModelConfig,
    /// The parameters, laid out by [`ParamTable`](crate::model::params::ParamTable).
    pub params: Vec<f32>,
    architecture: Architecture,
}

/// One file of weights.
struct OneFile<'a>(&'a [u8]);

impl Source for OneFile<'_> {
    fn names(&self) -> Vec<String> {
        vec![files::WEIGHTS.into()]
    }

    fn size(&mut self, _: &str) -> u64 {
        self.0.len() as u64
    }

    fn read(&mut self, _: &str) -> Result<Vec<u8>, SourceError> {
        Ok(self.0.to_vec())
    }
}

/// Reads a model from the text of its config.json and a safetensors blob, which may contain other tensors as well.
///
/// # Errors
/// When the configuration is not supported, or a tensor is missing, of another shape, or not finite.
pub fn named_model(config: &[u8], weights: &[u8]) -> Result<NamedModel, InteropError> {
    let Description { architecture, mut model, biases, .. } = read(config)?;
    if !matches!(biases, Biases::None | Biases::OfAll) {
        // The missing biases would be trained too.
        let wanted = "biases in all linear layers or in none can be trained";
        return Err(InteropError::Setting { field: "attention_bias", value: "true".into(), wanted: wanted.into() });
    }
    let params = read_weights(&mut OneFile(weights), architecture, &mut model, biases, &mut Vec::new())?;
    Ok(NamedModel { model, params, architecture })
}

impl NamedModel {
    /// Parameters as tensors: names, shapes and values. Where `given` has a tensor without the architecture's prefix, its name
    /// has none here either.
    pub fn tensors(&self, params: &[f32], given: &SafeTensors<'_>) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let name = |name: &str| match name.split_once('.') {
            Some((_, short)) if given.tensor(name).is_err() && given.tensor(short).is_ok() => short.to_string(),
            _ => name.to_string(),
        };
        let entries = layout::entries(self.architecture, &self.model);
        entries.iter().map(|entry| (name(&entry.name), entry.shape(), entry.gather(params))).collect()
    }
}
