//! The training data. Pure, like all of [`super`].

use super::draft::SETUP;
use super::{DEFAULT_PROBE, State, Vocabulary};
use glasshead::config::{MIN_TRAINED_VOCABULARY, Preset};
use glasshead::types::history::spread;
use glasshead::types::tasks::{TaskAnswer, TaskInfo};
use glasshead::types::{CorpusChoice, RunId};
use glasshead::wire::Command;
use glasshead::wire::data::{DataCommand, DataEvent};

/// A file of the TinyStories data set (Eldan & Li 2023) on the public hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HubText {
    /// The validation set.
    Validation,
    /// The beginning of the training set.
    Training,
}

impl HubText {
    /// Both texts, the smaller one first.
    pub const ALL: [Self; 2] = [Self::Validation, Self::Training];

    /// Its name in the select box.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validation => "validation text, 22 MB",
            Self::Training => "the first 100 MB of the training text (2.2 GB)",
        }
    }

    /// Its file name, on the hub and in the browser's storage.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Validation => "TinyStoriesV2-GPT4-valid.txt",
            Self::Training => "TinyStoriesV2-GPT4-train.txt",
        }
    }

    /// Its URL.
    pub fn address(self) -> String {
        const FOLDER: &str = "https://huggingface.co/datasets/roneneldan/TinyStories/resolve/main";
        format!("{FOLDER}/{}", self.file_name())
    }

    /// The maximum number of bytes to download: a tab cannot hold gigabytes of tokens.
    pub fn most_bytes(self) -> u64 {
        match self {
            Self::Validation => u64::MAX,
            Self::Training => 100_000_000,
        }
    }

    fn index(self) -> usize {
        usize::from(self == Self::Training)
    }
}

/// A download in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetching {
    /// The text being downloaded.
    pub text: HubText,
    /// Bytes received.
    pub received: u64,
    /// Total bytes, if known.
    pub total: Option<u64>,
}

/// An evaluation of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScorePoint {
    /// Steps completed.
    pub step: u64,
    /// Number of examples answered exactly.
    pub right: usize,
    /// Number of examples.
    pub of: usize,
}

/// The state of the training data.
#[derive(Clone, Debug, PartialEq)]
pub struct DataState {
    /// The text fields of the files' records.
    pub fields: Vec<String>,
    /// The index of the field in use.
    pub field: usize,
    /// The name of the file being read.
    pub reading: Option<String>,
    /// Why files were refused.
    pub file_problem: Option<String>,
    /// The available synthetic tasks.
    pub tasks: Vec<TaskInfo>,
    /// The scores of the run's task, in chronological order.
    pub scores: Vec<ScorePoint>,
    /// The latest sample answers.
    pub answers: Vec<TaskAnswer>,
    /// The hub text chosen in the list.
    pub hub_text: HubText,
    /// The sizes in bytes of the stored texts, in the order of [`HubText::ALL`].
    kept: [Option<u64>; 2],
    /// The download in progress.
    pub fetching: Option<Fetching>,
    /// Why a download failed.
    pub problem: Option<String>,
}

/// Actions on the training data.
#[derive(Clone, Debug)]
pub enum DataAction {
    /// Sets the index of the text field.
    Field(usize),
    /// The file with this name is being read.
    Reading(String),
    /// Other files were chosen; earlier problems are cleared.
    Opening,
    /// Reading finished, or failed for this reason.
    Read(Option<String>),
    /// Chooses a hub text.
    HubText(HubText),
    /// A text is stored with this size in bytes, or no longer stored.
    Kept(HubText, Option<u64>),
    /// Progress of a download.
    Fetching(Fetching),
    /// A download failed for this reason, or was canceled (none).
    NotFetched(Option<String>),
}

impl Default for DataState {
    fn default() -> Self {
        Self {
            fields: Vec::new(),
            field: 0,
            reading: None,
            file_problem: None,
            tasks: Vec::new(),
            scores: Vec::new(),
            answers: Vec::new(),
            hub_text: HubText::Validation,
            kept: [None; 2],
            fetching: None,
            problem: None,
        }
    }
}

impl DataState {
    /// The size of a stored text in bytes.
    pub fn kept(&self, text: HubText) -> Option<u64> {
        self.kept[text.index()]
    }

    /// The field in use, if the files have records.
    pub fn chosen_field(&self) -> Option<String> {
        self.fields.get(self.field).cloned()
    }

    /// The command that sets the field in a worker that uses the first one by default.
    pub fn field_command(&self) -> Option<Command> {
        let field = self.chosen_field()?;
        Some(Command::Data(DataCommand::ChooseField { field }))
    }

    /// Applies an action.
    pub fn apply(&mut self, action: DataAction) {
        match action {
            DataAction::Field(field) => self.field = field.min(self.fields.len().saturating_sub(1)),
            DataAction::Opening => (self.file_problem, self.problem) = (None, None),
            DataAction::Reading(name) => (self.reading, self.file_problem) = (Some(name), None),
            DataAction::Read(problem) => (self.reading, self.file_problem) = (None, problem),
            DataAction::HubText(text) => (self.hub_text, self.problem) = (text, None),
            DataAction::Kept(text, bytes) => {
                self.kept[text.index()] = bytes;
                self.fetching = self.fetching.filter(|fetching| fetching.text != text);
            }
            DataAction::Fetching(fetching) => (self.fetching, self.problem) = (Some(fetching), None),
            DataAction::NotFetched(problem) => (self.fetching, self.problem) = (None, problem),
        }
    }

    /// Resets what belongs to the previous run.
    pub fn begin(&mut self) {
        self.scores.clear();
        self.answers.clear();
    }

    /// Handles an event from the worker; `run` is the current run.
    pub fn hear(&mut self, run: RunId, event: DataEvent) {
        match event {
            // Handled by the listeners of their own workers.
            DataEvent::ParquetText { .. } | DataEvent::ParquetProblem { .. } | DataEvent::Stories => (),
            DataEvent::Tasks { .. } => (), // needs the complete state
            DataEvent::Score { run: of_run, .. } if of_run != run => (),
            DataEvent::Score { step, right, of, shown, .. } => {
                // After a change of weights at the same step, the newer score is the valid one.
                self.scores.pop_if(|last| last.step == step);
                self.scores.push(ScorePoint { step, right, of });
                spread(&mut self.scores, |score| score.step);
                self.answers = shown;
            }
            DataEvent::Fields { fields } => {
                self.field = self.field.min(fields.len().saturating_sub(1));
                self.fields = fields;
            }
        }
    }
}

impl State {
    /// Sets the draft's corpus. A task has its own probe sentence and byte-level tokens; switching from a task to
    /// another corpus restores the default sentence and vocabulary size.
    pub(crate) fn choose_corpus(&mut self, corpus: CorpusChoice) {
        let was_task = matches!(self.draft.corpus, CorpusChoice::Task(_));
        let probe = match corpus {
            // A link may choose a task before the worker has reported its sentence.
            CorpusChoice::Task(number) => {
                Some(self.data.tasks.get(number).map_or(DEFAULT_PROBE.into(), |task| task.probe.clone()))
            }
            _ => was_task.then(|| DEFAULT_PROBE.to_string()),
        };
        if let Some(probe) = probe {
            let vocab_size = vocab_size_of(corpus);
            self.change_draft(SETUP, |draft, config| {
                draft.corpus = corpus;
                (draft.vocabulary, config.model.vocab_size) = (Vocabulary::OfTheText, vocab_size);
            });
            self.take_probe(probe);
        } else {
            self.draft.corpus = corpus;
        }
    }

    /// Stores the tasks. A task that a link chose earlier gets its sentence now, unless the link contained one.
    pub(super) fn hear_tasks(&mut self, tasks: Vec<TaskInfo>) {
        if let CorpusChoice::Task(number) = self.draft.corpus
            && let Some(task) = tasks.get(number).filter(|_| self.probe == DEFAULT_PROBE)
        {
            self.probe = task.probe.clone();
        }
        self.data.tasks = tasks;
    }

    /// V of a vocabulary trained on the draft's text; for a task, the bytes plus the end-of-text token.
    pub(super) fn text_vocab_size(&self) -> usize {
        vocab_size_of(self.draft.corpus)
    }
}

fn vocab_size_of(corpus: CorpusChoice) -> usize {
    let task = matches!(corpus, CorpusChoice::Task(_));
    if task { MIN_TRAINED_VOCABULARY } else { Preset::Nano.config().model.vocab_size }
}
