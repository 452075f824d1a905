//! The state of the page and its transitions. Pure: no web types, so that native tests can drive it.

use std::rc::Rc;

use glasshead::types::{BackendChoice, CorpusChoice, DeviceInfo, RunId, RunSummary, Sampling, VocabularyChoice};
use glasshead::wire::data::DataEvent;
use glasshead::wire::{Command, Event};

use super::data::state::DataView;
use super::draw::colors::ColorMap;
use super::maps::Plane;
use super::scale::state::Scale;
pub use action::Action;
use align::AlignState;
use ask::{AskAction, AskState};
use data::{DataAction, DataState};
pub use draft::{Mark, Refused};
use draft::{SETUP, is_live};
use experiments::Experiments;
pub use glasshead::types::History;
use lesson::LessonState;
use look::{Look, LookAction};
use overlay::{HelpTab, Overlay, OverlayAction, Overlays};
pub use parts::*;
use profile::ProfileState;
use queue::Queue;
use remember::Remember;
use runs::Runs;
use shell::Shell;
use tokenizer::TokenizerState;
use workers::WorkersState;

mod action;
pub mod align;
pub mod arithmetic;
pub mod ask;
pub mod autosave;
pub mod compare;
pub mod data;
mod device;
pub mod difference;
mod draft;
pub mod error;
pub mod experiments;
mod first;
mod hear;
pub mod lesson;
pub mod look;
pub mod models;
mod numbers;
pub mod overlay;
mod parts;
pub mod profile;
pub mod queue;
pub mod remember;
pub mod runs;
pub mod seeds;
pub mod shell;
pub mod shown;
pub mod snapshots;
pub mod tokenizer;
pub mod typed;
pub mod workers;

/// The default probe sentence.
pub const DEFAULT_PROBE: &str = "Lily had a red ball. \"Can I play?\" asked Tom. Lily smiled and gave the ball to him.";

/// Maximum number of stored samples.
const SAMPLES: usize = 6;

/// The complete state of the page.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The active view.
    pub view: View,
    /// The tokenizer view.
    pub tokenizer: TokenizerState,
    /// The training data.
    pub data: DataState,
    /// The Data view.
    pub filters: DataView,
    /// The lesson.
    pub lesson: LessonState,
    /// The Align view.
    pub align: AlignState,
    /// The number of the latest run.
    pub run: RunId,
    /// The state of the latest run.
    pub run_state: RunState,
    /// The setup that it was started with.
    pub started: Option<Setup>,
    /// The setup of the next run.
    pub draft: Setup,
    /// Field texts that were refused.
    pub refused: Vec<Refused>,
    /// The device that computes the run, once known.
    pub device: Option<DeviceInfo>,
    /// The latest device of each requested backend.
    pub devices: Vec<(BackendChoice, DeviceInfo)>,
    /// A summary of the run, once it is ready.
    pub summary: Option<Rc<RunSummary>>,
    /// Notices to show.
    pub notices: Vec<String>,
    /// Steps completed.
    pub step: u64,
    /// Training speed in tokens per second.
    pub tokens_per_s: f64,
    /// Loss history of the run.
    pub history: Rc<History>,
    /// The probe sentence.
    pub probe: String,
    /// Its latest maps; the page shows [`State::shown_maps`].
    pub maps: Option<Rc<Maps>>,
    /// Its timeline of earlier maps.
    pub remember: Remember,
    /// The (layer, head) shown large.
    pub selected: (usize, usize),
    /// The (query, key) cell under the pointer or the keyboard cursor.
    pub hovered: Option<(usize, usize)>,
    /// Display options of attention.
    pub look: Look,
    /// The pinned query row.
    pub pinned: Option<usize>,
    /// Whether masked cells are hatched.
    pub mask_shown: bool,
    /// Whether the weights are shown as a table.
    pub table_shown: bool,
    /// Samples generated during training with their steps, latest first.
    pub samples: Vec<Sample>,
    /// Sampling settings for requested texts.
    pub sampling: Sampling,
    /// The prompt in the text box.
    pub prompt: String,
    /// The text generated from a prompt.
    pub generated: Generated,
    /// Color map of the heatmaps.
    pub color_map: ColorMap,
    /// Color theme of the page.
    pub theme: Theme,
    /// Parts of the page hidden by the link, out of [`HIDEABLE`](super::share::HIDEABLE).
    pub hidden: Vec<&'static str>,
    /// The panel of a phone, and what of the shell is dismissed.
    pub shell: Shell,
    /// Drawers, popovers and menus.
    pub overlay: Overlays,
    /// The one-click experiments.
    pub experiments: Experiments,
    /// Inspection beyond the attention maps.
    pub ask: AskState,
    /// Finished, saved and compared runs.
    pub runs: Runs,
    /// The workers that share batches.
    pub workers: WorkersState,
    /// The measured profile of a step.
    pub profile: ProfileState,
    /// The queue of runs.
    pub queue: Rc<Queue>,
    /// Sweeps.
    pub scale: Rc<Scale>,
    /// Counts window resizes.
    pub resizes: u32,
    /// Counts actions, so that states can be compared quickly.
    pub version: u64,
    /// Like [`State::version`], but not counting pointer movement.
    pub settled: u64,
    /// Like [`State::settled`], but not counting the progress of training: for what shows none while it is closed.
    pub quiet: u64,
}

impl State {
    /// The command that starts a run from the draft; dispatch [`Action::Started`] afterwards.
    pub fn start_command(&self) -> Command {
        Command::Start {
            run: self.next_run(),
            config: (*self.draft.config).clone(),
            corpus: self.draft.corpus,
            vocabulary: match self.draft.vocabulary {
                Vocabulary::OfTheText => VocabularyChoice::Trained,
                Vocabulary::Chosen { .. } => VocabularyChoice::Loaded,
            },
            backend: self.draft.backend,
            probe: self.probe.clone(),
        }
    }

    /// Whether the draft has changes that require a new run.
    pub fn needs_restart(&self) -> bool {
        let Some(started) = &self.started else { return false };
        let key = |setup: &Setup| {
            let Setup { corpus, vocabulary, backend, file_count, .. } = setup;
            let file = if *corpus == CorpusChoice::File { *file_count } else { 0 };
            (*corpus, vocabulary.clone(), *backend, file)
        };
        let changed = started.config.differences(&self.draft.config);
        key(started) != key(&self.draft) || changed.iter().any(|name| !is_live(name))
    }

    /// Whether there is a run that accepts commands.
    pub fn has_run(&self) -> bool {
        matches!(self.run_state, RunState::Ready | RunState::Training | RunState::Paused | RunState::Diverged(_))
    }

    /// Whether the run is computed by the CPU backend.
    pub fn on_cpu(&self) -> bool {
        self.device.as_ref().is_some_and(|device| device.backend == "CPU")
    }

    /// Whether the run can continue training.
    pub fn can_train(&self) -> bool {
        matches!(self.run_state, RunState::Ready | RunState::Training | RunState::Paused)
    }

    /// The current query row: pinned, else under the pointer.
    pub fn query(&self) -> Option<usize> {
        self.pinned.or(self.hovered.map(|(query, _)| query))
    }

    /// The displayed maps: the chosen earlier snapshot, else the latest.
    pub fn shown_maps(&self) -> Option<Rc<Maps>> {
        self.remember.earlier.clone().or_else(|| self.maps.clone())
    }

    /// Applies an action.
    pub fn apply(&mut self, action: Action) {
        self.count(&action);
        match action {
            Action::View(view) => {
                self.view = view;
                self.resizes += 1; // hidden elements had no size
                self.overlay.open = None;
            }
            Action::Follow(hash) => {
                // The caller of [`Action::Follow`] reports the entries that could not be applied.
                drop(super::share::take_over(self, &hash));
                self.resizes += 1;
            }
            Action::Tokenizer(action) => self.tokenizer.apply(action),
            Action::Lesson(action) => self.lesson.apply(action),
            Action::Align(action) => self.align.apply(action),
            Action::Filters(action) => self.filters.apply(action),
            Action::Data(action) => {
                // Another field gives different text from the same files.
                self.draft.file_count += u32::from(matches!(action, DataAction::Field(_)));
                if matches!(action, DataAction::Opening) {
                    self.runs.message = None;
                }
                self.data.apply(action);
            }
            Action::TakeVocabulary(name, vocab_size) => {
                let choice = self.version;
                self.change_draft(SETUP, |draft, config| {
                    draft.vocabulary = Vocabulary::Chosen { name, vocab_size, choice };
                    config.model.vocab_size = vocab_size;
                });
            }
            Action::DropVocabulary => {
                let size = self.text_vocab_size();
                self.change_draft(SETUP, |draft, config| {
                    (draft.vocabulary, config.model.vocab_size) = (Vocabulary::OfTheText, size);
                });
            }
            Action::Events(events) => {
                events.into_iter().for_each(|(event, bytes)| self.hear(event, bytes));
                self.measure_speed();
                self.advance_experiment();
            }
            Action::Started => {
                self.keep_run();
                self.begin(self.next_run());
            }
            Action::Preset(preset) => {
                let task_vocabulary = self.text_vocab_size();
                self.change_draft(SETUP, |draft, config| {
                    let seed = config.train.seed;
                    *config = preset.config();
                    config.train.seed = seed;
                    match (&draft.vocabulary, draft.corpus) {
                        (Vocabulary::Chosen { vocab_size, .. }, _) => config.model.vocab_size = *vocab_size,
                        (_, CorpusChoice::Task(_)) => config.model.vocab_size = task_vocabulary,
                        _ => (),
                    }
                });
            }
            Action::Config(config) => match self.draft.check(config) {
                Ok(config) => {
                    self.accept_settings();
                    self.take_settings(config);
                }
                Err(error) => self.refuse(SETUP, "", error.to_string()),
            },
            Action::Enter(name, text) => self.enter(name, &text),
            Action::Refuse(name, text, problem) => self.refuse(name, &text, problem),
            Action::Accept(name) => self.accept(name),
            Action::Discard => self.accept_settings(),
            Action::ApplyToRun => {
                let names = self.pending_live();
                self.apply_to_run(&names);
            }
            Action::Backend(backend) => self.draft.backend = backend,
            Action::Corpus(corpus) => self.choose_corpus(corpus),
            Action::File(name) => {
                self.choose_corpus(CorpusChoice::File);
                self.data.apply(DataAction::Field(0));
                self.draft.file_name = Some(name);
                self.draft.file_count += 1;
            }
            Action::Probe(text) => self.take_probe(text),
            Action::Select(layer, head) => self.apply_look(LookAction::Show(Plane::Head(layer, head))),
            Action::Look(action) => self.apply_look(action),
            Action::Announce(sentence) => self.look.announcement = sentence,
            Action::Walk { layers, heads } if self.view == View::Align => self.align.walk(layers, heads),
            Action::Walk { layers, heads } => self.walk(layers, heads),
            Action::Pin(query) => self.pin(query),
            Action::Escape if self.overlay.open.is_some() => self.overlay.open = None,
            Action::Escape if self.ask.explained_here => self.ask.explained_here = false,
            Action::Escape if self.ask.wide => self.ask.wide = false,
            Action::Escape => self.let_go_of_all(),
            Action::Unpin => self.let_go_of_all(),
            Action::Shell(action) => self.shell.apply(action),
            Action::DismissNotices => self.notices.clear(),
            Action::Hover(cell) => (self.hovered, self.ask.cell) = (cell, cell.or(self.ask.cell)),
            Action::Ask(action) => {
                if matches!(action, AskAction::Explain(_)) {
                    self.overlay.apply(OverlayAction::Help(HelpTab::Glossary));
                }
                self.ask.apply(action);
            }
            Action::Overlay(action) => self.overlay.apply(action),
            Action::Experiments(action) => self.apply_experiments(action),
            Action::Undo => self.undo_changes(),
            Action::ToggleMask => self.mask_shown = !self.mask_shown,
            Action::ToggleTable => self.table_shown = !self.table_shown,
            Action::Form(form) => {
                self.table_shown = false;
                self.apply_look(LookAction::Form(form));
            }
            Action::ToggleHelp => self.overlay.apply(OverlayAction::Toggle(Overlay::Help)),
            Action::Prompt(prompt) => self.prompt = prompt,
            Action::Type(field, text) => self.take_typed(field, &text),
            Action::Generate => {
                let request = self.generated.request + 1;
                let (prompt, sampling) = (self.prompt.clone(), self.sampling.clone());
                self.generated = Generated { request, prompt, sampling, running: true, ..Generated::default() };
            }
            Action::ColorMap(color_map) => self.color_map = color_map,
            Action::Theme(theme) => self.theme = theme,
            Action::Resized => self.resizes += 1,
            Action::Runs(action) => self.apply_runs(action),
            Action::Remember(action) => self.apply_remember(action),
            Action::Workers(wanted) => self.workers.want(wanted),
            Action::Profile => self.profile.measuring = true,
            Action::Queue(action) => {
                let queue = Rc::make_mut(&mut self.queue);
                queue.apply(action);
                Rc::make_mut(&mut self.scale).advance(queue);
            }
            Action::Scale(action) => {
                let setup = (self.draft.corpus, self.draft.backend);
                Rc::make_mut(&mut self.scale).apply(action, Rc::make_mut(&mut self.queue), setup);
            }
            Action::Systems(action) => self.profile.act(action),
        }
        self.review_device();
    }

    fn begin(&mut self, run: RunId) {
        self.data.begin();
        self.profile = self.profile.next_run();
        self.ask.begin();
        self.run = run;
        self.begin_runs();
        self.runs.from_file = false;
        self.run_state = RunState::Loading(None);
        self.started = Some(self.draft.clone());
        (self.step, self.tokens_per_s, self.history) = (0, 0.0, Rc::default());
        (self.maps, self.summary, self.device) = (None, None, None);
        self.refused.retain(|refused| !refused.name.starts_with("weight "));
        self.remember.begin();
        (self.hovered, self.pinned, self.selected) = (None, None, (0, 0));
        self.begin_look();
        self.notices.clear();
        self.shell.ready_dismissed = false;
        self.shell.task_open = false;
        self.samples.clear();
        let request = self.generated.request;
        self.generated = Generated { request, ..Generated::default() };
    }
}
