//! Trains a small model on a text and measures its loss on another one, for comparisons of filters.

use rustc_hash::FxHashSet;

use super::Session;
use crate::config::{MIN_TRAINED_VOCABULARY, Preset, RunConfig};
use crate::data::prepare::train_tokenizer;
use crate::data::{DataError, StoryGenerator, Tokenizer};
use crate::train::generate::writer::Writer;
use crate::train::trainer::{TrainError, Trainer};
use crate::types::Sampling;
use crate::wire::Event;
use crate::wire::effect::{EffectCommand, EffectEvent};

/// Steps of one unit of work.
const STEPS_AT_ONCE: usize = 8;

/// The seed of the held-out stories, which no generated page uses.
const HELD_OUT_SEED: u64 = 0xe1d_0e7;

/// The size of the held-out text.
const HELD_OUT_BYTES: usize = 100_000;

/// The length of the sample in bytes.
const SAMPLE_BYTES: usize = 240;

/// The separator of documents in training texts.
const END: &str = "<|endoftext|>";

/// A model that is being trained.
struct Job {
    number: u32,
    trainer: Trainer,
    tokenizer: Tokenizer,
    steps: u64,
}

/// The job of this worker.
#[derive(Default)]
pub(super) struct EffectDesk {
    job: Option<Job>,
    /// What its sample continues.
    prompt: String,
}

/// The preset `nano` on bytes, so that losses on every text are in the same unit.
fn config(steps: u64, seed: u64) -> RunConfig {
    let mut config = Preset::Nano.config();
    config.model.vocab_size = MIN_TRAINED_VOCABULARY;
    config.train.schedule_steps = steps;
    config.train.warmup_steps = config.train.warmup_steps.min(steps / 10);
    config.train.seed = seed;
    config
}

/// Stories that are not in a training text.
fn held_out_stories(train: &str) -> String {
    let known: FxHashSet<&str> = train.split(END).map(str::trim).collect();
    let (mut stories, mut text) = (StoryGenerator::new(HELD_OUT_SEED), String::new());
    while text.len() < HELD_OUT_BYTES {
        let story = stories.next_story();
        if !known.contains(story.trim()) {
            text.push_str(&story);
            text.push_str(END);
            text.push('\n');
        }
    }
    text
}

/// The beginning of the first held-out document, which the sample continues.
fn prompt(held_out: &str) -> String {
    held_out.split_whitespace().take(4).collect::<Vec<_>>().join(" ")
}

impl Job {
    /// Encodes both texts and makes the model.
    async fn new(number: u32, steps: u64, seed: u64, train: &str, held_out: &str) -> Result<Self, TrainError> {
        let mut config = config(steps, seed);
        let tokenizer = train_tokenizer("", &mut config)?;
        let [train, held_out] = [train, held_out].map(|text| tokenizer.encode_documents(text));
        let context_length = config.model.context_length;
        for (part, ids) in [("training", &train), ("held-out", &held_out)] {
            if ids.len() <= context_length {
                return Err(DataError::TooShort { part, tokens: ids.len(), context_length }.into());
            }
        }
        let trainer = Trainer::new(config, None, &train, &held_out).await?;
        Ok(Self { number, trainer, tokenizer, steps })
    }

    /// Trains for a few steps, or completes the job.
    async fn work(&mut self, prompt: &str) -> Result<EffectEvent, TrainError> {
        let (job, left) = (self.number, self.steps.saturating_sub(self.trainer.step()) as usize);
        if left > 0 {
            self.trainer.submit(left.min(STEPS_AT_ONCE));
            let points = self.trainer.collect().await?;
            let loss = points.last().map_or(f32::NAN, |point| point.loss);
            return Ok(EffectEvent::Point { job, step: self.trainer.step(), loss });
        }
        let held_out = self.trainer.evaluate().await?;
        let sampling = Sampling { max_tokens: SAMPLE_BYTES, ..Sampling::default() };
        let mut writer = Writer::new(&self.tokenizer, prompt, sampling);
        while !writer.done() {
            writer.write(&mut self.trainer).await?;
        }
        Ok(EffectEvent::Done { job, held_out, sample: writer.text(&self.tokenizer) })
    }
}

impl EffectDesk {
    async fn begin(&mut self, command: EffectCommand, bytes: &[u8]) -> Result<(), TrainError> {
        let EffectCommand::Train { job, steps, seed, train_bytes } = command;
        let (train, held_out) = bytes.split_at_checked(train_bytes).unwrap_or((bytes, &[]));
        let [train, held_out] = [train, held_out].map(String::from_utf8_lossy);
        let held_out = if held_out.is_empty() { held_out_stories(&train).into() } else { held_out };
        self.prompt = prompt(&held_out);
        self.job = Some(Job::new(job, steps, seed, &train, &held_out).await?);
        Ok(())
    }
}

impl Session {
    /// Begins a job, which replaces the previous one.
    pub(super) async fn handle_effect(&mut self, command: EffectCommand, bytes: Vec<u8>) {
        let EffectCommand::Train { job, .. } = command;
        self.effect.job = None;
        if let Err(error) = self.effect.begin(command, &bytes).await {
            self.tell(Event::Effect(EffectEvent::Problem { job, message: error.to_string() }));
        }
    }

    /// Works on the job; returns whether there is more to do.
    pub(super) async fn work_on_effect(&mut self) -> bool {
        let EffectDesk { job, prompt } = &mut self.effect;
        let Some(running) = job else { return false };
        let number = running.number;
        let event = match running.work(prompt).await {
            Ok(event) => event,
            Err(error) => EffectEvent::Problem { job: number, message: error.to_string() },
        };
        if !matches!(event, EffectEvent::Point { .. }) {
            self.effect.job = None;
        }
        self.tell(Event::Effect(event));
        self.effect.job.is_some()
    }
}
