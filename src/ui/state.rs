//! What the page knows, and how it changes. Pure: no web types, so that native tests drive it.

use std::rc::Rc;

use crate::config::{Preset, RunConfig};
use crate::protocol::{
    BackendChoice, Command, CorpusChoice, DeviceInfo, Event, Phase, RunId, RunSummary, Sampling, StepPoint, Token,
    ValidationPoint, VocabularyChoice,
};

use super::draw::colors::ColorMap;
use data::{DataAction, DataState};
use tokenizer::{TokenizerAction, TokenizerState};

pub mod data;
pub mod tokenizer;

/// The sentence whose attention is shown at first.
pub const DEFAULT_PROBE: &str = "Lily had a red ball. \"Can I play?\" asked Tom. Lily smiled and gave the ball to him.";

/// How many of the model's own texts are kept.
const SAMPLES: usize = 6;

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
    pub config: RunConfig,
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

/// All losses of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Every step, in order.
    pub points: Vec<StepPoint>,
    /// Every evaluation, in order.
    pub validation: Vec<ValidationPoint>,
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
    /// How many tokens did not fit.
    pub tokens_cut: usize,
    /// (L, H, n, n); weight = byte / 255.
    pub bytes: Rc<[u8]>,
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

/// What the model wrote when asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// Counts the requests.
    pub request: u32,
    /// The prompt of the request.
    pub prompt: String,
    /// What came so far.
    pub text: String,
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
}

impl View {
    /// All views, in the order of the header.
    pub const ALL: [Self; 2] = [Self::Train, Self::Tokenizer];

    /// Its name in the header.
    pub fn title(self) -> &'static str {
        match self {
            Self::Train => "Train",
            Self::Tokenizer => "Tokenizer",
        }
    }

    /// Its name in the link.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Tokenizer => "tokenizer",
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

/// Everything the page shows.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// What has the window.
    pub view: View,
    /// The tokenizer's page.
    pub tokenizer: TokenizerState,
    /// The data to train on.
    pub data: DataState,
    /// The latest run.
    pub run: RunId,
    /// What it is doing.
    pub run_state: RunState,
    /// What was asked for when it started.
    pub started: Option<Setup>,
    /// What the next run will be.
    pub draft: Setup,
    /// What is wrong with an entry, if anything.
    pub entry_problem: Option<String>,
    /// Who computes.
    pub device: Option<DeviceInfo>,
    /// What was built.
    pub summary: Option<Rc<RunSummary>>,
    /// Things worth knowing.
    pub notices: Vec<String>,
    /// Steps done.
    pub step: u64,
    /// Speed.
    pub tokens_per_s: f64,
    /// Losses.
    pub history: Rc<History>,
    /// The probe sentence.
    pub probe: String,
    /// Its attention.
    pub maps: Option<Rc<Maps>>,
    /// (layer, head) shown large.
    pub selected: (usize, usize),
    /// (query, key) under the pointer or the keyboard.
    pub hovered: Option<(usize, usize)>,
    /// The query row that is held.
    pub pinned: Option<usize>,
    /// Whether masked cells are hatched.
    pub mask_shown: bool,
    /// Whether the weights are shown as a table.
    pub table_shown: bool,
    /// Texts that the model wrote by itself, latest first, with their steps.
    pub samples: Vec<(u64, String)>,
    /// How to choose tokens when asked to write.
    pub sampling: Sampling,
    /// The text box.
    pub prompt: String,
    /// The answer.
    pub generated: Generated,
    /// Colours of the heatmaps.
    pub color_map: ColorMap,
    /// Colours of the page.
    pub theme: Theme,
    /// Whether the help is open.
    pub help_open: bool,
    /// Counts the changes of the window's size.
    pub resizes: u32,
    /// Counts the actions, so that two states are told apart at once.
    pub version: u64,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum Action {
    /// Another part of the page gets the window.
    View(View),
    /// On the tokenizer's page.
    Tokenizer(TokenizerAction),
    /// About the data to train on.
    Data(DataAction),
    /// The next run takes over a vocabulary: its name and size.
    TakeVocabulary(String, usize),
    /// The next run trains a vocabulary on its text.
    DropVocabulary,
    /// The worker said something; bytes may have ridden along.
    Events(Vec<(Event, Option<Rc<[u8]>>)>),
    /// A new run was asked for.
    Started,
    /// Another preset: its numbers replace the draft's.
    Preset(Preset),
    /// The draft's numbers.
    Config(RunConfig),
    /// An entry cannot be used.
    EntryProblem(String),
    /// The draft's backend.
    Backend(BackendChoice),
    /// The draft's corpus.
    Corpus(CorpusChoice),
    /// Files were chosen: what they are called together.
    File(String),
    /// Another probe sentence.
    Probe(String),
    /// Another head.
    Select(usize, usize),
    /// Step through heads and layers, round and round.
    Walk {
        /// By so many layers.
        layers: isize,
        /// By so many heads.
        heads: isize,
    },
    /// The pointer is on a cell, or on none.
    Hover(Option<(usize, usize)>),
    /// Hold a query row, or let go of it when it is held.
    Pin(usize),
    /// Let go of everything: the pinned row, the help.
    Escape,
    /// Show or hide the hatching.
    ToggleMask,
    /// Show or hide the table.
    ToggleTable,
    /// Show or hide the help.
    ToggleHelp,
    /// The text box.
    Prompt(String),
    /// How to choose tokens.
    Sampling(Sampling),
    /// Writing was asked for.
    Generate,
    /// Other colours of the heatmaps.
    ColorMap(ColorMap),
    /// Other colours of the page.
    Theme(Theme),
    /// The window has another size.
    Resized,
}

impl Default for State {
    fn default() -> Self {
        let config = Preset::Nano.config();
        let (corpus, backend) = (CorpusChoice::BuiltIn, BackendChoice::Auto);
        let vocabulary = Vocabulary::OfTheText;
        Self {
            view: View::Train,
            tokenizer: TokenizerState::default(),
            data: DataState::default(),
            run: 0,
            run_state: RunState::Loading(None),
            started: None,
            draft: Setup { config, corpus, vocabulary, backend, file_name: None, file_count: 0 },
            entry_problem: None,
            device: None,
            summary: None,
            notices: Vec::new(),
            step: 0,
            tokens_per_s: 0.0,
            history: Rc::default(),
            probe: DEFAULT_PROBE.into(),
            maps: None,
            selected: (0, 0),
            hovered: None,
            pinned: None,
            mask_shown: true,
            table_shown: false,
            samples: Vec::new(),
            sampling: Sampling::default(),
            prompt: String::new(),
            generated: Generated::default(),
            color_map: ColorMap::Cividis,
            theme: Theme::Auto,
            help_open: false,
            resizes: 0,
            version: 0,
        }
    }
}

impl State {
    /// The command that starts the draft as the next run; [`Action::Started`] has to follow.
    pub fn start_command(&self) -> Command {
        Command::Start {
            run: self.run + 1,
            config: self.draft.config.clone(),
            corpus: self.draft.corpus,
            vocabulary: match self.draft.vocabulary {
                Vocabulary::OfTheText => VocabularyChoice::Trained,
                Vocabulary::Chosen { .. } => VocabularyChoice::Loaded,
            },
            backend: self.draft.backend,
            probe: self.probe.clone(),
        }
    }

    /// Whether the draft has changes that only a new run takes over.
    pub fn needs_restart(&self) -> bool {
        let Some(started) = &self.started else { return false };
        let key = |setup: &Setup| {
            let Setup { config, corpus, vocabulary, backend, file_count, .. } = setup;
            let file = if *corpus == CorpusChoice::File { *file_count } else { 0 };
            (
                config.model.clone(),
                config.train.batch_size,
                config.train.seed,
                *corpus,
                vocabulary.clone(),
                *backend,
                file,
            )
        };
        key(started) != key(&self.draft)
    }

    /// What is wrong with the draft, if anything.
    pub fn problem(&self) -> Option<String> {
        self.entry_problem.clone().or_else(|| self.draft.config.validate().err().map(|error| error.to_string()))
    }

    /// Whether there is a run that takes commands.
    pub fn has_run(&self) -> bool {
        matches!(self.run_state, RunState::Ready | RunState::Training | RunState::Paused | RunState::Diverged(_))
    }

    /// Whether the run can be trained on.
    pub fn can_train(&self) -> bool {
        matches!(self.run_state, RunState::Ready | RunState::Training | RunState::Paused)
    }

    /// The query row to look at: pinned, else under the pointer.
    pub fn query(&self) -> Option<usize> {
        self.pinned.or(self.hovered.map(|(query, _)| query))
    }

    /// Carries out one action.
    pub fn apply(&mut self, action: Action) {
        self.version += 1;
        match action {
            Action::View(view) => {
                self.view = view;
                self.resizes += 1; // what was hidden had no size
            }
            Action::Tokenizer(action) => self.tokenizer.apply(action),
            Action::Data(action) => {
                // Another field makes another text of the same files.
                self.draft.file_count += u32::from(matches!(action, DataAction::Field(_)));
                self.data.apply(action);
            }
            Action::TakeVocabulary(name, vocab_size) => {
                self.draft.vocabulary = Vocabulary::Chosen { name, vocab_size, choice: self.version };
                self.draft.config.model.vocab_size = vocab_size;
            }
            Action::DropVocabulary => {
                self.draft.vocabulary = Vocabulary::OfTheText;
                self.draft.config.model.vocab_size = self.text_vocab_size();
            }
            Action::Events(events) => events.into_iter().for_each(|(event, bytes)| self.hear(event, bytes)),
            Action::Started => self.begin(),
            Action::Preset(preset) => {
                let seed = self.draft.config.train.seed;
                self.draft.config = preset.config();
                self.draft.config.train.seed = seed;
                match (&self.draft.vocabulary, self.draft.corpus) {
                    (Vocabulary::Chosen { vocab_size, .. }, _) => self.draft.config.model.vocab_size = *vocab_size,
                    (_, CorpusChoice::Task(_)) => self.draft.config.model.vocab_size = self.text_vocab_size(),
                    _ => (),
                }
                self.entry_problem = None;
            }
            Action::Config(config) => (self.draft.config, self.entry_problem) = (config, None),
            Action::EntryProblem(problem) => self.entry_problem = Some(problem),
            Action::Backend(backend) => self.draft.backend = backend,
            Action::Corpus(corpus) => self.choose_corpus(corpus),
            Action::File(name) => {
                self.choose_corpus(CorpusChoice::File);
                self.data.apply(DataAction::Field(0));
                self.draft.file_name = Some(name);
                self.draft.file_count += 1;
            }
            Action::Probe(text) => (self.probe, self.pinned, self.hovered) = (text, None, None),
            Action::Select(layer, head) => self.selected = (layer, head),
            Action::Walk { layers, heads } => self.walk(layers, heads),
            Action::Hover(cell) => self.hovered = cell,
            Action::Pin(query) => self.pinned = if self.pinned == Some(query) { None } else { Some(query) },
            Action::Escape => (self.pinned, self.help_open) = (None, false),
            Action::ToggleMask => self.mask_shown = !self.mask_shown,
            Action::ToggleTable => self.table_shown = !self.table_shown,
            Action::ToggleHelp => self.help_open = !self.help_open,
            Action::Prompt(prompt) => self.prompt = prompt,
            Action::Sampling(sampling) => self.sampling = sampling,
            Action::Generate => {
                let request = self.generated.request + 1;
                self.generated =
                    Generated { request, prompt: self.prompt.clone(), running: true, ..Generated::default() };
            }
            Action::ColorMap(color_map) => self.color_map = color_map,
            Action::Theme(theme) => self.theme = theme,
            Action::Resized => self.resizes += 1,
        }
    }

    /// A task brings its own sentence and is learned byte by byte; a text after a task goes back to words.
    fn choose_corpus(&mut self, corpus: CorpusChoice) {
        let was_task = matches!(self.draft.corpus, CorpusChoice::Task(_));
        self.draft.corpus = corpus;
        let probe = match corpus {
            CorpusChoice::Task(number) => self.data.tasks.get(number).map(|task| task.probe.clone()),
            _ => was_task.then(|| DEFAULT_PROBE.to_string()),
        };
        if let Some(probe) = probe {
            self.draft.vocabulary = Vocabulary::OfTheText;
            self.draft.config.model.vocab_size = self.text_vocab_size();
            (self.probe, self.pinned, self.hovered) = (probe, None, None);
        }
    }

    /// V of a vocabulary that a run trains on the draft's text: for a task the bytes and the end of a text.
    fn text_vocab_size(&self) -> usize {
        let task = matches!(self.draft.corpus, CorpusChoice::Task(_));
        if task { 257 } else { Preset::Nano.config().model.vocab_size }
    }

    fn begin(&mut self) {
        self.data.begin();
        self.run += 1;
        self.run_state = RunState::Loading(None);
        self.started = Some(self.draft.clone());
        (self.step, self.tokens_per_s, self.history) = (0, 0.0, Rc::default());
        (self.maps, self.summary, self.device) = (None, None, None);
        (self.hovered, self.pinned, self.selected) = (None, None, (0, 0));
        self.notices.clear();
        self.samples.clear();
        let request = self.generated.request;
        self.generated = Generated { request, ..Generated::default() };
    }

    fn walk(&mut self, layers: isize, heads: isize) {
        let Some(maps) = &self.maps else { return };
        let step = |at: usize, by: isize, n: usize| (at as isize + by).rem_euclid(n.max(1) as isize) as usize;
        let (layer, head) = self.selected;
        self.selected = (step(layer, layers, maps.n_layers), step(head, heads, maps.n_heads));
    }

    fn hear(&mut self, event: Event, bytes: Option<Rc<[u8]>>) {
        if run_of(&event).is_some_and(|run| run != self.run && run != 0) {
            return; // of a run that is over
        }
        match event {
            Event::Listening => (),
            Event::Tokenizer(event) => self.tokenizer.hear(event),
            Event::Data(event) => self.data.hear(self.run, event),
            Event::Device { device, .. } => self.device = Some(device),
            Event::Loading { phase, .. } => self.run_state = RunState::Loading(Some(phase)),
            Event::Ready { summary, .. } => {
                self.summary = Some(Rc::new(*summary));
                self.run_state = RunState::Ready;
            }
            Event::Training { on: true, .. } => self.run_state = RunState::Training,
            Event::Training { on: false, .. } => self.run_state = RunState::Paused,
            Event::Progress { step, points, validation, tokens_per_s, .. } => {
                (self.step, self.tokens_per_s) = (step, tokens_per_s);
                let history = Rc::make_mut(&mut self.history);
                history.points.extend(points);
                history.validation.extend(validation);
            }
            Event::Attention { step, tokens, n_layers, n_heads, tokens_cut, .. } => {
                let n = tokens.len();
                let bytes = bytes.unwrap_or_else(|| Rc::from([]));
                self.pinned = self.pinned.filter(|&query| query < n);
                self.hovered = self.hovered.filter(|&(query, key)| query < n && key < n);
                self.maps = Some(Rc::new(Maps { step, tokens, n_layers, n_heads, tokens_cut, bytes }));
            }
            Event::Sample { step, text, .. } => {
                self.samples.insert(0, (step, text));
                self.samples.truncate(SAMPLES);
            }
            Event::Generated { request, text, done, problem, .. } => {
                if request == self.generated.request {
                    (self.generated.text, self.generated.running) = (text, !done);
                    self.generated.problem = problem;
                }
            }
            Event::Diverged { message, .. } => self.run_state = RunState::Diverged(message),
            Event::Notice { message, .. } => self.notices.push(message),
            Event::Failed { message, .. } => self.run_state = RunState::Failed(message),
        }
    }
}

fn run_of(event: &Event) -> Option<RunId> {
    match event {
        Event::Listening | Event::Tokenizer(_) | Event::Data(_) => None,
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
        | Event::Failed { run, .. } => Some(*run),
    }
}
