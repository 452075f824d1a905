//! Text to ids and back. The `tokenizers` crate does the merging within pre-tokens.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::AHashMap;
use rustc_hash::FxHashSet;
use tokenizers::Model as _;
use tokenizers::models::bpe::BPE;

use super::bpe::Vocabulary;
use super::cut::Habits;
use super::error::DataError;
use super::pretokenize::{AddedToken, Specials};
use crate::types::spelling::spelled;

mod encode;
mod ends;

pub use encode::Encoder;
pub use ends::{Template, TextEnds};

/// Marks the end of a document in training texts; each tokenizer maps it to its own token.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// The exclusive upper bound of ids, larger than any real vocabulary.
const MAX_TOKENS: u32 = 1 << 24;

/// The maximum number of unused ids, plus [`HOLES_PER_TOKEN`] for every token: gaps between tokens take memory too.
const MAX_HOLES: u32 = 1 << 17;

/// The additional unused ids allowed per token; see [`MAX_HOLES`].
const HOLES_PER_TOKEN: u32 = 15;

/// Text files by their names.
pub type TextFiles = BTreeMap<String, String>;

/// A byte-level BPE tokenizer.
#[derive(Clone)]
pub struct Tokenizer {
    /// Maps tokens, spelled in the characters that represent their bytes, to ids.
    pub(super) model: BPE,
    /// The bytes of every token, by id; empty for unused ids.
    pub(super) tokens: Vec<Vec<u8>>,
    /// The merges, as pairs of byte strings, by rank.
    pub(super) merges: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) specials: Specials,
    /// The ids of `specials`.
    pub(super) special_ids: Vec<u32>,
    /// `specials` plus [`END_OF_TEXT`] if it is missing, for training texts.
    pub(super) with_border: Option<Specials>,
    pub(super) habits: Habits,
    pub(super) template: Template,
    pub(super) ends: TextEnds,
    /// The `tokenizer.json` that it was read from.
    pub(super) source: Option<Arc<str>>,
    /// Files of its model that are exported with it.
    pub(super) companions: Arc<TextFiles>,
    /// Warnings about settings of its file that are ignored or changed.
    pub(super) notes: Vec<String>,
}

/// The parts of a tokenizer.
#[derive(Default)]
pub(super) struct Parts {
    /// The bytes of every token, by id.
    pub vocabulary: Vec<(u32, Vec<u8>)>,
    /// The merges, as pairs of byte strings.
    pub merges: Vec<(Vec<u8>, Vec<u8>)>,
    /// Added tokens, with their ids where known.
    pub added: Vec<(AddedToken, Option<u32>)>,
    pub habits: Habits,
}

impl Tokenizer {
    /// A tokenizer with the ids of a trained `vocabulary`.
    ///
    /// # Errors
    /// When the `tokenizers` crate rejects it.
    pub fn new(vocabulary: &Vocabulary) -> Result<Self, DataError> {
        let bytes = |id: u32| vocabulary.tokens.get(id as usize).cloned().unwrap_or_default();
        let merges = vocabulary.merges.iter().map(|&(left, right)| (bytes(left), bytes(right))).collect();
        Self::from_parts((0..).zip(vocabulary.tokens.iter().cloned()), merges, &vocabulary.specials)
    }

    /// A tokenizer from its parts: the bytes of every token by id, the merges as pairs of byte strings, and the special
    /// tokens. A special token gets the id of the token with the same bytes, or else the next free id.
    ///
    /// # Errors
    /// When a merge needs a token that the vocabulary lacks, a special token is empty, or an id is 2²⁴ or more, or far
    /// above the number of tokens.
    pub fn from_parts<S: AsRef<str>>(
        vocabulary: impl IntoIterator<Item = (u32, Vec<u8>)>,
        merges: Vec<(Vec<u8>, Vec<u8>)>,
        specials: &[S],
    ) -> Result<Self, DataError> {
        let vocabulary = vocabulary.into_iter().collect();
        let added = specials.iter().map(|special| (AddedToken::plain(special.as_ref()), None)).collect();
        Self::assemble(Parts { vocabulary, merges, added, habits: Habits::default() })
    }

    /// Like [`Tokenizer::from_parts`], with flags and ids for the added tokens.
    pub(super) fn assemble(parts: Parts) -> Result<Self, DataError> {
        let Parts { vocabulary, merges, mut added, habits } = parts;
        let mut tokens = by_id(vocabulary)?;
        let mut known = FxHashSet::default();
        added.retain(|(token, _)| known.insert(token.content.clone()));
        let (added, ids): (Vec<AddedToken>, Vec<Option<u32>>) = added.into_iter().unzip();
        let mut first: AHashMap<&[u8], u32> = AHashMap::new();
        for (id, bytes) in (0..).zip(&tokens) {
            first.entry(bytes).or_insert(id);
        }
        let of_bytes = |token: &AddedToken| first.get(token.content.as_bytes()).copied();
        let ids: Vec<_> = added.iter().zip(ids).map(|(token, id)| id.or_else(|| of_bytes(token))).collect();
        let mut special_ids = Vec::new();
        for (token, id) in added.iter().zip(ids) {
            let id = id.unwrap_or(tokens.len() as u32);
            special_ids.push(id);
            tokens.resize(tokens.len().max(id as usize + 1), Vec::new());
            if tokens[id as usize].is_empty() {
                tokens[id as usize] = token.content.clone().into_bytes();
            }
        }
        let specials = Specials::with_flags(added, habits.composes)?.with_cut(habits.cut);
        let with_border = with_border(&specials, habits)?;
        let mut model = model(&tokens, &merges, &special_ids)?;
        model.ignore_merges = habits.keeps_whole;
        let (template, ends, source, companions, notes) = Default::default();
        let mut tokenizer = Self {
            model,
            tokens,
            merges,
            specials,
            special_ids,
            with_border,
            habits,
            template,
            ends,
            source,
            companions,
            notes,
        };
        tokenizer.ends = TextEnds::of_document_end(tokenizer.usual_end());
        Ok(tokenizer)
    }

    /// Replaces the settings, which are GPT-2's by default.
    #[must_use]
    pub fn with_habits(mut self, habits: Habits) -> Self {
        self.specials = self.specials.with_cut(habits.cut);
        self.with_border = self.with_border.map(|specials| specials.with_cut(habits.cut));
        self.model.ignore_merges = habits.keeps_whole;
        Self { habits, source: None, ..self }
    }

    /// Warnings about settings of its file that are ignored or changed.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The additional files of its model.
    pub fn companions(&self) -> &TextFiles {
        &self.companions
    }

    /// Sets the additional files of its model.
    pub fn set_companions(&mut self, companions: TextFiles) {
        self.companions = Arc::new(companions);
    }

    /// Sets the number of ids to `n`; the last ones may have no token, because some models have more embedding rows
    /// than tokens. Added tokens with larger ids are no longer recognized and are returned.
    ///
    /// # Errors
    /// When ordinary tokens have larger ids.
    pub fn fit_ids(&mut self, n: usize) -> Result<Vec<String>, DataError> {
        self.check_ids(n)?;
        let beyond = |id: u32| id as usize >= n;
        let all = self.specials.tokens().iter().cloned().zip(self.special_ids.iter().copied());
        let (dropped, kept): (Vec<_>, Vec<_>) = all.partition(|&(_, id)| beyond(id));
        if !dropped.is_empty() {
            let (tokens, ids): (Vec<_>, Vec<_>) = kept.into_iter().unzip();
            self.specials = Specials::with_flags(tokens, self.habits.composes)?.with_cut(self.habits.cut);
            self.with_border = with_border(&self.specials, self.habits)?;
            self.special_ids = ids;
        }
        self.tokens.resize(n, Vec::new());
        self.template.before.retain(|&id| !beyond(id));
        self.template.after.retain(|&id| !beyond(id));
        self.set_ends(self.ends.clone());
        Ok(dropped.into_iter().map(|(token, _)| token.content).collect())
    }

    /// Checks that a model with `n` ids has room for all tokens except added ones.
    ///
    /// # Errors
    /// When a token other than an added one has a larger id.
    pub fn check_ids(&self, n: usize) -> Result<(), DataError> {
        let there = self.tokens.len();
        if (n..there).all(|id| self.model.id_to_token(id as u32).is_none()) {
            return Ok(());
        }
        Err(library(format!("it has {there} tokens, and its model only {n}; they are no pair")))
    }

    /// V: the number of ids.
    pub fn vocab_size(&self) -> usize {
        self.tokens.len()
    }

    /// The special tokens with their ids.
    pub fn specials(&self) -> impl Iterator<Item = (&str, u32)> {
        self.specials.names().iter().map(String::as_str).zip(self.special_ids.iter().copied())
    }

    /// The first byte of `text` without a token, if any; encoding skips such bytes.
    pub fn unknown_byte(&self, text: &str) -> Option<u8> {
        let mut known = [false; 256];
        for token in self.tokens.iter().filter(|token| token.len() == 1) {
            known[token[0] as usize] = true;
        }
        text.bytes().find(|&byte| !known[byte as usize])
    }

    /// The ids of `text`, with special tokens recognized. Bytes without a token are skipped; trained vocabularies cover
    /// all bytes.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 3);
        Encoder::new(self).encode(text, &mut ids);
        ids
    }

    /// The ids of a training `text`: [`END_OF_TEXT`] becomes this tokenizer's token for the end of a document, or is
    /// dropped if there is none.
    pub fn encode_documents(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 3);
        Encoder::of_documents(self).encode(text, &mut ids);
        ids
    }

    /// The text of `ids`. Invalid UTF-8 becomes U+FFFD; unknown ids are skipped.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| self.token(id)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The bytes of one token; empty for an unknown id.
    pub fn token_bytes(&self, id: u32) -> Vec<u8> {
        self.token(id).to_vec()
    }

    fn token(&self, id: u32) -> &[u8] {
        self.tokens.get(id as usize).map_or(&[], Vec::as_slice)
    }

    /// One token for display; bytes that are not a whole character are shown as numbers.
    pub fn token_text(&self, id: u32) -> String {
        spelled(self.token(id))
    }

    /// Compression: the average number of bytes of `text` per token; 0 for an empty text.
    pub fn bytes_per_token(&self, text: &str) -> f64 {
        text.len() as f64 / self.encode(text).len().max(1) as f64
    }
}

/// The bytes of tokens by id; empty for unused ids.
fn by_id(vocabulary: Vec<(u32, Vec<u8>)>) -> Result<Vec<Vec<u8>>, DataError> {
    let mut tokens: Vec<Vec<u8>> = Vec::new();
    let n_tokens = vocabulary.len().min(MAX_TOKENS as usize) as u32;
    let most = (n_tokens * (HOLES_PER_TOKEN + 1) + MAX_HOLES).min(MAX_TOKENS);
    for (id, bytes) in vocabulary {
        if id >= most {
            return Err(library(format!(
                "the id {id} is too large; ids of a vocabulary of {n_tokens} tokens have to be below {most}"
            )));
        }
        tokens.resize(tokens.len().max(id as usize + 1), Vec::new());
        tokens[id as usize] = bytes;
    }
    Ok(tokens)
}

/// `specials` plus [`END_OF_TEXT`] if it is missing.
fn with_border(specials: &Specials, habits: Habits) -> Result<Option<Specials>, DataError> {
    if specials.names().iter().any(|name| name == END_OF_TEXT) {
        return Ok(None);
    }
    let tokens = specials.tokens().iter().cloned().chain([AddedToken::plain(END_OF_TEXT)]).collect();
    Ok(Some(Specials::with_flags(tokens, habits.composes)?.with_cut(habits.cut)))
}

/// The BPE model of the `tokenizers` crate. If several ids have the same bytes, the first one that is not a special
/// token wins. Special tokens are included only if they are single bytes or results of merges.
fn model(tokens: &[Vec<u8>], merges: &[(Vec<u8>, Vec<u8>)], special_ids: &[u32]) -> Result<BPE, DataError> {
    let characters = byte_characters();
    let text = |bytes: &[u8]| bytes.iter().map(|&byte| characters[byte as usize]).collect::<String>();
    let special: FxHashSet<u32> = special_ids.iter().copied().collect();
    let ordinary = (0..tokens.len() as u32).filter(|id| !special.contains(id));
    let merged: FxHashSet<Vec<u8>> = merges.iter().map(|(left, right)| [&left[..], right].concat()).collect();
    let is_used = |bytes: &Vec<u8>| bytes.len() == 1 || merged.contains(bytes);
    let used = special_ids.iter().copied().filter(|&id| is_used(&tokens[id as usize]));
    let mut ids: AHashMap<String, u32> = AHashMap::new();
    for id in ordinary.chain(used).filter(|&id| !tokens[id as usize].is_empty()) {
        ids.entry(text(&tokens[id as usize])).or_insert(id);
    }
    let merges: Vec<_> = merges.iter().map(|(left, right)| (text(left), text(right))).collect();
    // Checked here because the crate panics on some of these.
    if let Some((left, right)) = merges.iter().find(|(left, right)| !ids.contains_key(&format!("{left}{right}"))) {
        return Err(missing_merge(left, right));
    }
    // No cache in the crate: pre-tokens are cached in `encode`, and the crate's cache would outlive the model.
    BPE::builder().cache_capacity(0).vocab_and_merges(ids, merges).build().map_err(library)
}

pub(super) fn missing_merge(left: &str, right: &str) -> DataError {
    library(format!("it merges {left:?} and {right:?}, and has no token for both together"))
}

pub(super) fn library(error: impl std::fmt::Display) -> DataError {
    DataError::Tokenizer(error.to_string())
}

/// The character that represents each byte in byte-level BPE files: printable bytes represent themselves, the others
/// are numbered from U+0100.
pub(super) fn byte_characters() -> [char; 256] {
    let mut others = (0x100u32..).filter_map(char::from_u32);
    std::array::from_fn(|byte| match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => char::from(byte as u8),
        _ => others.next().unwrap_or(char::REPLACEMENT_CHARACTER),
    })
}
