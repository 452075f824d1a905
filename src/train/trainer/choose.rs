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
        let table = ParamTable::new(&config.model);
        let plan = MemoryPlan::new(config, &table, config.model.context_length + 1, config.model.context_length + 1);
        let step = Transformer { config, table: &table, plan: &plan }.gradients();
        Ok(tuning::tune(context, &step).await?)
    }
}
