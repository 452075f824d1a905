//! Parts of the state.

use std::rc::Rc;

use glasshead::config::ValidConfig;
use glasshead::types::sampling::WrittenToken;
use glasshead::types::{BackendChoice, CorpusChoice, Phase, RunId, Sampling, Token};
use glasshead::wire::Event;

/// The state of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Being prepared; none before the worker's first report.
    Loading(Option<Phase>),
    /// Prepared, at step 0.
    Ready,
    /// Training.
    Training,
    /// Trained and paused.
    Paused,
    /// The loss became infinite or NaN; the message.
    Diverged(String),
    /// Failed; the message.
    Failed(String),
}

impl RunState {
    /// A one-word name, used as an attribute of the page.
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

/// The settings of a new run.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// Model and training configuration.
    pub config: ValidConfig,
    /// The training data.
    pub corpus: CorpusChoice,
    /// The vocabulary.
    pub vocabulary: Vocabulary,
    /// The backend that computes.
    pub backend: BackendChoice,
    /// The name of the user's file, if one was chosen.
    pub file_name: Option<String>,
    /// Counts chosen files, so that another file with the same name is a different setup.
    pub file_count: u32,
}

/// The vocabulary that a run tokenizes its text with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vocabulary {
    /// Trained on the text when the run starts.
    OfTheText,
    /// Chosen in the tokenizer view.
    Chosen {
        /// The display name.
        name: String,
        /// The vocabulary size, V.
        vocab_size: usize,
        /// Identifies the choice, so that another vocabulary with the same name is a different setup.
        choice: u64,
    },
}

/// The softmax weights of the probe sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Maps {
    /// Steps completed when they were computed.
    pub step: u64,
    /// The tokens of the sentence.
    pub tokens: Vec<Token>,
    /// The number of layers, L.
    pub n_layers: usize,
    /// The number of heads per layer, H.
    pub n_heads: usize,
    /// Whether keys after the query are masked.
    pub causal: bool,
    /// The number of tokens cut off because they exceed the context.
    pub tokens_cut: usize,
    /// (L, H, n, n); weight = byte / 255.
    pub bytes: Rc<[u8]>,
    /// Mean row entropies in bits, (L, H + 1), computed from the unrounded weights; the last entry of each layer is
    /// that of the heads' mean. Empty if unknown.
    pub entropies: Rc<[f32]>,
}

impl Maps {
    /// The maps in an event's bytes, of a causal model with these numbers of layers and heads.
    pub fn of_event(tokens: Vec<Token>, (n_layers, n_heads): (usize, usize), bytes: &Rc<[u8]>) -> Self {
        let (bytes, entropies) = split_maps(bytes, n_layers * n_heads * tokens.len() * tokens.len());
        Self { step: 0, tokens, n_layers, n_heads, causal: true, tokens_cut: 0, bytes, entropies }
    }

    /// One head's weights (n, n).
    pub fn head(&self, (layer, head): (usize, usize)) -> &[u8] {
        let cells = self.tokens.len() * self.tokens.len();
        let start = (layer * self.n_heads + head) * cells;
        self.bytes.get(start..start + cells).unwrap_or_default()
    }

    /// One weight of one head; 0 out of range.
    pub fn weight(&self, head: (usize, usize), query: usize, key: usize) -> f64 {
        let cell = self.head(head).get(query * self.tokens.len() + key);
        f64::from(cell.copied().unwrap_or(0)) / 255.0
    }
}

/// Splits the bytes of an event with maps: `cells` weights of one byte, then the entropies as little-endian f32.
pub(super) fn split_maps(bytes: &Rc<[u8]>, cells: usize) -> (Rc<[u8]>, Rc<[f32]>) {
    let (weights, rest) = bytes.split_at_checked(cells).unwrap_or((bytes, &[]));
    let entropies = rest.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    (weights.into(), entropies)
}

/// The text generated from a prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generated {
    /// Counts the requests.
    pub request: u32,
    /// The prompt.
    pub prompt: String,
    /// The sampling settings.
    pub sampling: Sampling,
    /// The text generated so far.
    pub text: String,
    /// Its tokens, each with its alternatives.
    pub tokens: Rc<Vec<WrittenToken>>,
    /// Whether generation is in progress.
    pub running: bool,
    /// The error message, if any.
    pub problem: Option<String>,
}

/// A view of the page, named in the link's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// One-click experiments.
    Experiments,
    /// Setup, attention, loss, generated text.
    Train,
    /// Stages of alignment.
    Align,
    /// Sweeps over model sizes, and the laws that they follow.
    Scale,
    /// From web pages to training text.
    Data,
    /// The profile of a training step.
    Systems,
    /// Vocabularies and tokens.
    Tokenizer,
    /// The attention lesson.
    Lesson,
}

impl View {
    /// All views, in the order of the rail.
    pub const ALL: [Self; 8] = [
        Self::Experiments,
        Self::Train,
        Self::Align,
        Self::Scale,
        Self::Data,
        Self::Systems,
        Self::Tokenizer,
        Self::Lesson,
    ];

    /// Its name in the header.
    pub fn title(self) -> &'static str {
        match self {
            Self::Experiments => "Experiments",
            Self::Train => "Train",
            Self::Align => "Align",
            Self::Scale => "Scale",
            Self::Data => "Data",
            Self::Systems => "Systems",
            Self::Tokenizer => "Tokenizer",
            Self::Lesson => "Lesson",
        }
    }

    /// Its name in the link.
    pub fn name(self) -> &'static str {
        match self {
            Self::Experiments => "experiments",
            Self::Train => "train",
            Self::Align => "align",
            Self::Scale => "scale",
            Self::Data => "data",
            Self::Systems => "systems",
            Self::Tokenizer => "tokenizer",
            Self::Lesson => "lesson",
        }
    }

    /// The view with this name. Links of earlier versions call Systems `profile`.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = if name == "profile" { Self::Systems.name() } else { name };
        Self::ALL.into_iter().find(|view| view.name() == name)
    }

    /// The view that a link's hash names (`#view=tokenizer`, entries separated by `&`), else Train.
    pub fn from_hash(hash: &str) -> Self {
        let name = hash.trim_start_matches('#').split('&').find_map(|entry| entry.strip_prefix("view="));
        name.and_then(Self::from_name).unwrap_or(Self::Train)
    }
}

/// Light, dark, or the system's theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// The system's theme.
    Auto,
    /// The light theme.
    Light,
    /// The dark theme.
    Dark,
}

impl Theme {
    /// A one-word name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme with this name, else [`Theme::Auto`].
    pub fn from_name(name: &str) -> Self {
        [Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == name).unwrap_or(Self::Auto)
    }

    /// The next theme in the cycle.
    pub fn next(self) -> Self {
        match self {
            Self::Auto => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::Auto,
        }
    }
}

/// A text that the model wrote during training.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Steps done when it was begun.
    pub step: u64,
    /// Its tokens with the probability of each; empty if only the text is known.
    pub tokens: Rc<Vec<(String, f32)>>,
    /// The whole text, once it is complete.
    pub text: Option<String>,
}

/// The run that an event belongs to, if any.
pub(super) fn run_of(event: &Event) -> Option<RunId> {
    match event {
        Event::Listening
        | Event::Kernels { .. }
        | Event::Tokenizer(_)
        | Event::Data(_)
        | Event::Lesson(_)
        | Event::Align(_)
        | Event::Queue(_)
        | Event::Effect(_) => None,
        Event::Device { run, .. }
        | Event::Loading { run, .. }
        | Event::Ready { run, .. }
        | Event::Training { run, .. }
        | Event::Progress { run, .. }
        | Event::Attention { run, .. }
        | Event::Sample { run, .. }
        | Event::SampleTokens { run, .. }
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
