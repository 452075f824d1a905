//! Inspection of the model beyond its attention maps: immediately when the page inspects something else, and with every
//! snapshot.

use super::meter::Recurring;
use super::{Message, Mode, Run};
use crate::config::EVALUATION_TOKENS;
use crate::inspect::head_scores::{all_scores, measuring_sequence};
use crate::run::task_evaluation::TaskEvaluation;
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
pub(super) struct Inspecting {
    watched: Watched,
    /// Whether `watched` has changed since the last reply.
    pub changed: bool,
    /// Whether the list of parameters has been sent to the page.
    tensors_told: bool,
    keep: Option<(WeightAt, f32)>,
    /// The scoring sequence, or why there is none.
    sequence: Result<Vec<u32>, String>,
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
}

impl Run {
    /// Handles an inspection command; replies follow with the next unit of work.
    pub fn inspect(&mut self, command: InspectCommand) {
        match command {
            InspectCommand::Watch(watched) => self.inspecting.watched = watched,
            InspectCommand::Keep(weight, value) => self.inspecting.keep = Some((weight, value)),
            InspectCommand::Shown(shown) => return self.set_maps_shown(shown),
        }
        self.inspecting.changed = true;
    }

    /// Replies to everything the page currently inspects. No steps may be in flight.
    pub(super) async fn answer(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        self.inspecting.changed = false;
        if let Some((weight, value)) = self.inspecting.keep.take() {
            let event = self.keep_weight(weight, value).await?;
            self.tell(event, messages);
        }
        let watched = self.inspecting.watched.clone();
        if let Some(at) = watched.head.filter(|_| !self.probe.is_empty()) {
            self.tell_head(at, messages).await?;
        }
        if watched.lens && !self.probe.is_empty() {
            self.tell_lens(messages).await?;
        }
        if let Some(what_if) = watched.what_if {
            if !self.inspecting.tensors_told {
                self.inspecting.tensors_told = true;
                self.tell(self.tensors(), messages);
            }
            let event = self.compare(what_if).await?;
            self.tell(event, messages);
        }
        Ok(())
    }

    /// Scores all heads if the weights have changed, and enough time has passed or the run is idle.
    pub(super) async fn score_heads(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        let step = self.trainer.step();
        let waits = self.mode == Mode::Training && self.now() < self.inspecting.scores.not_before;
        if self.inspecting.scored == Some(step) || waits {
            return Ok(());
        }
        let sequence = match &self.inspecting.sequence {
            Ok(sequence) => sequence.clone(),
            Err(reason) => {
                if self.inspecting.scored.is_none() {
                    let event = InspectEvent::NoScores { reason: reason.clone() };
                    self.inspecting.scored = Some(step);
                    self.tell(event, messages);
                }
                return Ok(());
            }
        };
        let began = self.now();
        let maps = self.trainer.attention(&sequence).await?;
        let n_heads = self.trainer.config().model.n_heads;
        self.tell(InspectEvent::Scores { step, n_heads, scores: all_scores(&sequence, &maps) }, messages);
        self.inspecting.scored = Some(step);
        let now = self.now();
        self.inspecting.scores.done(began, now);
        Ok(())
    }

    fn tell(&self, event: InspectEvent, messages: &mut Vec<Message>) {
        messages.push((Event::Inspect { run: self.id, event }, None));
    }

    async fn tell_head(&mut self, at: (usize, usize), messages: &mut Vec<Message>) -> Result<(), TrainError> {
        let model = &self.trainer.config().model;
        if at.0 >= model.n_layers || at.1 >= model.n_heads {
            return Ok(()); // of a run that is over
        }
        let (n, d_head, causal) = (self.probe.len(), model.d_head(), model.causal);
        let rows = self.trainer.head_rows(&self.probe, at).await?;
        let event = InspectEvent::Head { step: self.trainer.step(), at, n, d_head, causal };
        messages.push((Event::Inspect { run: self.id, event }, Some(rows.to_bytes())));
        Ok(())
    }

    async fn tell_lens(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        let lens = self.trainer.lens(&self.probe).await?;
        let mut ids: Vec<u32> = lens.cells.iter().flat_map(|cell| &cell.choices).map(|&(id, _)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        let event = InspectEvent::Lens {
            step: self.trainer.step(),
            n_layers: self.trainer.config().model.n_layers,
            tokens: self.probe.iter().map(|&id| self.token(id)).collect(),
            predicted: ids.into_iter().map(|id| self.token(id)).collect(),
        };
        messages.push((Event::Inspect { run: self.id, event }, Some(lens.to_bytes())));
        Ok(())
    }

    fn token(&self, id: u32) -> Token {
        Token { id, text: self.tokenizer.token_text(id) }
    }

    fn tensors(&self) -> InspectEvent {
        let info = |param: &crate::model::params::Param| {
            let [rows, columns] = matrix(&param.shape);
            TensorInfo { name: param.name.clone(), rows, columns }
        };
        InspectEvent::Tensors(self.trainer.table().iter().map(info).collect())
    }

    /// Compares the changed model with the current one.
    async fn compare(&mut self, what_if: WhatIf) -> Result<InspectEvent, TrainError> {
        let config = self.trainer.config().clone();
        let inside = |(layer, head): &(usize, usize)| *layer < config.model.n_layers && *head < config.model.n_heads;
        let place = match what_if.weight.as_ref().map(|weight| self.trainer.weight_place(weight)).transpose() {
            Ok(place) => place,
            Err(message) => return Ok(InspectEvent::Refused { message }),
        };
        let old = match place {
            Some(place) => Some(self.trainer.weight(place).await?),
            None => None,
        };
        let change = Change {
            off: what_if.off.iter().copied().filter(inside).collect(),
            weight: place.zip(what_if.value.filter(|value| value.is_finite())),
        };
        let last = self.probe.len().saturating_sub(1);
        let position = what_if.position.unwrap_or(last).min(last);
        let answers = self.trainer.what_if(&self.probe, position, &change, self.known_loss()).await?;
        let [plain, changed] = &answers;
        let sums = [log_sum_exp(&plain.logits), log_sum_exp(&changed.logits)];
        let mut ids: Vec<u32> = likeliest(&plain.logits, CHOICES).into_iter().map(|(id, _)| id).collect();
        let others = likeliest(&changed.logits, CHOICES).into_iter().map(|(id, _)| id);
        ids.extend(others.filter(|id| !ids.contains(id)).collect::<Vec<_>>());
        let p = |id: u32, side: usize| (f64::from(answers[side].logits[id as usize]) - sums[side]).exp() as f32;
        let choices = ids.into_iter().map(|id| Compared { token: self.token(id), p: [p(id, 0), p(id, 1)] }).collect();
        Ok(InspectEvent::WhatIf(Box::new(Comparison {
            change: what_if,
            step: self.trainer.step(),
            old,
            n_tokens: EVALUATION_TOKENS,
            losses: [plain.loss, changed.loss],
            position: self.probe.get(position).map(|&id| (position, self.token(id))),
            choices,
        })))
    }

    /// Changes a weight of the run permanently.
    async fn keep_weight(&mut self, weight: WeightAt, new: f32) -> Result<InspectEvent, TrainError> {
        let place = match self.trainer.weight_place(&weight) {
            Ok(place) if new.is_finite() => place,
            Ok(_) => return Ok(InspectEvent::Refused { message: "A weight has to be a finite number.".into() }),
            Err(message) => return Ok(InspectEvent::Refused { message }),
        };
        let old = self.trainer.weight(place).await?;
        self.trainer.set_weight(place, new);
        (self.probe_changed, self.edited, self.inspecting.scored) = (true, true, None);
        self.scoring.iter_mut().for_each(TaskEvaluation::restart);
        Ok(InspectEvent::Kept { step: self.trainer.step(), weight, old, new })
    }
}
