//! Training and held-out tokens, and the starting positions of batches.

use std::ops::Range;

use super::error::DataError;
use super::tokenizer::{END_OF_TEXT, Tokenizer};
use crate::rng::Rng;

/// The tokens of a text, split into two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// The training tokens.
    pub train: Vec<u32>,
    /// The held-out tokens.
    pub val: Vec<u32>,
}

impl Dataset {
    /// Encodes `text` and holds out the last tenth of its tokens.
    ///
    /// # Errors
    /// When a part is shorter than a window of `context_length` tokens and the next one.
    pub fn new(tokenizer: &Tokenizer, text: &str, context_length: usize) -> Result<Self, DataError> {
        if text.is_empty() {
            return Err(DataError::Empty);
        }
        let mut train = tokenizer.encode_documents(text);
        let window = held_out_window(train.len());
        let val = train.split_off(window.start + held_out_offset(&train[window], tokenizer));
        for (part, tokens) in [("training", train.len()), ("held-out", val.len())] {
            if tokens <= context_length {
                return Err(DataError::TooShort { part, tokens, context_length });
            }
        }
        Ok(Self { train, val })
    }
}

/// The maximum shift of the split in a long text, in tokens, from nine tenths toward its end.
const MAX_WINDOW: usize = 1 << 20;

/// The positions in `n_tokens` tokens at which the held-out part may begin.
pub fn held_out_window(n_tokens: usize) -> Range<usize> {
    let target = n_tokens / 10 * 9;
    target..target + (n_tokens / 50).min(MAX_WINDOW)
}

/// The offset in that window at which it begins: after the end of a document if there is one, else after a line, else
/// 0.
pub fn held_out_offset(window: &[u32], tokenizer: &Tokenizer) -> usize {
    let end = window.iter().position(|&id| Some(id) == tokenizer.end_of_text());
    let line = || window.iter().position(|&id| tokenizer.token_bytes(id).ends_with(b"\n"));
    end.or_else(line).map_or(0, |at| at + 1)
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

/// Splits off the last tenth of a text as held-out data: at the end of a story if one is near, else at the end of a
/// line, else between two characters.
pub fn split(text: &str) -> (&str, &str) {
    let target = (0..=text.len() / 10 * 9).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let near = (target..text.len()).take(text.len() / 50).rfind(|&at| text.is_char_boundary(at)).unwrap_or(target);
    let behind = |mark: &str| text[target..near].find(mark).map(|at| target + at + mark.len());
    text.split_at(behind(END_OF_TEXT).or_else(|| behind("\n")).unwrap_or(target))
}

/// The starts of a batch's sequences (B), drawn uniformly from all positions with room for `context_length` inputs and
/// the token after them. Only positions below 2³² are used.
///
/// # Panics
/// When there is no such position; [`Dataset::new`] rules this out.
pub fn batch_starts(rng: &mut Rng, n_tokens: usize, context_length: usize, batch_size: usize) -> Vec<u32> {
    let n_starts = u32::try_from(n_tokens - context_length).unwrap_or(u32::MAX);
    (0..batch_size).map(|_| rng.below(n_starts)).collect()
}

/// The starts of `n_windows` windows, always the same, spread evenly over the tokens up to position 2³² − 1.
pub fn evaluation_starts(n_tokens: usize, context_length: usize, n_windows: usize) -> Vec<u32> {
    let last = (n_tokens - context_length - 1).min(u32::MAX as usize) as u64;
    let n = n_windows as u64;
    (0..n).map(|i| (last * i / n.saturating_sub(1).max(1)) as u32).collect()
}
