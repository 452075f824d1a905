//! What a training step costs, dispatch by dispatch.

use super::Trainer;
use crate::model::transformer::Transformer;
use crate::ops::cost::{Cost, costs};

impl Trainer {
    /// What each dispatch costs that [`Trainer::profile_step`] times, in the same order.
    pub fn step_costs(&self) -> Vec<Cost> {
        let transformer = Transformer { config: &self.config, table: &self.table, plan: &self.plan };
        costs(&match self.config.train.accumulation_steps {
            1 => transformer.training_step(),
            _ => transformer.accumulated_batch(),
        })
    }
}
