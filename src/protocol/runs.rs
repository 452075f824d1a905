//! What the page and the worker say about runs as a whole: keeping them, going on with them, stopping them, finding
//! a learning rate.

use serde::{Deserialize, Serialize};

use super::{BackendChoice, CorpusChoice, FileInfo, History, RunId};
use crate::config::rules::Rules;
use crate::config::{RunConfig, TrainConfig};

/// Asked of the worker within [`Command::Runs`](super::Command::Runs).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunsCommand {
    /// Answer with the run as one file: [`RunsEvent::Saved`].
    Save {
        /// The name that the page has for the run.
        name: String,
    },
    /// Go on with a saved run, whose file rides along. Ends in [`RunsEvent::Resumed`] and
    /// [`Event::Ready`](super::Event::Ready), in [`RunsEvent::NeedsFile`], or in [`RunsEvent::ResumeFailed`]; in the
    /// last two cases the present run goes on.
    Resume {
        /// The number that the new run's events carry.
        run: RunId,
        /// Which backend.
        backend: BackendChoice,
        /// The sentence whose attention is shown.
        probe: String,
    },
    /// Go on with a model from elsewhere, whose files ride along, one behind the other: those of transformers, or one ZIP
    /// with them. It ends as [`RunsCommand::Resume`] does.
    Import {
        /// The number that the new run's events carry.
        run: RunId,
        /// Which backend.
        backend: BackendChoice,
        /// The sentence whose attention is shown.
        probe: String,
        /// What the model is called.
        name: String,
        /// What it is trained on from here.
        corpus: CorpusChoice,
        /// What the bytes are.
        files: Vec<FileInfo>,
    },
    /// The run has this name from now on, also in the files of its autosaves.
    Name {
        /// The run.
        run: RunId,
        /// Its name on the page.
        name: String,
    },
    /// No file will come that [`RunsEvent::NeedsFile`] has asked for.
    ForgetResume,
    /// When to stop, and how often to evaluate, from now on and for later runs.
    Rules(Rules),
    /// Keep a copy of each run in memory every so often, from now on, and tell it: [`RunsEvent::Copied`].
    Copies {
        /// Seconds between two; none tells none.
        every_seconds: Option<u32>,
    },
    /// Look for a learning rate: [`RunsEvent::LrPoints`], then [`RunsEvent::LrFound`]. The run is left as it was.
    FindLr,
    /// Stop looking.
    StopFinding,
    /// After [`Event::Diverged`](super::Event::Diverged): go back to the latest copy of the model that was kept while all
    /// was well, and train on from there with half the learning rate. Answered by [`RunsEvent::WentBack`].
    GoOnSlower,
}

/// Told by the worker within [`Event::Runs`](super::Event::Runs).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunsEvent {
    /// The run as one safetensors file, which rides along.
    Saved {
        /// What is in it.
        about: CheckpointInfo,
    },
    /// A copy of the run, as a file like that of [`RunsEvent::Saved`], which rides along.
    Copied {
        /// What is in it.
        about: CheckpointInfo,
    },
    /// A saved run takes the place of the present one. Where its vocabulary was not trained on its text, the
    /// `tokenizer.json` rides along, and the worker keeps it for the next start.
    Resumed {
        /// What is known of it.
        record: Box<RunRecord>,
        /// Its configuration.
        config: Box<RunConfig>,
    },
    /// The file that the saved run was trained on is not there.
    NeedsFile {
        /// Its name.
        name: String,
        /// The field of its records that holds the text, where it has records.
        field: Option<String>,
        /// Why an offered file was not taken, if one was offered.
        problem: Option<String>,
    },
    /// The saved run cannot be loaded.
    ResumeFailed {
        /// What happened and what to change.
        message: String,
    },
    /// The run went back to an earlier state; what was told of later steps is void.
    WentBack {
        /// Its steps.
        step: u64,
        /// The numbers in force from here.
        train: Box<TrainConfig>,
    },
    /// A stop rule has paused the run.
    Stopped {
        /// Which one.
        message: String,
    },
    /// The search for a learning rate goes on.
    LrPoints {
        /// Steps since the last event.
        points: Vec<LrPoint>,
        /// How many steps it takes at most.
        of: usize,
    },
    /// The search has ended, or was ended.
    LrFound {
        /// The learning rate that the rule suggests, if the curve has one.
        suggestion: Option<f64>,
    },
}

/// What lists show of a saved run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointInfo {
    /// The name of the run.
    pub name: String,
    /// Steps done.
    pub step: u64,
    /// Of the latest step.
    pub loss: Option<f32>,
    /// Of the latest evaluation.
    pub val_loss: Option<f32>,
    /// What it was trained on.
    pub corpus: String,
    /// Trainable parameters.
    pub n_params: u64,
}

/// What a saved run's file remembers besides the model and the state of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The name that the page had for it.
    pub name: String,
    /// What it was trained on.
    pub corpus: CorpusRecord,
    /// Its losses, thinned when there are many.
    pub history: History,
}

/// Which text a run was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorpusRecord {
    /// Where it came from.
    pub choice: CorpusChoice,
    /// For people; the name of the file where it was one.
    pub name: String,
    /// The field of the files' records that holds the text, where they have records.
    #[serde(default)]
    pub field: Option<String>,
    /// The name of its vocabulary, where that was not trained on the text.
    #[serde(default)]
    pub vocabulary: Option<String>,
    /// A hash of the text, to know it again.
    pub fingerprint: String,
    /// The configuration that was asked for when the text was made; the vocabulary may have come out smaller.
    pub asked: RunConfig,
}

/// One step of the search for a learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LrPoint {
    /// The learning rate of the step.
    pub lr: f64,
    /// The loss before it.
    pub loss: f32,
    /// The loss, smoothed.
    pub smoothed: f32,
}
