//! Messages between the page and the worker.
//!
//! The page sends [`Command`]s, the worker replies with [`Event`]s. Both are serialized as JSON; a message may have one large
//! byte array attached, which is transferred, not copied (see the variants that mention it). Every event of a run carries its
//! [`RunId`], so that the page can discard events of a previous run.

use serde::{Deserialize, Serialize};

use self::runs::{RunsCommand, RunsEvent};
use crate::config::{RunConfig, TrainConfig};
use crate::types::sampling::WrittenToken;
use crate::types::{
    BackendChoice, CorpusChoice, DeviceInfo, FileInfo, Phase, RunId, RunSummary, Sampling, StepPoint, Token,
    ValidationPoint, VocabularyChoice,
};

pub mod align;
pub mod data;
pub mod effect;
pub mod export;
#[cfg(target_arch = "wasm32")]
pub mod frame;
pub mod inspect;
pub mod lesson;
pub mod profile;
pub mod queue;
pub mod runs;
pub mod tokenizer;
pub mod workers;

/// An event and its attached bytes.
pub type Message = (Event, Option<Vec<u8>>);

/// Commands from the page to the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    /// Store a vocabulary for the next [`Command::Start`] with [`VocabularyChoice::Loaded`]. Its `tokenizer.json` is attached.
    LoadVocabulary {
        /// Display name.
        name: String,
    },
    /// Store the user's files for the next [`Command::Start`] with [`CorpusChoice::File`], replacing earlier ones. Their
    /// concatenated contents are attached.
    LoadFiles {
        /// Names and sizes of the attached files, in order.
        files: Vec<FileInfo>,
    },
    /// Drop the current run, if any, and prepare a new one: corpus, tokenizer, initial weights. Ends with [`Event::Ready`] or
    /// [`Event::Failed`]; training starts with [`Command::Train`].
    Start {
        /// The id of the new run.
        run: RunId,
        /// Configuration of model and training.
        config: RunConfig,
        /// The training text.
        corpus: CorpusChoice,
        /// The vocabulary that tokenizes the text.
        vocabulary: VocabularyChoice,
        /// The backend; [`BackendChoice::Auto`] uses the GPU if one is available.
        backend: BackendChoice,
        /// The text whose attention is shown.
        probe: String,
    },
    /// Train until paused or stopped.
    Train,
    /// Pause after the current step.
    Pause,
    /// Train exactly one step and pause.
    Step,
    /// Apply the settings that can change during training: learning rates, schedule, betas, ε, weight decay, clipping.
    /// `batch_size` and `seed` are ignored, because they require a new run.
    Tune {
        /// The new settings.
        train: TrainConfig,
    },
    /// Change the probe text, whose attention is shown.
    Probe {
        /// The text; tokens that exceed the context are cut, which [`Event::Attention`] reports.
        text: String,
    },
    /// Generate a continuation of a prompt. A newer request replaces an older one.
    Generate {
        /// Request id, repeated in the replies.
        request: u32,
        /// The prompt; empty starts a new story.
        prompt: String,
        /// How tokens are sampled.
        sampling: Sampling,
    },
    /// Stop generating.
    StopGenerating,
    /// Manage runs: save, resume, stop.
    Runs {
        /// The command.
        command: RunsCommand,
    },
    /// Inspect the model beyond its attention maps.
    Inspect {
        /// The command.
        command: inspect::InspectCommand,
    },
    /// Commands for vocabularies.
    Tokenizer(tokenizer::TokenizerCommand),
    /// Commands for training data.
    Data(data::DataCommand),
    /// Export attention weights or the model.
    Export(export::ExportCommand),
    /// Commands for the lesson.
    Lesson(lesson::LessonCommand),
    /// Commands of the Align view.
    Align(align::AlignCommand),
    /// Commands for comparisons of filters.
    Effect(effect::EffectCommand),
    /// Commands for data-parallel workers.
    Workers(workers::WorkersCommand),
    /// Commands for profiling.
    Profile(profile::ProfileCommand),
    /// Commands about queued runs.
    Queue(queue::QueueCommand),
    /// Set the kernel variants of later runs.
    Kernels {
        /// The variant cache of an earlier visit, from [`Event::Kernels`]; empty if there is none.
        memory: String,
        /// Overrides chosen by the user: `KERNEL=VARIANT`, separated by commas.
        told: String,
    },
}

/// Events from the worker to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The worker's code is running and accepts commands. Emitted once, before all other events.
    Listening,
    /// The kernel variants that were chosen, for the page to store until the next visit.
    Kernels {
        /// The variant cache, for [`Command::Kernels`].
        memory: String,
    },
    /// The device of the run. Emitted once the device is available, before [`Event::Ready`].
    Device {
        /// The run.
        run: RunId,
        /// The device.
        device: DeviceInfo,
    },
    /// Progress of the preparation.
    Loading {
        /// The run.
        run: RunId,
        /// The current phase.
        phase: Phase,
    },
    /// The run is prepared: paused at step 0 with random weights.
    Ready {
        /// The run.
        run: RunId,
        /// Description of the run.
        summary: Box<RunSummary>,
    },
    /// Training started or stopped; also the reply to [`Command::Step`] once the step is done.
    Training {
        /// The run.
        run: RunId,
        /// Whether training is running.
        on: bool,
    },
    /// Steps were done. Emitted at most about ten times per second.
    Progress {
        /// The run.
        run: RunId,
        /// Steps done so far in total.
        step: u64,
        /// The steps since the last event, in order.
        points: Vec<StepPoint>,
        /// Validation losses since the last event.
        validation: Vec<ValidationPoint>,
        /// Throughput over about the last second; 0 until measured.
        tokens_per_s: f64,
    },
    /// Attention weights of the probe. The attached bytes have shape (L, H, n, n), row-major, query before key, with n =
    /// `tokens.len()`: weight = byte / 255. With the causal mask, cells with key > query are masked and 0.
    Attention {
        /// The run.
        run: RunId,
        /// Steps done when the weights were computed.
        step: u64,
        /// The tokens of the probe, in order.
        tokens: Vec<Token>,
        /// L: number of layers.
        n_layers: usize,
        /// H: number of heads per layer.
        n_heads: usize,
        /// Whether keys after the query are masked.
        causal: bool,
        /// Number of tokens of the probe that exceeded the context and were cut.
        tokens_cut: usize,
    },
    /// Further tokens of a sample that the model generates during training; [`Event::Sample`] completes it.
    SampleTokens {
        /// The run.
        run: RunId,
        /// Steps done when the sample was begun.
        step: u64,
        /// The text that each token completes, and the token's probability at the sample's temperature.
        tokens: Vec<(String, f32)>,
    },
    /// A sample that the model generated during training.
    Sample {
        /// The run.
        run: RunId,
        /// Steps done when it was generated.
        step: u64,
        /// The text without the prompt (the beginning of a story).
        text: String,
    },
    /// Progress of [`Command::Generate`].
    Generated {
        /// The run.
        run: RunId,
        /// Id of the request.
        request: u32,
        /// The text generated so far, without the prompt. Complete characters only.
        text: String,
        /// The tokens since the last event of this request, each with its alternatives.
        tokens: Vec<WrittenToken>,
        /// Whether generation has ended.
        done: bool,
        /// If the request failed: the reason and how to correct it.
        problem: Option<String>,
    },
    /// The loss or a gradient is non-finite. The step was not applied, and training has stopped. [`RunsCommand::GoOnSlower`]
    /// resumes.
    Diverged {
        /// The run.
        run: RunId,
        /// The step that was not applied.
        step: u64,
        /// What happened, where it started, and how to correct it.
        message: String,
    },
    /// A notice that does not stop anything (for example: WebGPU is not available, so the CPU trains instead).
    Notice {
        /// The run.
        run: RunId,
        /// One or two sentences.
        message: String,
    },
    /// Events about vocabularies.
    Tokenizer(tokenizer::TokenizerEvent),
    /// Events about training data.
    Data(data::DataEvent),
    /// Events about exports.
    Export {
        /// The run.
        run: RunId,
        /// The event.
        event: export::ExportEvent,
    },
    /// Events of the lesson.
    Lesson(lesson::LessonEvent),
    /// Events of the Align view.
    Align(align::AlignEvent),
    /// Events of comparisons of filters.
    Effect(effect::EffectEvent),
    /// Events about profiling.
    Profile {
        /// The run.
        run: RunId,
        /// The event.
        event: profile::ProfileEvent,
    },
    /// Events about data-parallel workers.
    Workers {
        /// The run; 0 in events from a helper.
        run: RunId,
        /// The event.
        event: workers::WorkersEvent,
    },
    /// The run cannot be prepared or cannot continue.
    Failed {
        /// The run.
        run: RunId,
        /// What happened and how to correct it.
        message: String,
    },
    /// Events about queued runs.
    Queue(queue::QueueEvent),
    /// Results of inspecting the model.
    Inspect {
        /// The run.
        run: RunId,
        /// The event.
        event: inspect::InspectEvent,
    },
    /// Events about runs: saving, resuming, stopping.
    Runs {
        /// The run; for [`RunsEvent::Resumed`] and related events, the number given in the command.
        run: RunId,
        /// The event.
        event: RunsEvent,
    },
}
