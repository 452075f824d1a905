//! Encoding that remembers the pre-tokens it has met, for texts of any length.

use std::io::Read;

use rustc_hash::FxHashMap;
use tokenizers::Model as _;

use super::blocks::Blocks;
use super::error::DataError;
use super::pretokenize::{Piece, Specials, compose};
use super::tokenizer::{END_OF_TEXT, Tokenizer, byte_characters};

/// How many pre-tokens are remembered, and how long they may be: some 30 MB at most.
const MAX_KNOWN: usize = 1 << 18;
const LONGEST_KNOWN: usize = 64;

/// A tokenizer at work on a text, or on many.
pub struct Encoder<'t> {
    tokenizer: &'t Tokenizer,
    specials: &'t Specials,
    /// The special token that is the end of a document.
    border: Option<usize>,
    characters: [char; 256],
    /// Where the ids of known pre-tokens lie in `ids`.
    known: FxHashMap<Box<str>, (u32, u32)>,
    ids: Vec<u32>,
    /// A pre-token in the characters that stand for its bytes.
    spelled: String,
}

impl<'t> Encoder<'t> {
    /// Encodes texts as they are; remembers nothing yet.
    pub fn new(tokenizer: &'t Tokenizer) -> Self {
        Self {
            tokenizer,
            specials: &tokenizer.specials,
            border: None,
            characters: byte_characters(),
            known: FxHashMap::default(),
            ids: Vec::new(),
            spelled: String::new(),
        }
    }

    /// Encodes texts to train on, in which [`END_OF_TEXT`] ends a document.
    pub fn of_documents(tokenizer: &'t Tokenizer) -> Self {
        let specials = tokenizer.with_border.as_ref().unwrap_or(&tokenizer.specials);
        let border = specials.names().iter().position(|name| name == END_OF_TEXT);
        Self { specials, border, ..Self::new(tokenizer) }
    }

    /// Appends the ids of `text`.
    pub fn encode(&mut self, text: &str, out: &mut Vec<u32>) {
        let (specials, habits) = (self.specials, self.tokenizer.habits);
        for piece in specials.pieces(text) {
            let text = match piece {
                Piece::Special(index) => {
                    out.extend(self.special_id(index));
                    continue;
                }
                Piece::Text(text) if habits.composes => compose(text),
                Piece::Text(text) => text.into(),
            };
            for piece in specials.normalized_pieces(&text) {
                match piece {
                    Piece::Special(index) => out.extend(self.special_id(index)),
                    Piece::Text(text) => habits.cut.pretokens(text).for_each(|word| self.encode_word(word, out)),
                }
            }
        }
    }

    fn special_id(&self, index: usize) -> Option<u32> {
        match self.border {
            Some(border) if border == index => self.tokenizer.end_of_text(),
            _ => self.tokenizer.special_ids.get(index).copied(),
        }
    }

    fn encode_word(&mut self, word: &str, out: &mut Vec<u32>) {
        if let Some(&(start, end)) = self.known.get(word) {
            return out.extend_from_slice(&self.ids[start as usize..end as usize]);
        }
        self.spelled.clear();
        self.spelled.extend(word.bytes().map(|byte| self.characters[byte as usize]));
        // The model refuses only what asks for an unknown token, and it has none.
        let tokens = self.tokenizer.model.tokenize(&self.spelled).unwrap_or_default();
        let first = out.len();
        out.extend(tokens.into_iter().map(|token| token.id));
        if word.len() <= LONGEST_KNOWN && self.known.len() < MAX_KNOWN {
            let start = self.ids.len() as u32;
            self.ids.extend_from_slice(&out[first..]);
            self.known.insert(word.into(), (start, self.ids.len() as u32));
        }
    }
}

impl Tokenizer {
    /// The ids of all that `reader` reads, block by block, with one block in memory. Together they are the ids that
    /// [`Tokenizer::encode_documents`] has for the whole text.
    ///
    /// Items are errors when it cannot be read or is not UTF-8; nothing comes after one.
    pub fn encode_reader(&self, reader: impl Read) -> impl Iterator<Item = Result<Vec<u32>, DataError>> {
        let mut encoder = Encoder::of_documents(self);
        Blocks::new(reader, encoder.specials).map(move |text| {
            let text = text?;
            let mut ids = Vec::with_capacity(text.len() / 3);
            encoder.encode(&text, &mut ids);
            Ok(ids)
        })
    }
}
