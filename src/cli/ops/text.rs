//! Byte-level BPE: `train_bpe`, `tok_new`, `tok_encode`, `tok_decode`. Bytes are sent as Base64.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::Server;
use super::answer::Answer;
use super::request::{OpError, Request, wrong};
use crate::data::{Tokenizer, train_file};

/// The argument `special`: a list of strings, empty by default.
fn specials(request: &Request<'_>) -> Result<Vec<String>, OpError> {
    let expected = "a list of strings";
    if request.arg("special").is_null() {
        return Ok(Vec::new());
    }
    let special = |value: Value| match value {
        Value::String(special) => Ok(special),
        other => wrong("argument special", format!("a list with {other}"), expected),
    };
    request.list("special", expected)?.into_iter().map(special).collect()
}

fn decoded(field: &str, value: &Value) -> Result<Vec<u8>, OpError> {
    let bytes = value.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
    bytes.map_or_else(|| wrong(field, value.to_string(), "a string in Base64"), Ok)
}

/// Trains a vocabulary of at most `n` tokens on the file at `path`.
pub(super) fn train_bpe(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let (path, vocab_size) = (PathBuf::from(request.text("path")?), request.size("n")?);
    let specials = specials(request)?;
    if let Err(source) = fs::File::open(&path) {
        return Err(OpError::File { path, source });
    }
    let specials: Vec<&str> = specials.iter().map(String::as_str).collect();
    let vocabulary = train_file(&path, vocab_size, &specials)?;
    let tokens: Vec<String> = vocabulary.tokens.iter().map(|bytes| BASE64_STANDARD.encode(bytes)).collect();
    let pair = |&(left, right): &(u32, u32)| [&tokens[left as usize], &tokens[right as usize]];
    let merges: Vec<_> = vocabulary.merges.iter().map(pair).collect();
    Ok(Answer::result(json!({ "vocab": tokens, "merges": merges })))
}

/// Creates a tokenizer from its parts and returns its handle, counted from 0.
pub(super) fn tok_new(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let mut vocabulary = Vec::new();
    for (id, bytes) in request.object("vocab", "an object from ids to strings in Base64")? {
        let Ok(number) = id.parse::<u32>() else {
            return wrong("argument vocab", format!("an object with the key {id:?}"), "one with whole numbers as keys");
        };
        vocabulary.push((number, decoded(&format!("vocab[{id}]"), &bytes)?));
    }
    let mut merges = Vec::new();
    let expected = "a list of pairs of strings in Base64";
    for (at, merge) in request.list("merges", expected)?.iter().enumerate() {
        let Some([left, right]) = merge.as_array().map(Vec::as_slice) else {
            return wrong(format!("merges[{at}]"), merge.to_string(), "a pair of strings in Base64");
        };
        let field = format!("merges[{at}]");
        merges.push((decoded(&field, left)?, decoded(&field, right)?));
    }
    server.tokenizers.push(Tokenizer::from_parts(vocabulary, merges, &specials(request)?)?);
    Ok(Answer::result(server.tokenizers.len() - 1))
}

pub(super) fn tokenizer<'s>(server: &'s Server<'_>, request: &Request<'_>) -> Result<&'s Tokenizer, OpError> {
    let handle = request.count("h")?;
    let tokenizer = usize::try_from(handle).ok().and_then(|handle| server.tokenizers.get(handle));
    tokenizer.map_or_else(|| wrong("argument h", handle.to_string(), "a handle that tok_new has given"), Ok)
}

/// The ids of a text.
pub(super) fn tok_encode(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let tokenizer = tokenizer(server, request)?;
    let text = request.long_text("text")?;
    let ids = tokenizer.encode(&text);
    // Special tokens are encoded as a whole, so their bytes need no tokens.
    if let Some(byte) = tokenizer.unknown_byte(&text).filter(|_| tokenizer.decode(&ids) != text) {
        let found = format!("a text with the byte {byte:#04x}");
        return wrong("argument text", found, "one whose bytes are in the vocabulary");
    }
    let ids: Vec<i64> = ids.into_iter().map(i64::from).collect();
    Ok(Answer::default().and_ints("ids", &[ids.len()], &ids))
}

/// The text of ids.
pub(super) fn tok_decode(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let tokenizer = tokenizer(server, request)?;
    let ids = request.any_ints("ids")?.below(tokenizer.vocab_size())?;
    Ok(Answer::result(tokenizer.decode(&ids)))
}
