//! Text to ids and back, through the `tokenizers` crate.

use ahash::AHashMap;

use rustc_hash::FxHashMap;
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, DecoderWrapper, ModelWrapper, PreTokenizerWrapper};

use super::bpe::Vocabulary;
use super::error::DataError;
use super::pretokenize::{Piece, pieces, pretokens};

/// Ends a text.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// A byte-level BPE tokenizer.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    end_of_text: u32,
    specials: Vec<String>,
    /// The bytes that the characters of byte-level tokens stand for.
    bytes: FxHashMap<char, u8>,
}

impl Tokenizer {
    /// A tokenizer with the ids of `vocabulary`, which has to hold [`END_OF_TEXT`].
    ///
    /// # Errors
    /// When the library refuses it, or [`END_OF_TEXT`] is missing.
    pub fn new(vocabulary: &Vocabulary) -> Result<Self, DataError> {
        let characters = byte_characters();
        let n_specials = vocabulary.specials.len();
        let text = |id: usize| match vocabulary.specials.get(id) {
            Some(special) => special.clone(),
            None => vocabulary.tokens[id].iter().map(|&byte| characters[byte as usize]).collect(),
        };
        let ids: AHashMap<String, u32> = (0..vocabulary.tokens.len()).map(|id| (text(id), id as u32)).collect();
        let merges = vocabulary.merges.iter().map(|&(a, b)| (text(a as usize), text(b as usize)));
        let model = BPE::builder().vocab_and_merges(ids, merges.collect()).build().map_err(library)?;
        let mut inner = tokenizers::Tokenizer::new(ModelWrapper::BPE(model));
        let byte_level = ByteLevel::new(false, false, true);
        inner.with_pre_tokenizer(Some(PreTokenizerWrapper::ByteLevel(byte_level)));
        inner.with_decoder(Some(DecoderWrapper::ByteLevel(byte_level)));
        let specials: Vec<_> = (0..n_specials).map(|id| AddedToken::from(text(id), true).normalized(false)).collect();
        inner.add_special_tokens(specials).map_err(library)?;
        Self::wrap(inner)
    }

    fn wrap(inner: tokenizers::Tokenizer) -> Result<Self, DataError> {
        let missing = || DataError::Tokenizer(format!("it has no token {END_OF_TEXT}"));
        let end_of_text = inner.token_to_id(END_OF_TEXT).ok_or_else(missing)?;
        let specials = inner.get_added_tokens_decoder().into_values().map(|token| token.content).collect();
        let bytes = (0..=255).zip(byte_characters()).map(|(byte, character)| (character, byte)).collect();
        Ok(Self { inner, end_of_text, specials, bytes })
    }

    /// Reads the Hugging Face `tokenizer.json` format.
    ///
    /// # Errors
    /// When it is not that, or has no [`END_OF_TEXT`].
    pub fn from_json(json: &str) -> Result<Self, DataError> {
        Self::wrap(json.parse().map_err(library)?)
    }

    /// The Hugging Face `tokenizer.json` format.
    ///
    /// # Errors
    /// When the library cannot write it.
    pub fn to_json(&self) -> Result<String, DataError> {
        self.inner.to_string(true).map_err(library)
    }

    /// V: how many tokens there are.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The id of [`END_OF_TEXT`].
    pub fn end_of_text(&self) -> u32 {
        self.end_of_text
    }

    /// The ids of `text`; special tokens in it are recognised.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        // The model knows every byte, so that there is nothing it could refuse; were there, it would encode nothing.
        self.inner.encode(text, false).map_or(Vec::new(), |encoding| encoding.get_ids().to_vec())
    }

    /// The ids of a long text: as [`Tokenizer::encode`], but every pre-token is looked up once and then remembered.
    pub fn encode_corpus(&self, text: &str) -> Vec<u32> {
        let specials: Vec<&str> = self.specials.iter().map(String::as_str).collect();
        let mut known: FxHashMap<&str, Vec<u32>> = FxHashMap::default();
        let mut ids = Vec::with_capacity(text.len() / 2);
        for piece in pieces(text, &specials) {
            match piece {
                Piece::Special(index) => ids.extend(self.inner.token_to_id(specials[index])),
                Piece::Text(text) => {
                    for word in pretokens(text) {
                        ids.extend_from_slice(known.entry(word).or_insert_with(|| self.encode(word)));
                    }
                }
            }
        }
        ids
    }

    /// The text of `ids`; bytes that are no UTF-8 become U+FFFD, ids that do not exist nothing.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| self.token_bytes(id)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The bytes of one token; none for an id that does not exist.
    pub fn token_bytes(&self, id: u32) -> Vec<u8> {
        let text = self.inner.id_to_token(id).unwrap_or_default();
        if self.specials.contains(&text) {
            return text.into_bytes();
        }
        text.chars().filter_map(|character| self.bytes.get(&character).copied()).collect()
    }

    /// One token for people; bytes that are no UTF-8 become U+FFFD.
    pub fn token_text(&self, id: u32) -> String {
        self.decode(&[id])
    }
}

fn library(error: impl std::fmt::Display) -> DataError {
    DataError::Tokenizer(error.to_string())
}

/// The character that stands for each byte in byte-level BPE files: printable bytes for themselves, the others in
/// order from U+0100 on.
fn byte_characters() -> [char; 256] {
    let mut others = (0x100u32..).filter_map(char::from_u32);
    std::array::from_fn(|byte| match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => char::from(byte as u8),
        _ => others.next().unwrap_or(char::REPLACEMENT_CHARACTER),
    })
}
