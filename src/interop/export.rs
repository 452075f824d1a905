//! A model as files that `transformers` opens with `AutoModelForCausalLM` and `AutoTokenizer`.

use std::collections::HashMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

use super::state::{self, SavedState};
use super::{Architecture, InteropError, config, files, layout};
use crate::config::ModelConfig;
use crate::data::Tokenizer;

/// A file: its name and its bytes.
pub type NamedFile = (&'static str, Vec<u8>);

/// The files of a model whose parameters are laid out by its table.
///
/// # Errors
/// When no architecture computes what this model computes, or the tokenizer cannot be written.
pub fn export(model: &ModelConfig, tokenizer: &Tokenizer, params: &[f32]) -> Result<Vec<NamedFile>, InteropError> {
    let architecture = Architecture::of(model)?;
    let end = tokenizer.end_of_text();
    Ok(vec![
        (files::CONFIG, text(&config::write(architecture, model, end))),
        (files::WEIGHTS, weights(architecture, model, params)?),
        (files::TOKENIZER, text(&tokenizer_file(tokenizer)?)),
        (files::TOKENIZER_CONFIG, text(&tokenizer_config(model, end.and(Some(crate::data::END_OF_TEXT))))),
        (files::GENERATION_CONFIG, text(&json!({ "bos_token_id": end, "eos_token_id": end, "pad_token_id": end }))),
    ])
}

/// The file from which training goes on, here or elsewhere.
///
/// # Errors
/// When no architecture computes what this model computes.
pub fn training_state(model: &ModelConfig, state: &SavedState) -> Result<NamedFile, InteropError> {
    Ok((files::TRAINING_STATE, state::write(model, state)?))
}

/// `tokenizer.json` with every merge as one string, which older versions of the library read too. No token of a
/// byte-level vocabulary is spelled with a space.
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

/// Indented, as people expect such files.
fn text(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

fn weights(architecture: Architecture, model: &ModelConfig, params: &[f32]) -> Result<Vec<u8>, InteropError> {
    let refused = |error: safetensors::SafeTensorError| InteropError::File {
        name: files::WEIGHTS.into(),
        detail: error.to_string(),
    };
    let entries = layout::entries(architecture, model);
    let tensors: Vec<Vec<f32>> = entries.iter().map(|entry| entry.gather(params)).collect();
    let mut views = Vec::new();
    for (entry, tensor) in entries.into_iter().zip(&tensors) {
        let view = TensorView::new(Dtype::F32, entry.shape(), bytemuck::cast_slice(tensor)).map_err(refused)?;
        views.push((entry.name, view));
    }
    // Which library's conventions the names follow; transformers refuses files without it.
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
