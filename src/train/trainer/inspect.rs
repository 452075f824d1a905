//! Inspection of the model: the rows of one head, the logit lens, and the model with disabled heads or a changed weight. The
//! programs are created when first needed; training does not use them, and they do not modify anything that training reads.

use super::{ProbePass, TrainError, Trainer, WeightError};
use crate::gpu::backend::Program;
use crate::model::transformer::Transformer;
use crate::train::top_k::top_k;
use crate::types::inspect::{HeadRows, LENS_CHOICES, Lens, LensCell, WeightAt};

/// A temporary change of the model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// Heads (layer, head) whose output is set to 0.
    pub off: Vec<(usize, usize)>,
    /// Offset of a parameter in the table, and its temporary value.
    pub weight: Option<(usize, f32)>,
}

/// The source of a held-out loss.
#[derive(Clone, Copy)]
enum Evaluation {
    Run(Program),
    Known(f32),
}

/// Held-out loss and logits of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Mean cross-entropy on the held-out sample.
    pub loss: f32,
    /// The logits (V) at the selected position; empty without a probe.
    pub logits: Vec<f32>,
}

impl Trainer {
    /// Queries, keys (after position encoding) and values of one head for the first T of `ids`.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn head_rows(&mut self, ids: &[u32], (layer, head): (usize, usize)) -> Result<HeadRows, TrainError> {
        let model = self.config.model.clone();
        let n = self.write_probe(ids);
        for layer in 0..=layer {
            let program = self.probe_program(ProbePass::Layer(layer), n);
            self.backend.run(program);
        }
        let block = self.plan.probe.blocks[layer];
        let (d, kv_head) = (model.d_head(), head / (model.n_heads / model.n_kv_heads));
        let (c, width) = (model.d_model, model.d_model + 2 * model.d_kv());
        let all = self.backend.read_f32(block.qkv.part(0, n * width)).await?;
        let columns = |first: usize| all.chunks_exact(width).flat_map(|row| &row[first..first + d]).copied().collect();
        let [q, k, v] = [head * d, c + kv_head * d, c + model.d_kv() + kv_head * d].map(columns);
        Ok(HeadRows { d_head: d, causal: model.causal, q, k, v })
    }

    /// The logit lens: the final norm and the output head applied to the residual stream after every block, for the first T of
    /// `ids`.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn lens(&mut self, ids: &[u32]) -> Result<Lens, TrainError> {
        let mut cells = Vec::new();
        let n = ids.len().min(self.config.model.context_length);
        for layer in 0..self.config.model.n_layers {
            let logits = self.lens_logits(ids, layer).await?;
            let next = |at: usize| ids[..n].get(at + 1).copied();
            let rows = logits.chunks_exact(self.config.model.vocab_size).enumerate();
            cells.extend(rows.map(|(at, logits)| lens_cell(logits, next(at))));
        }
        Ok(Lens { n, cells })
    }

    /// The logits (n, V) of the model if it ended after block `layer`. Must be called for 0, 1, … in order: each block
    /// continues from the residual stream of the previous call.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn lens_logits(&mut self, ids: &[u32], layer: usize) -> Result<Vec<f32>, TrainError> {
        let n = if layer == 0 { self.write_probe(ids) } else { ids.len().min(self.config.model.context_length) };
        for pass in [ProbePass::Layer(layer), ProbePass::Lens(layer)] {
            let program = self.probe_program(pass, n);
            self.backend.run(program);
        }
        self.probe_logits(n).await
    }

    /// The model without and with `change`: its held-out loss, as computed by [`Trainer::evaluate`], and its logits at
    /// `position` of `ids`. If the loss without the change is `known`, it is not recomputed. Afterwards the model is restored
    /// bitwise.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn what_if(
        &mut self,
        ids: &[u32],
        position: usize,
        change: &Change,
        known: Option<f32>,
    ) -> Result<[Answer; 2], TrainError> {
        let evaluation = known.map_or(Evaluation::Run(self.evaluation), Evaluation::Known);
        let plain = self.answer((evaluation, ProbePass::Probe), (ids, position), None).await?;
        let model = &self.config.model;
        let mut scale = vec![1.0; model.n_layers * model.n_heads];
        change.off.iter().for_each(|(layer, head)| scale[layer * model.n_heads + head] = 0.0);
        self.backend.write_f32(self.plan.head_scale, &scale);
        let scaled = self.scaled_evaluation();
        let changed = self.answer((Evaluation::Run(scaled), ProbePass::Scaled), (ids, position), change.weight).await?;
        Ok([plain, changed])
    }

    fn scaled_evaluation(&mut self) -> Program {
        let transformer = Transformer { config: &self.config, table: &self.table, plan: &self.plan };
        let make = || self.backend.prepare(transformer.scaled_evaluation());
        *self.scaled_evaluation.get_or_insert_with(make)
    }

    /// Runs an evaluation and a probe with one parameter changed temporarily.
    async fn answer(
        &mut self,
        (evaluation, probe): (Evaluation, ProbePass),
        (ids, position): (&[u32], usize),
        weight: Option<(usize, f32)>,
    ) -> Result<Answer, TrainError> {
        if let Evaluation::Run(program) = evaluation {
            self.make_room(program)?;
        }
        let before = match weight {
            Some((at, value)) => {
                let slice = self.plan.params.part(at, 1);
                let before = self.backend.read(slice).await?;
                self.backend.write_f32(slice, &[value]);
                Some((slice, before))
            }
            None => None,
        };
        // Everything is submitted, including restoring the parameter, before waiting for results.
        let pending = match evaluation {
            Evaluation::Run(program) => Ok(self.submit_evaluation(program)?),
            Evaluation::Known(loss) => Err(loss),
        };
        let logits = (position < ids.len()).then(|| {
            self.run_probe(probe, ids);
            let window = self.window(ids.len().min(self.config.model.context_length));
            let slices = self.logit_slices(window, position..position + 1);
            self.backend.start_read(&slices)
        });
        if let Some((slice, before)) = before {
            self.backend.write(slice, &before);
        }
        let loss = match pending {
            Ok(pending) => self.finish_evaluation(pending).await?,
            Err(known) => known,
        };
        let logits = match logits {
            Some(read) => self.backend.finish_read(read).await?,
            None => Vec::new(),
        };
        self.readable()?;
        Ok(Answer { loss, logits: logits.into_iter().map(f32::from_bits).collect() })
    }

    /// Offset of a weight in the parameter table.
    ///
    /// # Errors
    /// If the parameter, row or column does not exist.
    pub fn weight_place(&self, at: &WeightAt) -> Result<usize, WeightError> {
        let Some(param) = self.table.iter().find(|param| param.name == at.tensor) else {
            return Err(WeightError::NoParameter { name: at.tensor.clone() });
        };
        let [rows, columns] = matrix(&param.shape);
        if at.row >= rows || at.column >= columns {
            return Err(WeightError::Outside { at: at.clone(), last_row: rows - 1, last_column: columns - 1 });
        }
        Ok(param.start + at.row * columns + at.column)
    }

    /// The value of one weight, by its offset in the parameter table.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn weight(&mut self, place: usize) -> Result<f32, TrainError> {
        Ok(self.backend.read_f32(self.plan.params.part(place, 1)).await?[0])
    }

    /// Changes one weight permanently, by its offset in the parameter table.
    pub fn set_weight(&mut self, place: usize, value: f32) {
        self.edits += 1;
        self.cached.clear();
        self.backend.write_f32(self.plan.params.part(place, 1), &[value]);
    }
}

/// Rows and columns of a parameter; a vector has one row.
pub fn matrix(shape: &[usize]) -> [usize; 2] {
    match shape {
        [rows, columns] => [*rows, *columns],
        other => [1, other.iter().product()],
    }
}

/// The `count` most likely tokens with their probabilities in descending order; ties are sorted by id.
pub fn likeliest(logits: &[f32], count: usize) -> Vec<(u32, f32)> {
    let log_sum = log_sum_exp(logits);
    top_k(logits, count).into_iter().map(|id| (id, (f64::from(logits[id as usize]) - log_sum).exp() as f32)).collect()
}

/// ln Σ exp(logit)
pub fn log_sum_exp(logits: &[f32]) -> f64 {
    let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    largest + logits.iter().map(|&logit| (f64::from(logit) - largest).exp()).sum::<f64>().ln()
}

fn lens_cell(logits: &[f32], next: Option<u32>) -> LensCell {
    let next = next.and_then(|id| Some((id, *logits.get(id as usize)?)));
    let of_next = next.map(|(id, logit)| {
        let before = |&(other, &it): &(usize, &f32)| it > logit || (it == logit && other < id as usize);
        let rank = logits.iter().enumerate().filter(before).count();
        (rank as u32, (f64::from(logit) - log_sum_exp(logits)).exp() as f32)
    });
    LensCell { choices: likeliest(logits, LENS_CHOICES), next: of_next }
}
