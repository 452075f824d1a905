//! Inspection of the model beyond its attention maps: immediately when the page inspects something else, and with every
//! snapshot.

use super::View;
use crate::config::EVALUATION_TOKENS;
use crate::inspect::head_scores::{SequenceError, all_scores, measuring_sequence};
use crate::run::{Driver, Recurring};
use crate::train::trainer::TrainError;
use crate::train::trainer::inspect::{Change, likeliest, log_sum_exp, matrix};
use crate::types::Token;
use crate::types::inspect::{Compared, Comparison, TensorInfo, Watched, WeightAt, WhatIf};
use crate::wire::Event;
use crate::wire::inspect::{InspectCommand, InspectEvent};

/// Number of most likely tokens of each model in a comparison.
const CHOICES: usize = 10;

/// The tokens of the scoring sequence are taken from this number of tokens of the text.
const KNOWN_FROM: usize = 100_000;

/// What the page inspects, and the state of the head scores.
pub(in crate::serve) struct Inspecting {
    watched: Watched,
    /// Whether `watched` has changed since the last reply.
    pub changed: bool,
    /// Whether the list of parameters has been sent to the page.
    tensors_told: bool,
    keep: Option<(WeightAt, f32)>,
    /// The scoring sequence, or why there is none.
    sequence: Result<Vec<u32>, SequenceError>,
    /// The step of the latest scores; `None` before the first ones.
    scored: Option<u64>,
    scores: Recurring,
}

impl Inspecting {
    /// Starts without anything to inspect. Heads are scored on tokens of `text`.
    pub fn new(text: &[u32], context_length: usize) -> Self {
        Self {
            watched: Watched::default(),
            changed: false,
            tensors_told: false,
            keep: None,
            sequence: measuring_sequence(&text[..text.len().min(KNOWN_FROM)], context_length),
            scored: None,
            scores: Recurring::new(0.5, 24.0),
        }
    }

    /// Sets what is inspected from now on, or a weight to change permanently.
    pub fn set(&mut self, command: InspectCommand) {
        match command {
            InspectCommand::Watch(watched) => self.watched = watched,
            InspectCommand::Keep(weight, value) => self.keep = Some((weight, value)),
            InspectCommand::Shown(_) => return,
        }
        self.changed = true;
    }
}

impl View {
    /// Replies to everything the page currently inspects. No steps may be in flight.
    pub(super) async fn answer(&mut self, driver: &mut Driver) -> Result<(), TrainError> {
        self.inspecting.changed = false;
        if let Some((weight, value)) = self.inspecting.keep.take() {
            let event = self.keep_weight(driver, weight, value).await?;
            self.emit_inspection(event);
        }
        let watched = self.inspecting.watched.clone();
        if let Some(at) = watched.head.filter(|_| !self.probe.is_empty()) {
            self.tell_head(at, driver).await?;
        }
        if watched.lens && !self.probe.is_empty() {
            self.tell_lens(driver).await?;
        }
        if let Some(what_if) = watched.what_if {
            if !self.inspecting.tensors_told {
                self.inspecting.tensors_told = true;
                self.emit_inspection(tensors(driver));
            }
            let event = self.compare(driver, what_if).await?;
            self.emit_inspection(event);
        }
        Ok(())
    }

    /// Scores all heads if the weights have changed, and enough time has passed or the run is idle.
    pub(super) async fn score_heads(&mut self, driver: &mut Driver) -> Result<(), TrainError> {
        let step = driver.trainer.step();
        let waits = driver.is_training() && self.now() < self.inspecting.scores.not_before;
        if self.inspecting.scored == Some(step) || waits {
            return Ok(());
        }
        let sequence = match &self.inspecting.sequence {
            Ok(sequence) => sequence.clone(),
            Err(reason) => {
                if self.inspecting.scored.is_none() {
                    let event = InspectEvent::NoScores { reason: reason.to_string() };
                    self.inspecting.scored = Some(step);
                    self.emit_inspection(event);
                }
                return Ok(());
            }
        };
        let began = self.now();
        let maps = driver.trainer.attention(&sequence).await?;
        let n_heads = driver.trainer.config().model.n_heads;
        self.emit_inspection(InspectEvent::Scores { step, n_heads, scores: all_scores(&sequence, &maps) });
        self.inspecting.scored = Some(step);
        let now = self.now();
        self.inspecting.scores.done(began, now);
        Ok(())
    }

    fn emit_inspection(&mut self, event: InspectEvent) {
        self.emit(Event::Inspect { run: self.id, event });
    }

    async fn tell_head(&mut self, at: (usize, usize), driver: &mut Driver) -> Result<(), TrainError> {
        let model = &driver.trainer.config().model;
        if at.0 >= model.n_layers || at.1 >= model.n_heads {
            return Ok(()); // of a run that is over
        }
        let (n, d_head, causal) = (self.probe.len(), model.d_head(), model.causal);
        let rows = driver.trainer.head_rows(&self.probe, at).await?;
        let event = InspectEvent::Head { step: driver.trainer.step(), at, n, d_head, causal };
        self.messages.push((Event::Inspect { run: self.id, event }, Some(rows.to_bytes())));
        Ok(())
    }

    async fn tell_lens(&mut self, driver: &mut Driver) -> Result<(), TrainError> {
        let lens = driver.trainer.lens(&self.probe).await?;
        let mut ids: Vec<u32> = lens.cells.iter().flat_map(|cell| &cell.choices).map(|&(id, _)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        let event = InspectEvent::Lens {
            step: driver.trainer.step(),
            n_layers: driver.trainer.config().model.n_layers,
            tokens: self.probe.iter().map(|&id| token(driver, id)).collect(),
            predicted: ids.into_iter().map(|id| token(driver, id)).collect(),
        };
        self.messages.push((Event::Inspect { run: self.id, event }, Some(lens.to_bytes())));
        Ok(())
    }

    /// Compares the changed model with the current one.
    async fn compare(&self, driver: &mut Driver, what_if: WhatIf) -> Result<InspectEvent, TrainError> {
        let config = driver.trainer.config().clone();
        let inside = |(layer, head): &(usize, usize)| *layer < config.model.n_layers && *head < config.model.n_heads;
        let place = match what_if.weight.as_ref().map(|weight| driver.trainer.weight_place(weight)).transpose() {
            Ok(place) => place,
            Err(error) => return Ok(InspectEvent::Refused { message: error.to_string() }),
        };
        let old = match place {
            Some(place) => Some(driver.trainer.weight(place).await?),
            None => None,
        };
        let change = Change {
            off: what_if.off.iter().copied().filter(inside).collect(),
            weight: place.zip(what_if.value.filter(|value| value.is_finite())),
        };
        let last = self.probe.len().saturating_sub(1);
        let position = what_if.position.unwrap_or(last).min(last);
        let answers = driver.trainer.what_if(&self.probe, position, &change, driver.known_loss()).await?;
        let [plain, changed] = &answers;
        let sums = [log_sum_exp(&plain.logits), log_sum_exp(&changed.logits)];
        let mut ids: Vec<u32> = likeliest(&plain.logits, CHOICES).into_iter().map(|(id, _)| id).collect();
        let others = likeliest(&changed.logits, CHOICES).into_iter().map(|(id, _)| id);
        ids.extend(others.filter(|id| !ids.contains(id)).collect::<Vec<_>>());
        let p = |id: u32, side: usize| (f64::from(answers[side].logits[id as usize]) - sums[side]).exp() as f32;
        let choices =
            ids.into_iter().map(|id| Compared { token: token(driver, id), p: [p(id, 0), p(id, 1)] }).collect();
        Ok(InspectEvent::WhatIf(Box::new(Comparison {
            change: what_if,
            step: driver.trainer.step(),
            old,
            n_tokens: EVALUATION_TOKENS,
            losses: [plain.loss, changed.loss],
            position: self.probe.get(position).map(|&id| (position, token(driver, id))),
            choices,
        })))
    }

    /// Changes a weight of the run permanently.
    async fn keep_weight(
        &mut self,
        driver: &mut Driver,
        weight: WeightAt,
        new: f32,
    ) -> Result<InspectEvent, TrainError> {
        let place = match driver.trainer.weight_place(&weight) {
            Ok(place) if new.is_finite() => place,
            Ok(_) => return Ok(InspectEvent::Refused { message: "A weight has to be a finite number.".into() }),
            Err(error) => return Ok(InspectEvent::Refused { message: error.to_string() }),
        };
        let old = driver.trainer.weight(place).await?;
        driver.trainer.set_weight(place, new);
        (self.probe_changed, self.inspecting.scored) = (true, None);
        driver.weight_edited();
        Ok(InspectEvent::Kept { step: driver.trainer.step(), weight, old, new })
    }
}

fn token(driver: &Driver, id: u32) -> Token {
    Token { id, text: driver.tokenizer.token_text(id) }
}

fn tensors(driver: &Driver) -> InspectEvent {
    let info = |param: &crate::model::params::Param| {
        let [rows, columns] = matrix(&param.shape);
        TensorInfo { name: param.name.clone(), rows, columns }
    };
    InspectEvent::Tensors(driver.trainer.table().iter().map(info).collect())
}
