//! Messages of the Align view: a project is a tree of stages that begin with pretrained models. The worker trains one stage at
//! a time, independently of the run.

use serde::{Deserialize, Serialize};

use crate::types::align::{FieldInfo, NodeId, NodeInfo, PromptGroup, StagePoint, StageScore, StageSpec};
use crate::types::{BackendChoice, DeviceInfo, FileInfo};

/// Where a stage begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageStart {
    /// The present model of the run.
    Run {
        /// The run's name on the page.
        name: String,
    },
    /// An untrained model of a preset with a vocabulary of bytes.
    Preset {
        /// The preset.
        name: String,
    },
    /// A node after some update whose state is kept.
    Node {
        /// The node.
        node: NodeId,
        /// The number of updates; the latest kept state up to it is used.
        step: u64,
    },
}

/// Commands of the Align view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "align", rename_all = "snake_case")]
pub enum AlignCommand {
    /// Report the project: [`AlignEvent::Opened`].
    Open,
    /// Replace the project by the attached file of [`AlignEvent::Snapshot`], unless there is one already.
    Restore {
        /// The backend of its stages.
        backend: BackendChoice,
    },
    /// Add a stage and train it.
    Begin {
        /// Where it begins.
        start: StageStart,
        /// What it does.
        spec: Box<StageSpec>,
        /// The backend.
        backend: BackendChoice,
    },
    /// Train the present stage until it ends or is paused.
    Train,
    /// Pause after the current update.
    Pause,
    /// Make one update.
    Step,
    /// Change the total number of updates of the present stage.
    Extend {
        /// The number.
        steps: u64,
    },
    /// Make another node the present one.
    Select {
        /// The node.
        node: NodeId,
    },
    /// Return to the latest kept state of the present stage up to an update. Later measurements are dropped.
    Rewind {
        /// The number of updates.
        step: u64,
    },
    /// Remove a node that no other continues.
    Remove {
        /// The node.
        node: NodeId,
    },
    /// Inspect a prompt from now on: [`AlignEvent::Watched`].
    Watch {
        /// Prompt and answer; `None` for one of the latest batch.
        prompt: Option<(String, Option<String>)>,
        /// The node to compare with; `None` for the beginning of the stage.
        before: Option<NodeId>,
    },
    /// Use the attached JSON Lines file for stages without a task: [`AlignEvent::Rows`].
    LoadRows {
        /// Name of the file.
        name: String,
    },
    /// Export the present model: [`AlignEvent::Exported`].
    Export {
        /// As concatenated files instead of one ZIP.
        loose: bool,
    },
}

/// Events of the Align view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "align", rename_all = "snake_case")]
pub enum AlignEvent {
    /// The fields of stages.
    Opened {
        /// Fields of the method.
        fields: Vec<FieldInfo>,
    },
    /// The project has changed.
    Project {
        /// All nodes.
        nodes: Vec<NodeInfo>,
        /// The present one.
        current: Option<NodeId>,
    },
    /// A stage is being prepared.
    Preparing {
        /// What is being done.
        what: String,
    },
    /// Training started or stopped.
    Running {
        /// Whether a stage is being trained.
        on: bool,
        /// The device; `None` before there is one.
        device: Option<DeviceInfo>,
    },
    /// Updates or evaluations were made.
    Progress {
        /// The node.
        node: NodeId,
        /// Updates done.
        step: u64,
        /// New measurements.
        points: Vec<StagePoint>,
        /// New results.
        scores: Vec<StageScore>,
        /// The updates whose states are kept.
        kept: Vec<u64>,
        /// Updates per second.
        updates_per_s: f32,
    },
    /// The prompts of an update with their answers.
    Batch {
        /// The node.
        node: NodeId,
        /// Number of the update.
        step: u64,
        /// The prompts; held-out ones for stages that sample nothing.
        groups: Vec<PromptGroup>,
    },
    /// The margins of the pairs of an update.
    Margins {
        /// The node.
        node: NodeId,
        /// Number of the update.
        step: u64,
        /// How much more the log-probability of each chosen response has grown than that of its rejected one.
        margins: Vec<f32>,
    },
    /// The inspected prompt. The attached bytes are two arrays (L, H, n, n) of attention weights, before and now; weight =
    /// byte / 255.
    Watched(Box<crate::types::align::Watched>),
    /// The stage has ended.
    Ended {
        /// Why.
        message: String,
    },
    /// The present stage was returned to an earlier state.
    Rewound {
        /// The node.
        node: NodeId,
        /// Updates done.
        step: u64,
    },
    /// A file with rows was read.
    Rows {
        /// Name of the file.
        name: String,
        /// Number of rows for `sft`, of prompts for `rft` and `grpo`, and of pairs for `dpo`; 0 where the fields are missing.
        counts: [usize; 3],
    },
    /// The project as a file, which is attached.
    Snapshot {
        /// Updates done in the present stage.
        step: u64,
    },
    /// The present model, attached as one ZIP or as concatenated files.
    Exported {
        /// The name of its stage.
        name: String,
        /// Updates done.
        step: u64,
        /// Names and sizes of the files; empty for a ZIP.
        files: Vec<FileInfo>,
    },
    /// Something that does not stop anything.
    Notice {
        /// The message.
        message: String,
    },
    /// A command failed, or the stage has stopped.
    Problem {
        /// What happened and how to correct it.
        message: String,
    },
}
