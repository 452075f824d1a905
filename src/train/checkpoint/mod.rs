//! A run as one safetensors file: parameters by name, AdamW's moments as `adam_m.NAME` and `adam_v.NAME`, and in the header's
//! metadata the step, the random state, the configuration and the tokenizer, all as JSON, plus a checksum.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use thiserror::Error;

use crate::config::{ConfigError, MAX_STEPS, RunConfig};
use crate::data::{DataError, TextFiles, Tokenizer};
use crate::interop::companions;
use crate::model::params::ParamTable;
use crate::tensor_file;
use crate::train::trainer::TrainingState;

mod checksum;
pub mod rotation;

/// Name of the checkpoint file in a model's folder.
pub const FILE_NAME: &str = "checkpoint.safetensors";

/// Metadata entry with the additional files of an imported model.
const COMPANIONS: &str = "companions";

/// Name prefixes of parameters, first moments and second moments.
const PREFIXES: [&str; 3] = ["", "adam_m.", "adam_v."];

/// Why a run cannot be saved or loaded.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// A file cannot be read or written.
    #[error("{}", DataError::of_file(path, source))]
    File {
        /// Path of the file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The bytes are not in the safetensors format.
    #[error("this is not a safetensors file, or it was cut: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// The file's content does not match its checksum.
    #[error("the checkpoint is damaged: its checksum is another one")]
    Damaged,
    /// An entry of the header's metadata is missing or invalid.
    #[error("the checkpoint's {field} is missing or unreadable ({detail}); it may come from another program")]
    Metadata {
        /// Name of the entry.
        field: &'static str,
        /// The reason.
        detail: String,
    },
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The tokenizer is invalid.
    #[error(transparent)]
    Tokenizer(#[from] DataError),
    /// A tensor is missing.
    #[error("the checkpoint has no tensor {name}")]
    Missing {
        /// Name of the tensor.
        name: String,
    },
    /// A parameter is NaN or infinite.
    #[error("the checkpoint's {name} holds {value}, so the model computes nothing; go back to an earlier checkpoint")]
    NonFinite {
        /// Name of the tensor.
        name: String,
        /// NaN or infinity.
        value: f32,
    },
    /// A tensor's type or shape does not match the configuration.
    #[error("{name} is {dtype:?} {shape:?} in the checkpoint; its configuration asks for F32 {expected:?}")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// The tensor's type in the file.
        dtype: Dtype,
        /// The tensor's shape in the file.
        shape: Vec<usize>,
        /// The tensor's shape in the model.
        expected: Vec<usize>,
    },
}

/// A saved run, from which training resumes exactly.
pub struct Checkpoint {
    /// The configuration.
    pub config: RunConfig,
    /// The tokenizer of the run's tokens.
    pub tokenizer: Tokenizer,
    /// The training state.
    pub state: TrainingState,
}

impl Checkpoint {
    /// Serializes the checkpoint.
    ///
    /// # Errors
    /// If serialization fails, which does not happen for a state that matches the configuration.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        to_bytes(&self.config, &self.tokenizer, &self.state, None)
    }

    /// Parses the output of [`Checkpoint::to_bytes`].
    ///
    /// # Errors
    /// What is missing or invalid.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let config: RunConfig = read_json(&metadata, "config")?;
        config.validate()?;
        let mut tokenizer = Tokenizer::from_json(entry(&metadata, "tokenizer")?)?;
        tokenizer.check_ids(config.model.vocab_size)?;
        let companions: Option<TextFiles> = match metadata.contains_key(COMPANIONS) {
            true => Some(read_json(&metadata, COMPANIONS)?),
            false => None,
        };
        let tensors = SafeTensors::deserialize(bytes)?;
        let [params, adam_m, adam_v] = PREFIXES.map(|prefix| read_tensors(&tensors, prefix, &config));
        let step = read_json(&metadata, "step")?;
        if step > MAX_STEPS {
            let detail = format!("it is {step}; the maximum is {MAX_STEPS}");
            return Err(CheckpointError::Metadata { field: "step", detail });
        }
        let state = TrainingState {
            step,
            batches: read_json(&metadata, "batches")?,
            params: params?,
            adam_m: adam_m?,
            adam_v: adam_v?,
        };
        if !checksum::holds(bytes) {
            return Err(CheckpointError::Damaged);
        }
        tokenizer.fit_ids(config.model.vocab_size)?;
        if let Some(companions) = companions {
            companions::attach(&mut tokenizer, companions)
                .map_err(|error| CheckpointError::Metadata { field: COMPANIONS, detail: error.to_string() })?;
        }
        check_finite(&config, &state.params)?;
        Ok(Self { config, tokenizer, state })
    }
}

/// Serializes the checkpoint; `extra` is an additional entry of the header's metadata.
///
/// # Errors
/// As [`Checkpoint::to_bytes`].
pub fn to_bytes(
    config: &RunConfig,
    tokenizer: &Tokenizer,
    state: &TrainingState,
    extra: Option<(&str, String)>,
) -> Result<Vec<u8>, CheckpointError> {
    let mut views = Vec::new();
    let [adam_m, adam_v] = [&state.adam_m, &state.adam_v].map(|moments| state.moments(moments));
    for (prefix, values) in PREFIXES.into_iter().zip([&state.params[..], &adam_m, &adam_v]) {
        for param in ParamTable::new(&config.model).iter() {
            let bytes = bytemuck::cast_slice(&values[param.start..param.start + param.len()]);
            let view = TensorView::new(Dtype::F32, param.shape.clone(), bytes)?;
            views.push((format!("{prefix}{}", param.name), view));
        }
    }
    let mut metadata = BTreeMap::from([
        ("format", "pt".into()),
        ("config", json("config", config)?),
        ("tokenizer", tokenizer.to_json()?),
        ("step", json("step", &state.step)?),
        ("batches", json("batches", &state.batches)?),
        (checksum::FIELD, checksum::BLANK.into()),
    ]);
    if !tokenizer.companions().is_empty() {
        metadata.insert(COMPANIONS, json(COMPANIONS, tokenizer.companions())?);
    }
    metadata.extend(extra);
    let mut bytes = tensor_file::to_bytes(views, &metadata)?;
    checksum::seal(&mut bytes);
    Ok(bytes)
}

fn json(field: &'static str, value: &impl serde::Serialize) -> Result<String, CheckpointError> {
    serde_json::to_string(value).map_err(|error| CheckpointError::Metadata { field, detail: error.to_string() })
}

fn entry<'a>(metadata: &'a HashMap<String, String>, field: &'static str) -> Result<&'a str, CheckpointError> {
    let missing = || CheckpointError::Metadata { field, detail: "no such entry".into() };
    metadata.get(field).map(String::as_str).ok_or_else(missing)
}

fn read_json<T: serde::de::DeserializeOwned>(
    metadata: &HashMap<String, String>,
    field: &'static str,
) -> Result<T, CheckpointError> {
    serde_json::from_str(entry(metadata, field)?)
        .map_err(|error| CheckpointError::Metadata { field, detail: error.to_string() })
}

/// One value per parameter, in the order of the parameter table of `config`. The file's tensor sizes are checked before any
/// memory is allocated according to the configuration.
fn read_tensors(tensors: &SafeTensors<'_>, prefix: &str, config: &RunConfig) -> Result<Vec<f32>, CheckpointError> {
    let table = ParamTable::new(&config.model);
    let mut views = Vec::new();
    for param in table.iter() {
        let name = format!("{prefix}{}", param.name);
        let view = tensors.tensor(&name).map_err(|_| CheckpointError::Missing { name: name.clone() })?;
        if view.shape() != param.shape || view.dtype() != Dtype::F32 {
            let (dtype, shape, expected) = (view.dtype(), view.shape().to_vec(), param.shape.clone());
            return Err(CheckpointError::Shape { name, dtype, shape, expected });
        }
        views.push((param.start, view));
    }
    let mut values = vec![0.0; table.buffer_len()];
    for (start, view) in views {
        for (value, bytes) in values[start..].iter_mut().zip(view.data().chunks_exact(4)) {
            *value = bytemuck::pod_read_unaligned(bytes);
        }
    }
    Ok(values)
}

/// Checks that all parameters are finite.
fn check_finite(config: &RunConfig, params: &[f32]) -> Result<(), CheckpointError> {
    for param in ParamTable::new(&config.model).iter() {
        let values = &params[param.start..param.start + param.len()];
        if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
            return Err(CheckpointError::NonFinite { name: param.name.clone(), value });
        }
    }
    Ok(())
}
