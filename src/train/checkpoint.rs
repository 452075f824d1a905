//! A model in a folder: `model.safetensors`, `config.json`, `tokenizer.json`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use thiserror::Error;

use crate::config::{ConfigError, RunConfig};
use crate::data::{DataError, Tokenizer};
use crate::model::params::ParamTable;

/// Why a model cannot be saved or loaded.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// `config.json` is not what it should be.
    #[error("{path} is not a configuration of this program: {source}")]
    Json {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// `tokenizer.json` is not what it should be.
    #[error(transparent)]
    Tokenizer(#[from] DataError),
    /// The tensors are not in order.
    #[error("{path} is not a model of this configuration: {detail}")]
    Tensors {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
}

/// The parameters of a model as one safetensors blob; `values` are laid out by the table.
///
/// # Errors
/// When the tensors cannot be serialised, which a table and its values never cause.
pub fn to_safetensors(table: &ParamTable, values: &[f32]) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let mut views = Vec::new();
    for param in table.iter() {
        let bytes = bytemuck::cast_slice(&values[param.start..param.start + param.len()]);
        views.push((param.name.clone(), TensorView::new(Dtype::F32, param.shape.clone(), bytes)?));
    }
    safetensors::serialize(views, Some(HashMap::from([("format".to_string(), "pt".to_string())])))
}

/// The inverse of [`to_safetensors`].
///
/// # Errors
/// A sentence that says which tensor is missing or has another shape or type.
pub fn from_safetensors(table: &ParamTable, bytes: &[u8]) -> Result<Vec<f32>, String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut values = vec![0.0; table.buffer_len()];
    for param in table.iter() {
        let view = tensors.tensor(&param.name).map_err(|_| format!("it has no tensor {}", param.name))?;
        if view.shape() != param.shape || view.dtype() != Dtype::F32 {
            let (shape, dtype) = (view.shape(), view.dtype());
            return Err(format!("{} is {dtype:?} {shape:?}, not F32 {:?}", param.name, param.shape));
        }
        for (value, bytes) in values[param.start..].iter_mut().zip(view.data().chunks_exact(4)) {
            *value = bytemuck::pod_read_unaligned(bytes);
        }
    }
    Ok(values)
}

/// Writes a model into `folder`, which is made if it is missing. Each file appears whole or not at all.
///
/// # Errors
/// When a file cannot be written.
pub fn save(
    folder: &Path,
    config: &RunConfig,
    tokenizer: &Tokenizer,
    table: &ParamTable,
    values: &[f32],
) -> Result<(), CheckpointError> {
    fs::create_dir_all(folder).map_err(|source| CheckpointError::File { path: folder.into(), source })?;
    let path = folder.join("config.json");
    let json =
        serde_json::to_vec_pretty(config).map_err(|source| CheckpointError::Json { path: path.clone(), source })?;
    write(&path, &json)?;
    write(&folder.join("tokenizer.json"), tokenizer.to_json()?.as_bytes())?;
    let path = folder.join("model.safetensors");
    let tensors = to_safetensors(table, values)
        .map_err(|error| CheckpointError::Tensors { path: path.clone(), detail: error.to_string() })?;
    write(&path, &tensors)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    let half_done = path.with_extension("part");
    fs::write(&half_done, bytes)
        .and_then(|()| fs::rename(&half_done, path))
        .map_err(|source| CheckpointError::File { path: path.into(), source })
}

/// Reads a model from `folder`: its configuration, its tokenizer, and its parameters laid out by the table of that
/// configuration.
///
/// # Errors
/// When a file is missing or is not what it should be.
pub fn load(folder: &Path) -> Result<(RunConfig, Tokenizer, Vec<f32>), CheckpointError> {
    let read = |name: &str| {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(|source| CheckpointError::File { path: path.clone(), source })?;
        Ok::<_, CheckpointError>((path, bytes))
    };
    let (path, bytes) = read("config.json")?;
    let config: RunConfig = serde_json::from_slice(&bytes).map_err(|source| CheckpointError::Json { path, source })?;
    config.validate()?;
    let (_, bytes) = read("tokenizer.json")?;
    let tokenizer = Tokenizer::from_json(&String::from_utf8_lossy(&bytes))?;
    let (path, bytes) = read("model.safetensors")?;
    let values = from_safetensors(&ParamTable::new(&config.model), &bytes)
        .map_err(|detail| CheckpointError::Tensors { path: path.clone(), detail })?;
    if tokenizer.vocab_size() != config.model.vocab_size {
        let detail = format!("its tokenizer has {} tokens", tokenizer.vocab_size());
        return Err(CheckpointError::Tensors { path, detail });
    }
    Ok((config, tokenizer, values))
}
