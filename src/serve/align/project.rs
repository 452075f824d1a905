//! A project: pretrained models and the stages that continue them, each with its kept states. Its file is a list of nodes in
//! JSON, after its length, and then one checkpoint for every kept state.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::RunConfig;
use crate::data::Tokenizer;
use crate::run::stage::StageModel;
use crate::train::checkpoint::{self, Checkpoint, CheckpointError};
use crate::train::trainer::TrainingState;
use crate::types::align::{NodeId, NodeInfo};

/// Maximum number of nodes.
pub(super) const MAX_NODES: usize = 32;

/// Maximum number of states that are kept of one stage, besides its beginning.
const MAX_KEPT: usize = 6;

/// Maximum size of rows that are saved with the project.
const MAX_ROW_BYTES: usize = 8 << 20;

/// The beginning of the file.
const MAGIC: &[u8; 8] = b"GHALIGN1";

/// Why a project cannot be read or changed.
#[derive(Debug, Error)]
pub(super) enum ProjectError {
    /// The file is none.
    #[error("this is no alignment project")]
    NoProject,
    /// The file is incomplete, or its parts do not fit together.
    #[error("the alignment project is damaged: {0}")]
    Damaged(&'static str),
    /// The list of nodes cannot be read.
    #[error("the alignment project is damaged: {0}")]
    Json(#[from] serde_json::Error),
    /// A state cannot be read or written.
    #[error("the alignment project is damaged: {0}")]
    State(#[from] CheckpointError),
    /// The node does not exist.
    #[error("There is no stage {0} any longer; choose another.")]
    NoNode(NodeId),
    /// Others continue the node.
    #[error("Other stages continue this one; remove them first.")]
    Continued,
    /// There are too many.
    #[error("A project has at most {MAX_NODES} stages; remove one first.")]
    Full,
}

/// The model of a pretrained node.
#[derive(Clone)]
pub(super) struct Root {
    /// Its configuration.
    pub config: RunConfig,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Whether its weights are untrained.
    pub fresh: bool,
    /// Tokens of the text that it was trained on, or of the built-in stories.
    pub old_text: Vec<u32>,
}

/// A node with its states.
pub(super) struct Node {
    /// What the page shows of it.
    pub info: NodeInfo,
    /// The model; only of a pretrained node.
    pub root: Option<Root>,
    /// Its kept states by update: the beginning, some of the latest. A pretrained node has one.
    pub states: Vec<TrainingState>,
}

impl Node {
    /// The latest state up to `step`, or the first.
    pub fn state_at(&self, step: u64) -> Option<&TrainingState> {
        self.states.iter().rev().find(|state| state.step <= step).or(self.states.first())
    }

    /// Keeps a state, which replaces those of the same and of later updates. States of long stages are thinned.
    pub fn keep(&mut self, state: TrainingState) {
        self.states.retain(|kept| kept.step < state.step);
        self.states.push(state);
        if self.states.len() > MAX_KEPT + 1 {
            self.states.remove(closest(&self.states));
        }
        self.list_kept();
    }

    /// Drops everything after `step`.
    pub fn cut(&mut self, step: u64) {
        self.states.retain(|state| state.step <= step);
        self.info.points.retain(|point| point.step <= step);
        self.info.scores.retain(|score| score.step <= step);
        self.info.step = step;
        self.list_kept();
    }

    fn list_kept(&mut self) {
        self.info.kept = self.states.iter().map(|state| state.step).collect();
    }
}

/// The index of a state, neither the first nor the last, whose removal leaves the smallest gap relative to its age.
fn closest(states: &[TrainingState]) -> usize {
    let last = states.last().map_or(0, |state| state.step);
    let gap = |at: &usize| {
        let span = states[at + 1].step - states[at - 1].step;
        span as f64 / (1 + last - states[*at].step) as f64
    };
    (1..states.len() - 1).min_by(|a, b| gap(a).total_cmp(&gap(b))).unwrap_or(1)
}

/// The nodes of the Align view.
#[derive(Default)]
pub(super) struct Project {
    pub nodes: Vec<Node>,
    pub current: Option<NodeId>,
    /// Name and text of the user's rows.
    pub rows: Option<(String, String)>,
}

/// The list at the beginning of the file.
#[derive(Serialize, Deserialize)]
struct Contents {
    current: Option<NodeId>,
    nodes: Vec<Stored>,
    #[serde(default)]
    rows: Option<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    info: NodeInfo,
    fresh: bool,
    old_text: Vec<u32>,
    /// Sizes of its states' checkpoints.
    sizes: Vec<usize>,
}

impl Project {
    pub fn node(&self, id: NodeId) -> Result<&Node, ProjectError> {
        self.nodes.iter().find(|node| node.info.id == id).ok_or(ProjectError::NoNode(id))
    }

    pub fn node_mut(&mut self, id: NodeId) -> Result<&mut Node, ProjectError> {
        self.nodes.iter_mut().find(|node| node.info.id == id).ok_or(ProjectError::NoNode(id))
    }

    /// The pretrained model that a node descends from.
    pub fn root(&self, id: NodeId) -> Result<&Root, ProjectError> {
        let mut node = self.node(id)?;
        // A parent is always older than its children, so this ends.
        while let Some((parent, _)) = node.info.parent {
            node = self.node(parent)?;
        }
        node.root.as_ref().ok_or(ProjectError::Damaged("a stage has no model"))
    }

    /// Adds a node and makes it the present one.
    pub fn add(&mut self, mut node: Node) -> Result<NodeId, ProjectError> {
        if self.nodes.len() >= MAX_NODES {
            return Err(ProjectError::Full);
        }
        let id = self.nodes.iter().map(|node| node.info.id + 1).max().unwrap_or(0);
        node.info.id = id;
        node.list_kept();
        self.nodes.push(node);
        self.current = Some(id);
        Ok(id)
    }

    /// Removes a node that no other continues.
    pub fn remove(&mut self, id: NodeId) -> Result<(), ProjectError> {
        let parent = self.node(id)?.info.parent;
        if self.nodes.iter().any(|node| node.info.parent.is_some_and(|(parent, _)| parent == id)) {
            return Err(ProjectError::Continued);
        }
        self.nodes.retain(|node| node.info.id != id);
        if self.current == Some(id) {
            self.current = parent.map(|(parent, _)| parent).or(self.nodes.last().map(|node| node.info.id));
        }
        Ok(())
    }

    /// What the page shows of all nodes.
    pub fn infos(&self) -> Vec<NodeInfo> {
        self.nodes.iter().map(|node| node.info.clone()).collect()
    }

    /// The model of a node after an update.
    pub fn model(&self, id: NodeId, step: u64) -> Result<StageModel, ProjectError> {
        let (root, node) = (self.root(id)?, self.node(id)?);
        let state = node.state_at(step).ok_or(ProjectError::Damaged("a stage has no state"))?;
        let state = TrainingState::of(state.params.clone(), root.config.train.seed);
        let fresh = root.fresh && node.root.is_some();
        Ok(StageModel { config: root.config.clone(), tokenizer: root.tokenizer.clone(), state, fresh })
    }

    /// The project as a file.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ProjectError> {
        let (mut nodes, mut states) = (Vec::new(), Vec::new());
        for node in &self.nodes {
            let root = self.root(node.info.id)?;
            let mut sizes = Vec::new();
            for state in &node.states {
                let bytes = checkpoint::to_bytes(&root.config, &root.tokenizer, state, None)?;
                sizes.push(bytes.len());
                states.extend(bytes);
            }
            let own = node.root.as_ref();
            let old_text = own.map_or_else(Vec::new, |root| root.old_text.clone());
            nodes.push(Stored { info: node.info.clone(), fresh: own.is_some_and(|own| own.fresh), old_text, sizes });
        }
        let rows = self.rows.clone().filter(|(_, text)| text.len() <= MAX_ROW_BYTES);
        let json = serde_json::to_vec(&Contents { current: self.current, nodes, rows })?;
        Ok([&MAGIC[..], &(json.len() as u64).to_le_bytes(), &json, &states].concat())
    }

    /// Reads a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProjectError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(ProjectError::NoProject)?;
        let cut = ProjectError::Damaged("it is incomplete");
        let (length, rest) = rest.split_first_chunk::<8>().ok_or(cut)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (json, mut rest) = rest.split_at_checked(length).ok_or(ProjectError::Damaged("it is incomplete"))?;
        let Contents { current, nodes, rows } = serde_json::from_slice(json)?;
        if nodes.len() > MAX_NODES {
            return Err(ProjectError::Full);
        }
        let mut project = Self { rows, ..Self::default() };
        for Stored { info, fresh, old_text, sizes } in nodes {
            project.check(&info, &sizes)?;
            let (mut states, mut root) = (Vec::new(), None);
            for size in sizes {
                let (file, after) =
                    rest.split_at_checked(size).ok_or(ProjectError::Damaged("a state is incomplete"))?;
                let Checkpoint { config, tokenizer, state } = Checkpoint::from_bytes(file)?;
                if let Some((parent, _)) = info.parent
                    && project.root(parent)?.config.model != config.model
                {
                    return Err(ProjectError::Damaged("a stage has another model than its parent"));
                }
                if old_text.iter().any(|&id| id as usize >= config.model.vocab_size) {
                    return Err(ProjectError::Damaged("a token is outside the vocabulary"));
                }
                if info.parent.is_none() {
                    root = Some(Root { config, tokenizer, fresh, old_text: old_text.clone() });
                }
                rest = after;
                states.push(state);
            }
            if !states.is_sorted_by(|a: &TrainingState, b| a.step < b.step) {
                return Err(ProjectError::Damaged("its states are not in order"));
            }
            let mut node = Node { info, root, states };
            node.list_kept();
            project.nodes.push(node);
        }
        project.current = current.filter(|&id| project.node(id).is_ok());
        Ok(project)
    }

    /// Checks a node against those before it: its parent comes first, its id is new, and it has states.
    fn check(&self, info: &NodeInfo, sizes: &[usize]) -> Result<(), ProjectError> {
        let known = info.parent.is_none_or(|(parent, _)| self.node(parent).is_ok());
        let sound =
            known && self.node(info.id).is_err() && info.id < u32::MAX && info.parent.is_some() == info.spec.is_some();
        match sound && (1..=MAX_KEPT + 1).contains(&sizes.len()) {
            true => Ok(()),
            false => Err(ProjectError::Damaged("its stages do not form a tree")),
        }
    }
}
