//! The settings of the next stage.

use std::collections::BTreeMap;

use thiserror::Error;

use glasshead::types::align::{FieldInfo, NodeId, StageSpec};
use glasshead::wire::align::StageStart;

/// The kinds of stages: the name in specifications, the button, and the tooltip.
pub const STAGES: [(&str, &str, &str); 4] = [
    ("sft", "SFT", "Supervised fine-tuning: imitate given answers"),
    ("rft", "RFT", "Expert iteration: imitate those sampled answers that are right"),
    ("grpo", "GRPO", "Policy gradients: reinforce sampled answers by a judge's reward"),
    ("dpo", "DPO", "Direct preference optimization on pairs of answers"),
];

/// The methods of policy gradients with their titles.
pub const METHODS: [(&str, &str); 7] = [
    ("grpo", "GRPO"),
    ("dr_grpo", "Dr. GRPO"),
    ("maxrl", "MaxRL"),
    ("gspo", "GSPO"),
    ("cispo", "CISPO"),
    ("reinforce", "REINFORCE"),
    ("reinforce_with_baseline", "REINFORCE with baseline"),
];

/// Judges that a list offers, with their titles.
pub const JUDGES: [(&str, &str); 4] = [
    ("exact", "Exact answer"),
    ("partial", "Partial credit"),
    ("format", "Format"),
    ("0.9*exact 0.1*format", "Exact, and a little for the format"),
];

/// Where a stage begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// The untrained nano model with a vocabulary of bytes.
    #[default]
    Untrained,
    /// The present model of the run.
    Run,
    /// A node after its latest update.
    Node(NodeId),
}

/// The settings of the next stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The kind, as an index of [`STAGES`].
    pub stage: usize,
    /// Where it begins.
    pub start: Start,
    /// The update of the start node to begin at; `None` for the latest.
    pub from_step: Option<u64>,
    /// The task; `None` for the user's rows.
    pub task: Option<String>,
    /// Judges, separated by spaces.
    pub judges: String,
    /// The template; empty for the default.
    pub template: String,
    /// The marker before the answer; empty for the task's.
    pub answer_after: String,
    /// Total number of updates.
    pub steps: u64,
    /// The seed.
    pub seed: u64,
    /// Percentage of held-out prompts at which the stage ends.
    pub stop_exact: Option<f64>,
    /// Updates between evaluations.
    pub evaluate_every: u64,
    /// Held-out prompts of an evaluation.
    pub evaluation_prompts: u32,
    /// Changed fields of the method and of training.
    pub changes: BTreeMap<String, String>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            stage: 0,
            start: Start::Untrained,
            from_step: None,
            task: Some("reverse".into()),
            judges: "exact".into(),
            template: String::new(),
            answer_after: String::new(),
            steps: 250,
            seed: 1,
            stop_exact: Some(50.0),
            evaluate_every: 10,
            evaluation_prompts: 200,
            changes: BTreeMap::new(),
        }
    }
}

/// Fields of a stage that are not fields of its method: name, label, help.
pub const OWN_FIELDS: [(&str, &str, &str); 7] = [
    ("steps", "Updates", "Total number of updates"),
    ("seed", "Seed", "Of prompts and samples"),
    ("evaluate_every", "Evaluate every", "Updates between evaluations on held-out prompts"),
    ("evaluation_prompts", "Held-out prompts", "Number of prompts of an evaluation"),
    ("stop_exact", "Stop at (%)", "End once this share of held-out prompts is right; empty: never"),
    ("template", "Template", "Text around {prompt} and {response}; empty: the response follows the prompt"),
    ("answer_after", "Answer after", "Only the text after this marker is the answer; empty: the task's"),
];

/// Why a field's text was refused.
#[derive(Debug, Error, PartialEq)]
#[allow(missing_docs)] // each message says what its variant means
pub enum DraftError {
    #[error("Expected a whole number from {min} to {max}.")]
    Whole { min: u64, max: u64 },
    #[error("Expected a percentage from 0 to 100, or nothing.")]
    Percentage,
    #[error("Expected a judge, such as exact.")]
    NoJudge,
    #[error("Expected {expected}.")]
    Field { expected: String },
    #[error("There is no such field.")]
    Unknown,
}

impl Draft {
    /// Selects a kind of stage, with the numbers that suit it.
    pub fn choose_stage(&mut self, stage: usize) {
        if stage == self.stage || stage >= STAGES.len() {
            return;
        }
        self.stage = stage;
        self.changes.clear();
        (self.steps, self.evaluate_every) = [(250, 10), (100, 20), (200, 10), (200, 20)][stage];
        self.stop_exact = (stage == 0).then_some(50.0);
        self.evaluation_prompts = 200;
        if stage == 3 {
            // Sampling 2,000 pairs takes a while in a tab.
            self.changes.insert("pairs".into(), "512".into());
        }
        if stage == 1 {
            self.changes.insert("prompts".into(), "128".into());
        }
    }

    /// Selects a kind of stage that rows with these counts serve.
    pub fn fit_rows(&mut self, counts: [usize; 3]) {
        // Preferences also have prompts, which would serve reinforcement learning.
        let kinds = if counts[2] > 0 { [0, 0, 0, counts[2]] } else { [counts[0], counts[1], counts[1], 0] };
        let fits = |stage: usize| kinds[stage] > 0;
        if !fits(self.stage)
            && let Some(stage) = (0..STAGES.len()).find(|&stage| fits(stage))
        {
            self.choose_stage(stage);
        }
    }

    /// The value of a field as text.
    pub fn value(&self, name: &str, fields: &[FieldInfo]) -> String {
        match name {
            "steps" => self.steps.to_string(),
            "seed" => self.seed.to_string(),
            "evaluate_every" => self.evaluate_every.to_string(),
            "evaluation_prompts" => self.evaluation_prompts.to_string(),
            "stop_exact" => self.stop_exact.map_or_else(String::new, |share| share.to_string()),
            "template" => self.template.clone(),
            "answer_after" => self.answer_after.clone(),
            "judges" => self.judges.clone(),
            name => {
                let default = || fields.iter().find(|field| field.name == name);
                self.changes
                    .get(name)
                    .cloned()
                    .or_else(|| default().map(|field| self.default_of(field)))
                    .unwrap_or_default()
            }
        }
    }

    fn default_of(&self, field: &FieldInfo) -> String {
        let untrained = self.start == Start::Untrained && self.stage == 0;
        match field.name.as_str() {
            // Models with untrained weights learn faster, after a warm-up.
            "max_lr" if untrained => "0.003".into(),
            "warmup_steps" if untrained => "50".into(),
            _ => field.defaults[self.stage].clone(),
        }
    }

    /// Sets a field from text. Fields of the method are checked by the worker when the stage begins.
    ///
    /// # Errors
    /// What to enter instead.
    pub fn set(&mut self, name: &str, text: &str, fields: &[FieldInfo]) -> Result<(), DraftError> {
        let whole = |min: u64, max: u64| {
            let number = text.replace(',', "").parse::<u64>().ok().filter(|n| (min..=max).contains(n));
            number.ok_or(DraftError::Whole { min, max })
        };
        match name {
            "steps" => self.steps = whole(1, 1_000_000)?,
            "seed" => self.seed = whole(0, u64::from(u32::MAX))?,
            "evaluate_every" => self.evaluate_every = whole(1, 1_000_000)?,
            "evaluation_prompts" => self.evaluation_prompts = whole(1, 10_000)? as u32,
            "stop_exact" if text.is_empty() => self.stop_exact = None,
            "stop_exact" => {
                let share = text.parse::<f64>().ok().filter(|share| (0.0..=100.0).contains(share));
                self.stop_exact = Some(share.ok_or(DraftError::Percentage)?);
            }
            "template" => self.template = text.into(),
            "answer_after" => self.answer_after = text.into(),
            "judges" if text.is_empty() => return Err(DraftError::NoJudge),
            "judges" => self.judges = text.into(),
            name => {
                let field = fields.iter().find(|field| field.name == name).ok_or(DraftError::Unknown)?;
                let numeric = field.defaults[self.stage].parse::<f64>().is_ok();
                if numeric && !text.parse::<f64>().is_ok_and(f64::is_finite) {
                    return Err(DraftError::Field { expected: field.expected.clone() });
                }
                if self.default_of(field) == text {
                    self.changes.remove(name);
                } else {
                    self.changes.insert(name.into(), text.into());
                }
            }
        }
        Ok(())
    }

    /// The specification.
    pub fn spec(&self) -> StageSpec {
        // The method sets other fields, so it comes first.
        let (first, rest): (Vec<_>, Vec<_>) = self.changes.clone().into_iter().partition(|(name, _)| name == "method");
        StageSpec {
            stage: STAGES[self.stage].0.into(),
            task: self.task.clone(),
            judges: self.judges.split_whitespace().map(str::to_string).collect(),
            template: self.template.clone(),
            answer_after: self.answer_after.clone(),
            steps: self.steps,
            seed: self.seed,
            changes: [first, rest].concat(),
            stop_exact: self.stop_exact.map(|share| share / 100.0),
            evaluate_every: self.evaluate_every,
            evaluation_prompts: self.evaluation_prompts,
        }
    }

    /// Where it begins; `run` is the name of the run.
    pub fn start(&self, run: &str) -> StageStart {
        match self.start {
            Start::Untrained => StageStart::Preset { name: "nano".into() },
            Start::Run => StageStart::Run { name: run.into() },
            Start::Node(node) => StageStart::Node { node, step: self.from_step.unwrap_or(u64::from(u32::MAX)) },
        }
    }
}
