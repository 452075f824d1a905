//! A model from files of `transformers`: Llama's or GPT-2's architecture, safetensors in F32, F16 or BF16, whole or in
//! shards.

use std::collections::{BTreeMap, BTreeSet};

use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use super::companions::{self, KEPT};
use super::config::{Biases, Description};
use super::layout::Entry;
use super::state::{self, SavedState};
use super::{Architecture, InteropError, config, files, layout};
use crate::config::ModelConfig;
use crate::data::{TextFiles, Tokenizer};
use crate::model::params::ParamTable;

/// Why PyTorch's own format is not read: it is a program, and could do anything.
const PICKLED: &str = "only safetensors are read; in Python, load the model and save it again with \
                       model.save_pretrained(FOLDER, safe_serialization=True)";

/// How the names of files in that format end.
const PICKLED_ENDINGS: [&str; 5] = [".bin", ".bin.index.json", ".pt", ".pth", ".ckpt"];

/// A model that was read.
pub struct Imported {
    /// Its shape.
    pub model: ModelConfig,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Its parameters, laid out by the table.
    pub params: Vec<f32>,
    /// Where its training stands, if that is known.
    pub state: Option<SavedState>,
    /// What of the files is not used, or used in another way than they say, as sentences.
    pub notes: Vec<String>,
}

/// A model whose shape is known, before anything large was read.
pub struct Opened {
    description: Description,
    /// The text of config.json.
    config: String,
}

/// Where a model's files lie.
pub trait Source {
    /// The names of all files.
    fn names(&self) -> Vec<String>;

    /// How many bytes the file with this name has, without reading it; 0 where there is none.
    fn size(&mut self, name: &str) -> u64;

    /// The bytes of the file with this name.
    ///
    /// # Errors
    /// A sentence when it cannot be read.
    fn read(&mut self, name: &str) -> Result<Vec<u8>, String>;

    /// Whether there is a file of this name.
    fn has(&self, name: &str) -> bool {
        self.names().iter().any(|known| known == name)
    }

    /// Whether there are weights in PyTorch's own format.
    fn has_pickled(&self) -> bool {
        let pickled = |name: &String| PICKLED_ENDINGS.iter().any(|ending| name.to_lowercase().ends_with(ending));
        self.names().iter().any(pickled)
    }
}

/// Reads a model. Only one file of weights is in memory at a time.
///
/// # Errors
/// When a file is missing or damaged, or the model computes what is not computed here: a sentence that names the field.
pub fn import(source: &mut dyn Source) -> Result<Imported, InteropError> {
    Opened::new(source)?.read(source)
}

impl Opened {
    /// Reads the shape of a model.
    ///
    /// # Errors
    /// When there is none, or it is none that is computed here.
    pub fn new(source: &mut dyn Source) -> Result<Self, InteropError> {
        if !source.has(files::CONFIG) && source.has_pickled() {
            return Err(InteropError::MissingFile { name: files::WEIGHTS.into(), fix: PICKLED });
        }
        let fix = "choose the folder, or all files, of a model saved with save_pretrained";
        let config = text(source, files::CONFIG, fix)?;
        Ok(Self { description: config::read(config.as_bytes())?, config })
    }

    /// The shape.
    pub fn model(&self) -> &ModelConfig {
        &self.description.model
    }

    /// Reads the rest.
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

/// A file of text.
fn text(source: &mut dyn Source, name: &str, fix: &'static str) -> Result<String, InteropError> {
    let bytes = required(source, name, fix)?;
    String::from_utf8(bytes).map_err(|error| InteropError::File { name: name.into(), detail: error.to_string() })
}

fn required(source: &mut dyn Source, name: &str, fix: &'static str) -> Result<Vec<u8>, InteropError> {
    if !source.has(name) {
        return Err(InteropError::MissingFile { name: name.into(), fix });
    }
    source.read(name).map_err(|detail| InteropError::File { name: name.into(), detail })
}

/// The index of weights in several files.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

fn read_weights(
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
        // Nothing is allocated by the configuration's sizes before the files have agreed with them.
        params.resize(len, 0.0);
        found.iter().try_for_each(|(tensor, entry)| take(tensor, entry, &mut params))?;
    }
    // What safetensors.torch.save_model keeps of two tied tensors is the first by its name.
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

/// The head's matrix in the files of a model whose config.json says that it is the token embedding.
struct Head {
    /// None in a model that has both.
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

    /// Whether it was found and can stand in for this entry.
    fn replaces(&self, entry: &Entry) -> bool {
        self.numbers.is_some() && entry.holds(EMBEDDING)
    }

    /// Where the head is another matrix than the embedding, both are kept, as transformers does.
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

/// Whether files can hold all these tensors, in two bytes a number at least.
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
        Some(name) => Err(damaged(format!("it names {name:?}, which does not lie beside it"))),
        None => Ok(shards),
    }
}

/// A tensor by its name; checkpoints of the model without its head leave the first part out.
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

/// The numbers of a tensor.
///
/// # Errors
/// When one of them is NaN or infinite.
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
