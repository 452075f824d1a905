//! A model from elsewhere becomes one to train on, and a state of training one to take elsewhere.

use super::trainer::TrainingState;
use crate::config::{ModelConfig, Preset, RunConfig};
use crate::data::Tokenizer;
use crate::interop::import::Imported;
use crate::interop::state::SavedState;

/// A model trained elsewhere is trained on gently.
const FINE_TUNING_LR: f64 = 1e-4;

/// A model that can be trained on.
pub struct Adopted {
    /// Model and training.
    pub config: RunConfig,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Where its training stands.
    pub state: TrainingState,
    /// What of its files is not used, or used in another way than they say.
    pub notes: Vec<String>,
}

/// How a model is trained on of which nothing is known but its shape: gently, one sequence at a time, because it may be
/// large.
pub fn gently(model: ModelConfig) -> RunConfig {
    let mut config = RunConfig { model, train: Preset::Small.config().train };
    (config.train.max_lr, config.train.min_lr) = (FINE_TUNING_LR, FINE_TUNING_LR / 10.0);
    config.train.batch_size = 1;
    config
}

/// Takes a model over: where its training stands is known, that goes on.
pub fn adopt(imported: Imported) -> Adopted {
    let Imported { model, tokenizer, params, state, notes } = imported;
    match state {
        Some(SavedState { step, batches, train, adam_m, adam_v }) => {
            let state = TrainingState { step, batches, params, adam_m, adam_v };
            Adopted { config: RunConfig { model, train }, tokenizer, state, notes }
        }
        None => {
            let config = gently(model);
            let state = TrainingState::of(params, config.train.seed);
            Adopted { config, tokenizer, state, notes }
        }
    }
}

/// What of a state does not stand in a model's weights.
pub fn saved_state(config: &RunConfig, state: TrainingState) -> SavedState {
    let [adam_m, adam_v] = [&state.adam_m, &state.adam_v].map(|moments| state.moments(moments).into_owned());
    SavedState { step: state.step, batches: state.batches, train: config.train.clone(), adam_m, adam_v }
}
