//! Tokenizers in files: Hugging Face's `tokenizer.json`, and the ranks of a `.tiktoken` file.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, DecoderWrapper, Model as _, ModelWrapper, PreTokenizerWrapper};

use super::error::DataError;
use super::tokenizer::{END_OF_TEXT, Tokenizer, byte_characters, library, missing_merge};

/// What has to be looked at before the library reads a `tokenizer.json`, and what it does not tell afterwards.
#[derive(Deserialize)]
struct File {
    model: serde_json::Value,
}

#[derive(Deserialize)]
struct FileModel {
    vocab: FxHashMap<String, u32>,
    merges: Vec<FileMerge>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
}

/// Older files have a merge as one string with a space.
#[derive(Deserialize)]
#[serde(untagged)]
enum FileMerge {
    Pair(String, String),
    Line(String),
}

impl FileModel {
    /// Refuses what the library would read with a panic or differently.
    fn read(json: &str) -> Result<Self, DataError> {
        let File { model } = serde_json::from_str(json).map_err(library)?;
        if model["type"].as_str().is_some_and(|kind| kind != "BPE") {
            return Err(other("another model than BPE"));
        }
        let model: Self = serde_json::from_value(model).map_err(library)?;
        let is_set = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        if is_set(&model.continuing_subword_prefix) || is_set(&model.end_of_word_suffix) {
            return Err(other("marks inside or at the end of words"));
        }
        Ok(model)
    }

    fn merges(&self) -> Result<Vec<(&str, &str)>, DataError> {
        let merges = self.merges.iter().map(|merge| match merge {
            FileMerge::Pair(left, right) => (left.as_str(), right.as_str()),
            FileMerge::Line(line) => line.split_once(' ').unwrap_or((line, "")),
        });
        let merges: Vec<(&str, &str)> = merges.collect();
        match merges.iter().find(|(left, right)| !self.vocab.contains_key(&format!("{left}{right}"))) {
            Some((left, right)) => Err(missing_merge(left, right)),
            None => Ok(merges),
        }
    }
}

impl Tokenizer {
    /// Reads the Hugging Face `tokenizer.json` format.
    ///
    /// # Errors
    /// When it is not that, or another tokenizer than byte-level BPE with GPT-2's pre-tokenisation.
    pub fn from_json(json: &str) -> Result<Self, DataError> {
        let file = FileModel::read(json)?;
        let merges = file.merges()?;
        let inner: tokenizers::Tokenizer = json.parse().map_err(library)?;
        check(&inner)?;
        let bytes_of: FxHashMap<char, u8> = byte_characters().into_iter().zip(0..=255).collect();
        let bytes = |text: &str| -> Result<Vec<u8>, DataError> {
            let bytes = text.chars().map(|character| bytes_of.get(&character).copied()).collect::<Option<_>>();
            bytes.ok_or_else(|| other(format!("the token {text:?}, which does not stand for bytes")))
        };
        let added = inner.get_added_tokens_decoder();
        let mut vocabulary: Vec<(u32, Vec<u8>)> = Vec::new();
        for (text, id) in file.vocab.iter().filter(|(_, id)| !added.contains_key(*id)) {
            vocabulary.push((*id, bytes(text)?));
        }
        let merges = merges.into_iter().map(|(left, right)| Ok((bytes(left)?, bytes(right)?)));
        let merges = merges.collect::<Result<Vec<_>, DataError>>()?;
        let mut added: Vec<(u32, String)> = added.into_iter().map(|(id, token)| (id, token.content)).collect();
        added.sort_unstable();
        vocabulary.extend(added.iter().map(|(id, content)| (*id, content.clone().into_bytes())));
        let specials: Vec<String> = added.into_iter().map(|(_, content)| content).collect();
        Self::from_parts(vocabulary, merges, &specials)
    }

    /// The Hugging Face `tokenizer.json` format.
    ///
    /// # Errors
    /// When a special token is spelled as that format spells another token's bytes.
    pub fn to_json(&self) -> Result<String, DataError> {
        let characters = byte_characters();
        let spell = |bytes: &[u8]| bytes.iter().map(|&byte| characters[byte as usize]).collect::<String>();
        let mut ids = ahash::AHashMap::new();
        for (special, id) in self.specials() {
            ids.insert(special.to_string(), id);
        }
        for (id, bytes) in (0..).zip(&self.tokens).filter(|(id, _)| !self.special_ids.contains(id)) {
            let spelled = spell(bytes);
            match self.model.token_to_id(&spelled) {
                Some(first) if first == id => {}
                _ => continue, // there is no such id, or an earlier one has the same bytes
            }
            if ids.insert(spelled, id).is_some_and(|special| special != id) {
                let text = String::from_utf8_lossy(bytes).into_owned();
                return Err(library(format!("a special token is spelled like the token {text:?}; choose another")));
            }
        }
        let merges = self.merges.iter().map(|(left, right)| (spell(left), spell(right))).collect();
        let model = BPE::builder().vocab_and_merges(ids, merges).build().map_err(library)?;
        let mut inner = tokenizers::Tokenizer::new(ModelWrapper::BPE(model));
        let byte_level = ByteLevel::new(false, false, true);
        inner.with_pre_tokenizer(Some(PreTokenizerWrapper::ByteLevel(byte_level)));
        inner.with_decoder(Some(DecoderWrapper::ByteLevel(byte_level)));
        let specials = self.specials().map(|(special, _)| AddedToken::from(special, true).normalized(false));
        inner.add_special_tokens(specials.collect::<Vec<_>>()).map_err(library)?;
        inner.to_string(true).map_err(library)
    }

    /// Reads a file in one of these formats: `.tiktoken` (with [`END_OF_TEXT`]), or `tokenizer.json`.
    ///
    /// # Errors
    /// When it cannot be read or is something else.
    pub fn from_file(path: &Path) -> Result<Self, DataError> {
        let file_error = |problem: String| DataError::File { path: path.into(), problem };
        let text = std::fs::read_to_string(path).map_err(|error| file_error(error.to_string()))?;
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
    let mut ends: Vec<usize> = (0..=token.len()).collect();
    while ends.len() > 3 {
        let merged = |at: usize| ranks.get(&token[ends[at - 1]..ends[at + 1]]).copied().filter(|&r| r < rank);
        let (_, at) = (1..ends.len() - 1).filter_map(|at| Some((merged(at)?, at))).min()?;
        ends.remove(at);
    }
    (ends.len() == 3).then(|| (token[..ends[1]].to_vec(), token[ends[1]..].to_vec()))
}

fn other(what: impl Into<String>) -> DataError {
    DataError::OtherTokenizer { what: what.into() }
}

/// Whether a tokenizer does what this module does in its place.
fn check(inner: &tokenizers::Tokenizer) -> Result<(), DataError> {
    let ModelWrapper::BPE(model) = inner.get_model() else {
        return Err(other("another model than BPE"));
    };
    if model.byte_fallback || model.ignore_merges || model.dropout.is_some_and(|rate| rate > 0.0) {
        return Err(other("byte_fallback, ignore_merges or dropout"));
    }
    if inner.get_normalizer().is_some() {
        return Err(other("a normalizer"));
    }
    match inner.get_pre_tokenizer() {
        Some(PreTokenizerWrapper::ByteLevel(byte_level)) if byte_level.use_regex && !byte_level.add_prefix_space => {}
        _ => return Err(other("another pre-tokenizer than ByteLevel, or one that adds a space")),
    }
    let added = inner.get_added_tokens_decoder();
    if let Some(token) = added.values().find(|token| token.lstrip || token.rstrip || token.single_word) {
        return Err(other(format!("the special token {:?} that takes white space along", token.content)));
    }
    Ok(())
}
