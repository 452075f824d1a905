//! Encoding with a cache of pre-tokens, for texts of any length.

use std::io::Read;

use rustc_hash::FxHashMap;
use tokenizers::Model as _;

use super::{END_OF_TEXT, Tokenizer, byte_characters};
use crate::data::blocks::Blocks;
use crate::data::error::DataError;
use crate::data::pretokenize::{Piece, Specials, compose};

/// Limits of the cache: the number of pre-tokens, and the length of each. At most about 30 MB.
const MAX_KNOWN: usize = 1 << 18;
const LONGEST_KNOWN: usize = 64;

/// Encodes one or more texts with a tokenizer.
pub struct Encoder<'t> {
    tokenizer: &'t Tokenizer,
    specials: &'t Specials,
    /// The index of the special token that ends a document.
    border: Option<usize>,
    characters: [char; 256],
    /// The range in `ids` of each cached pre-token.
    known: FxHashMap<Box<str>, (u32, u32)>,
    ids: Vec<u32>,
    /// A buffer: a pre-token in the characters that represent its bytes.
    spelled: String,
}

impl<'t> Encoder<'t> {
    /// Encodes texts as they are. The cache starts empty.
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

    /// Encodes training texts, where [`END_OF_TEXT`] ends a document.
    pub fn of_documents(tokenizer: &'t Tokenizer) -> Self {
        let specials = tokenizer.with_border.as_ref().unwrap_or(&tokenizer.specials);
        let border = specials.names().iter().position(|name| name == END_OF_TEXT);
        Self { specials, border, ..Self::new(tokenizer) }
    }

    /// Appends the ids of `text` to `out`.
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
        // The model fails only if it needs an unknown token, and it has none.
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
    /// The ids of everything that `reader` reads, block by block, with one block in memory. Concatenated, they equal
    /// the result of [`Tokenizer::encode_documents`] on the whole text.
    ///
    /// Yields an error if reading fails or the text is not UTF-8, and nothing after it.
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
