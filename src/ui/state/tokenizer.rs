//! What the tokenizer's page knows, and how it changes. Pure, as all of [`super`].

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::protocol::RunId;
use crate::protocol::tokenizer::{MergeStep, TokenBytes, TokenizerEvent, VocabularySource};
use crate::ui::tokens::{Group, groups};

/// The text at first: words, white space, accents, other scripts, characters of many bytes, numbers.
pub const DEFAULT_TEXT: &str = "Once upon a time, Lily found a needle in her room. She knew it wasn't a toy.\n\
    \tnaïve café, 東京, Привет 👩\u{200d}👩\u{200d}👧 🇫🇷 e\u{301}\n3.14159 + 2718 = antidisestablishmentarianism?";

/// How many tokens are on one page of the list.
pub const TOKENS_PER_PAGE: usize = 400;

/// A vocabulary that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// For people.
    pub name: String,
    /// V
    pub vocab_size: usize,
}

/// A text as tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// Of the request.
    pub request: u32,
    /// The tokens.
    pub tokens: Vec<TokenBytes>,
    /// How they are written.
    pub groups: Vec<Group>,
}

impl Encoding {
    /// Written for people.
    pub fn new(request: u32, tokens: Vec<TokenBytes>) -> Rc<Self> {
        let groups = groups(&tokens);
        Rc::new(Self { request, tokens, groups })
    }

    /// Size of all tokens together.
    pub fn n_bytes(&self) -> usize {
        self.tokens.iter().map(|token| token.bytes.len()).sum()
    }

    /// How many pages there are.
    pub fn n_pages(&self) -> usize {
        self.tokens.len().div_ceil(TOKENS_PER_PAGE).max(1)
    }

    /// The groups that begin on this page.
    pub fn page(&self, page: usize) -> &[Group] {
        let border = |page: usize| self.groups.partition_point(|group| group.first < page * TOKENS_PER_PAGE);
        &self.groups[border(page)..border(page + 1)]
    }
}

/// One of the two places for the text's tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// By which vocabulary.
    pub source: Option<VocabularySource>,
    /// The tokens, once they came.
    pub encoding: Option<Rc<Encoding>>,
    /// Which page of the list is shown.
    pub page: usize,
    /// The token under the pointer or the keyboard.
    pub lit: Option<usize>,
}

/// How fast a vocabulary encodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Size of the text that was encoded.
    pub bytes: usize,
    /// How long it took.
    pub seconds: f64,
}

/// The training of a vocabulary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergeTraining {
    /// How many merges there are to be at most.
    pub n_asked: usize,
    /// What was merged so far.
    pub merges: Rc<Vec<MergeStep>>,
    /// Whether more are to come.
    pub running: bool,
    /// What it is trained on, for people.
    pub corpus: String,
}

/// The text as the first merges leave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// How many merges.
    pub n_merges: usize,
    /// Whether it goes on by itself.
    pub playing: bool,
    /// Counts the changes of what is to be shown.
    pub request: u32,
    /// The tokens, once they came, and after how many merges.
    pub shown: Option<(usize, Rc<Encoding>)>,
    /// Which page of them is shown.
    pub page: usize,
    /// The token under the pointer or the keyboard.
    pub lit: Option<usize>,
    /// The pause between two pictures.
    pub pause_ms: i32,
    /// Merges per picture.
    pub stride: usize,
}

impl Default for Replay {
    fn default() -> Self {
        let (n_merges, playing, request, shown) = (0, false, 0, None);
        Self { n_merges, playing, request, shown, page: 0, lit: None, pause_ms: 500, stride: 1 }
    }
}

/// Everything that the tokenizer's page shows.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenizerState {
    /// The text box.
    pub text: String,
    /// The tokens of the text; the second only when two vocabularies are compared.
    pub sides: [Side; 2],
    /// Counts the changes that need a new encoding.
    pub request: u32,
    /// The vocabularies there are.
    pub known: BTreeMap<VocabularySource, Known>,
    /// How fast they are, where that was measured.
    pub speeds: BTreeMap<VocabularySource, Speed>,
    /// Whether a measurement is under way.
    pub measuring: bool,
    /// The run whose vocabulary is known.
    pub run: Option<RunId>,
    /// The size of the vocabulary to be trained.
    pub wanted_size: String,
    /// The training of it.
    pub training: Option<MergeTraining>,
    /// Its merges, played.
    pub replay: Replay,
    /// What is being fetched or read now.
    pub busy: Option<String>,
    /// What went wrong.
    pub problem: Option<String>,
}

/// What can happen on the tokenizer's page.
#[derive(Clone, Debug)]
pub enum TokenizerAction {
    /// Another text.
    Text(String),
    /// Another vocabulary on this side; none closes it.
    Choose(usize, Option<VocabularySource>),
    /// A token of a side is under the pointer or the keyboard, or none.
    Light(usize, Option<usize>),
    /// Another page of a side's list.
    Page(usize, usize),
    /// A measurement was asked for.
    Measuring,
    /// Another size of the vocabulary to be trained.
    WantedSize(String),
    /// Training was asked for.
    TrainingAsked,
    /// Show the text after so many merges.
    Scrub(usize),
    /// Play the merges, or stop.
    Play(bool),
    /// Play them with such a pause in milliseconds, and so many at once.
    Speed(i32, usize),
    /// A token of the replay is under the pointer or the keyboard, or none.
    LightReplay(Option<usize>),
    /// Another page of the replay.
    PageReplay(usize),
    /// Something is being fetched or read.
    Busy(String),
    /// Something went wrong.
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
    /// Carries out one action.
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
        // A side whose vocabulary did not come is closed again; the first one falls back to one that is there.
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

    /// How many merges the trained vocabulary has.
    pub fn n_merges(&self) -> usize {
        self.training.as_ref().map_or(0, |training| training.merges.len())
    }

    /// The size of the vocabulary to be trained.
    ///
    /// # Errors
    /// A sentence when the entry is no size.
    pub fn size(&self) -> Result<usize, String> {
        const MIN: usize = 257;
        const MAX: usize = 65_536;
        let entry = self.wanted_size.trim().replace(['_', ' '], "");
        match entry.parse() {
            Ok(size) if (MIN..=MAX).contains(&size) => Ok(size),
            _ => Err(format!("The size has to be a number from {MIN} (256 bytes and the end of a text) to {MAX}.")),
        }
    }

    /// Takes over what the worker said.
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
            // What was trained is what one wants to see; the other stays beside it.
            if self.sides[1].source.is_none() && self.sides[0].source != Some(source) {
                self.sides[1] = Side { source: Some(source), ..Side::default() };
            }
        }
    }
}
