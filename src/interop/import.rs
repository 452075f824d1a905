//! Imports a model from files of `transformers`: Llama's or GPT-2's architecture, safetensors in F32, F16 or BF16, in
//! one file or in shards.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use thiserror::Error;
use zip::result::ZipError;

use super::companions::{self, KEPT};
use super::config::{Biases, Description};
use super::layout::Entry;
use super::state::{self, SavedState};
use super::{Architecture, InteropError, config, files, layout};
use crate::config::ModelConfig;
use crate::data::{TextFiles, Tokenizer};
use crate::model::params::ParamTable;

/// Reason for rejecting PyTorch's own format: it is a pickle, which can execute arbitrary code.
const PICKLED: &str = "only safetensors are read; in Python, load the model and save it again with \
                       model.save_pretrained(FOLDER, safe_serialization=True)";

/// File extensions of that format.
const PICKLED_ENDINGS: [&str; 5] = [".bin", ".bin.index.json", ".pt", ".pth", ".ckpt"];

/// An imported model.
pub struct Imported {
    /// The configuration.
    pub model: ModelConfig,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// The parameters, laid out by [`ParamTable`].
    pub params: Vec<f32>,
    /// The training state, if included.
    pub state: Option<SavedState>,
    /// Warnings about settings that are ignored or changed, as messages.
    pub notes: Vec<String>,
}

/// A model whose configuration was read, but none of its large files.
pub struct Opened {
    description: Description,
    /// The text of config.json.
    config: String,
}

/// Why one of a model's files cannot be read.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The file does not exist, or has been read before.
    #[error("it is not there")]
    Missing,
    /// The system or the archive does not return it.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// The archive is damaged.
    #[error(transparent)]
    Zip(#[from] ZipError),
    /// The archive would grow by too large a factor.
    #[error(
        "it unpacks to {mib} MiB, and the ZIP would become more than {factor} times as large; unpack it yourself and \
         choose the files in it"
    )]
    Ratio {
        /// Size of the file in MiB.
        mib: u64,
        /// The largest accepted factor.
        factor: u64,
    },
    /// There is no memory for the file.
    #[error("it needs {mib} MiB, more than there are")]
    Memory {
        /// Size of the file in MiB.
        mib: u64,
    },
    /// The file is not as long as its header states.
    #[error("its length differs from what the ZIP states; download or pack it again")]
    Length,
}

/// Access to a model's files.
pub trait Source {
    /// The names of all files.
    fn names(&self) -> Vec<String>;

    /// The size in bytes of the file with this name, without reading it; 0 if it is missing.
    fn size(&mut self, name: &str) -> u64;

    /// The contents of the file with this name.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&mut self, name: &str) -> Result<Vec<u8>, SourceError>;

    /// Whether a file with this name exists.
    fn has(&self, name: &str) -> bool {
        self.names().iter().any(|known| known == name)
    }

    /// Whether there are weights in PyTorch's own format.
    fn has_pickled(&self) -> bool {
        let pickled = |name: &String| PICKLED_ENDINGS.iter().any(|ending| name.to_lowercase().ends_with(ending));
        self.names().iter().any(pickled)
    }
}

/// Imports a model with at most one file of weights in memory at a time.
///
/// # Errors
/// When a file is missing or damaged, or the model uses an unsupported feature; the message names the field.
pub fn import(source: &mut dyn Source) -> Result<Imported, InteropError> {
    Opened::new(source)?.read(source)
}

impl Opened {
    /// Reads the configuration of a model.
    ///
    /// # Errors
    /// When it is missing or unsupported.
    pub fn new(source: &mut dyn Source) -> Result<Self, InteropError> {
        if !source.has(files::CONFIG) && source.has_pickled() {
            return Err(InteropError::MissingFile { name: files::WEIGHTS.into(), fix: PICKLED });
        }
        let fix = "choose the folder, or all files, of a model saved with save_pretrained";
        let config = text(source, files::CONFIG, fix)?;
        Ok(Self { description: config::read(config.as_bytes())?, config })
    }

    /// The configuration.
    pub fn model(&self) -> &ModelConfig {
        &self.description.model
    }

    /// Reads the remaining files.
    ///
    /// # Errors
    /// When a file is missing or damaged.
    pub fn read(self, source: &mut dyn Source) -> Result<Imported, InteropError> {
        let Self { description, config } = self;
        let Description { architecture, mut model, biases, mut notes } = description;
        let fix = "in Python, save it beside the model with AutoTokenizer.from_pretrained(...).save_pretrained(FOLDER)";
        let json = text(source, files::TOKENIZER, fix)?;
        let mut tokenizer = Tokenizer::from_json(&json)?;
        drop(json);
        tokenizer.check_ids(model.vocab_size)?;
        let mut kept = TextFiles::from([(files::CONFIG.to_string(), config)]);
        for name in KEPT.into_iter().filter(|&name| name != files::CONFIG) {
            if source.has(name) {
                kept.insert(name.into(), text(source, name, "")?);
            }
        }
        let params = read_weights(source, architecture, &mut model, biases, &mut notes)?;
        notes.extend_from_slice(tokenizer.notes());
        let without_rows = tokenizer.fit_ids(model.vocab_size)?;
        notes.extend(without_rows.iter().map(|token| {
            format!("The added token {token:?} has no row in the embeddings, so it is not looked for in texts.")
        }));
        notes.extend(companions::attach(&mut tokenizer, kept)?);
        let state = match source.has(files::TRAINING_STATE) {
            true => Some(state::read(architecture, &model, &required(source, files::TRAINING_STATE, "")?)?),
            false => None,
        };
        Ok(Imported { model, tokenizer, params, state, notes })
    }
}

/// Reads a text file.
fn text(source: &mut dyn Source, name: &str, fix: &'static str) -> Result<String, InteropError> {
    let bytes = required(source, name, fix)?;
    String::from_utf8(bytes).map_err(|error| InteropError::File { name: name.into(), detail: error.to_string() })
}

fn required(source: &mut dyn Source, name: &str, fix: &'static str) -> Result<Vec<u8>, InteropError> {
    if !source.has(name) {
        return Err(InteropError::MissingFile { name: name.into(), fix });
    }
    source.read(name).map_err(|error| InteropError::File { name: name.into(), detail: error.to_string() })
}

/// The index of sharded weights.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

pub(super) fn read_weights(
    source: &mut dyn Source,
    architecture: Architecture,
    model: &mut ModelConfig,
    biases: Biases,
    notes: &mut Vec<String>,
) -> Result<Vec<f32>, InteropError> {
    let mut missing = layout::entries(architecture, model);
    missing.retain(|entry| biases.have(&entry.name));
    let mut head = Head::of(architecture, model);
    let mut params = Vec::new();
    let len = ParamTable::new(model).buffer_len();
    let names = weight_files(source)?;
    if names.len() > 1 {
        check_total(source, &names, &missing)?;
    }
    for name in &names {
        let bytes = required(source, name, "the index of the weights names it; choose it too")?;
        let damaged = |error: safetensors::SafeTensorError| InteropError::File {
            name: name.clone(),
            detail: format!("{error}; it was cut or is no safetensors file"),
        };
        let tensors = SafeTensors::deserialize(&bytes).map_err(damaged)?;
        head.find(&tensors, architecture)?;
        let (mut found, mut rest) = (Vec::new(), Vec::new());
        for entry in missing {
            match find(&tensors, architecture, &entry.name) {
                Some(tensor) => {
                    check(&tensor, &entry)?;
                    found.push((tensor, entry));
                }
                None => rest.push(entry),
            }
        }
        missing = rest;
        if names.len() == 1 && missing.iter().any(|entry| !head.replaces(entry)) {
            break;
        }
        // Memory of the configured size is allocated only after a file's tensors have matched the configuration.
        params.resize(len, 0.0);
        found.iter().try_for_each(|(tensor, entry)| take(tensor, entry, &mut params))?;
    }
    // Of two tied tensors, safetensors.torch.save_model stores the one whose name comes first.
    if let [entry] = &missing[..]
        && head.replaces(entry)
    {
        entry.scatter(head.numbers.take().unwrap_or_default().into_iter(), &mut params);
        missing.clear();
    }
    match missing.first() {
        Some(entry) => Err(InteropError::MissingTensor { name: entry.name.clone() }),
        None => Ok(head.untie(architecture, model, params, notes)),
    }
}

/// The `lm_head` matrix in the files of a model whose config.json ties it to the token embedding.
struct Head {
    /// `None` if the embeddings are not tied.
    entry: Option<Entry>,
    numbers: Option<Vec<f32>>,
}

const EMBEDDING: &str = "token_embeddings.weight";
const HEAD: &str = "lm_head.weight";

impl Head {
    fn of(architecture: Architecture, model: &ModelConfig) -> Self {
        let untied = ModelConfig { tied_embeddings: false, ..model.clone() };
        let entry = model.tied_embeddings.then(|| layout::entries(architecture, &untied)).into_iter().flatten();
        Self { entry: entry.into_iter().find(|entry| entry.holds(HEAD)), numbers: None }
    }

    fn find(&mut self, tensors: &SafeTensors<'_>, architecture: Architecture) -> Result<(), InteropError> {
        let Some(entry) = &self.entry else { return Ok(()) };
        if let Some(tensor) = find(tensors, architecture, &entry.name) {
            check(&tensor, entry)?;
            self.numbers = Some(finite(&tensor, entry)?);
        }
        Ok(())
    }

    /// Whether the matrix was found and can replace this entry.
    fn replaces(&self, entry: &Entry) -> bool {
        self.numbers.is_some() && entry.holds(EMBEDDING)
    }

    /// If the head differs from the embedding, both matrices are used, as in transformers.
    fn untie(
        self,
        architecture: Architecture,
        model: &mut ModelConfig,
        params: Vec<f32>,
        notes: &mut Vec<String>,
    ) -> Vec<f32> {
        let (Some(entry), Some(head)) = (self.entry, self.numbers) else { return params };
        let embedding = layout::entries(architecture, model).into_iter().find(|entry| entry.holds(EMBEDDING));
        if embedding.is_none_or(|embedding| embedding.gather(&params) == head) {
            return params;
        }
        let tied = ParamTable::new(model);
        model.tied_embeddings = false;
        let untied = ParamTable::new(model);
        let mut all = vec![0.0; untied.buffer_len()];
        for param in untied.iter() {
            if let Some(known) = tied.iter().find(|known| known.name == param.name) {
                all[param.start..param.start + param.len()]
                    .copy_from_slice(&params[known.start..known.start + known.len()]);
            }
        }
        entry.scatter(head.into_iter(), &mut all);
        notes.push(format!(
            "config.json says tie_word_embeddings, and the weights have another {}; both matrices are used, as in \
             transformers.",
            entry.name
        ));
        all
    }
}

/// Checks that the files are large enough for these tensors, at two bytes or more per number.
fn check_total(source: &mut dyn Source, names: &BTreeSet<String>, entries: &[Entry]) -> Result<(), InteropError> {
    let there: u64 = names.iter().map(|name| source.size(name)).fold(0, u64::saturating_add);
    let asked = entries.iter().map(|entry| entry.len().saturating_mul(2)).fold(0, u64::saturating_add);
    if asked <= there {
        return Ok(());
    }
    let detail = format!(
        "the files that it names have {there} bytes together, and config.json asks for weights of {asked} at least; choose \
         all files of one model"
    );
    Err(InteropError::File { name: files::WEIGHTS_INDEX.into(), detail })
}

fn weight_files(source: &mut dyn Source) -> Result<BTreeSet<String>, InteropError> {
    if source.has(files::WEIGHTS) {
        return Ok(BTreeSet::from([files::WEIGHTS.to_string()]));
    }
    if !source.has(files::WEIGHTS_INDEX) {
        let fix = if source.has_pickled() { PICKLED } else { "choose it too" };
        return Err(InteropError::MissingFile { name: files::WEIGHTS.into(), fix });
    }
    let damaged = |detail: String| InteropError::File { name: files::WEIGHTS_INDEX.into(), detail };
    let index = required(source, files::WEIGHTS_INDEX, "")?;
    let index: Index = serde_json::from_slice(&index).map_err(|error| damaged(error.to_string()))?;
    let shards: BTreeSet<String> = index.weight_map.into_values().collect();
    match shards.iter().find(|name| name.contains(['/', '\\', ':'])) {
        Some(name) => Err(damaged(format!("it names {name:?}, which is not in the same folder"))),
        None => Ok(shards),
    }
}

/// Finds a tensor by name; checkpoints of the model without its head omit the prefix.
fn find<'a>(tensors: &SafeTensors<'a>, architecture: Architecture, name: &str) -> Option<TensorView<'a>> {
    let prefix = match architecture {
        Architecture::Llama => "model.",
        Architecture::Gpt2 => "transformer.",
    };
    tensors.tensor(name).or_else(|_| tensors.tensor(name.strip_prefix(prefix).unwrap_or(name))).ok()
}

fn check(tensor: &TensorView<'_>, entry: &Entry) -> Result<(), InteropError> {
    let expected = entry.shape();
    let known = matches!(tensor.dtype(), Dtype::F32 | Dtype::F16 | Dtype::BF16);
    if known && tensor.shape() == expected {
        return Ok(());
    }
    let (dtype, shape) = (format!("{:?}", tensor.dtype()), tensor.shape().to_vec());
    Err(InteropError::Tensor { name: entry.name.clone(), dtype, shape, expected })
}

fn take(tensor: &TensorView<'_>, entry: &Entry, params: &mut [f32]) -> Result<(), InteropError> {
    entry.scatter(finite(tensor, entry)?.into_iter(), params);
    Ok(())
}

/// The values of a tensor.
///
/// # Errors
/// When a value is NaN or infinite.
fn finite(tensor: &TensorView<'_>, entry: &Entry) -> Result<Vec<f32>, InteropError> {
    let pairs = || tensor.data().chunks_exact(2).map(|bytes| [bytes[0], bytes[1]]);
    let numbers: Vec<f32> = match tensor.dtype() {
        Dtype::F16 => pairs().map(|bytes| f16::from_le_bytes(bytes).to_f32()).collect(),
        Dtype::BF16 => pairs().map(|bytes| bf16::from_le_bytes(bytes).to_f32()).collect(),
        _ => tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
    };
    match numbers.iter().position(|number| !number.is_finite()) {
        Some(at) => Err(InteropError::NonFinite { name: entry.name.clone(), value: numbers[at], at }),
        None => Ok(numbers),
    }
}
