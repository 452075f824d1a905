//! History of a run: its steps and evaluations, thinned when the run is long or the size is limited, and exported as CSV or
//! JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{StepPoint, ValidationPoint};
use crate::config::RunConfig;

/// Maximum number of steps, and of evaluations, in a history; a long run has millions of steps.
const MAX: usize = 40_000;

/// Number of latest entries, which are never thinned.
const LATEST: usize = 1_000;

/// The losses of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Steps in order: all of them, or for long runs an evenly spaced selection and the latest ones.
    pub points: Vec<StepPoint>,
    /// Evaluations in order, thinned in the same way.
    pub validation: Vec<ValidationPoint>,
}

/// One line of the log: a step, an evaluation, or both.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    step: u64,
    point: Option<StepPoint>,
    val_loss: Option<f32>,
}

impl History {
    /// Appends new steps and evaluations.
    pub fn extend(&mut self, points: &[StepPoint], validation: &[ValidationPoint]) {
        self.points.extend_from_slice(points);
        for val in validation {
            // A second evaluation at the same step (after a weight was changed) replaces the first.
            match self.validation.last_mut().filter(|last| last.step == val.step) {
                Some(last) => *last = *val,
                None => self.validation.push(*val),
            }
        }
        spread(&mut self.points, |point| point.step);
        spread(&mut self.validation, |val| val.step);
    }

    /// At most about `most` steps and as many evaluations, evenly spaced; the first and the last of each are retained.
    pub fn thinned(&self, most: usize) -> Self {
        Self { points: thin(&self.points, most), validation: thin(&self.validation, most) }
    }

    /// The same losses without the times at which steps ended.
    pub fn untimed(&self) -> Self {
        let points = self.points.iter().map(|point| StepPoint { seconds: 0.0, ..*point }).collect();
        Self { points, validation: self.validation.clone() }
    }

    /// Removes everything after `step`.
    pub fn cut_after(&mut self, step: u64) {
        self.points.retain(|point| point.step <= step);
        self.validation.retain(|val| val.step <= step);
    }

    /// The latest evaluation up to `step`.
    pub fn validation_at(&self, step: u64) -> Option<ValidationPoint> {
        let after = self.validation.partition_point(|val| val.step <= step);
        after.checked_sub(1).map(|index| self.validation[index])
    }

    /// Seconds of training up to the latest step.
    pub fn seconds(&self) -> f64 {
        self.points.last().map_or(0.0, |point| point.seconds)
    }

    /// Steps and evaluations merged by step. An evaluation follows the step with the same number.
    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::with_capacity(self.points.len() + self.validation.len());
        let mut points = self.points.iter().copied().peekable();
        for val in &self.validation {
            while let Some(point) = points.next_if(|point| point.step <= val.step) {
                rows.push(Row { step: point.step, point: Some(point), val_loss: None });
            }
            match rows.last_mut() {
                Some(row) if row.step == val.step => row.val_loss = Some(val.loss),
                _ => rows.push(Row { step: val.step, point: None, val_loss: Some(val.loss) }),
            }
        }
        rows.extend(points.map(|point| Row { step: point.step, point: Some(point), val_loss: None }));
        rows
    }

    /// CSV with a header and one line per step; missing values are empty. `tokens_per_step` is B·T.
    pub fn to_csv(&self, tokens_per_step: usize) -> String {
        let mut csv = String::from("step,tokens,seconds,loss,lr,grad_norm,val_loss\n");
        let cell = |value: Option<f32>| value.map_or(String::new(), |value| value.to_string());
        for Row { step, point, val_loss } in self.rows() {
            let tokens = step * tokens_per_step as u64;
            let seconds = point.map_or(String::new(), |point| format!("{:.3}", point.seconds));
            let [loss, lr, norm] = [point.map(|p| p.loss), point.map(|p| p.lr), point.map(|p| p.grad_norm)].map(cell);
            csv.push_str(&format!("{step},{tokens},{seconds},{loss},{lr},{norm},{}\n", cell(val_loss)));
        }
        csv
    }

    /// The same rows as JSON, with the name and the configuration of the run.
    pub fn to_json(&self, name: &str, corpus: &str, config: &RunConfig) -> String {
        let tokens_per_step = config.tokens_per_step() as u64;
        let row = |Row { step, point, val_loss }: Row| -> Value {
            json!({
                "step": step,
                "tokens": step * tokens_per_step,
                "seconds": point.map(|point| point.seconds),
                "loss": point.map(|point| point.loss),
                "lr": point.map(|point| point.lr),
                "grad_norm": point.map(|point| point.grad_norm),
                "val_loss": val_loss,
            })
        };
        let points: Vec<Value> = self.rows().into_iter().map(row).collect();
        let log = json!({ "name": name, "corpus": corpus, "config": config, "points": points });
        format!("{log:#}\n")
    }
}

/// Thins a list that exceeds its maximum to about half its length: the remaining items are evenly spaced, except for the
/// latest.
pub fn spread<T>(items: &mut Vec<T>, step: impl Fn(&T) -> u64) {
    let (Some(first), Some(last)) = (items.first().map(&step), items.last().map(&step)) else { return };
    if items.len() <= MAX {
        return;
    }
    // A power of two, so that older and newer items end up with the same spacing.
    let apart = (last.saturating_sub(first) / (MAX as u64 / 2)).next_power_of_two();
    let (latest, mut index, mut next) = (items.len() - LATEST, 0, first);
    items.retain(|item| {
        index += 1;
        let stays = index > latest || step(item) >= next;
        if stays {
            next = step(item).saturating_add(apart);
        }
        stays
    });
}

fn thin<T: Copy>(items: &[T], most: usize) -> Vec<T> {
    let stride = items.len().div_ceil(most.max(2) - 1).max(1);
    let mut kept: Vec<T> = items.iter().copied().step_by(stride).collect();
    if stride > 1 && !(items.len() - 1).is_multiple_of(stride) {
        kept.extend(items.last().copied());
    }
    kept
}
