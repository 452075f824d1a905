//! What the page knows about the data to train on, and how it changes. Pure, as all of [`super`].

use super::draft::SETUP;
use super::{DEFAULT_PROBE, State, Vocabulary};
use crate::config::{MIN_TRAINED_VOCABULARY, Preset};
use crate::protocol::data::{DataCommand, DataEvent, TaskAnswer, TaskInfo};
use crate::protocol::log::spread;
use crate::protocol::{Command, CorpusChoice, RunId};

/// A text of the TinyStories data set (Eldan & Li 2023) on the public hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HubText {
    /// The text for validation.
    Validation,
    /// The beginning of the text for training.
    Training,
}

impl HubText {
    /// Both, the smaller one first.
    pub const ALL: [Self; 2] = [Self::Validation, Self::Training];

    /// Its name in the select box.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validation => "validation text, 22 MB",
            Self::Training => "the first 100 MB of the training text (2.2 GB)",
        }
    }

    /// Its file's name, there and here.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Validation => "TinyStoriesV2-GPT4-valid.txt",
            Self::Training => "TinyStoriesV2-GPT4-train.txt",
        }
    }

    /// Where it is.
    pub fn address(self) -> String {
        const FOLDER: &str = "https://huggingface.co/datasets/roneneldan/TinyStories/resolve/main";
        format!("{FOLDER}/{}", self.file_name())
    }

    /// How much of it is taken at most, in bytes: a tab cannot hold gigabytes of tokens.
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

/// A text that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetching {
    /// Which.
    pub text: HubText,
    /// Bytes that came.
    pub received: u64,
    /// Bytes to come in all, where that is known.
    pub total: Option<u64>,
}

/// One score of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScorePoint {
    /// Steps done.
    pub step: u64,
    /// Examples that were answered to the letter.
    pub right: usize,
    /// All examples.
    pub of: usize,
}

/// Everything about data.
#[derive(Clone, Debug, PartialEq)]
pub struct DataState {
    /// The fields of the files' records that hold text.
    pub fields: Vec<String>,
    /// Which of them is taken.
    pub field: usize,
    /// The file that is being read.
    pub reading: Option<String>,
    /// Why files were not taken.
    pub file_problem: Option<String>,
    /// The synthetic tasks there are.
    pub tasks: Vec<TaskInfo>,
    /// The scores of the run's task, in order.
    pub scores: Vec<ScorePoint>,
    /// The latest answers to it.
    pub answers: Vec<TaskAnswer>,
    /// Which text of the hub is chosen.
    pub hub_text: HubText,
    /// The sizes of the texts that are kept, in bytes.
    kept: [Option<u64>; 2],
    /// The text that is on its way.
    pub fetching: Option<Fetching>,
    /// Why a text did not come.
    pub problem: Option<String>,
}

/// What can happen to it.
#[derive(Clone, Debug)]
pub enum DataAction {
    /// Another field.
    Field(usize),
    /// A file of this name is being read.
    Reading(String),
    /// Other files were chosen: what was wrong with earlier ones is over.
    Opening,
    /// Files were read, or cannot be, for this reason.
    Read(Option<String>),
    /// Another text of the hub is chosen.
    HubText(HubText),
    /// A text is kept, with so many bytes, or no more.
    Kept(HubText, Option<u64>),
    /// A text is on its way.
    Fetching(Fetching),
    /// A text will not come, for this reason; without one it was cancelled.
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
    /// The size of a text that is kept, in bytes.
    pub fn kept(&self, text: HubText) -> Option<u64> {
        self.kept[text.index()]
    }

    /// The field of the files' records that is taken, where they have records.
    pub fn chosen_field(&self) -> Option<String> {
        self.fields.get(self.field).cloned()
    }

    /// The command that tells a worker, which takes the first field by itself, about another one.
    pub fn field_command(&self) -> Option<Command> {
        let field = self.chosen_field()?;
        Some(Command::Data(DataCommand::ChooseField { field }))
    }

    /// Carries out one action.
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

    /// Forgets what belongs to the run before.
    pub fn begin(&mut self) {
        self.scores.clear();
        self.answers.clear();
    }

    /// Takes over what the worker said; `run` is the current one.
    pub fn hear(&mut self, run: RunId, event: DataEvent) {
        match event {
            // Of the worker that reads nothing else.
            DataEvent::ParquetText { .. } | DataEvent::ParquetProblem { .. } => (),
            DataEvent::Tasks { .. } => (), // of the whole state
            DataEvent::Score { run: of_run, .. } if of_run != run => (),
            DataEvent::Score { step, right, of, shown, .. } => {
                // Other weights at the same step: the newer score is theirs.
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
    /// A task brings its own sentence and is learned byte by byte; a text after a task goes back to words.
    pub(in crate::ui) fn choose_corpus(&mut self, corpus: CorpusChoice) {
        let was_task = matches!(self.draft.corpus, CorpusChoice::Task(_));
        let probe = match corpus {
            // A link may choose a task before the worker has told its sentence.
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

    /// The tasks are known: one that a link has chosen before gets its sentence, unless the link brought one.
    pub(super) fn hear_tasks(&mut self, tasks: Vec<TaskInfo>) {
        if let CorpusChoice::Task(number) = self.draft.corpus
            && let Some(task) = tasks.get(number).filter(|_| self.probe == DEFAULT_PROBE)
        {
            self.probe = task.probe.clone();
        }
        self.data.tasks = tasks;
    }

    /// V of a vocabulary that a run trains on the draft's text: for a task the bytes and the end of a text.
    pub(super) fn text_vocab_size(&self) -> usize {
        vocab_size_of(self.draft.corpus)
    }
}

fn vocab_size_of(corpus: CorpusChoice) -> usize {
    let task = matches!(corpus, CorpusChoice::Task(_));
    if task { MIN_TRAINED_VOCABULARY } else { Preset::Nano.config().model.vocab_size }
}
