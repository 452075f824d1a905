//! Which kernels a model trains with on a device.

use super::{TrainError, Trainer};
use crate::config::RunConfig;
use crate::gpu::context::Context;
use crate::model::memory::MemoryPlan;
use crate::model::params::ParamTable;
use crate::model::transformer::Transformer;
use crate::ops::tuning;

impl Trainer {
    /// Chooses the variants of the kernels that a training step of this model uses, before the model is made; returns a
    /// sentence for each that the device computes wrongly, and which is therefore not used.
    ///
    /// # Errors
    /// When the configuration is wrong or the device was lost.
    pub async fn choose_kernels(config: &RunConfig, context: Option<&Context>) -> Result<Vec<String>, TrainError> {
        config.validate()?;
        let Some(context) = context else { return Ok(Vec::new()) };
        Ok(tuning::tune(context, &with_transformer(config, |transformer| transformer.gradients())).await?)
    }

    /// Has a device compile what this model is shown and trained with, before the model is made. A browser does so beside
    /// this program.
    ///
    /// # Errors
    /// When the configuration is wrong.
    pub fn compile_ahead(config: &RunConfig, context: &Context) -> Result<(), TrainError> {
        config.validate()?;
        let recordings = with_transformer(config, |transformer| {
            [
                transformer.probe(&transformer.plan.probe),
                transformer.evaluation(),
                transformer.gradients(),
                transformer.update(),
            ]
        });
        recordings.iter().for_each(|recording| tuning::compile(context, recording));
        Ok(())
    }
}

/// What `record` makes of a model of this configuration without text.
fn with_transformer<T>(config: &RunConfig, record: impl FnOnce(&Transformer<'_>) -> T) -> T {
    let table = ParamTable::new(&config.model);
    let least = config.model.context_length + 1;
    let plan = MemoryPlan::new(config, &table, least, least);
    record(&Transformer { config, table: &table, plan: &plan })
}
