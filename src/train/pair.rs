//! Two small models of one size on the same batches: one with the causal mask, and one without, which learns to look the
//! next token up instead of predicting it.

use super::prepare::train_tokenizer;
use super::trainer::{TrainError, Trainer};
use super::writer::Writer;
use crate::config::{ModelConfig, Preset, RunConfig, TrainConfig};
use crate::data::{Dataset, Tokenizer, stories};
use crate::gpu::context::Context;
use crate::protocol::Sampling;
use crate::protocol::lesson::{PAIR_PROMPT, PAIR_STEPS, PairPoint, PairText};

/// Both models take so many steps in turns.
const STEPS_AT_ONCE: usize = 4;

/// Both write after so many steps.
const WRITE_EVERY: u64 = 100;

/// Text to train on and to hold out.
const TEXT_BYTES: usize = 100_000;

/// Held-out texts whose next token is to be predicted.
const ENDS: usize = 32;

/// The two models.
pub struct Pair {
    tokenizer: Tokenizer,
    val: Vec<u32>,
    /// With the causal mask, and without.
    trainers: [Trainer; 2],
}

/// Small enough to learn within a minute on an emulated GPU. One head, and biases, which let it look at a place whatever
/// the tokens are: so the model without a mask soon finds the next one.
fn config() -> RunConfig {
    let sizes = ModelConfig::cs336([320, 16], [48, 1, 1, 64]);
    let train = TrainConfig {
        batch_size: 8,
        max_lr: 2e-2,
        min_lr: 2e-3,
        warmup_steps: 20,
        schedule_steps: PAIR_STEPS,
        ..Preset::Nano.config().train
    };
    RunConfig { model: ModelConfig { bias: true, ..sizes }, train }
}

impl Pair {
    /// Both with the same fresh weights, on the GPU of this context or on the CPU.
    ///
    /// # Errors
    /// When the device cannot hold them.
    pub async fn new(context: Option<&Context>) -> Result<Self, TrainError> {
        let (mut config, text) = (config(), stories(1, TEXT_BYTES));
        let tokenizer = train_tokenizer(&text, &mut config)?;
        let Dataset { train, val } = Dataset::new(&tokenizer, &text, config.model.context_length)?;
        let causal = Trainer::new(config.clone(), context, &train, &val).await?;
        config.model.causal = false;
        let open = Trainer::new(config, context, &train, &val).await?;
        Ok(Self { tokenizer, val, trainers: [causal, open] })
    }

    /// Steps done.
    pub fn step(&self) -> u64 {
        self.trainers[1].step()
    }

    /// Whether the training is over.
    pub fn done(&self) -> bool {
        self.step() >= PAIR_STEPS
    }

    /// Whether it is time to write.
    pub fn writes_now(&self) -> bool {
        self.done() || self.step().is_multiple_of(WRITE_EVERY)
    }

    /// Trains both for some steps.
    ///
    /// # Errors
    /// When the device failed or the numbers ran away.
    pub async fn train(&mut self) -> Result<Vec<PairPoint>, TrainError> {
        let n = STEPS_AT_ONCE.min((PAIR_STEPS - self.step().min(PAIR_STEPS)) as usize);
        let mut losses = [Vec::new(), Vec::new()];
        for (trainer, losses) in self.trainers.iter_mut().zip(&mut losses) {
            trainer.submit(n);
            *losses = trainer.collect().await?;
        }
        let [causal, open] = losses;
        let both = causal.iter().zip(&open);
        Ok(both.map(|(causal, open)| PairPoint { step: causal.step, causal: causal.loss, open: open.loss }).collect())
    }

    /// What both can do alone: write on, and predict what follows a text that ends.
    ///
    /// # Errors
    /// When the device failed.
    pub async fn write(&mut self) -> Result<[PairText; 2], TrainError> {
        let step = self.step();
        let [causal, open] = &mut self.trainers;
        Ok([
            alone(causal, &self.tokenizer, &self.val, step).await?,
            alone(open, &self.tokenizer, &self.val, step).await?,
        ])
    }
}

async fn alone(trainer: &mut Trainer, tokenizer: &Tokenizer, val: &[u32], step: u64) -> Result<PairText, TrainError> {
    let sampling = Sampling { max_tokens: 24, ..Sampling::default() };
    let mut writer = Writer::new(tokenizer, PAIR_PROMPT, sampling);
    while !writer.done() {
        writer.write(trainer).await?;
    }
    let length = trainer.config().model.context_length;
    let mut sum = 0.0;
    for end in 0..ENDS {
        let start = (val.len() - length - 1) * end / ENDS;
        let logits = trainer.next_logits(&val[start..start + length]).await?;
        sum += surprise(&logits, val[start + length]);
    }
    Ok(PairText { step, text: writer.text(tokenizer), end_loss: sum / ENDS as f32 })
}

/// −ln p of one token.
fn surprise(logits: &[f32], target: u32) -> f32 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    largest + sum.ln() - logits[target as usize]
}
