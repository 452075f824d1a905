//! The parts that the state is made of.

use std::rc::Rc;

use crate::config::ValidConfig;
use crate::protocol::writing::WrittenToken;
use crate::protocol::{BackendChoice, CorpusChoice, Event, Phase, RunId, Sampling, Token};

/// What the run is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Being prepared; none yet before the first word of the worker.
    Loading(Option<Phase>),
    /// Prepared, at step 0.
    Ready,
    /// Steps go on.
    Training,
    /// Steps were done, and none goes on.
    Paused,
    /// The numbers ran away.
    Diverged(String),
    /// Cannot go on.
    Failed(String),
}

impl RunState {
    /// One word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Loading(_) => "loading",
            Self::Ready => "ready",
            Self::Training => "training",
            Self::Paused => "paused",
            Self::Diverged(_) => "diverged",
            Self::Failed(_) => "failed",
        }
    }
}

/// What a new run is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// Model and training.
    pub config: ValidConfig,
    /// What to train on.
    pub corpus: CorpusChoice,
    /// What turns it into tokens.
    pub vocabulary: Vocabulary,
    /// Who computes.
    pub backend: BackendChoice,
    /// The name of the user's file, once one was chosen.
    pub file_name: Option<String>,
    /// Counts the files that were chosen, so that another one with the same name is another setup.
    pub file_count: u32,
}

/// What a run's text is turned into tokens by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vocabulary {
    /// Trained on the text when the run starts.
    OfTheText,
    /// One from the tokenizer's page.
    Chosen {
        /// For people.
        name: String,
        /// V
        vocab_size: usize,
        /// When it was chosen, so that another one with the same name is another setup.
        choice: u64,
    },
}

/// The softmax weights of the probe sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Maps {
    /// Steps done when they were computed.
    pub step: u64,
    /// The sentence.
    pub tokens: Vec<Token>,
    /// L
    pub n_layers: usize,
    /// H
    pub n_heads: usize,
    /// Whether keys after the query are masked.
    pub causal: bool,
    /// How many tokens did not fit.
    pub tokens_cut: usize,
    /// (L, H, n, n); weight = byte / 255.
    pub bytes: Rc<[u8]>,
    /// Mean entropies of the rows in bits (L, H + 1), computed from the weights themselves; behind the heads of a layer that
    /// of their mean. Empty where unknown.
    pub entropies: Rc<[f32]>,
}

impl Maps {
    /// One head's weights (n, n).
    pub fn head(&self, (layer, head): (usize, usize)) -> &[u8] {
        let cells = self.tokens.len() * self.tokens.len();
        let start = (layer * self.n_heads + head) * cells;
        self.bytes.get(start..start + cells).unwrap_or_default()
    }

    /// One weight of one head; 0 outside.
    pub fn weight(&self, head: (usize, usize), query: usize, key: usize) -> f64 {
        let cell = self.head(head).get(query * self.tokens.len() + key);
        f64::from(cell.copied().unwrap_or(0)) / 255.0
    }
}

/// The bytes of an event with maps: weights of so many cells, then the entropies as little-endian f32.
pub(super) fn split_maps(bytes: &Rc<[u8]>, cells: usize) -> (Rc<[u8]>, Rc<[f32]>) {
    let (weights, rest) = bytes.split_at_checked(cells).unwrap_or((bytes, &[]));
    let entropies = rest.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    (weights.into(), entropies)
}

/// What the model wrote when asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generated {
    /// Counts the requests.
    pub request: u32,
    /// The prompt of the request.
    pub prompt: String,
    /// How its tokens are chosen.
    pub sampling: Sampling,
    /// What came so far.
    pub text: String,
    /// Its tokens, each with what else could have been chosen.
    pub tokens: Rc<Vec<WrittenToken>>,
    /// Whether more is to come.
    pub running: bool,
    /// Why it could not be served.
    pub problem: Option<String>,
}

/// A part of the page that has the window for itself. The link's hash names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Setup, attention, loss, writing.
    Train,
    /// Vocabularies and tokens.
    Tokenizer,
    /// Attention, step by step.
    Lesson,
    /// Where the time goes.
    Profile,
}

impl View {
    /// All views, in the order of the header.
    pub const ALL: [Self; 4] = [Self::Train, Self::Tokenizer, Self::Lesson, Self::Profile];

    /// Its name in the header.
    pub fn title(self) -> &'static str {
        match self {
            Self::Train => "Train",
            Self::Tokenizer => "Tokenizer",
            Self::Lesson => "Lesson",
            Self::Profile => "Profile",
        }
    }

    /// Its name in the link.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Tokenizer => "tokenizer",
            Self::Lesson => "lesson",
            Self::Profile => "profile",
        }
    }

    /// The view that a link's hash names (`#view=tokenizer`, other entries separated by `&`), else the first.
    pub fn from_hash(hash: &str) -> Self {
        let name = hash.trim_start_matches('#').split('&').find_map(|entry| entry.strip_prefix("view="));
        Self::ALL.into_iter().find(|view| Some(view.name()) == name).unwrap_or(Self::Train)
    }
}

/// Light, dark, or as the system has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// One word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme with this name, else the system's.
    pub fn from_name(name: &str) -> Self {
        [Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == name).unwrap_or(Self::Auto)
    }

    /// The next one in the round.
    pub fn next(self) -> Self {
        match self {
            Self::Auto => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::Auto,
        }
    }
}

/// The run that an event is of; none for what is of no run.
pub(super) fn run_of(event: &Event) -> Option<RunId> {
    match event {
        Event::Listening | Event::Kernels { .. } | Event::Tokenizer(_) | Event::Data(_) | Event::Lesson(_) => None,
        Event::Device { run, .. }
        | Event::Loading { run, .. }
        | Event::Ready { run, .. }
        | Event::Training { run, .. }
        | Event::Progress { run, .. }
        | Event::Attention { run, .. }
        | Event::Sample { run, .. }
        | Event::Generated { run, .. }
        | Event::Diverged { run, .. }
        | Event::Notice { run, .. }
        | Event::Export { run, .. }
        | Event::Failed { run, .. }
        | Event::Inspect { run, .. }
        | Event::Workers { run, .. }
        | Event::Profile { run, .. }
        | Event::Runs { run, .. } => Some(*run),
    }
}
