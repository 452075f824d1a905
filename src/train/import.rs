//! Converts an imported model to a run that can be trained, and a training state to an exported one.

use crate::config::{ModelConfig, Preset, RunConfig};
use crate::data::Tokenizer;
use crate::interop::import::Imported;
use crate::interop::state::SavedState;
use crate::train::trainer::TrainingState;

/// Learning rate for fine-tuning imported models.
const FINE_TUNING_LR: f64 = 1e-4;

/// An imported model, ready to be trained.
pub struct ImportedRun {
    /// Configuration of model and training.
    pub config: RunConfig,
    /// The model's tokenizer.
    pub tokenizer: Tokenizer,
    /// The training state.
    pub state: TrainingState,
    /// Notes on parts of the files that are not used, or used differently than specified.
    pub notes: Vec<String>,
}

/// Conservative training settings for a model whose training is unknown: a low learning rate and one sequence per batch,
/// because the model may be large.
pub fn fine_tuning_config(model: ModelConfig) -> RunConfig {
    let mut config = RunConfig { model, train: Preset::Small.config().train };
    (config.train.max_lr, config.train.min_lr) = (FINE_TUNING_LR, FINE_TUNING_LR / 10.0);
    config.train.batch_size = 1;
    config
}

/// Converts an imported model; training resumes from its training state if it has one.
pub fn adopt(imported: Imported) -> ImportedRun {
    let Imported { model, tokenizer, params, state, notes } = imported;
    match state {
        Some(SavedState { step, batches, train, adam_m, adam_v }) => {
            let state = TrainingState { step, batches, params, adam_m, adam_v };
            ImportedRun { config: RunConfig { model, train }, tokenizer, state, notes }
        }
        None => {
            let config = fine_tuning_config(model);
            let state = TrainingState::of(params, config.train.seed);
            ImportedRun { config, tokenizer, state, notes }
        }
    }
}

/// The part of a training state that is not stored with a model's weights.
pub fn saved_state(config: &RunConfig, state: TrainingState) -> SavedState {
    let [adam_m, adam_v] = [&state.adam_m, &state.adam_v].map(|moments| state.moments(moments).into_owned());
    SavedState { step: state.step, batches: state.batches, train: config.train.clone(), adam_m, adam_v }
}
