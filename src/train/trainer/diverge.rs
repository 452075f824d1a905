//! Handles divergence: the model is left in the state before the step that was not applied, and a slow replay of its batch
//! locates the origin.

use std::fmt;

use super::{TrainError, Trainer};
use crate::gpu::backend::Program;
use crate::gpu::kernel::Access;
use crate::gpu::recording::{BufferSpec, Dispatch, Recording, Role, Slice};
use crate::model::transformer::Transformer;
use crate::ops::step::Step;
use crate::rng::Rng;

/// Data about a step that was not applied.
#[derive(Default)]
pub(super) struct Poisoned {
    /// Start positions of its sequences.
    starts: Vec<u32>,
    /// Loss and gradients of one batch; prepared when first needed.
    program: Option<Program>,
}

/// The origin of the first non-finite value.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// A parameter was already non-finite.
    Parameter {
        /// Name of the parameter.
        name: String,
    },
    /// A computed tensor.
    Tensor {
        /// Display name of the tensor and its layer.
        tensor: String,
        /// The kernel that computed it.
        kernel: &'static str,
        /// Number of non-finite values.
        bad: usize,
        /// Total number of values.
        of: usize,
        /// The first non-finite value.
        value: f32,
    },
    /// All gradients are finite, but the sum of their squares is not.
    Overflow {
        /// The parameter with the largest gradient.
        name: String,
        /// Value of that gradient.
        largest: f32,
    },
    /// The replay of the batch was finite.
    Unknown,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter { name } => write!(f, "it began in the parameter {name}, which is not finite itself"),
            Self::Tensor { tensor, kernel, bad, of, value } => {
                write!(
                    f,
                    "it began in the {tensor}: {bad} of its {of} numbers are not finite, the first is {value} ({kernel})"
                )
            }
            Self::Overflow { name, largest } => {
                write!(f, "every gradient is finite, but they are too large to be squared: up to {largest:e} in {name}")
            }
            Self::Unknown => write!(f, "computed once more, the same batch stays finite, so the device has erred once"),
        }
    }
}

impl Trainer {
    /// Restores the state before `step`, which was not applied. `starts` are the start positions of the submission's steps, the
    /// first of which is `first_step`; `batches` is the generator that drew them.
    pub(super) fn stand_before(&mut self, step: u64, first_step: u64, starts: Vec<Vec<u32>>, batches: Rng) {
        self.batches = batches;
        let before = (step - first_step) as usize;
        (0..before).for_each(|_| drop(self.draw()));
        self.poisoned.starts = starts.into_iter().nth(before).unwrap_or_default();
        self.steps_submitted = step - 1;
        self.release();
    }

    /// Allows further steps to update the model again, which a non-finite [`GRAD_NORM`](crate::ops::clip::GRAD_NORM) prevents.
    pub(super) fn release(&mut self) {
        self.backend.write_f32(self.plan.grad_norm, &[0.0]);
    }

    /// Locates the origin of the divergence in the latest step that was not applied: recomputes its batch, dispatch by
    /// dispatch, until a value is non-finite. Slow; changes only gradients and activations.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn trace(&mut self) -> Result<Origin, TrainError> {
        let params = self.backend.read_f32(self.plan.params).await?;
        if let Some(name) = self.table.iter().find(|p| !all_finite(&params[p.start..p.start + p.len()])) {
            return Ok(Origin::Parameter { name: name.name.clone() });
        }
        let transformer = Transformer { config: &self.config, table: &self.table, plan: &self.plan };
        let (recording, again) = (transformer.batch_gradients(), transformer.batch_gradients());
        let program = self.poisoned.program.unwrap_or_else(|| self.backend.prepare(again));
        self.poisoned.program = Some(program);
        let starts = std::mem::take(&mut self.poisoned.starts);
        let mut largest = (String::new(), 0.0_f32);
        for batch in starts.chunks(self.config.train.batch_size) {
            self.clear(&recording);
            let values = Step { weight: 1.0, first: 1, ..self.step_values(self.steps_submitted + 1) };
            let writes = self.place(batch, 0, self.plan.train_tokens);
            writes.iter().for_each(|(slice, words)| self.backend.write(*slice, words));
            self.backend.write(self.plan.step, bytemuck::cast_slice(&[values]));
            if let Some(origin) = self.first_poison(&recording, program).await? {
                return Ok(origin);
            }
            let grads = self.backend.read_f32(self.plan.grads).await?;
            for param in self.table.iter() {
                let most =
                    grads[param.start..param.start + param.len()].iter().fold(0.0, |most: f32, x| most.max(x.abs()));
                if most > largest.1 {
                    largest = (param.name.clone(), most);
                }
            }
        }
        let (name, largest) = largest;
        let overflows = f64::from(largest).powi(2) * self.table.buffer_len() as f64 > f64::from(f32::MAX);
        Ok(if overflows { Origin::Overflow { name, largest } } else { Origin::Unknown })
    }

    /// Clears everything that the recording writes, so that results of an earlier run cannot be mistaken for its own.
    fn clear(&self, recording: &Recording) {
        for slice in recording.dispatches.iter().flat_map(written) {
            self.backend.clear(slice);
        }
    }

    /// Runs dispatch after dispatch until one writes a non-finite value.
    async fn first_poison(&mut self, recording: &Recording, program: Program) -> Result<Option<Origin>, TrainError> {
        let mut layer = None;
        for (index, dispatch) in recording.dispatches.iter().enumerate() {
            self.backend.run_dispatch(program, index);
            layer = self.layer_of(dispatch).or(layer);
            for slice in written(dispatch) {
                if self.spec(slice).role == Role::Tokens {
                    continue;
                }
                let values = self.backend.read_f32(slice).await?;
                if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                    let bad = values.iter().filter(|value| !value.is_finite()).count();
                    let tensor = self.tensor(slice, at, layer);
                    let (kernel, of, value) = (dispatch.kernel.name, values.len(), values[at]);
                    return Ok(Some(Origin::Tensor { tensor, kernel, bad, of, value }));
                }
            }
        }
        Ok(None)
    }

    /// The layer of a dispatch: that of the first of its buffers and parameters that belongs to one.
    fn layer_of(&self, dispatch: &Dispatch) -> Option<usize> {
        dispatch.bindings.iter().find_map(|&slice| match self.is_param(slice) {
            true => self.table.at(slice.start)?.layer,
            false => self.spec(slice).layer,
        })
    }

    fn spec(&self, slice: Slice) -> &BufferSpec {
        &self.plan.buffers.specs[slice.buffer.0]
    }

    fn is_param(&self, slice: Slice) -> bool {
        matches!(self.spec(slice).role, Role::Parameters | Role::Gradients)
    }

    /// Display name of the tensor in a slice; `at` is the element in question. Tensors that all layers share get the
    /// layer of the dispatch.
    fn tensor(&self, slice: Slice, at: usize, layer: Option<usize>) -> String {
        let spec = self.spec(slice);
        if self.is_param(slice) {
            return format!("gradient of {}", self.table.at(slice.start + at).map_or("padding", |param| &param.name));
        }
        let shared = spec.role == Role::ActivationGradients || slice.buffer == self.plan.batch.branch.buffer;
        BufferSpec { layer: spec.layer.or(layer.filter(|_| shared)), ..spec.clone() }.label()
    }
}

fn all_finite(values: &[f32]) -> bool {
    values.iter().all(|value| value.is_finite())
}

fn written(dispatch: &Dispatch) -> impl Iterator<Item = Slice> + '_ {
    let with_access = dispatch.bindings.iter().zip(dispatch.kernel.access);
    with_access.filter(|(_, access)| **access == Access::ReadWrite).map(|(slice, _)| *slice)
}
