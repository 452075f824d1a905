//! The memory in use over the dispatches of a step.

use serde::{Deserialize, Serialize};

/// What memory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Weights.
    Parameters,
    /// Moments of the optimizer.
    Moments,
    /// Gradients of the weights.
    Gradients,
    /// Results of the forward pass that wait for the backward pass.
    Activations,
    /// Gradients of those results.
    ActivationGradients,
    /// Logits and their gradients.
    Logits,
    /// Tokens, small tables, losses and norms.
    Other,
}

impl Group {
    /// All groups, in the order of a stacked chart from the bottom up.
    pub const ALL: [Self; 7] = [
        Self::Parameters,
        Self::Moments,
        Self::Other,
        Self::Gradients,
        Self::Activations,
        Self::ActivationGradients,
        Self::Logits,
    ];

    /// The name of the group.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Moments => "optimizer state",
            Self::Gradients => "gradients",
            Self::Activations => "activations",
            Self::ActivationGradients => "gradients of activations",
            Self::Logits => "logits",
            Self::Other => "tokens and tables",
        }
    }
}

/// A tensor and the dispatches during which its values are needed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tensor {
    /// Name for the user.
    pub name: String,
    /// What it is for.
    pub group: Group,
    /// The layer, from 0; `None` outside of layers, and for tensors that several layers share.
    pub layer: Option<usize>,
    /// Size in bytes.
    pub bytes: u64,
    /// First and last dispatch between which its values are needed.
    pub live: [usize; 2],
}

/// The memory of one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryTimeline {
    /// Number of dispatches of the step.
    pub n_dispatches: usize,
    /// All tensors that the step uses.
    pub tensors: Vec<Tensor>,
    /// Bytes that the backend has allocated for the run, as it reports them: all buffers exist from the start, also those for
    /// inspection and generation.
    pub allocated_bytes: u64,
    /// Bytes of the buffers that the step does not use: inspection, generation, evaluation.
    pub elsewhere_bytes: u64,
}

/// The largest amount of memory in use during a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Peak {
    /// The first dispatch at which it is reached.
    pub dispatch: usize,
    /// Bytes in use.
    pub bytes: u64,
    /// Bytes of each group, in the order of [`Group::ALL`].
    pub groups: [u64; 7],
    /// Names and bytes of the largest tensors in use.
    pub largest: Vec<(String, u64)>,
}

impl MemoryTimeline {
    /// Bytes in use during a dispatch by group, in the order of [`Group::ALL`]; `None` after the last one.
    pub fn live(&self, dispatch: usize) -> Option<[u64; 7]> {
        let mut groups = [0; 7];
        for tensor in self.at(dispatch) {
            let place = Group::ALL.iter().position(|group| *group == tensor.group).unwrap_or_default();
            groups[place] += tensor.bytes;
        }
        (dispatch < self.n_dispatches).then_some(groups)
    }

    /// The tensors whose values are needed during a dispatch.
    pub fn at(&self, dispatch: usize) -> impl Iterator<Item = &Tensor> {
        self.tensors.iter().filter(move |tensor| (tensor.live[0]..=tensor.live[1]).contains(&dispatch))
    }

    /// The peak; `None` without dispatches.
    pub fn peak(&self) -> Option<Peak> {
        let total = |at: usize| self.live(at).map_or(0, |groups| groups.iter().sum::<u64>());
        let dispatch = (0..self.n_dispatches).max_by_key(|&at| (total(at), std::cmp::Reverse(at)))?;
        let mut largest: Vec<(String, u64)> =
            self.at(dispatch).map(|tensor| (tensor.name.clone(), tensor.bytes)).collect();
        largest.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        largest.truncate(8);
        Some(Peak { dispatch, bytes: total(dispatch), groups: self.live(dispatch)?, largest })
    }

    /// Bytes of all buffers that the step uses, whether their values are needed at the time or not.
    pub fn step_bytes(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.bytes).sum()
    }

    /// Bytes of the whole plan: the step's buffers, and those it does not use. The backend's allocation should equal it.
    pub fn planned_bytes(&self) -> u64 {
        self.step_bytes() + self.elsewhere_bytes
    }
}
