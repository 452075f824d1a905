//! Tokenizers in files: Hugging Face's `tokenizer.json`, and the ranks of a `.tiktoken` file.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use super::cut::{Cut, Habits};
use super::error::DataError;
use super::tokenizer::{END_OF_TEXT, Tokenizer, byte_characters, library, missing_merge};

/// A file up to its vocabulary, in the order in which the format's own program writes it.
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

/// What this module reads of a `tokenizer.json`.
struct File {
    vocab: FxHashMap<String, u32>,
    merges: Vec<(String, String)>,
    /// Tokens that are found in texts before anything is merged, by id.
    added: Vec<(u32, String)>,
    habits: Habits,
}

impl File {
    /// Refuses what would encode differently here.
    fn read(json: &str) -> Result<Self, DataError> {
        let file: Value = serde_json::from_str(json).map_err(library)?;
        let habits = habits(&file)?;
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
        let mut added = Vec::new();
        for token in file["added_tokens"].as_array().into_iter().flatten() {
            let content = token["content"].as_str().ok_or_else(|| library("a special token has no content"))?;
            if ["lstrip", "rstrip", "single_word"].iter().any(|field| token[field] == true) {
                return Err(other(format!("the special token {content:?} that takes white space along")));
            }
            let id = vocab.get(content).copied().or_else(|| whole(&token["id"]));
            let id = id.ok_or_else(|| library(format!("the special token {content:?} has no number as its id")))?;
            if !content.is_empty() {
                added.push((id, content.to_string()));
            }
        }
        added.sort_unstable();
        added.dedup();
        Ok(Self { vocab, merges, added, habits })
    }
}

fn whole(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| number.try_into().ok())
}

/// A pair; older files have it as one string with a space.
fn merge(value: &Value) -> Result<(String, String), DataError> {
    let pair = match value {
        Value::String(line) => Some(line.split_once(' ').unwrap_or((line, ""))),
        Value::Array(pair) if pair.len() == 2 => pair[0].as_str().zip(pair[1].as_str()),
        _ => None,
    };
    let (left, right) = pair.ok_or_else(|| library(format!("the merge {value} is no pair of tokens")))?;
    Ok((left.into(), right.into()))
}

/// What a file describes besides merging, as far as this module does it.
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
    if model["byte_fallback"] == true || drops {
        return Err(other("byte_fallback or dropout"));
    }
    let normalizer = &file["normalizer"];
    let composes = normalizer["type"] == "NFC";
    if !normalizer.is_null() && !composes {
        return Err(other("a normalizer other than NFC"));
    }
    Ok(Habits { cut: cut(&file["pre_tokenizer"])?, composes, keeps_whole: model["ignore_merges"] == true })
}

/// How a file's pre-tokenizer cuts; it may be a sequence of several.
fn cut(pre_tokenizer: &Value) -> Result<Cut, DataError> {
    let several = pre_tokenizer["pretokenizers"].as_array().filter(|_| pre_tokenizer["type"] == "Sequence");
    let steps: Vec<&Value> = several.map_or_else(|| vec![pre_tokenizer], |steps| steps.iter().collect());
    let byte_level = |step: &Value| step["type"] == "ByteLevel" && step["add_prefix_space"] == false;
    let pattern = |step: &Value| -> Option<Cut> {
        let plain = step["type"] == "Split" && step["behavior"] == "Isolated" && step["invert"] != true;
        let pattern = step["pattern"]["Regex"].as_str().filter(|_| plain)?;
        Cut::ALL.into_iter().find(|cut| cut.split().as_deref() == Some(pattern))
    };
    let known = match steps[..] {
        [last] if byte_level(last) && last["use_regex"] != false => Some(Cut::Gpt2),
        [first, last] if byte_level(last) && last["use_regex"] != false => {
            (first["type"] == "Digits" && first["individual_digits"] == true).then_some(Cut::Digits)
        }
        [first, last] if byte_level(last) => pattern(first),
        _ => None,
    };
    known.ok_or_else(|| {
        other("a pre-tokenizer that cuts otherwise than those of GPT-2, SmolLM, Llama 3 and Qwen 2, or adds a space")
    })
}

/// The pre-tokenizer of a file that cuts so.
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
    /// When it is not that, or another tokenizer than byte-level BPE with one of the ways to [`Cut`].
    pub fn from_json(json: &str) -> Result<Self, DataError> {
        let File { vocab, merges, added, habits } = File::read(json)?;
        let bytes_of: FxHashMap<char, u8> = byte_characters().into_iter().zip(0..=255).collect();
        let bytes = |text: &str| -> Result<Vec<u8>, DataError> {
            let bytes = text.chars().map(|character| bytes_of.get(&character).copied()).collect::<Option<_>>();
            bytes.ok_or_else(|| other(format!("the token {text:?}, which does not stand for bytes")))
        };
        let is_added = |id: u32| added.binary_search_by_key(&id, |(id, _)| *id).is_ok();
        let mut vocabulary: Vec<(u32, Vec<u8>)> = Vec::new();
        for (text, &id) in vocab.iter().filter(|&(_, &id)| !is_added(id)) {
            vocabulary.push((id, bytes(text)?));
        }
        let merges = merges.iter().map(|(left, right)| Ok((bytes(left)?, bytes(right)?)));
        let merges = merges.collect::<Result<Vec<_>, DataError>>()?;
        vocabulary.extend(added.iter().map(|(id, content)| (*id, content.clone().into_bytes())));
        let specials: Vec<String> = added.into_iter().map(|(_, content)| content).collect();
        Ok(Self::from_parts(vocabulary, merges, &specials)?.with_habits(habits))
    }

    /// The Hugging Face `tokenizer.json` format.
    ///
    /// # Errors
    /// When a special token is spelled as that format spells another token's bytes.
    pub fn to_json(&self) -> Result<String, DataError> {
        let characters = byte_characters();
        let spell = |bytes: &[u8]| bytes.iter().map(|&byte| characters[usize::from(byte)]).collect::<String>();
        let mut vocab: Vec<(u32, String)> = self.specials().map(|(special, id)| (id, special.to_string())).collect();
        let special: FxHashMap<String, u32> = vocab.iter().map(|(id, special)| (special.clone(), *id)).collect();
        let mut seen: FxHashMap<&[u8], u32> = FxHashMap::default();
        for (id, bytes) in (0..).zip(&self.tokens).filter(|(id, _)| !self.special_ids.contains(id)) {
            if bytes.is_empty() || *seen.entry(bytes).or_insert(id) != id {
                continue; // there is no such id, or an earlier one has the same bytes
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

    /// Reads a file in one of these formats: `.tiktoken` (with [`END_OF_TEXT`]), or `tokenizer.json`.
    ///
    /// # Errors
    /// When it cannot be read or is something else.
    pub fn from_file(path: &Path) -> Result<Self, DataError> {
        let file_error = |problem: String| DataError::File { path: path.into(), problem };
        let text = std::fs::read_to_string(path).map_err(|error| DataError::of_file(path, &error))?;
        let is_tiktoken = path.extension().is_some_and(|extension| extension == "tiktoken");
        let read = if is_tiktoken { Self::from_tiktoken(&text, &[END_OF_TEXT]) } else { Self::from_json(&text) };
        read.map_err(|error| file_error(error.to_string()))
    }

    /// Reads a `.tiktoken` file: a token in Base64 and its rank on every line. The special tokens that are not among
    /// them get the ids behind the last one, as GPT-2's `<|endoftext|>` has 50256.
    ///
    /// # Errors
    /// When a line is something else.
    pub fn from_tiktoken<S: AsRef<str>>(text: &str, specials: &[S]) -> Result<Self, DataError> {
        let mut tokens = Vec::new();
        for (line, entry) in (1..).zip(text.lines()).filter(|(_, entry)| !entry.trim().is_empty()) {
            let parsed = entry.trim().split_once(' ').and_then(|(token, rank)| {
                Some((rank.parse().ok()?, BASE64_STANDARD.decode(token).ok().filter(|bytes| !bytes.is_empty())?))
            });
            tokens.push(parsed.ok_or(DataError::Ranks { line })?);
        }
        if tokens.is_empty() {
            return Err(DataError::Ranks { line: 1 });
        }
        tokens.sort_unstable();
        let ranks: FxHashMap<&[u8], u32> = tokens.iter().map(|(rank, bytes)| (bytes.as_slice(), *rank)).collect();
        let merges = tokens.iter().filter_map(|(rank, bytes)| last_merge(bytes, *rank, &ranks)).collect();
        Self::from_parts(tokens, merges, specials)
    }
}

/// The two parts that a token is merged from: what the merges of lower ranks leave of its bytes. None for single bytes,
/// and for tokens that lower ranks cannot build.
fn last_merge(token: &[u8], rank: u32, ranks: &FxHashMap<&[u8], u32>) -> Option<(Vec<u8>, Vec<u8>)> {
    let n_bytes = token.len();
    // Where the part ends that begins at a place (0: none does), and where the part begins that ends there.
    let mut end: Vec<usize> = (1..=n_bytes).collect();
    let mut begin: Vec<usize> = (0..=n_bytes).map(|at| at.saturating_sub(1)).collect();
    let pair = |from: usize, middle: usize, to: usize| {
        let merged = ranks.get(&token[from..to]).copied().filter(|&merged| merged < rank)?;
        Some(Reverse((merged, from, middle, to)))
    };
    let mut pairs: BinaryHeap<_> = (2..=n_bytes).filter_map(|to| pair(to - 2, to - 1, to)).collect();
    let mut n_parts = n_bytes;
    while n_parts > 2 {
        let Reverse((_, from, middle, to)) = pairs.pop()?;
        if end[from] != middle || end[middle] != to {
            continue; // one of the two has been merged with its other neighbour
        }
        (end[from], end[middle], begin[to]) = (to, 0, from);
        n_parts -= 1;
        pairs.extend((from > 0).then(|| pair(begin[from], from, to)).flatten());
        pairs.extend((to < n_bytes).then(|| pair(from, to, end[to])).flatten());
    }
    (n_parts == 2).then(|| (token[..end[0]].to_vec(), token[end[0]..].to_vec()))
}

fn other(what: impl Into<String>) -> DataError {
    DataError::OtherTokenizer { what: what.into() }
}
