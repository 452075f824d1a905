//! Alignment on the page: the stages of a project, their measurements, and the answers to a prompt.

use serde::{Deserialize, Serialize};

use super::Token;

/// A node of a project: a pretrained model, or a stage that continues another node.
pub type NodeId = u32;

/// What a stage does. Fields of the method and of training are changed by `changes`, by the names of `glasshead settings`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageSpec {
    /// `sft`, `rft`, `grpo` or `dpo`.
    pub stage: String,
    /// The name of the task whose prompts are used; `None` for the rows of the user's file.
    pub task: Option<String>,
    /// Judges such as `exact` or `0.5*format`; their grades add up.
    pub judges: Vec<String>,
    /// The text around prompt and response; empty for the response after the prompt and a line break.
    pub template: String,
    /// The marker after which a response's answer begins; empty for the task's, if it has one.
    pub answer_after: String,
    /// Total number of updates.
    pub steps: u64,
    /// The seed of prompts and samples.
    pub seed: u64,
    /// Changed fields with their values as text.
    pub changes: Vec<(String, String)>,
    /// The share of held-out prompts, from 0 to 1, at which the stage ends.
    pub stop_exact: Option<f64>,
    /// Updates between evaluations.
    pub evaluate_every: u64,
    /// Number of held-out prompts of an evaluation.
    pub evaluation_prompts: u32,
}

/// A field of a stage's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldInfo {
    /// Its name in `changes`.
    pub name: String,
    /// What it does.
    pub help: String,
    /// Valid values, in words.
    pub expected: String,
    /// The values in force before changes for `sft`, `rft`, `grpo` and `dpo`, in this order.
    pub defaults: [String; 4],
}

/// Measurements of an update; those that do not apply are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StagePoint {
    /// Number of the update, from 1.
    pub step: u64,
    /// Loss of the update.
    pub loss: f32,
    /// Learning rate.
    pub lr: f32,
    /// Norm of the gradient before clipping.
    pub grad_norm: f32,
    /// Seconds of training up to its end.
    pub seconds: f32,
    /// Mean reward of the sampled responses.
    pub reward: Option<f32>,
    /// Share of exact answers among them.
    pub exact: Option<f32>,
    /// Share of responses in the right format.
    pub format: Option<f32>,
    /// Mean number of tokens of a response.
    pub length: Option<f32>,
    /// Mean entropy per response token, in nats.
    pub entropy: Option<f32>,
    /// Share of groups whose rewards are equal.
    pub without_signal: Option<f32>,
    /// Share of response tokens that the clip range affects.
    pub clip_fraction: Option<f32>,
    /// KL divergence from the reference, in nats per token.
    pub kl: Option<f32>,
    /// Share of pairs whose chosen response has the larger implicit reward.
    pub accuracy: Option<f32>,
    /// Change of the log-probability of chosen responses since the reference, mean over pairs.
    pub chosen: Option<f32>,
    /// Change of the log-probability of rejected responses.
    pub rejected: Option<f32>,
}

/// Results on held-out prompts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StageScore {
    /// Updates done.
    pub step: u64,
    /// Number of prompts.
    pub prompts: u32,
    /// Share of exact answers when sampling.
    pub sampled: f32,
    /// Share of exact answers when always taking the most likely token.
    pub greedy: f32,
    /// Mean reward of the sampled responses.
    pub reward: f32,
    /// Share of held-out pairs whose chosen response has the larger implicit reward.
    pub accuracy: Option<f32>,
    /// Loss on the old text, in nats per token.
    pub old_loss: f32,
}

/// A node of a project without its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Its id.
    pub id: NodeId,
    /// Display name.
    pub name: String,
    /// The node that it continues, and the number of that node's updates; `None` for a pretrained model.
    pub parent: Option<(NodeId, u64)>,
    /// What the stage does; `None` for a pretrained model.
    pub spec: Option<StageSpec>,
    /// Updates done; steps of pretraining for a pretrained model.
    pub step: u64,
    /// Measurements of its updates, in order.
    pub points: Vec<StagePoint>,
    /// Its results, in order.
    pub scores: Vec<StageScore>,
    /// The updates after which its state is kept, in order; rewinding and branching go back to one of them.
    pub kept: Vec<u64>,
}

/// A token of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerToken {
    /// Its text.
    pub text: String,
    /// Coefficient of the token in the latest update, or what it would be: positive values raise its probability.
    pub coefficient: f32,
    /// Probability now over probability at the start of the stage.
    pub ratio: f32,
    /// Probability when it was sampled.
    pub probability: f32,
}

/// A sampled answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Its tokens, the end included.
    pub tokens: Vec<AnswerToken>,
    /// Its reward.
    pub reward: f32,
    /// Whether it is exactly right.
    pub exact: bool,
    /// Whether the model ended it itself.
    pub ended: bool,
    /// Advantage in its group.
    pub advantage: f32,
}

/// A prompt of a batch with the grades of its answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptGroup {
    /// The prompt.
    pub prompt: String,
    /// The right answer, if it is known.
    pub answer: Option<String>,
    /// Texts of the answers.
    pub texts: Vec<String>,
    /// Their rewards.
    pub rewards: Vec<f32>,
    /// Which of them are exactly right.
    pub exact: Vec<bool>,
}

/// A prompt with two groups of answers and their attention.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// The prompt.
    pub prompt: String,
    /// The right answer, if it is known.
    pub answer: Option<String>,
    /// The node and update that `before` belongs to.
    pub from: (NodeId, u64),
    /// The node and update that `now` belongs to.
    pub to: (NodeId, u64),
    /// Answers of the earlier weights.
    pub before: Vec<Answer>,
    /// Answers of the present weights.
    pub now: Vec<Answer>,
    /// The tokens whose attention is attached: the prompt and the right answer, or the first answer.
    pub tokens: Vec<Token>,
    /// L: number of layers.
    pub n_layers: usize,
    /// H: number of heads per layer.
    pub n_heads: usize,
    /// Whether keys after the query are masked.
    pub causal: bool,
}
