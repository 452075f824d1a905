//! Messages about runs: saving, resuming and stopping them, and finding a learning rate.

use serde::{Deserialize, Serialize};

use crate::config::rules::Rules;
use crate::config::{RunConfig, TrainConfig};
use crate::types::runs::{CheckpointInfo, LrPoint, RunRecord};
use crate::types::{BackendChoice, CorpusChoice, FileInfo, RunId};

/// Commands about runs, sent within [`Command::Runs`](super::Command::Runs).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunsCommand {
    /// Save the run as one file. Replies with [`RunsEvent::Saved`].
    Save {
        /// The run's name on the page.
        name: String,
    },
    /// Resume a saved run, whose file is attached. Ends with [`RunsEvent::Resumed`] and [`Event::Ready`](super::Event::Ready),
    /// with [`RunsEvent::NeedsFile`], or with [`RunsEvent::ResumeFailed`]; in the last two cases the current run continues.
    Resume {
        /// The id of the new run.
        run: RunId,
        /// The backend.
        backend: BackendChoice,
        /// The text whose attention is shown.
        probe: String,
    },
    /// Import a Hugging Face model, whose concatenated files, or one ZIP of them, are attached. Ends in the same way as
    /// [`RunsCommand::Resume`].
    Import {
        /// The id of the new run.
        run: RunId,
        /// The backend.
        backend: BackendChoice,
        /// The text whose attention is shown.
        probe: String,
        /// Display name of the model.
        name: String,
        /// The text for further training.
        corpus: CorpusChoice,
        /// Names and sizes of the attached files, in order.
        files: Vec<FileInfo>,
    },
    /// Rename the run, including in the files of its autosaves.
    Name {
        /// The run.
        run: RunId,
        /// The run's name on the page.
        name: String,
    },
    /// Cancel the resume that waits for the file requested by [`RunsEvent::NeedsFile`].
    ForgetResume,
    /// Set the stop rules and the evaluation interval of this run and later ones.
    Rules(Rules),
    /// Take regular snapshots of each run in memory, and report them as [`RunsEvent::Copied`].
    Copies {
        /// Seconds between reported snapshots; `None` reports none.
        every_seconds: Option<u32>,
    },
    /// Search for a learning rate: emits [`RunsEvent::LrPoints`], then [`RunsEvent::LrFound`]. The run is restored afterwards.
    FindLr,
    /// Stop the search.
    StopFinding,
    /// After [`Event::Diverged`](super::Event::Diverged): restore the latest snapshot from before the divergence and resume
    /// training with half the learning rate. Replies with [`RunsEvent::WentBack`].
    GoOnSlower,
}

/// Events about runs, emitted within [`Event::Runs`](super::Event::Runs).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunsEvent {
    /// The run as one safetensors file, which is attached.
    Saved {
        /// Summary of the file.
        about: CheckpointInfo,
    },
    /// A snapshot of the run, attached as a file in the format of [`RunsEvent::Saved`].
    Copied {
        /// Summary of the file.
        about: CheckpointInfo,
    },
    /// A saved run has replaced the current one. If its vocabulary was not trained on its text, the `tokenizer.json` is
    /// attached, and the worker keeps it for the next start.
    Resumed {
        /// The run's record.
        record: Box<RunRecord>,
        /// The run's configuration.
        config: Box<RunConfig>,
    },
    /// The file that the saved run was trained on is not available.
    NeedsFile {
        /// Name of the file.
        name: String,
        /// The text field of its records, if it contains records.
        field: Option<String>,
        /// Why the provided file was rejected, if one was provided.
        problem: Option<String>,
    },
    /// The saved run cannot be loaded.
    ResumeFailed {
        /// What happened and how to correct it.
        message: String,
    },
    /// The run was restored to an earlier state; the page discards later progress.
    WentBack {
        /// Steps done in the restored state.
        step: u64,
        /// The settings from this step on.
        train: Box<TrainConfig>,
    },
    /// A stop rule has paused the run.
    Stopped {
        /// The rule, in words.
        message: String,
    },
    /// Progress of the learning rate search.
    LrPoints {
        /// Steps since the last event.
        points: Vec<LrPoint>,
        /// Maximum number of steps of the search.
        of: usize,
    },
    /// The search has finished or was stopped.
    LrFound {
        /// The suggested learning rate; `None` if the curve does not have one.
        suggestion: Option<f64>,
    },
}
