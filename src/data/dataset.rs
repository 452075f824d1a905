//! Training and held-out tokens, and where batches begin in them.

use super::error::DataError;
use super::tokenizer::{END_OF_TEXT, Tokenizer};
use crate::rng::Rng;

/// The tokens of a text, split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// To train on.
    pub train: Vec<u32>,
    /// Held out.
    pub val: Vec<u32>,
}

impl Dataset {
    /// Encodes both parts of `text`.
    ///
    /// # Errors
    /// When a part is too short for a window of `context_length` and its next token.
    pub fn new(tokenizer: &Tokenizer, text: &str, context_length: usize) -> Result<Self, DataError> {
        if text.is_empty() {
            return Err(DataError::Empty);
        }
        let (train, val) = split(text);
        let encode = |part, text| {
            let ids = tokenizer.encode_documents(text);
            let tokens = ids.len();
            if tokens > context_length { Ok(ids) } else { Err(DataError::TooShort { part, tokens, context_length }) }
        };
        Ok(Self { train: encode("training", train)?, val: encode("held-out", val)? })
    }
}

/// The text of a file: UTF-8 with or without a byte-order mark, or UTF-16 with one.
///
/// # Errors
/// When it is neither, or empty.
pub fn decode_text(mut bytes: Vec<u8>) -> Result<String, DataError> {
    let utf16 = |from: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| from([pair[0], pair[1]]));
        char::decode_utf16(units.skip(1)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    let text: String = match bytes.as_slice() {
        [0xff, 0xfe, ..] => utf16(u16::from_le_bytes),
        [0xfe, 0xff, ..] => utf16(u16::from_be_bytes),
        _ => {
            if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
                bytes.drain(..3);
            }
            String::from_utf8(bytes).map_err(|error| DataError::Encoding { at: error.utf8_error().valid_up_to() })?
        }
    };
    if text.trim().is_empty() { Err(DataError::Empty) } else { Ok(text) }
}

/// Cuts off the last tenth of a text, to be held out: behind the end of a story where there is one near, else behind
/// a line, else between characters.
pub fn split(text: &str) -> (&str, &str) {
    let target = (0..=text.len() / 10 * 9).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let near = (target..text.len()).take(text.len() / 50).rfind(|&at| text.is_char_boundary(at)).unwrap_or(target);
    let behind = |mark: &str| text[target..near].find(mark).map(|at| target + at + mark.len());
    text.split_at(behind(END_OF_TEXT).or_else(|| behind("\n")).unwrap_or(target))
}

/// Where the sequences of a batch begin (B): every start that leaves room for `context_length` inputs and the token
/// after them is equally likely, of those that 32 bits number.
///
/// # Panics
/// When there is no such start; [`Dataset::new`] has made sure that there is.
pub fn batch_starts(rng: &mut Rng, n_tokens: usize, context_length: usize, batch_size: usize) -> Vec<u32> {
    let n_starts = u32::try_from(n_tokens - context_length).unwrap_or(u32::MAX);
    (0..batch_size).map(|_| rng.below(n_starts)).collect()
}

/// The starts of `n_windows` windows, spread evenly over the tokens, as far as 32 bits number them, and always the same.
pub fn evaluation_starts(n_tokens: usize, context_length: usize, n_windows: usize) -> Vec<u32> {
    let last = (n_tokens - context_length - 1).min(u32::MAX as usize) as u64;
    let n = n_windows as u64;
    (0..n).map(|i| (last * i / n.saturating_sub(1).max(1)) as u32).collect()
}
