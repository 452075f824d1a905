//! Settings of an alignment run, each with a name for `--set`.

use std::fmt::Display;
use std::str::FromStr;

use thiserror::Error;

use crate::align::{
    Advantages, Aggregation, Baseline, Dpo, EPS, ImportanceWeights, Method, Normalizer, Objective, PolicyLoss,
};

/// What a run teaches with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Supervised fine-tuning on given responses.
    Sft,
    /// Expert iteration: fine-tuning on sampled responses that are right.
    Rft,
    /// Policy gradients from rewards.
    Grpo,
    /// Direct preference optimization on pairs of responses.
    Dpo,
}

impl Stage {
    /// All stages.
    pub const ALL: [Self; 4] = [Self::Sft, Self::Rft, Self::Grpo, Self::Dpo];

    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sft => "sft",
            Self::Rft => "rft",
            Self::Grpo => "grpo",
            Self::Dpo => "dpo",
        }
    }

    /// The stage with this name, or `None`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// How the losses of response tokens are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregationKind {
    /// The mean over rows of each row's mean.
    Sequence,
    /// The sum divided by a constant.
    Constant,
    /// The mean over all response tokens.
    Token,
}

/// A setting that cannot be applied.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SettingError {
    /// The field does not exist.
    #[error("unknown field `{field}`; expected one of {known}")]
    Unknown {
        /// The given name.
        field: String,
        /// All names.
        known: String,
    },
    /// The value is invalid.
    #[error("{field} is {value}; expected {expected}")]
    Value {
        /// The field.
        field: &'static str,
        /// The given value.
        value: String,
        /// Valid values.
        expected: String,
    },
}

/// Settings of an alignment run, besides those of the optimizer.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Prompts per batch of sampled responses.
    pub prompts: usize,
    /// G: responses sampled for each prompt.
    pub group_size: usize,
    /// Sampling temperature.
    pub temperature: f64,
    /// Maximum number of tokens of a response, its end included; 0 for as many as the longest known answer needs.
    pub max_tokens: usize,
    /// Rows per update of fine-tuning, pairs per update of preference optimization.
    pub rows: usize,
    /// What is subtracted from rewards.
    pub baseline: Baseline,
    /// What the difference is divided by.
    pub normalizer: Normalizer,
    /// Added to that divisor.
    pub eps: f64,
    /// How importance ratios enter the loss.
    pub weights: ImportanceWeights,
    /// Ratios are clipped to 1 ± this.
    pub cliprange: f64,
    /// Factor of the penalty for the KL divergence from the model that the run began with.
    pub kl: f64,
    /// How the losses of tokens are combined.
    pub aggregation: AggregationKind,
    /// Divisor of the constant aggregation; 0 for rows × max_tokens.
    pub constant: f64,
    /// Updates per batch of sampled responses, each on an equal part of its prompts.
    pub updates: usize,
    /// Passes over the right responses of a round of expert iteration.
    pub epochs: usize,
    /// Number of preference pairs to sample.
    pub pairs: usize,
    /// β of preference optimization.
    pub beta: f64,
    /// Weight of the negative log-likelihood of chosen responses.
    pub nll: f64,
}

/// Name, meaning and valid values of each setting.
const FIELDS: [(&str, &str, &str); 19] = [
    (
        "method",
        "a named combination of the settings below",
        "grpo, dr_grpo, maxrl, gspo, cispo, reinforce or reinforce_with_baseline",
    ),
    ("prompts", "prompts per batch of sampled responses", "1 to 65536"),
    ("group_size", "responses sampled for each prompt", "1 to 1024"),
    ("temperature", "sampling temperature", "a number greater than 0, at most 100"),
    ("max_tokens", "maximum number of tokens of a response; 0 for as many as the longest answer needs", "0 to 1048576"),
    ("rows", "rows (dpo: pairs) per update of sft, rft and dpo", "1 to 65536"),
    ("baseline", "what is subtracted from rewards", "mean or none"),
    ("normalizer", "what the difference is divided by", "std, mean or none"),
    ("eps", "added to that divisor", "a number from 0 to 1"),
    ("weights", "how importance ratios enter the loss", "none, noclip, grpo, gspo or cispo"),
    ("cliprange", "ratios are clipped to 1 ± this", "a number from 0 to 100"),
    (
        "kl",
        "factor of the penalty for the KL divergence from the model that the run began with",
        "a number from 0 to 1000",
    ),
    ("aggregation", "how the losses of tokens are combined", "sequence, constant or token"),
    ("constant", "divisor of the constant aggregation; 0 for rows × max_tokens", "a number from 0 on"),
    ("updates", "updates per batch of sampled responses", "1 to 65536, at most prompts"),
    ("epochs", "passes over the right responses of a round of rft", "1 to 1000"),
    ("pairs", "preference pairs to sample", "1 to 1048576"),
    ("beta", "β of dpo", "a number greater than 0, at most 1000"),
    ("nll", "weight of the negative log-likelihood of chosen responses in dpo", "a number from 0 to 1000"),
];

const BASELINES: [(&str, Baseline); 2] = [("mean", Baseline::Mean), ("none", Baseline::None)];
const NORMALIZERS: [(&str, Normalizer); 3] =
    [("std", Normalizer::Std), ("mean", Normalizer::Mean), ("none", Normalizer::None)];
const AGGREGATIONS: [(&str, AggregationKind); 3] = [
    ("sequence", AggregationKind::Sequence),
    ("constant", AggregationKind::Constant),
    ("token", AggregationKind::Token),
];

fn named<T: Copy>(table: &[(&'static str, T)], value: &str) -> Option<T> {
    table.iter().find(|(name, _)| *name == value).map(|&(_, value)| value)
}

fn name_of<T: Copy + PartialEq>(table: &[(&'static str, T)], value: T) -> String {
    table.iter().find(|(_, known)| *known == value).map_or_else(String::new, |(name, _)| (*name).into())
}

fn within<T: FromStr + PartialOrd>(text: &str, least: T, most: T) -> Option<T> {
    text.parse().ok().filter(|value| *value >= least && *value <= most)
}

impl Settings {
    /// The defaults of a stage.
    pub fn of(stage: Stage) -> Self {
        Self {
            prompts: if stage == Stage::Rft { 512 } else { 32 },
            group_size: 8,
            temperature: 1.0,
            max_tokens: 0,
            rows: 64,
            baseline: Baseline::Mean,
            normalizer: Normalizer::Std,
            eps: EPS,
            weights: ImportanceWeights::Grpo,
            cliprange: 0.2,
            kl: 0.0,
            aggregation: if stage == Stage::Sft { AggregationKind::Token } else { AggregationKind::Sequence },
            constant: 0.0,
            updates: 1,
            epochs: 2,
            pairs: 2000,
            beta: 0.1,
            nll: 0.0,
        }
    }

    /// Every field with its meaning and its valid values, one per line.
    pub fn documentation() -> String {
        let line = |(name, help, expected): &(&str, &str, &str)| format!("{name:<13} {help} ({expected})\n");
        FIELDS.iter().map(line).collect()
    }

    /// Name, meaning and valid values of every field.
    pub fn fields() -> &'static [(&'static str, &'static str, &'static str)] {
        &FIELDS
    }

    /// Whether there is a field with this name.
    pub fn has(field: &str) -> bool {
        FIELDS.iter().any(|(name, ..)| *name == field)
    }

    /// Sets a field from text.
    ///
    /// # Errors
    /// When the field is unknown or the value invalid; nothing changes then.
    pub fn set(&mut self, field: &str, value: &str) -> Result<(), SettingError> {
        let Some(&(field, _, expected)) = FIELDS.iter().find(|(name, ..)| *name == field) else {
            let known = FIELDS.map(|(name, ..)| name).join(", ");
            return Err(SettingError::Unknown { field: field.into(), known });
        };
        let wrong = || SettingError::Value { field, value: value.into(), expected: expected.into() };
        self.assign(field, value).ok_or_else(wrong)
    }

    fn assign(&mut self, field: &str, value: &str) -> Option<()> {
        match field {
            "method" => self.apply(Method::from_name(value)?),
            "prompts" => self.prompts = within(value, 1, 1 << 16)?,
            "group_size" => self.group_size = within(value, 1, 1024)?,
            "temperature" => self.temperature = within(value, f64::MIN_POSITIVE, 100.0)?,
            "max_tokens" => self.max_tokens = within(value, 0, 1 << 20)?,
            "rows" => self.rows = within(value, 1, 1 << 16)?,
            "baseline" => self.baseline = named(&BASELINES, value)?,
            "normalizer" => self.normalizer = named(&NORMALIZERS, value)?,
            "eps" => self.eps = within(value, 0.0, 1.0)?,
            "weights" => self.weights = ImportanceWeights::from_name(value)?,
            "cliprange" => self.cliprange = within(value, 0.0, 100.0)?,
            "kl" => self.kl = within(value, 0.0, 1000.0)?,
            "aggregation" => self.aggregation = named(&AGGREGATIONS, value)?,
            "constant" => self.constant = within(value, 0.0, f64::MAX)?,
            "updates" => self.updates = within(value, 1, 1 << 16)?,
            "epochs" => self.epochs = within(value, 1, 1000)?,
            "pairs" => self.pairs = within(value, 1, 1 << 20)?,
            "beta" => self.beta = within(value, f64::MIN_POSITIVE, 1000.0)?,
            "nll" => self.nll = within(value, 0.0, 1000.0)?,
            _ => return None,
        }
        Some(())
    }

    /// Takes over the advantages, the loss and the aggregation of a method.
    fn apply(&mut self, method: Method) {
        let Objective { advantages, loss, aggregation } = method.objective(0.0);
        (self.baseline, self.normalizer, self.eps) = (advantages.baseline, advantages.normalizer, advantages.eps);
        (self.weights, self.cliprange) = (loss.weights, loss.cliprange);
        self.aggregation = match aggregation {
            Aggregation::Sequence => AggregationKind::Sequence,
            Aggregation::Constant(_) => AggregationKind::Constant,
            Aggregation::Token => AggregationKind::Token,
        };
    }

    /// All fields but `method`, which the others replace, with their values as text; [`Settings::set`] restores them.
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let text = |value: &dyn Display| value.to_string();
        vec![
            ("prompts", text(&self.prompts)),
            ("group_size", text(&self.group_size)),
            ("temperature", text(&self.temperature)),
            ("max_tokens", text(&self.max_tokens)),
            ("rows", text(&self.rows)),
            ("baseline", name_of(&BASELINES, self.baseline)),
            ("normalizer", name_of(&NORMALIZERS, self.normalizer)),
            ("eps", text(&self.eps)),
            ("weights", self.weights.name().into()),
            ("cliprange", text(&self.cliprange)),
            ("kl", text(&self.kl)),
            ("aggregation", name_of(&AGGREGATIONS, self.aggregation)),
            ("constant", text(&self.constant)),
            ("updates", text(&self.updates)),
            ("epochs", text(&self.epochs)),
            ("pairs", text(&self.pairs)),
            ("beta", text(&self.beta)),
            ("nll", text(&self.nll)),
        ]
    }

    /// Checks combinations of fields.
    ///
    /// # Errors
    /// When two do not fit together.
    pub fn validate(&self) -> Result<(), SettingError> {
        if self.updates > self.prompts {
            let expected = format!("at most {}, the number of prompts in a batch", self.prompts);
            return Err(SettingError::Value { field: "updates", value: self.updates.to_string(), expected });
        }
        Ok(())
    }

    /// The aggregation over updates of `n_rows` rows with responses of up to `max_tokens` tokens.
    pub fn aggregation(&self, n_rows: usize, max_tokens: usize) -> Aggregation {
        match self.aggregation {
            AggregationKind::Sequence => Aggregation::Sequence,
            AggregationKind::Token => Aggregation::Token,
            AggregationKind::Constant if self.constant > 0.0 => Aggregation::Constant(self.constant),
            AggregationKind::Constant => Aggregation::Constant((n_rows * max_tokens) as f64),
        }
    }

    /// The policy-gradient objective of such updates.
    pub fn policy(&self, n_rows: usize, max_tokens: usize) -> Objective {
        Objective {
            advantages: Advantages { baseline: self.baseline, normalizer: self.normalizer, eps: self.eps },
            loss: PolicyLoss { weights: self.weights, cliprange: self.cliprange, kl: self.kl },
            aggregation: self.aggregation(n_rows, max_tokens),
        }
    }

    /// The preference loss.
    pub fn dpo(&self) -> Dpo {
        Dpo { beta: self.beta, nll: self.nll }
    }
}
