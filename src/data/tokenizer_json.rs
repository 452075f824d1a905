//! Reads and writes Hugging Face's `tokenizer.json`.

use std::path::Path;

use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Value, json};

use super::cut::{Cut, Habits};
use super::error::DataError;
use super::pretokenize::AddedToken;
use super::template::template;
use super::tokenizer::{Parts, Tokenizer, byte_characters, library, missing_merge};

/// The part of a file before its vocabulary, in the key order of the `tokenizers` library.
const HEAD: &str = r#"{
  "version": "1.0",
  "truncation": null,
  "padding": null,
  "added_tokens": ADDED,
  "normalizer": NORMALIZER,
  "pre_tokenizer": PRE_TOKENIZER,
  "post_processor": null,
  "decoder": BYTE_LEVEL,
  "model": {
    "type": "BPE",
    "dropout": null,
    "unk_token": null,
    "continuing_subword_prefix": null,
    "end_of_word_suffix": null,
    "fuse_unk": false,
    "byte_fallback": false,
    "ignore_merges": KEEPS_WHOLE,
    "vocab": {"#;

const BYTE_LEVEL: &str =
    r#"{ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true }"#;

/// The parts of a `tokenizer.json` that this module uses.
struct File {
    vocab: FxHashMap<String, u32>,
    merges: Vec<(String, String)>,
    /// Tokens that are matched before any merge, by id.
    added: Vec<(u32, AddedToken)>,
    habits: Habits,
    /// Warnings about settings that are ignored or changed.
    notes: Vec<String>,
}

impl File {
    /// Rejects files that this program would encode differently.
    fn read(file: &Value) -> Result<Self, DataError> {
        let habits = habits(file)?;
        let model = &file["model"];
        let mut vocab = FxHashMap::default();
        for (token, id) in model["vocab"].as_object().ok_or_else(|| library("it has no vocabulary"))? {
            let id = whole(id).ok_or_else(|| library(format!("the token {token:?} has no number as its id")))?;
            vocab.insert(token.clone(), id);
        }
        let merges = model["merges"].as_array().ok_or_else(|| library("it has no list of merges"))?;
        let merges = merges.iter().map(merge).collect::<Result<Vec<_>, _>>()?;
        if let Some((left, right)) = merges.iter().find(|(left, right)| !vocab.contains_key(&format!("{left}{right}")))
        {
            return Err(missing_merge(left, right));
        }
        let (mut added, mut notes) = (Vec::new(), Vec::new());
        // The `tokenizers` library numbers added tokens outside the vocabulary consecutively, ignoring their ids in the
        // file.
        let (mut next, mut numbered) = (vocab.len() as u32, FxHashMap::default());
        for token in file["added_tokens"].as_array().into_iter().flatten() {
            let content = token["content"].as_str().ok_or_else(|| library("a special token has no content"))?;
            let written = whole(&token["id"])
                .ok_or_else(|| library(format!("the special token {content:?} has no number as its id")))?;
            if content.is_empty() {
                continue;
            }
            let id = vocab.get(content).copied().unwrap_or_else(|| {
                *numbered.entry(content.to_string()).or_insert_with(|| {
                    next += 1;
                    next - 1
                })
            });
            if id != written {
                notes.push(format!(
                    "tokenizer.json gives the added token {content:?} the id {written}; {id} is used, as in tokenizers."
                ));
            }
            added.push((id, added_token(token, content)));
        }
        added.sort_unstable();
        added.dedup();
        Ok(Self { vocab, merges, added, habits, notes })
    }
}

fn added_token(token: &Value, content: &str) -> AddedToken {
    let flag = |field: &str| token[field] == true;
    AddedToken {
        content: content.into(),
        single_word: flag("single_word"),
        lstrip: flag("lstrip"),
        rstrip: flag("rstrip"),
        normalized: flag("normalized"),
    }
}

fn whole(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| number.try_into().ok())
}

/// A merge; older files write it as one string with a space.
fn merge(value: &Value) -> Result<(String, String), DataError> {
    let pair = match value {
        Value::String(line) => Some(line.split_once(' ').unwrap_or((line, ""))),
        Value::Array(pair) if pair.len() == 2 => pair[0].as_str().zip(pair[1].as_str()),
        _ => None,
    };
    let (left, right) = pair.ok_or_else(|| library(format!("the merge {value} is no pair of tokens")))?;
    Ok((left.into(), right.into()))
}

/// A file's settings besides merges; rejects unsupported ones.
fn habits(file: &Value) -> Result<Habits, DataError> {
    let model = &file["model"];
    if !model.is_object() || model["type"].as_str().is_some_and(|kind| kind != "BPE") {
        return Err(other("another model than BPE"));
    }
    let is_set = |field: &str| model[field].as_str().is_some_and(|text| !text.is_empty());
    if is_set("continuing_subword_prefix") || is_set("end_of_word_suffix") {
        return Err(other("marks inside or at the end of words"));
    }
    let drops = model["dropout"].as_f64().is_some_and(|rate| rate > 0.0);
    if drops {
        return Err(other("dropout"));
    }
    if model["byte_fallback"] == true {
        return Err(DataError::SentencePiece);
    }
    let normalizers = steps(&file["normalizer"], "normalizers");
    if normalizers.iter().any(|step| step["type"] != "NFC") {
        return Err(other("a normalizer other than NFC"));
    }
    let composes = !normalizers.is_empty();
    Ok(Habits { cut: cut(&file["pre_tokenizer"])?, composes, keeps_whole: model["ignore_merges"] == true })
}

/// The steps of a normalizer or pre-tokenizer, with nested sequences flattened.
fn steps<'v>(value: &'v Value, field: &str) -> Vec<&'v Value> {
    match value[field].as_array().filter(|_| value["type"] == "Sequence") {
        Some(inner) => inner.iter().flat_map(|value| steps(value, field)).collect(),
        None if value.is_null() => Vec::new(),
        None => vec![value],
    }
}

/// The pattern of a file's pre-tokenizer.
fn cut(pre_tokenizer: &Value) -> Result<Cut, DataError> {
    let steps = steps(pre_tokenizer, "pretokenizers");
    let byte_level = |step: &Value| step["type"] == "ByteLevel" && step["add_prefix_space"] == false;
    let known = match steps[..] {
        [last] if byte_level(last) && last["use_regex"] != false => Some(Cut::Gpt2),
        [first, last] if byte_level(last) => {
            let splits_again = last["use_regex"] != false;
            let by_digits = first["type"] == "Digits" && first["individual_digits"] == true;
            match split(first) {
                // Splitting pieces of GPT-2's pattern again changes nothing.
                Some(cut) if !splits_again || cut == Cut::Gpt2 => Some(cut),
                None if splits_again && by_digits => Some(Cut::Digits),
                _ => None,
            }
        }
        _ => None,
    };
    known.ok_or_else(|| {
        other(
            "a pre-tokenizer that cuts otherwise than those of GPT-2, SmolLM, Llama 3, Qwen 2, cl100k and o200k, or adds a \
             space",
        )
    })
}

/// The pattern of a `Split`. The known patterns match all of a text, so keeping or removing what is between matches
/// makes no difference.
fn split(step: &Value) -> Option<Cut> {
    let inverted = step["invert"] == true;
    let keeps_all = match step["behavior"].as_str()? {
        "Isolated" => true,
        "Removed" => inverted,
        _ => false,
    };
    let pattern = step["pattern"]["Regex"].as_str().filter(|_| step["type"] == "Split" && keeps_all)?;
    Cut::of_split(pattern)
}

/// The pre-tokenizer of a file, for this pattern.
fn pre_tokenizer(cut: Cut) -> String {
    let byte_level = |regex: bool| BYTE_LEVEL.replace("true }", &format!("{regex} }}"));
    let first = match (cut, cut.split()) {
        (Cut::Digits, _) => json!({ "type": "Digits", "individual_digits": true }),
        (_, Some(pattern)) => {
            json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false })
        }
        (_, None) => return BYTE_LEVEL.into(),
    };
    format!("{{ \"type\": \"Sequence\", \"pretokenizers\": [{first}, {}] }}", byte_level(cut == Cut::Digits))
}

impl Tokenizer {
    /// Reads the Hugging Face `tokenizer.json` format.
    ///
    /// # Errors
    /// When the file is malformed, or is not byte-level BPE with one of the [`Cut`] patterns.
    pub fn from_json(json: &str) -> Result<Self, DataError> {
        let file: Value = serde_json::from_str(json).map_err(library)?;
        let template = template(&file["post_processor"])?;
        let File { vocab, merges, added, habits, notes } = File::read(&file)?;
        drop(file);
        let bytes_of: FxHashMap<char, u8> = byte_characters().into_iter().zip(0..=255).collect();
        let bytes = |text: &str| -> Result<Vec<u8>, DataError> {
            let bytes = text.chars().map(|character| bytes_of.get(&character).copied()).collect::<Option<_>>();
            bytes.ok_or_else(|| other(format!("the token {text:?}, which does not stand for bytes")))
        };
        // An added token can also be the spelling of a byte or the result of a merge; then it counts as both.
        let merged: FxHashSet<String> = merges.iter().map(|(left, right)| format!("{left}{right}")).collect();
        let is_letter = |text: &str| text.chars().count() == 1 && bytes(text).is_ok();
        let is_model = |text: &str| is_letter(text) || merged.contains(text);
        let mut vocabulary: Vec<(u32, Vec<u8>)> = added
            .iter()
            .filter(|(_, token)| !vocab.contains_key(&token.content) || !is_model(&token.content))
            .map(|(id, token)| (*id, token.content.clone().into_bytes()))
            .collect();
        let contents: FxHashSet<&str> = added.iter().map(|(_, token)| token.content.as_str()).collect();
        for (text, &id) in vocab.iter().filter(|(text, _)| !contents.contains(text.as_str()) || is_model(text)) {
            vocabulary.push((id, bytes(text)?));
        }
        let merges = merges.iter().map(|(left, right)| Ok((bytes(left)?, bytes(right)?)));
        let merges = merges.collect::<Result<Vec<_>, DataError>>()?;
        let added = added.into_iter().map(|(id, token)| (token, Some(id))).collect();
        let tokenizer = Self::assemble(Parts { vocabulary, merges, added, habits })?;
        let known = |id: &u32| (*id as usize) < tokenizer.vocab_size();
        if !template.before.iter().chain(&template.after).all(known) {
            return Err(library(
                "its post_processor adds an id that no token has; save it again with its added tokens",
            ));
        }
        Ok(Self { template, source: Some(json.into()), notes, ..tokenizer })
    }

    /// Writes the Hugging Face `tokenizer.json` format.
    ///
    /// # Errors
    /// When a special token equals the spelling of another token's bytes.
    pub fn to_json(&self) -> Result<String, DataError> {
        if let Some(source) = &self.source {
            return Ok(source.to_string());
        }
        let characters = byte_characters();
        let spell = |bytes: &[u8]| bytes.iter().map(|&byte| characters[usize::from(byte)]).collect::<String>();
        let mut vocab: Vec<(u32, String)> = self.specials().map(|(special, id)| (id, special.to_string())).collect();
        let special: FxHashMap<String, u32> = vocab.iter().map(|(id, special)| (special.clone(), *id)).collect();
        let mut seen: FxHashMap<&[u8], u32> = FxHashMap::default();
        for (id, bytes) in (0..).zip(&self.tokens).filter(|(id, _)| !self.special_ids.contains(id)) {
            if bytes.is_empty() || *seen.entry(bytes).or_insert(id) != id {
                continue; // the id is unused, or an earlier one has the same bytes
            }
            let spelled = spell(bytes);
            if special.contains_key(&spelled) {
                let text = String::from_utf8_lossy(bytes).into_owned();
                return Err(library(format!("a special token is spelled like the token {text:?}; choose another")));
            }
            vocab.push((id, spelled));
        }
        vocab.sort_unstable();
        let added = self.specials().map(|(content, id)| {
            json!({
                "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true,
            })
        });
        let added = format!("{:#}", Value::Array(added.collect())).replace('\n', "\n  ");
        let Habits { cut, composes, keeps_whole } = self.habits;
        let mut text = HEAD
            .replace("PRE_TOKENIZER", &pre_tokenizer(cut))
            .replace("BYTE_LEVEL", BYTE_LEVEL)
            .replace("NORMALIZER", if composes { r#"{ "type": "NFC" }"# } else { "null" })
            .replace("KEEPS_WHOLE", &keeps_whole.to_string())
            .replacen("ADDED", &added, 1);
        for (at, (id, token)) in vocab.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            text += &format!("{comma}\n      {}: {id}", Value::from(token.as_str()));
        }
        text.push_str("\n    },\n    \"merges\": [");
        for (at, (left, right)) in self.merges.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let [left, right] = [left, right].map(|bytes| Value::from(spell(bytes)));
            text += &format!("{comma}\n      [{left}, {right}]");
        }
        text.push_str("\n    ]\n  }\n}");
        Ok(text)
    }

    /// Reads a `tokenizer.json` or a rank file (`.tiktoken`); `cut` is the rank file's pattern if its ranks are
    /// unknown.
    ///
    /// # Errors
    /// When it cannot be read or has another format.
    pub fn from_file(path: &Path, cut: Option<Cut>) -> Result<Self, DataError> {
        let file_error = |problem: String| DataError::File { path: path.into(), problem };
        let text = std::fs::read_to_string(path).map_err(|error| DataError::of_file(path, &error))?;
        let is_json = text.trim_start().starts_with('{');
        let read = if is_json { Self::from_json(&text) } else { Self::from_ranks(&text, cut) };
        read.map_err(|error| file_error(error.to_string()))
    }
}

fn other(what: impl Into<String>) -> DataError {
    DataError::OtherTokenizer { what: what.into() }
}
