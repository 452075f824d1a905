//! Tensors of the latest batch by name: parameters, their gradients, activations.

use super::{TrainError, Trainer};
use crate::gpu::recording::{BufferId, Role, Slice};

/// What the name of a gradient begins with.
const GRADIENT: &str = "gradient of ";

impl Trainer {
    /// The names of all tensors that [`Trainer::tensor_values`] reads.
    pub fn tensor_names(&self) -> Vec<String> {
        let params = self.table.iter().map(|param| param.name.clone());
        let grads = self.table.iter().map(|param| format!("{GRADIENT}{}", param.name));
        let specs = self.plan.buffers.specs.iter();
        let computed = specs.filter(|spec| of_batch(spec.role)).map(|spec| spec.label());
        params.chain(grads).chain(computed).collect()
    }

    /// The values of a tensor: a parameter, the gradient of a parameter in the latest step, or an activation of the latest batch;
    /// `None` for an unknown name.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn tensor_values(&mut self, name: &str) -> Result<Option<Vec<f32>>, TrainError> {
        self.catch_up().await?;
        let param = |name: &str| self.table.iter().find(|param| param.name == name);
        let specs = self.plan.buffers.specs.iter();
        let computed = specs.zip(0..).find(|(spec, _)| of_batch(spec.role) && spec.label() == name);
        // Parts of a buffer that begin anywhere are cut out of the whole.
        let (whole, part) = match (param(name), name.strip_prefix(GRADIENT).and_then(param), computed) {
            (Some(param), ..) => (self.plan.params, param.start..param.start + param.len()),
            (_, Some(param), _) => (self.plan.step_grads, param.start..param.start + param.len()),
            (_, _, Some((spec, id))) => (Slice { buffer: BufferId(id), start: 0, len: spec.len }, 0..spec.len),
            _ => return Ok(None),
        };
        Ok(Some(self.backend.read_f32(whole).await?[part].to_vec()))
    }
}

fn of_batch(role: Role) -> bool {
    matches!(role, Role::Activations | Role::ActivationGradients | Role::Logits)
}
