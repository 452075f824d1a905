//! Text to ids and back. The merging inside a pre-token is done by the `tokenizers` crate.

use ahash::AHashMap;
use rustc_hash::FxHashSet;
use tokenizers::models::bpe::BPE;

use super::bpe::Vocabulary;
use super::cut::Habits;
use super::encode::Encoder;
use super::error::DataError;
use super::pretokenize::Specials;
use crate::protocol::spelling::spelled;

/// Ends a text.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// Ids have to be below this; more tokens than any vocabulary has.
const MOST_TOKENS: u32 = 1 << 24;

/// A vocabulary may leave out so many ids, and [`HOLES_PER_TOKEN`] more for every token it has: what lies between its
/// tokens takes memory too.
const MOST_HOLES: u32 = 1 << 17;

/// See [`MOST_HOLES`].
const HOLES_PER_TOKEN: u32 = 15;

/// A byte-level BPE tokenizer.
pub struct Tokenizer {
    /// Knows every token by the characters that stand for its bytes.
    pub(super) model: BPE,
    /// The bytes of every token, by id; empty where there is no such id.
    pub(super) tokens: Vec<Vec<u8>>,
    /// The pairs of byte strings that are merged, the first first.
    pub(super) merges: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) specials: Specials,
    /// The ids of `specials`.
    pub(super) special_ids: Vec<u32>,
    pub(super) habits: Habits,
}

impl Tokenizer {
    /// A tokenizer with the ids of `vocabulary`.
    ///
    /// # Errors
    /// When the library refuses it.
    pub fn new(vocabulary: &Vocabulary) -> Result<Self, DataError> {
        let bytes = |id: u32| vocabulary.tokens.get(id as usize).cloned().unwrap_or_default();
        let merges = vocabulary.merges.iter().map(|&(left, right)| (bytes(left), bytes(right))).collect();
        Self::from_parts((0..).zip(vocabulary.tokens.iter().cloned()), merges, &vocabulary.specials)
    }

    /// A tokenizer from its parts: the bytes of every token by id, the pairs of byte strings that are merged, and the
    /// special tokens. A special token has the id of the vocabulary's token with its bytes, or is appended behind it.
    ///
    /// # Errors
    /// When a merge needs a token that the vocabulary lacks, a special token is empty, or an id is 2²⁴ or more, or far
    /// beyond the number of tokens.
    pub fn from_parts<S: AsRef<str>>(
        vocabulary: impl IntoIterator<Item = (u32, Vec<u8>)>,
        merges: Vec<(Vec<u8>, Vec<u8>)>,
        specials: &[S],
    ) -> Result<Self, DataError> {
        let mut tokens: Vec<Vec<u8>> = Vec::new();
        let vocabulary: Vec<(u32, Vec<u8>)> = vocabulary.into_iter().collect();
        let n_tokens = vocabulary.len().min(MOST_TOKENS as usize) as u32;
        let most = (n_tokens * (HOLES_PER_TOKEN + 1) + MOST_HOLES).min(MOST_TOKENS);
        for (id, bytes) in vocabulary {
            if id >= most {
                return Err(library(format!(
                    "the id {id} is too large; ids of a vocabulary of {n_tokens} tokens have to be below {most}"
                )));
            }
            tokens.resize(tokens.len().max(id as usize + 1), Vec::new());
            tokens[id as usize] = bytes;
        }
        let specials = Specials::new(specials)?;
        let mut first: AHashMap<&[u8], u32> = AHashMap::new();
        for (id, bytes) in (0..).zip(&tokens) {
            first.entry(bytes).or_insert(id);
        }
        let known: Vec<Option<u32>> = specials.names().iter().map(|name| first.get(name.as_bytes()).copied()).collect();
        let mut special_ids = Vec::new();
        for (name, known) in specials.names().iter().zip(known) {
            special_ids.push(known.unwrap_or(tokens.len() as u32));
            if known.is_none() {
                tokens.push(name.clone().into_bytes());
            }
        }
        let model = model(&tokens, &merges, &special_ids)?;
        Ok(Self { model, tokens, merges, specials, special_ids, habits: Habits::default() })
    }

    /// The same with other habits than GPT-2's.
    #[must_use]
    pub fn with_habits(mut self, habits: Habits) -> Self {
        self.specials = self.specials.with_cut(habits.cut);
        self.model.ignore_merges = habits.keeps_whole;
        Self { habits, ..self }
    }

    /// Makes `n` ids, of which the last ones have no token: some models have more rows than their vocabulary has tokens.
    ///
    /// # Errors
    /// When there are more tokens than that.
    pub fn reserve_ids(&mut self, n: usize) -> Result<(), DataError> {
        self.check_ids(n)?;
        self.tokens.resize(n, Vec::new());
        Ok(())
    }

    /// Whether a model of `n` ids can have all tokens.
    ///
    /// # Errors
    /// When there are more tokens than that.
    pub fn check_ids(&self, n: usize) -> Result<(), DataError> {
        let there = self.tokens.len();
        if there <= n {
            return Ok(());
        }
        Err(library(format!("it has {there} tokens, and its model only {n}; they are no pair")))
    }

    /// V: how many ids there are.
    pub fn vocab_size(&self) -> usize {
        self.tokens.len()
    }

    /// The id of [`END_OF_TEXT`], if it is a special token.
    pub fn end_of_text(&self) -> Option<u32> {
        let at = self.specials.names().iter().position(|name| name == END_OF_TEXT)?;
        Some(self.special_ids[at])
    }

    /// The special tokens and their ids.
    pub fn specials(&self) -> impl Iterator<Item = (&str, u32)> {
        self.specials.names().iter().map(String::as_str).zip(self.special_ids.iter().copied())
    }

    /// The first byte of `text` that the vocabulary has no token for, if there is one; encoding leaves such bytes out.
    pub fn unknown_byte(&self, text: &str) -> Option<u8> {
        let mut known = [false; 256];
        for token in self.tokens.iter().filter(|token| token.len() == 1) {
            known[token[0] as usize] = true;
        }
        text.bytes().find(|&byte| !known[byte as usize])
    }

    /// The ids of `text`; special tokens in it are recognised. Bytes without a token are left out; no vocabulary that
    /// was trained lacks any.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 3);
        Encoder::new(self).encode(text, &mut ids);
        ids
    }

    /// The text of `ids`; bytes that are no UTF-8 become U+FFFD, ids that do not exist nothing.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| self.token(id)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The bytes of one token; none for an id that does not exist.
    pub fn token_bytes(&self, id: u32) -> Vec<u8> {
        self.token(id).to_vec()
    }

    fn token(&self, id: u32) -> &[u8] {
        self.tokens.get(id as usize).map_or(&[], Vec::as_slice)
    }

    /// One token for display; bytes that are not a whole character are spelled as digits.
    pub fn token_text(&self, id: u32) -> String {
        spelled(self.token(id))
    }

    /// Compression: how many bytes of `text` a token stands for on average; 0 for an empty text.
    pub fn bytes_per_token(&self, text: &str) -> f64 {
        text.len() as f64 / self.encode(text).len().max(1) as f64
    }
}

/// The library's model. Where several ids have the same bytes, the first one counts that is no special token.
fn model(tokens: &[Vec<u8>], merges: &[(Vec<u8>, Vec<u8>)], special_ids: &[u32]) -> Result<BPE, DataError> {
    let characters = byte_characters();
    let text = |bytes: &[u8]| bytes.iter().map(|&byte| characters[byte as usize]).collect::<String>();
    let special: FxHashSet<u32> = special_ids.iter().copied().collect();
    let ordinary = (0..tokens.len() as u32).filter(|id| !special.contains(id));
    let mut ids: AHashMap<String, u32> = AHashMap::new();
    for id in ordinary.chain(special_ids.iter().copied()).filter(|&id| !tokens[id as usize].is_empty()) {
        ids.entry(text(&tokens[id as usize])).or_insert(id);
    }
    let merges: Vec<_> = merges.iter().map(|(left, right)| (text(left), text(right))).collect();
    // The library panics on some of these.
    if let Some((left, right)) = merges.iter().find(|(left, right)| !ids.contains_key(&format!("{left}{right}"))) {
        return Err(missing_merge(left, right));
    }
    // The encoder remembers pre-tokens itself; the library's own memory would outlive the model.
    BPE::builder().cache_capacity(0).vocab_and_merges(ids, merges).build().map_err(library)
}

pub(super) fn missing_merge(left: &str, right: &str) -> DataError {
    library(format!("it merges {left:?} and {right:?}, and has no token for both together"))
}

pub(super) fn library(error: impl std::fmt::Display) -> DataError {
    DataError::Tokenizer(error.to_string())
}

/// The character that stands for each byte in byte-level BPE files: printable bytes for themselves, the others in
/// order from U+0100 on.
pub(super) fn byte_characters() -> [char; 256] {
    let mut others = (0x100u32..).filter_map(char::from_u32);
    std::array::from_fn(|byte| match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => char::from(byte as u8),
        _ => others.next().unwrap_or(char::REPLACEMENT_CHARACTER),
    })
}
