//! The small files of an imported model. They are stored with its tokenizer so that an export can write them unchanged,
//! and they define the tokens at the beginning and end of texts.

use serde_json::Value;

use super::{InteropError, files};
use crate::data::{TextEnds, TextFiles, Tokenizer};

/// The files to store, besides tokenizer.json.
pub const KEPT: [&str; 7] = [
    files::CONFIG,
    files::GENERATION_CONFIG,
    files::TOKENIZER_CONFIG,
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
];

/// Attaches a model's files to its tokenizer and reads the tokens at the beginning and end of texts from them. Returns
/// warnings.
///
/// # Errors
/// When a file is not JSON, or a special token is not given by its id.
pub fn attach(tokenizer: &mut Tokenizer, kept: TextFiles) -> Result<Vec<String>, InteropError> {
    let mut notes = Vec::new();
    let ends = ends(&kept, tokenizer)?;
    let n = tokenizer.vocab_size();
    for (field, ids) in [("bos_token_id", ends.begin.as_slice()), ("eos_token_id", &ends.stops)] {
        let beyond = ids.iter().filter(|&&id| id as usize >= n);
        notes.extend(beyond.map(|id| format!("{field} is {id}, and the model has {n} tokens; this id is not used.")));
    }
    tokenizer.set_ends(ends);
    tokenizer.set_companions(kept);
    Ok(notes)
}

/// The tokens at the beginning and end of texts. As in transformers, generation_config.json replaces config.json
/// entirely.
fn ends(kept: &TextFiles, tokenizer: &Tokenizer) -> Result<TextEnds, InteropError> {
    let name = [files::GENERATION_CONFIG, files::CONFIG].into_iter().find(|name| kept.contains_key(*name));
    let Some(name) = name else { return Ok(tokenizer.ends().clone()) };
    let settings = json(kept, name)?;
    let wrong = |field: &str, wanted: &str| InteropError::File {
        name: name.into(),
        detail: format!("{field} is {}; {wanted}", settings[field]),
    };
    let begin = match &settings["bos_token_id"] {
        Value::Null => None,
        id => Some(token(id).ok_or_else(|| wrong("bos_token_id", "it has to be the id of a token"))?),
    };
    let stops = match &settings["eos_token_id"] {
        Value::Null => Some(Vec::new()),
        Value::Array(ids) => ids.iter().map(token).collect(),
        id => token(id).map(|id| vec![id]),
    };
    let stops = stops.ok_or_else(|| wrong("eos_token_id", "it has to be the id of a token, or a list of ids"))?;
    let n = tokenizer.vocab_size();
    let named = match kept.contains_key(files::TOKENIZER_CONFIG) {
        true => end_token(&json(kept, files::TOKENIZER_CONFIG)?).and_then(|end| tokenizer.added_id(&end)),
        false => None,
    };
    let first = stops.iter().copied().find(|&id| (id as usize) < n);
    Ok(TextEnds { begin, document_end: named.or(first).or_else(|| tokenizer.usual_end()), stops })
}

/// The end-of-text token in tokenizer_config.json.
fn end_token(settings: &Value) -> Option<String> {
    let end = &settings["eos_token"];
    end.as_str().or_else(|| end["content"].as_str()).map(str::to_string)
}

fn token(id: &Value) -> Option<u32> {
    id.as_u64().and_then(|id| id.try_into().ok())
}

fn json(kept: &TextFiles, name: &str) -> Result<Value, InteropError> {
    let text = kept.get(name).map_or("null", String::as_str);
    serde_json::from_str(text).map_err(|error| InteropError::File { name: name.into(), detail: error.to_string() })
}
