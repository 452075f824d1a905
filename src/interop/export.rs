//! Exports a model as files that `transformers` opens with `AutoModelForCausalLM` and `AutoTokenizer`.

use std::collections::HashMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

use super::companions::KEPT;
use super::config::Biases;
use super::state::{self, SavedState};
use super::{Architecture, InteropError, config, files, layout};
use crate::config::{ModelConfig, Positions};
use crate::data::Tokenizer;

/// A file's name and bytes.
pub type NamedFile = (&'static str, Vec<u8>);

/// The files of a model with the parameters `params`, laid out by [`ParamTable`](crate::model::params::ParamTable). For
/// an imported model these are its original files, changed only where the model differs now.
///
/// # Errors
/// When no architecture matches the model, or the tokenizer cannot be written.
pub fn export(model: &ModelConfig, tokenizer: &Tokenizer, params: &[f32]) -> Result<Vec<NamedFile>, InteropError> {
    let architecture = Architecture::of(model)?;
    let Some(Kept { config, biases, .. }) = Kept::of(architecture, model, tokenizer, params)? else {
        return fresh(architecture, model, tokenizer, params);
    };
    let mut written = vec![
        (files::CONFIG, text(&config)),
        (files::WEIGHTS, weights(architecture, model, biases, params)?),
        (files::TOKENIZER, tokenizer.to_json()?.into_bytes()),
    ];
    for name in KEPT.into_iter().filter(|&name| name != files::CONFIG) {
        written.extend(tokenizer.companions().get(name).map(|text| (name, text.clone().into_bytes())));
    }
    Ok(written)
}

/// The differences between an export and the files that the model was imported from, as messages.
///
/// # Errors
/// Same as [`export`].
pub fn changes(model: &ModelConfig, tokenizer: &Tokenizer, params: &[f32]) -> Result<Vec<String>, InteropError> {
    let kept = Kept::of(Architecture::of(model)?, model, tokenizer, params)?;
    Ok(kept.map_or_else(Vec::new, |kept| kept.changes))
}

/// The files of a model that was not imported.
fn fresh(
    architecture: Architecture,
    model: &ModelConfig,
    tokenizer: &Tokenizer,
    params: &[f32],
) -> Result<Vec<NamedFile>, InteropError> {
    let end = tokenizer.end_of_text();
    let name = end.map(|id| tokenizer.token_text(id));
    Ok(vec![
        (files::CONFIG, text(&config::write(architecture, model, end))),
        (files::WEIGHTS, weights(architecture, model, Biases::OfAll, params)?),
        (files::TOKENIZER, text(&tokenizer_file(tokenizer)?)),
        (files::TOKENIZER_CONFIG, text(&tokenizer_config(model, name.as_deref()))),
        (files::GENERATION_CONFIG, text(&json!({ "bos_token_id": end, "eos_token_id": end, "pad_token_id": end }))),
    ])
}

/// The original config.json of an imported model, updated.
struct Kept {
    config: Value,
    biases: Biases,
    changes: Vec<String>,
}

impl Kept {
    fn of(
        architecture: Architecture,
        model: &ModelConfig,
        tokenizer: &Tokenizer,
        params: &[f32],
    ) -> Result<Option<Self>, InteropError> {
        let Some(text) = tokenizer.companions().get(files::CONFIG) else { return Ok(None) };
        let before = config::read(text.as_bytes())?;
        let unreadable =
            |error: serde_json::Error| InteropError::File { name: files::CONFIG.into(), detail: error.to_string() };
        let config: Value = serde_json::from_str(text).map_err(unreadable)?;
        let mut kept = Self { config, biases: before.biases, changes: Vec::new() };
        let fresh = config::write(architecture, model, tokenizer.end_of_text());
        let unused = |entry: &layout::Entry| !before.biases.have(&entry.name);
        let all_zero = |entry: layout::Entry| entry.gather(params).iter().all(|&number| number == 0.0);
        // A model with RoPE computes the same with a shorter context.
        let context_length = match model.positions {
            Positions::Rope => model.context_length,
            _ => before.model.context_length,
        };
        let tied_embeddings = model.tied_embeddings;
        if (ModelConfig { context_length, tied_embeddings, ..before.model }) != *model {
            let rotary = model.positions == Positions::Rope;
            kept.set(&fresh, |field| !(rotary && field == "max_position_embeddings"));
            kept.biases = Biases::OfAll;
        } else if !layout::entries(architecture, model).into_iter().filter(unused).all(all_zero) {
            let of_family = ["architectures", "model_type", "attention_bias", "mlp_bias", "head_dim"];
            kept.set(&fresh, |field| of_family.contains(&field));
            kept.biases = Biases::OfAll;
        }
        if before.model.tied_embeddings != tied_embeddings {
            kept.set(&fresh, |field| field == "tie_word_embeddings");
        }
        for field in ["torch_dtype", "dtype"] {
            if kept.config.get(field).is_some_and(|value| !value.is_null()) {
                kept.set(&json!({ field: "float32" }), |_| true);
            }
        }
        Ok(Some(kept))
    }

    /// Copies fields from another config.json.
    fn set(&mut self, other: &Value, chosen: impl Fn(&str) -> bool) {
        for (field, value) in other.as_object().into_iter().flatten().filter(|(field, _)| chosen(field)) {
            if self.config[field] != *value && ![BEGIN, END].contains(&field.as_str()) {
                self.changes.push(format!("config.json: {field} was {}, and is {value} now.", self.config[field]));
                self.config[field] = value.clone();
            }
        }
    }
}

/// Settings that training does not change.
const BEGIN: &str = "bos_token_id";
const END: &str = "eos_token_id";

/// The file from which training resumes, in this program or another.
///
/// # Errors
/// When no architecture matches the model.
pub fn training_state(model: &ModelConfig, state: &SavedState) -> Result<NamedFile, InteropError> {
    Ok((files::TRAINING_STATE, state::write(model, state)?))
}

/// `tokenizer.json` with every merge as one string, which older versions of the `tokenizers` library also read. No
/// token of a byte-level vocabulary contains a space in its spelling.
fn tokenizer_file(tokenizer: &Tokenizer) -> Result<Value, InteropError> {
    let unreadable =
        |error: serde_json::Error| InteropError::File { name: files::TOKENIZER.into(), detail: error.to_string() };
    let mut file: Value = serde_json::from_str(&tokenizer.to_json()?).map_err(unreadable)?;
    for merge in file["model"]["merges"].as_array_mut().into_iter().flatten() {
        if let [Value::String(left), Value::String(right)] = merge.as_array().map_or(&[][..], Vec::as_slice) {
            *merge = Value::String(format!("{left} {right}"));
        }
    }
    Ok(file)
}

/// Indented JSON, as is usual for such files.
fn text(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

fn weights(
    architecture: Architecture,
    model: &ModelConfig,
    biases: Biases,
    params: &[f32],
) -> Result<Vec<u8>, InteropError> {
    let refused = |error: safetensors::SafeTensorError| InteropError::File {
        name: files::WEIGHTS.into(),
        detail: error.to_string(),
    };
    let mut entries = layout::entries(architecture, model);
    entries.retain(|entry| biases.have(&entry.name));
    let tensors: Vec<Vec<f32>> = entries.iter().map(|entry| entry.gather(params)).collect();
    let mut views = Vec::new();
    for (entry, tensor) in entries.into_iter().zip(&tensors) {
        let view = TensorView::new(Dtype::F32, entry.shape(), bytemuck::cast_slice(tensor)).map_err(refused)?;
        views.push((entry.name, view));
    }
    // The naming convention of the tensors (PyTorch's); transformers rejects files without this entry.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    safetensors::serialize(views, Some(metadata)).map_err(refused)
}

fn tokenizer_config(model: &ModelConfig, end: Option<&str>) -> Value {
    json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": model.context_length,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": false,
        "bos_token": end,
        "eos_token": end,
        "unk_token": end,
        "pad_token": end,
    })
}
