//! The state of the tokenizer view. Pure, like all of [`super`].

use super::error::EntryError;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::tokens::{Group, groups};
use glasshead::types::RunId;
use glasshead::types::tokenizer::{MergeStep, TokenBytes, VocabularySource};
use glasshead::wire::tokenizer::TokenizerEvent;

/// The default text: words, white space, accents, other scripts, multi-byte characters, numbers.
pub const DEFAULT_TEXT: &str = "Once upon a time, Lily found a needle in her room. She knew it wasn't a toy.\n\
    \tnaïve café, 東京, Привет 👩\u{200d}👩\u{200d}👧 🇫🇷 e\u{301}\n3.14159 + 2718 = antidisestablishmentarianism?";

/// Number of tokens per page of the list.
pub const TOKENS_PER_PAGE: usize = 400;

/// An available vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its display name.
    pub name: String,
    /// The vocabulary size, V.
    pub vocab_size: usize,
}

/// A text as tokens, grouped for display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The request that it answers.
    pub request: u32,
    /// The tokens.
    pub tokens: Vec<TokenBytes>,
    /// The tokens grouped for display.
    pub groups: Vec<Group>,
}

impl Encoding {
    /// Groups the tokens for display.
    pub fn new(request: u32, tokens: Vec<TokenBytes>) -> Rc<Self> {
        let groups = groups(&tokens);
        Rc::new(Self { request, tokens, groups })
    }

    /// Total size of all tokens in bytes.
    pub fn n_bytes(&self) -> usize {
        self.tokens.iter().map(|token| token.bytes.len()).sum()
    }

    /// Number of pages.
    pub fn n_pages(&self) -> usize {
        self.tokens.len().div_ceil(TOKENS_PER_PAGE).max(1)
    }

    /// The groups that start on this page.
    pub fn page(&self, page: usize) -> &[Group] {
        let border = |page: usize| self.groups.partition_point(|group| group.first < page * TOKENS_PER_PAGE);
        &self.groups[border(page)..border(page + 1)]
    }
}

/// One of the two token lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// The vocabulary, if one is chosen.
    pub source: Option<VocabularySource>,
    /// The tokens, once computed.
    pub encoding: Option<Rc<Encoding>>,
    /// The page shown.
    pub page: usize,
    /// The highlighted token.
    pub lit: Option<usize>,
}

/// A measurement of encoding speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Size of the encoded text in bytes.
    pub bytes: usize,
    /// Duration in seconds.
    pub seconds: f64,
}

/// The training of a vocabulary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergeTraining {
    /// Maximum number of merges requested.
    pub n_asked: usize,
    /// The merges so far.
    pub merges: Rc<Vec<MergeStep>>,
    /// Whether training is in progress.
    pub running: bool,
    /// The display name of the training text.
    pub corpus: String,
}

/// Replay: the text as the first merges leave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Number of merges applied.
    pub n_merges: usize,
    /// Whether playback is running.
    pub playing: bool,
    /// Counts the changes that need a new encoding.
    pub request: u32,
    /// The number of merges and the resulting tokens, once computed.
    pub shown: Option<(usize, Rc<Encoding>)>,
    /// The page shown.
    pub page: usize,
    /// The highlighted token.
    pub lit: Option<usize>,
    /// The pause between frames in milliseconds.
    pub pause_ms: i32,
    /// Merges per frame.
    pub stride: usize,
}

impl Default for Replay {
    fn default() -> Self {
        let (n_merges, playing, request, shown) = (0, false, 0, None);
        Self { n_merges, playing, request, shown, page: 0, lit: None, pause_ms: 500, stride: 1 }
    }
}

/// The state of the tokenizer view.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenizerState {
    /// The text to tokenize.
    pub text: String,
    /// The tokens of the text; the second is only used to compare two vocabularies.
    pub sides: [Side; 2],
    /// Counts the changes that need a new encoding.
    pub request: u32,
    /// The available vocabularies.
    pub known: BTreeMap<VocabularySource, Known>,
    /// Their encoding speeds, if measured.
    pub speeds: BTreeMap<VocabularySource, Speed>,
    /// Whether a measurement is in progress.
    pub measuring: bool,
    /// The run whose vocabulary is available.
    pub run: Option<RunId>,
    /// The size entered for the vocabulary to train.
    pub wanted_size: String,
    /// The latest training.
    pub training: Option<MergeTraining>,
    /// The replay of its merges.
    pub replay: Replay,
    /// The download or file in progress, if any.
    pub busy: Option<String>,
    /// The error message, if any.
    pub problem: Option<String>,
}

/// Actions in the tokenizer view.
#[derive(Clone, Debug)]
pub enum TokenizerAction {
    /// Sets the text.
    Text(String),
    /// Sets the vocabulary of a side; none closes it.
    Choose(usize, Option<VocabularySource>),
    /// Highlights a token of a side, or none.
    Light(usize, Option<usize>),
    /// Shows a page of a side's list.
    Page(usize, usize),
    /// A measurement was requested.
    Measuring,
    /// Sets the size of the vocabulary to train.
    WantedSize(String),
    /// Training was requested.
    TrainingAsked,
    /// Shows the text after this many merges.
    Scrub(usize),
    /// Starts or stops playback.
    Play(bool),
    /// Sets the pause in milliseconds and the merges per frame.
    Speed(i32, usize),
    /// Highlights a token of the replay, or none.
    LightReplay(Option<usize>),
    /// Shows a page of the replay.
    PageReplay(usize),
    /// A download or file is in progress.
    Busy(String),
    /// An error occurred.
    Problem(String),
}

impl Default for TokenizerState {
    fn default() -> Self {
        Self {
            text: DEFAULT_TEXT.into(),
            sides: Default::default(),
            request: 0,
            known: BTreeMap::new(),
            speeds: BTreeMap::new(),
            measuring: false,
            run: None,
            wanted_size: "1000".into(),
            training: None,
            replay: Replay::default(),
            busy: None,
            problem: None,
        }
    }
}

impl TokenizerState {
    /// Applies an action.
    pub fn apply(&mut self, action: TokenizerAction) {
        match action {
            TokenizerAction::Text(text) => {
                self.text = text;
                self.request += 1;
                self.replay.request += 1;
            }
            TokenizerAction::Choose(side, source) => self.choose(side, source),
            TokenizerAction::Light(side, token) => self.side(side, |side| side.lit = token),
            TokenizerAction::Page(side, page) => self.side(side, |side| (side.page, side.lit) = (page, None)),
            TokenizerAction::Measuring => self.measuring = true,
            TokenizerAction::WantedSize(size) => self.wanted_size = size,
            TokenizerAction::TrainingAsked => {
                self.problem = None;
                self.training = Some(MergeTraining { running: true, ..MergeTraining::default() });
                self.replay = Replay { request: self.replay.request + 1, ..Replay::default() };
            }
            TokenizerAction::Scrub(n_merges) => self.scrub(n_merges),
            TokenizerAction::Play(playing) => {
                if playing && self.replay.n_merges >= self.n_merges() {
                    self.scrub(0);
                }
                self.replay.playing = playing;
            }
            TokenizerAction::Speed(pause_ms, stride) => {
                (self.replay.pause_ms, self.replay.stride) = (pause_ms, stride);
            }
            TokenizerAction::LightReplay(token) => self.replay.lit = token,
            TokenizerAction::PageReplay(page) => (self.replay.page, self.replay.lit) = (page, None),
            TokenizerAction::Busy(what) => (self.busy, self.problem) = (Some(what), None),
            TokenizerAction::Problem(problem) => self.fail(problem),
        }
    }

    fn side(&mut self, index: usize, change: impl FnOnce(&mut Side)) {
        if let Some(side) = self.sides.get_mut(index) {
            change(side);
        }
    }

    fn choose(&mut self, index: usize, source: Option<VocabularySource>) {
        self.side(index, |side| *side = Side { source, ..Side::default() });
        self.request += 1;
        self.problem = None;
    }

    fn scrub(&mut self, n_merges: usize) {
        self.replay.n_merges = n_merges.min(self.n_merges());
        self.replay.request += 1;
        self.replay.playing &= self.replay.n_merges < self.n_merges();
    }

    fn fail(&mut self, problem: String) {
        (self.problem, self.busy, self.measuring) = (Some(problem), None, false);
        // A side whose vocabulary did not arrive is closed again; the first side falls back to an available one.
        let (known, fallback) = (&self.known, self.known.keys().next().copied());
        for (index, side) in self.sides.iter_mut().enumerate() {
            if side.source.is_some_and(|source| !known.contains_key(&source)) {
                *side = Side { source: fallback.filter(|_| index == 0), ..Side::default() };
                self.request += 1;
            }
        }
        if self.training.as_ref().is_some_and(|training| training.merges.is_empty()) {
            self.training = None;
        }
    }

    /// Number of merges of the trained vocabulary.
    pub fn n_merges(&self) -> usize {
        self.training.as_ref().map_or(0, |training| training.merges.len())
    }

    /// The size of the vocabulary to train.
    ///
    /// # Errors
    /// A message if the entry is not a valid size.
    pub fn size(&self) -> Result<usize, EntryError> {
        const MIN: usize = 257;
        const MAX: usize = 65_536;
        let entry = self.wanted_size.trim().replace(['_', ' '], "");
        match entry.parse() {
            Ok(size) if (MIN..=MAX).contains(&size) => Ok(size),
            _ => Err(EntryError::VocabularySize { min: MIN, max: MAX }),
        }
    }

    /// Handles an event from the worker.
    pub fn hear(&mut self, event: TokenizerEvent) {
        match event {
            TokenizerEvent::RunVocabulary { run } => self.run = Some(run),
            TokenizerEvent::Loaded { source, name, vocab_size } => self.loaded(source, Known { name, vocab_size }),
            TokenizerEvent::Encoded { request, source, tokens } => {
                for side in self.sides.iter_mut().filter(|side| side.source == Some(source)) {
                    if side.encoding.as_ref().is_none_or(|encoding| encoding.request < request) {
                        let encoding = Encoding::new(request, tokens.clone());
                        side.page = side.page.min(encoding.n_pages() - 1);
                        side.lit = side.lit.filter(|&token| token < encoding.tokens.len());
                        side.encoding = Some(encoding);
                    }
                }
            }
            TokenizerEvent::Measured { source, bytes, seconds } => {
                self.measuring = false;
                self.speeds.insert(source, Speed { bytes, seconds });
            }
            TokenizerEvent::Merged { n_asked, merges, running, corpus } => {
                let training = self.training.get_or_insert_default();
                (training.n_asked, training.running, training.corpus) = (n_asked, running, corpus);
                Rc::make_mut(&mut training.merges).extend(merges);
            }
            TokenizerEvent::Replayed { request, n_merges, tokens } => {
                let newer = |(_, shown): &(usize, Rc<Encoding>)| shown.request < request;
                if self.replay.shown.as_ref().is_none_or(newer) {
                    let encoding = Encoding::new(request, tokens);
                    self.replay.page = self.replay.page.min(encoding.n_pages() - 1);
                    self.replay.lit = None;
                    self.replay.shown = Some((n_merges, encoding));
                }
            }
            TokenizerEvent::Exported { .. } => self.busy = None,
            TokenizerEvent::Problem { message } => self.fail(message),
        }
    }

    fn loaded(&mut self, source: VocabularySource, known: Known) {
        self.known.insert(source, known);
        self.speeds.remove(&source);
        (self.busy, self.problem) = (None, None);
        self.request += 1;
        if self.sides[0].source.is_none() {
            self.sides[0].source = Some(source);
        }
        if source == VocabularySource::Trained {
            self.scrub(self.n_merges());
            // Shows the newly trained vocabulary, with the previous one next to it for comparison.
            if self.sides[1].source.is_none() && self.sides[0].source != Some(source) {
                self.sides[1] = Side { source: Some(source), ..Side::default() };
            }
        }
    }
}
