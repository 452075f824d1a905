//! From settings to a run that can begin.

use std::io::BufRead;

use super::StageError;
use crate::align::{AlignError, PromptTemplate, Rewards, TokenRow, read_preferences, read_prompts, read_responses};
use crate::config::{Preset, RunConfig, Schedule};
pub use crate::data::Task;
use crate::data::{END_OF_TEXT, Tokenizer, train};
use crate::model::params::ParamTable;
use crate::rng::Rng;
use crate::train::align::{AlignRun, Examples, Settings, Stage};
use crate::train::trainer::TrainingState;

/// The vocabulary of fresh models: the 256 bytes and the end-of-text token.
pub const BYTE_VOCABULARY: usize = 257;

/// Steps of warm-up for a model with untrained weights.
const FRESH_WARMUP: u64 = 50;

/// Number of examples of which the widest is measured.
const MEASURED_EXAMPLES: usize = 256;

/// The model with which a stage begins.
#[derive(Clone)]
pub struct StageModel {
    /// Its configuration.
    pub config: RunConfig,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Its weights; steps and moments begin at 0.
    pub state: TrainingState,
    /// Whether the weights are untrained.
    pub fresh: bool,
}

/// A run that can begin.
pub struct Prepared {
    /// The run.
    pub run: AlignRun,
    /// The configuration of its trainer, whose batches hold the rows of an update.
    pub config: RunConfig,
    /// Maximum number of tokens of an update.
    pub tokens_per_step: usize,
}

/// An untrained model of a preset with a vocabulary of bytes. `changes` are fields of the configuration with their values.
///
/// # Errors
/// When a field is unknown or a value invalid.
pub fn byte_model(preset: Preset, seed: Option<u64>, changes: &[(String, String)]) -> Result<StageModel, StageError> {
    let mut config = preset.config();
    config.model.vocab_size = BYTE_VOCABULARY;
    config.train.seed = seed.unwrap_or(config.train.seed);
    // Sizes have to be known before the weights.
    changes.iter().try_for_each(|(field, value)| config.set(field, value))?;
    // A vocabulary of this size has no merges, whatever the text is.
    let tokenizer = Tokenizer::new(&train("\n", BYTE_VOCABULARY, &[END_OF_TEXT])?)?;
    config.model.vocab_size = tokenizer.vocab_size();
    config.validate()?;
    let params = ParamTable::new(&config.model).initial_values(config.train.seed);
    Ok(StageModel { state: TrainingState::of(params, config.train.seed), config, tokenizer, fresh: true })
}

/// Changes of fields that belong to training, and those that belong to the method.
pub type SplitChanges = [Vec<(String, String)>; 2];

/// Separates changes of training from those of the method.
pub fn split_changes(changes: &[(String, String)]) -> SplitChanges {
    let (method, training) = changes.iter().cloned().partition(|(field, _)| Settings::has(field));
    [training, method]
}

/// Sets the defaults of a stage in `config`, applies the user's changes to them and to the settings of the method, and
/// returns these settings.
///
/// # Errors
/// When a field is unknown, a value invalid, or the model would get another shape.
pub fn configure(
    stage: Stage,
    fresh: bool,
    steps: u64,
    changes: &[(String, String)],
    config: &mut RunConfig,
) -> Result<Settings, StageError> {
    let model = config.model.clone();
    let train = &mut config.train;
    (train.schedule, train.weight_decay, train.max_grad_norm) = (Schedule::Constant, 0.0, 1.0);
    (train.schedule_steps, train.warmup_steps) = (steps, if fresh { FRESH_WARMUP } else { 0 });
    train.max_lr = match stage {
        Stage::Sft if fresh => 3e-3,
        Stage::Dpo => 3e-4,
        _ => 1e-3,
    };
    train.min_lr = train.max_lr / 10.0;
    let [of_training, of_method] = split_changes(changes);
    of_training.iter().try_for_each(|(field, value)| config.set(field, value))?;
    config.train.min_lr = config.train.min_lr.min(config.train.max_lr);
    config.validate()?;
    if !fresh && config.model != model {
        let before = RunConfig { model, train: config.train.clone() };
        let field = before.differences(config).first().copied().unwrap_or("a field");
        return Err(StageError::Shape { field });
    }
    let mut settings = Settings::of(stage);
    of_method.iter().try_for_each(|(field, value)| settings.set(field, value))?;
    Ok(settings)
}

/// Judges from their specifications. `marker` precedes a response's answer; by default the task's.
///
/// # Errors
/// When a specification is invalid.
pub fn rewards(judges: &[String], marker: &str, task: Option<Task>) -> Result<Rewards, AlignError> {
    let marker = match marker {
        "" => task.and_then(Task::answer_marker).unwrap_or_default(),
        marker => marker,
    };
    Ok(Rewards::parse(judges)?.after(marker))
}

/// The rows of a file that a stage needs.
///
/// # Errors
/// When a row is invalid, or there are none.
pub fn read_rows(stage: Stage, rewards: &Rewards, file: impl BufRead) -> Result<Examples, AlignError> {
    match stage {
        Stage::Sft => read_responses(file).map(Examples::from_responses),
        Stage::Dpo => read_preferences(file).map(Examples::from_preferences),
        Stage::Rft | Stage::Grpo => read_prompts(file, rewards.needs_answer()).map(Examples::from_prompts),
    }
}

/// Prepares a run of `stage` from `model`, whose configuration has been through [`configure`].
///
/// # Errors
/// When there is nothing to train on, or settings do not fit together.
pub fn prepare(
    stage: Stage,
    settings: Settings,
    examples: Examples,
    (template, rewards): (PromptTemplate, Rewards),
    model: &StageModel,
) -> Result<Prepared, StageError> {
    let seed = model.config.train.seed;
    let widest = widest(&examples, &template, &model.tokenizer, seed)?;
    let parts = (model.tokenizer.clone(), template, rewards);
    let run = AlignRun::new(stage, settings, examples, parts, seed, model.state.params.clone())?;
    let tokens = widest + run.max_tokens();
    let mut config = model.config.clone();
    fit_batch(&mut config, run.rows_per_update(), tokens);
    Ok(Prepared { tokens_per_step: run.rows_per_update() * tokens, run, config })
}

/// Number of tokens of the widest prompt among some examples.
fn widest(
    examples: &Examples,
    template: &PromptTemplate,
    tokenizer: &Tokenizer,
    seed: u64,
) -> Result<usize, StageError> {
    if examples.is_empty() {
        return Err(StageError::NothingToTrainOn);
    }
    let some = examples.draw(&mut Rng::new(seed), MEASURED_EXAMPLES);
    let lens =
        some.iter().map(|example| TokenRow::new(&template.prompt_ids(tokenizer, &example.prompt), &[]).ids.len());
    Ok(lens.max().unwrap_or(1))
}

/// Plans memory for the rows of an update. Wider rows than expected are computed in several batches.
fn fit_batch(config: &mut RunConfig, rows: usize, tokens: usize) {
    let context = config.model.context_length;
    let window = tokens.next_power_of_two().min(context);
    config.train.batch_size = (rows * window).div_ceil(context).max(1);
    config.train.accumulation_steps = 2;
}
