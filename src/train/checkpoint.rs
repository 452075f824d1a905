//! A run in one safetensors file: parameters by name, AdamW's moments as `adam_m.NAME` and `adam_v.NAME`, and in the
//! header's metadata the step, the random state, the configuration and the tokenizer, all as JSON, and a checksum.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use thiserror::Error;

use super::checksum;
use super::trainer::TrainingState;
use crate::config::{ConfigError, MAX_STEPS, RunConfig};
use crate::data::{DataError, TextFiles, Tokenizer};
use crate::interop::companions;
use crate::model::params::ParamTable;
use crate::tensor_file;

/// The name of the file in a model's folder.
pub const FILE_NAME: &str = "checkpoint.safetensors";

/// The entry of the metadata with the files of a model from elsewhere.
const COMPANIONS: &str = "companions";

/// Before the names of parameters, first moments and second moments.
const PREFIXES: [&str; 3] = ["", "adam_m.", "adam_v."];

/// Why a run cannot be saved or loaded.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// A file cannot be read or written.
    #[error("{}", DataError::of_file(path, source))]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The bytes are not in the safetensors format.
    #[error("this is not a safetensors file, or it was cut: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// The bytes are not those that were written.
    #[error("the checkpoint is damaged: its checksum is another one")]
    Damaged,
    /// The header's metadata is not what it should be.
    #[error("the checkpoint's {field} is missing or unreadable ({detail}); it may come from another program")]
    Metadata {
        /// Which entry.
        field: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The tokenizer is not what it should be.
    #[error(transparent)]
    Tokenizer(#[from] DataError),
    /// A tensor is missing.
    #[error("the checkpoint has no tensor {name}")]
    Missing {
        /// Which one.
        name: String,
    },
    /// A parameter is NaN or infinite.
    #[error("the checkpoint's {name} holds {value}, so the model computes nothing; go back to an earlier checkpoint")]
    NonFinite {
        /// Which tensor.
        name: String,
        /// NaN or infinity.
        value: f32,
    },
    /// A tensor has another type or shape than the configuration says.
    #[error("{name} is {dtype:?} {shape:?} in the checkpoint; its configuration asks for F32 {expected:?}")]
    Shape {
        /// Which tensor.
        name: String,
        /// Its type in the file.
        dtype: Dtype,
        /// Its shape in the file.
        shape: Vec<usize>,
        /// The shape that the model has.
        expected: Vec<usize>,
    },
}

/// A run that can go on as if it had never stopped.
pub struct Checkpoint {
    /// The configuration.
    pub config: RunConfig,
    /// The tokenizer that made the tokens.
    pub tokenizer: Tokenizer,
    /// Where training stands.
    pub state: TrainingState,
}

impl Checkpoint {
    /// The file's bytes.
    ///
    /// # Errors
    /// When a library refuses to serialise, which a state of this configuration never causes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        to_bytes(&self.config, &self.tokenizer, &self.state, None)
    }

    /// Reads what [`Checkpoint::to_bytes`] has written.
    ///
    /// # Errors
    /// A sentence that names what is missing or wrong.
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
            let detail = format!("it is {step}, and nobody trains for more than {MAX_STEPS} steps");
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

/// The file's bytes; `extra` is one more entry of the header's metadata.
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

/// One number per parameter, laid out by the table of `config`. The file's own sizes are checked before anything is
/// allocated by those of the configuration.
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

/// Whether all parameters are numbers that can be computed with.
fn check_finite(config: &RunConfig, params: &[f32]) -> Result<(), CheckpointError> {
    for param in ParamTable::new(&config.model).iter() {
        let values = &params[param.start..param.start + param.len()];
        if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
            return Err(CheckpointError::NonFinite { name: param.name.clone(), value });
        }
    }
    Ok(())
}
