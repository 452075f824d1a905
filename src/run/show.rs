//! What the page shows of a run in training: losses, attention maps, evaluations, samples.

use super::{CHUNK_SECONDS, Message, Run};
use crate::config::EVALUATION_TOKENS;
use crate::inspect::maps::{attention, tokens};
use crate::run::pace::Pace;
use crate::run::task_evaluation::TaskEvaluation;
use crate::train::generate::writer::Writer;
use crate::train::trainer::TrainError;
use crate::types::{Sampling, Token, ValidationPoint};
use crate::wire::Event;

/// Maximum number of operations of the initial evaluation of an imported model: a few seconds on a slow device.
const MAX_FLOPS_AT_FIRST: f64 = 1e11;

/// Interval and maximum time share of attention maps: after every chunk of steps, about ten times per second, while the page
/// displays them, otherwise only as often as timeline snapshots need.
pub(super) fn pace(somebody_looks: bool) -> Pace {
    let (at_least_apart, share) = looks(somebody_looks);
    Pace::new(at_least_apart, share)
}

fn looks(somebody_looks: bool) -> (f64, f64) {
    // Painting takes about the same time again if page and workers share the processor, and helpers wait in the meantime. The
    // factor allows for chunks that are slightly too short.
    if somebody_looks { (0.75 * CHUNK_SECONDS, 0.05) } else { (5.0, 0.02) }
}

impl Run {
    /// Evaluates the current model and emits its attention maps.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn show(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        self.settle().await?;
        self.evaluate(messages).await?;
        self.show_attention(messages).await
    }

    /// The same for an imported model; an evaluation that takes long is postponed until the model is trained.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn show_first(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        let config = self.trainer.config();
        let flops = 2.0 * config.model.n_params() as f64 * EVALUATION_TOKENS as f64;
        if flops <= MAX_FLOPS_AT_FIRST {
            return self.show(messages).await;
        }
        messages.push((self.progress(Vec::new()), None));
        self.show_attention(messages).await
    }

    /// Sets whether the page displays the maps.
    pub fn set_maps_shown(&mut self, shown: bool) {
        let (at_least_apart, share) = looks(shown);
        self.looks.change(at_least_apart, share);
        self.probe_changed |= shown;
    }

    pub(super) async fn show_regularly(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        if self.now() >= self.progress.not_before && !self.points.is_empty() {
            messages.push((self.progress(Vec::new()), None));
            self.progress.done(self.now(), self.now());
        }
        if self.probe_changed || self.looks.is_due(self.now()) {
            self.settle().await?;
            let began = self.now();
            self.show_attention(messages).await?;
            self.looks.looked(began, self.now());
        }
        let by_clock = self.rules.evaluate_every.is_none() && self.now() >= self.evaluation.not_before;
        if by_clock || self.rules.evaluation_due(self.trainer.step()) && self.known_loss().is_none() {
            self.settle().await?;
            let began = self.now();
            self.evaluate(messages).await?;
            self.evaluation.done(began, self.now());
        }
        if self.scoring.as_ref().is_some_and(|scoring| scoring.is_due(self.now())) {
            self.settle().await?;
            self.score(messages).await?;
        }
        if self.sample_writer.is_none() && self.now() >= self.sample.not_before {
            let seed = self.trainer.step();
            let sampling = Sampling { max_tokens: 60, seed, ..Sampling::default() };
            self.sample_writer = Some((self.trainer.step(), Writer::new(&self.tokenizer, "", sampling)));
        }
        if self.sample_writer.is_some() && self.now() >= self.sample.not_before {
            self.write_sample(messages).await?;
        }
        Ok(())
    }

    async fn score(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        if let Some(scoring) = &mut self.scoring {
            let event = scoring.work(self.id, &mut self.trainer, &self.tokenizer, &*self.clock).await?;
            messages.extend(event.map(|event| (event, None)));
        }
        Ok(())
    }

    /// After a weight was edited in a paused run: updates its held-out loss, its exact-match score, and its snapshot.
    pub(super) async fn show_edited(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        if std::mem::take(&mut self.edited) {
            self.settle().await?;
            self.evaluate(messages).await?;
            self.copy_at_pause(messages).await?;
        }
        if self.scoring.as_ref().is_some_and(TaskEvaluation::is_owed) {
            self.score(messages).await?;
        }
        Ok(())
    }

    /// The held-out loss of the current weights, if it has been computed.
    pub(super) fn known_loss(&self) -> Option<f32> {
        let version = self.trainer.weights_version();
        self.evaluated.filter(|(of, _)| *of == version).map(|(_, loss)| loss)
    }

    /// Evaluates the model, unless these weights have been evaluated already. No steps may be in flight.
    async fn evaluate(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        let mut validation = Vec::new();
        if self.known_loss().is_none() {
            let loss = self.trainer.evaluate().await?;
            self.evaluated = Some((self.trainer.weights_version(), loss));
            validation.push(ValidationPoint { step: self.trainer.step(), loss });
        }
        messages.push((self.progress(validation), None));
        Ok(())
    }

    /// Generates a few tokens of the sample; the rest follows between later chunks.
    async fn write_sample(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        self.settle().await?;
        let Some((step, mut writer)) = self.sample_writer.take() else { return Ok(()) };
        let began = self.now();
        while !writer.done() && self.now() - began < CHUNK_SECONDS {
            writer.write(&mut self.trainer).await?;
        }
        if writer.done() {
            messages.push((Event::Sample { run: self.id, step, text: writer.text(&self.tokenizer) }, None));
            self.sample.done(began, self.now());
        } else {
            // The pause is three times as long as generating these tokens took.
            self.sample.not_before = self.now() + 3.0 * (self.now() - began);
            self.sample_writer = Some((step, writer));
        }
        Ok(())
    }

    pub(super) async fn write_requested(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        self.settle().await?;
        let Some((request, mut writer)) = self.request.take() else { return Ok(()) };
        let began = self.now();
        while !writer.done() && self.now() - began < CHUNK_SECONDS {
            writer.write(&mut self.trainer).await?;
        }
        let (text, done) = (writer.text(&self.tokenizer), writer.done());
        let tokens = writer.written(&self.tokenizer);
        messages.push((Event::Generated { run: self.id, request, text, tokens, done, problem: None }, None));
        if !done {
            self.request = Some((request, writer));
        }
        Ok(())
    }

    /// Emits the attention maps. No steps may be in flight, so that the maps match the reported step.
    pub(super) async fn show_attention(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        self.probe_changed = false;
        let probe = (&self.probe[..], self.tokens_cut);
        messages.push(attention(self.id, &mut self.trainer, &self.tokenizer, probe).await?);
        self.answer(messages).await?;
        self.score_heads(messages).await
    }

    /// The tokens of the probe.
    pub(super) fn probe_tokens(&self) -> Vec<Token> {
        tokens(&self.tokenizer, &self.probe)
    }

    /// An event with the unreported steps, which are added to the history.
    pub(super) fn progress(&mut self, validation: Vec<ValidationPoint>) -> Event {
        let points = std::mem::take(&mut self.points);
        self.history.extend(&points, &validation);
        Event::Progress {
            run: self.id,
            step: self.steps_done,
            points,
            validation,
            tokens_per_s: self.meter.tokens_per_second(),
        }
    }
}
