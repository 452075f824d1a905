//! The training state next to a model's files: AdamW's moments as tensors with the names and the layout of the weights,
//! and as JSON in the header's metadata the step, the batch generator, and the training settings.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Architecture, InteropError, files, layout};
use crate::config::{MAX_STEPS, ModelConfig, TrainConfig};
use crate::model::params::ParamTable;
use crate::rng::Rng;
use crate::tensor_file;

/// Name prefixes of the first and second moments.
const PREFIXES: [&str; 2] = ["adam_m.", "adam_v."];

/// Everything that later steps depend on besides model and data.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedState {
    /// The number of completed steps.
    pub step: u64,
    /// The generator that draws the positions of batches.
    pub batches: Rng,
    /// The training settings.
    pub train: TrainConfig,
    /// AdamW's first moments, laid out by [`ParamTable`].
    pub adam_m: Vec<f32>,
    /// AdamW's second moments, laid out by [`ParamTable`].
    pub adam_v: Vec<f32>,
}

fn damaged(detail: impl std::fmt::Display) -> InteropError {
    InteropError::File { name: files::TRAINING_STATE.into(), detail: detail.to_string() }
}

/// Writes the training state file of a model.
///
/// # Errors
/// When no architecture matches the model.
pub fn write(model: &ModelConfig, state: &SavedState) -> Result<Vec<u8>, InteropError> {
    let entries = layout::entries(Architecture::of(model)?, model);
    let mut tensors = Vec::new();
    for (prefix, moments) in PREFIXES.into_iter().zip([&state.adam_m, &state.adam_v]) {
        let named = |entry: &layout::Entry| (format!("{prefix}{}", entry.name), entry.shape(), entry.gather(moments));
        tensors.extend(entries.iter().map(named));
    }
    let mut views = Vec::new();
    for (name, shape, numbers) in &tensors {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(numbers)).map_err(damaged)?;
        views.push((name.as_str(), view));
    }
    let metadata = BTreeMap::from([
        ("format", "pt".to_string()),
        ("step", json(&state.step)?),
        ("batches", json(&state.batches)?),
        ("train", json(&state.train)?),
    ]);
    tensor_file::to_bytes(views, &metadata).map_err(damaged)
}

/// Reads the output of [`write`] for the same model.
///
/// # Errors
/// When the file is damaged or belongs to another model.
pub(super) fn read(architecture: Architecture, model: &ModelConfig, bytes: &[u8]) -> Result<SavedState, InteropError> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let train: TrainConfig = entry(&metadata, "train")?;
    train.validate()?;
    let len = ParamTable::new(model).buffer_len();
    let moments = |prefix: &str| -> Result<Vec<f32>, InteropError> {
        let mut moments = Vec::new();
        for part in layout::entries(architecture, model) {
            let name = format!("{prefix}{}", part.name);
            let tensor = tensors.tensor(&name).map_err(|_| InteropError::MissingTensor { name: name.clone() })?;
            if tensor.shape() != part.shape() || tensor.dtype() != Dtype::F32 {
                let (dtype, shape) = (format!("{:?}", tensor.dtype()), tensor.shape().to_vec());
                return Err(InteropError::Tensor { name, dtype, shape, expected: part.shape() });
            }
            moments.resize(len, 0.0); // safe: a tensor has matched the configuration's sizes
            let words = tensor.data().chunks_exact(4);
            part.scatter(words.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])), &mut moments);
        }
        Ok(moments)
    };
    let [adam_m, adam_v] = PREFIXES.map(moments);
    let (step, batches): (u64, Rng) = (entry(&metadata, "step")?, entry(&metadata, "batches")?);
    if step > MAX_STEPS {
        return Err(damaged(format!("its step is {step}; the maximum is {MAX_STEPS}")));
    }
    Ok(SavedState { step, batches, train, adam_m: adam_m?, adam_v: adam_v? })
}

fn json(value: &impl Serialize) -> Result<String, InteropError> {
    serde_json::to_string(value).map_err(damaged)
}

fn entry<T: DeserializeOwned>(metadata: &HashMap<String, String>, field: &str) -> Result<T, InteropError> {
    let text = metadata.get(field).ok_or_else(|| damaged(format!("its header has no {field}")))?;
    serde_json::from_str(text).map_err(|error| damaged(format!("{field}: {error}")))
}
