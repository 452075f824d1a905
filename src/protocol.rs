//! What the page and the worker say to each other.
//!
//! The page sends [`Command`]s, the worker answers with [`Event`]s. Both travel as JSON; one large byte array may
//! ride along and is transferred, not copied (see the variants that say so). Every event of a run carries its
//! [`RunId`], so that the page drops what a finished run still says.

use serde::{Deserialize, Serialize};

use crate::config::{RunConfig, TrainConfig};

pub mod choice;
pub mod data;
pub mod export;
pub mod inspect;
pub mod lesson;
pub mod log;
pub mod profile;
pub mod runs;
pub mod spelling;
pub mod tokenizer;
pub mod workers;
pub mod writing;

pub use choice::{BackendChoice, CorpusChoice, FileInfo, VocabularyChoice};
pub use log::History;
use runs::{RunsCommand, RunsEvent};
pub use writing::Sampling;
use writing::WrittenToken;

/// Counts the resets of the page: a new number for every [`Command::Start`].
pub type RunId = u32;

/// What the page asks of the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    /// Keep a vocabulary for the next [`Command::Start`] with [`VocabularyChoice::Loaded`]. Its `tokenizer.json` rides
    /// along.
    LoadVocabulary {
        /// For people.
        name: String,
    },
    /// Keep files of the user's for the next [`Command::Start`] with [`CorpusChoice::File`], instead of earlier ones.
    /// Their bytes ride along, one file behind the other.
    LoadFiles {
        /// What the bytes are.
        files: Vec<FileInfo>,
    },
    /// Drop the current run, if any, and prepare a new one: corpus, tokenizer, fresh weights. Ends in
    /// [`Event::Ready`] or [`Event::Failed`]; training waits for [`Command::Train`].
    Start {
        /// The number that the new run's events carry.
        run: RunId,
        /// The model and the training.
        config: RunConfig,
        /// What to train on.
        corpus: CorpusChoice,
        /// What turns it into tokens.
        vocabulary: VocabularyChoice,
        /// Which backend; [`BackendChoice::Auto`] takes the GPU where there is one.
        backend: BackendChoice,
        /// The sentence whose attention is shown.
        probe: String,
    },
    /// Train until told otherwise.
    Train,
    /// Stop after the step that is under way.
    Pause,
    /// Train exactly one step and pause.
    Step,
    /// Apply what can change while training: learning rates, schedule, betas, ε, weight decay, clipping.
    /// `batch_size` and `seed` are ignored: they need a new run.
    Tune {
        /// The new numbers.
        train: TrainConfig,
    },
    /// Show the attention of another sentence.
    Probe {
        /// The sentence; what does not fit the context is cut, and [`Event::Attention`] says so.
        text: String,
    },
    /// Write on from a prompt. A newer request replaces an older one.
    Generate {
        /// Tells the answers of this request from those of older ones.
        request: u32,
        /// Where to begin; empty begins a new story.
        prompt: String,
        /// How to choose tokens.
        sampling: Sampling,
    },
    /// Stop writing.
    StopGenerating,
    /// About runs as a whole: keeping, going on, stopping.
    Runs {
        /// What of it.
        command: RunsCommand,
    },
    /// About the model beyond its maps.
    Inspect {
        /// What of it.
        command: inspect::InspectCommand,
    },
    /// About vocabularies.
    Tokenizer(tokenizer::TokenizerCommand),
    /// About the data to train on.
    Data(data::DataCommand),
    /// What the page takes along.
    Export(export::ExportCommand),
    /// In the lesson.
    Lesson(lesson::LessonCommand),
    /// About workers that share batches.
    Workers(workers::WorkersCommand),
    /// About where the time goes.
    Profile(profile::ProfileCommand),
    /// Which kernels runs from now on take in place of others.
    Kernels {
        /// What [`Event::Kernels`] told in an earlier visit; empty where that is unknown.
        memory: String,
        /// What the person at the page has told: `KERNEL=VARIANT`, several with commas between them.
        told: String,
    },
}

/// What the worker tells the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The worker's code runs and it listens. Comes once, before everything else.
    Listening,
    /// What was chosen to run in place of kernels, to be remembered until the next visit.
    Kernels {
        /// For [`Command::Kernels`].
        memory: String,
    },
    /// Who will compute. Comes once the device is there, before [`Event::Ready`].
    Device {
        /// The run.
        run: RunId,
        /// The device.
        device: DeviceInfo,
    },
    /// Preparation goes on.
    Loading {
        /// The run.
        run: RunId,
        /// What is being done now.
        phase: Phase,
    },
    /// The run is prepared and paused at step 0 with random weights.
    Ready {
        /// The run.
        run: RunId,
        /// What was built.
        summary: Box<RunSummary>,
    },
    /// Training started or stopped; also the answer to [`Command::Step`] once the step is done.
    Training {
        /// The run.
        run: RunId,
        /// Whether steps go on now.
        on: bool,
    },
    /// Steps were done: at most about ten of these a second.
    Progress {
        /// The run.
        run: RunId,
        /// Steps done so far, in all.
        step: u64,
        /// The steps since the last event, in order.
        points: Vec<StepPoint>,
        /// Validation losses since the last event.
        validation: Vec<ValidationPoint>,
        /// Speed over the last second or so; 0 until known.
        tokens_per_s: f64,
    },
    /// Softmax weights of the probe sentence. The bytes that ride along are (L, H, n, n), row-major, query before
    /// key, with n = `tokens.len()`: weight = byte / 255. With the causal mask, cells with key > query are masked and 0.
    Attention {
        /// The run.
        run: RunId,
        /// Steps done when they were computed.
        step: u64,
        /// The tokens of the sentence, in order.
        tokens: Vec<Token>,
        /// L.
        n_layers: usize,
        /// H.
        n_heads: usize,
        /// Whether keys after the query are masked.
        causal: bool,
        /// How many tokens of the sentence did not fit the context.
        tokens_cut: usize,
    },
    /// Text that the model wrote by itself while it trains.
    Sample {
        /// The run.
        run: RunId,
        /// Steps done when it was written.
        step: u64,
        /// The text, without the prompt (which is the beginning of a story).
        text: String,
    },
    /// The answer to [`Command::Generate`] grows.
    Generated {
        /// The run.
        run: RunId,
        /// Which request.
        request: u32,
        /// What was written so far, without the prompt. Whole characters only.
        text: String,
        /// The tokens since the last event of this request, each with what else could have been chosen.
        tokens: Vec<WrittenToken>,
        /// Whether this is the end.
        done: bool,
        /// If the request could not be served: why, and what to change.
        problem: Option<String>,
    },
    /// The loss or a gradient is no longer a finite number. The model is that before this step; training has stopped.
    /// [`RunsCommand::GoOnSlower`] goes on.
    Diverged {
        /// The run.
        run: RunId,
        /// The step that was not applied.
        step: u64,
        /// What happened, where it began and what to change.
        message: String,
    },
    /// Something is worth knowing but stops nothing (for example: no WebGPU, the CPU trains instead).
    Notice {
        /// The run.
        run: RunId,
        /// One or two sentences.
        message: String,
    },
    /// About vocabularies.
    Tokenizer(tokenizer::TokenizerEvent),
    /// About the data to train on.
    Data(data::DataEvent),
    /// What the page takes along.
    Export {
        /// The run.
        run: RunId,
        /// What of it.
        event: export::ExportEvent,
    },
    /// In the lesson.
    Lesson(lesson::LessonEvent),
    /// About where the time goes.
    Profile {
        /// The run.
        run: RunId,
        /// What of it.
        event: profile::ProfileEvent,
    },
    /// About workers that share batches.
    Workers {
        /// The run; 0 from a helper.
        run: RunId,
        /// What of it.
        event: workers::WorkersEvent,
    },
    /// The run cannot be prepared or cannot go on.
    Failed {
        /// The run.
        run: RunId,
        /// What happened and what to change.
        message: String,
    },
    /// About the model beyond its maps.
    Inspect {
        /// The run.
        run: RunId,
        /// What of it.
        event: inspect::InspectEvent,
    },
    /// About runs as a whole: keeping, going on, stopping.
    Runs {
        /// The run; with [`RunsEvent::Resumed`] and its like the number that the command gave.
        run: RunId,
        /// What of it.
        event: RunsEvent,
    },
}

/// The steps of preparation, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Asking for an adapter and a device.
    Device,
    /// Writing stories, or decoding the user's file.
    Corpus,
    /// Training the tokenizer.
    Tokenizer,
    /// Turning text into token ids and counting the baselines.
    Encoding,
    /// Allocating buffers, compiling shaders, drawing the first weights.
    Model,
}

impl Phase {
    /// All phases in their order.
    pub const ALL: [Phase; 5] = [Phase::Device, Phase::Corpus, Phase::Tokenizer, Phase::Encoding, Phase::Model];
}

/// Who computes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// The adapter's name, or what stands in for it.
    pub name: String,
    /// `WebGPU`, `Vulkan`, `Metal`, `Dx12` or `CPU`.
    pub backend: String,
    /// Whether it is a GPU emulated on the CPU (SwiftShader, lavapipe …).
    pub software: bool,
}

/// What [`Event::Ready`] tells about the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The configuration in force; `vocab_size` may be smaller than asked when the text has too few pairs to merge.
    pub config: RunConfig,
    /// Trainable parameters.
    pub n_params: u64,
    /// What all buffers take together.
    pub memory_bytes: u64,
    /// Where the text is from, for people.
    pub corpus: String,
    /// Size of the text.
    pub corpus_bytes: usize,
    /// Tokens to train on.
    pub train_tokens: usize,
    /// Tokens held out.
    pub val_tokens: usize,
    /// What the model has to beat on the held-out tokens.
    pub baselines: Baselines,
}

/// Cross-entropies on the held-out tokens, in nats per token.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baselines {
    /// ln V: every token equally likely. What random weights give.
    pub uniform: f64,
    /// Smoothed counts of single tokens.
    pub unigram: f64,
    /// Smoothed counts of pairs of tokens.
    pub bigram: f64,
}

/// One training step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepPoint {
    /// Counted from 1.
    pub step: u64,
    /// Mean cross-entropy of the batch, before the update.
    pub loss: f32,
    /// Learning rate of the update.
    pub lr: f32,
    /// Global gradient norm before clipping.
    pub grad_norm: f32,
    /// Seconds of training up to and with this step; looking and writing do not count. 0 where nobody measures.
    #[serde(default)]
    pub seconds: f64,
}

/// One evaluation on held-out tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationPoint {
    /// Steps done before it; 0 is the random model.
    pub step: u64,
    /// Mean cross-entropy.
    pub loss: f32,
}

/// One token of a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its id in the vocabulary.
    pub id: u32,
    /// Its text; bytes that are not a whole character in digits, see [`spelling`].
    pub text: String,
}
