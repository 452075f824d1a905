//! `glasshead train`: options and the training loop. `corpus` holds the tokens, `report` prints progress, `recover`
//! resumes the run on another device after a device loss.

use std::time::Instant;

use super::keep::{self, Keeper};
use super::log::Log;
use super::{TrainArgs, open, sentence};
use crate::config::RunConfig;
use crate::config::rules::{Rules, Standing};
use crate::gpu::context::Context;
use crate::run::lost_devices::LostDevices;
use crate::train::checkpoint::Checkpoint;
use crate::train::exact_match::{SCORED_EXAMPLES, exact_match};
use crate::train::generate::writer::Writer;
use crate::train::trainer::{TrainError, Trainer};
use crate::types::Sampling;

mod corpus;
mod recover;
mod report;

use corpus::Corpus;
pub(super) use recover::Moment;
use recover::{Copy, Trouble, Work};
use report::Report;

/// The number of steps per submission.
const CHUNK: u64 = 10;

/// The vocabulary of synthetic tasks: the 256 bytes and the end-of-text token.
const BYTE_VOCABULARY: usize = 257;

/// The number of task examples to evaluate at every evaluation, and at the end.
const EXAMPLES: [usize; 2] = [SCORED_EXAMPLES, 500];

/// The number of evaluations between two saves and two samples.
const EVALUATIONS_PER_SAVE: u64 = 5;

pub(super) async fn train(args: TrainArgs) -> Result<(), String> {
    let keeper = Keeper::new(&args.out, args.save_every)?;
    let resumed = args.resume.as_deref().map(keep::load).transpose()?;
    let mut config = match &resumed {
        Some(checkpoint) => checkpoint.config.clone(),
        None => fresh_config(&args)?,
    };
    let n_steps = args.steps.unwrap_or(config.train.schedule_steps);
    let rules = Rules {
        stop_steps: Some(n_steps),
        stop_tokens: args.stop_tokens,
        stop_loss: args.stop_loss,
        stop_seconds: args.stop_seconds,
        evaluate_every: Some(args.eval_every),
    };
    rules.validate().map_err(sentence)?;
    let context = open(args.backend).await?;
    let device = context.as_ref().map_or("CPU".to_string(), |context| context.adapter.name.clone());
    let (tokenizer, state) = resumed.map(|Checkpoint { tokenizer, state, .. }| (tokenizer, state)).unzip();
    let corpus = Corpus::new(&args, &mut config, tokenizer)?;
    let mut trainer = corpus.trainer(config, context.as_ref()).await?;
    if let Some(state) = &state {
        trainer.restore(state);
        keep::retune(&mut trainer, &args.set)?;
    }
    let resumed_at = state.as_ref().map(|state| state.step);
    let tokens_per_step = trainer.config().tokens_per_step();
    let log = args.log_dir.as_deref().map(|folder| Log::open(folder, tokens_per_step, resumed_at));
    let report = Report::new(&args, n_steps, log.transpose()?);
    report.begin(&trainer, &corpus, &device);
    let standing = Standing { step: trainer.step(), tokens_per_step, ..Standing::default() };
    let copy = Copy { state, standing, looked_at: None, log: report.mark()? };
    let (to_be_lost, lost_devices) = (args.lose_device.clone(), LostDevices::default());
    let args = &args;
    let training = Training {
        args,
        rules,
        corpus,
        context,
        report,
        keeper,
        standing,
        resumed_at,
        looked_at: None,
        copy,
        lost_devices,
        to_be_lost,
    };
    training.train(trainer).await
}

/// The preset with the command line's changes; the schedule ends at the last step.
fn fresh_config(args: &TrainArgs) -> Result<RunConfig, String> {
    let mut config = args.preset.config();
    if args.task.is_some() {
        config.model.vocab_size = BYTE_VOCABULARY;
    }
    config.train.seed = args.seed.unwrap_or(config.train.seed);
    config.train.schedule_steps = args.steps.unwrap_or(config.train.schedule_steps);
    config.train.warmup_steps = config.train.warmup_steps.min(config.train.schedule_steps / 10);
    apply(&mut config, &args.set)?;
    config.validate().map_err(sentence)?;
    Ok(config)
}

/// Applies changes of the form FIELD=VALUE.
pub(super) fn apply(config: &mut RunConfig, changes: &[String]) -> Result<(), String> {
    for change in changes {
        let (field, value) = change.split_once('=').ok_or(format!("--set {change} is not FIELD=VALUE"))?;
        config.set(field.trim(), value.trim()).map_err(sentence)?;
    }
    Ok(())
}

/// A run without its trainer, which is replaced after a device loss.
struct Training<'a> {
    args: &'a TrainArgs,
    rules: Rules,
    corpus: Corpus,
    /// The GPU; `None` on the CPU.
    context: Option<Context>,
    report: Report,
    keeper: Keeper,
    standing: Standing,
    /// The step of the checkpoint from which the run resumed.
    resumed_at: Option<u64>,
    /// The step of the latest evaluation.
    looked_at: Option<u64>,
    copy: Copy,
    lost_devices: LostDevices,
    /// Simulated device losses, for tests.
    to_be_lost: Vec<Moment>,
}

impl Training<'_> {
    /// Trains until a stop rule applies, recovering from device losses.
    async fn train(mut self, mut trainer: Trainer) -> Result<(), String> {
        let why = loop {
            match self.until_stopped(&mut trainer).await {
                Ok(why) => break why,
                Err(Trouble::Device(error)) => {
                    let config = trainer.config().clone();
                    // Free its memory first: the next device may be the same hardware.
                    drop(trainer);
                    trainer = self.recover(error, config).await?;
                }
                Err(Trouble::End(sentence)) => return Err(sentence),
            }
        };
        self.keeper.finish()?;
        let val_loss = self.standing.val_loss.unwrap_or(f32::NAN);
        self.report.end(val_loss, self.corpus.baselines, self.args, &why);
        Ok(())
    }

    /// Trains and evaluates until a stop rule applies; returns the reason.
    async fn until_stopped(&mut self, trainer: &mut Trainer) -> Result<String, Trouble> {
        loop {
            let step = trainer.step();
            if let Some(why) = self.rules.reached(&self.standing).filter(|_| self.looked_at == Some(step)) {
                // The device was lost after the last evaluation, before the results were reported.
                return Ok(why);
            }
            let begins = self.standing.val_loss.is_none();
            // A run saved just before an evaluation resumes with that evaluation.
            let due = begins || self.rules.evaluation_due(step) && self.looked_at != Some(step);
            if !due {
                let end = step + self.rules.steps_ahead(step, self.standing.tokens_per_step, u64::MAX);
                self.train_until(trainer, end).await?;
            }
            if let Some(why) = self.look(trainer, begins).await? {
                return Ok(why);
            }
        }
    }

    /// Evaluates; periodically and at the end, it also saves and generates a sample. Returns the reason if a stop rule
    /// applies. At the start of a run it only evaluates.
    async fn look(&mut self, trainer: &mut Trainer, begins: bool) -> Result<Option<String>, Trouble> {
        let step = self.standing.step;
        self.lose_device_before(Work::Evaluate, step);
        let val_loss = trainer.evaluate().await?;
        self.standing.val_loss = Some(val_loss);
        let stopped = self.rules.reached(&self.standing);
        let last = stopped.is_some();
        if let Some(task) = self.args.task.filter(|_| !begins) {
            self.lose_device_before(Work::Score, step);
            let examples = task.examples(trainer.config().train.seed, EXAMPLES[usize::from(last)]);
            let score = exact_match(trainer, &self.corpus.tokenizer, &examples).await?;
            self.report.score(step, &score);
        }
        // A resumed run always evaluates, but logs the result only where an uninterrupted run would.
        let logged = last || !begins || self.resumed_at.is_none() || self.rules.evaluation_due(step);
        self.report.validation(&self.standing, val_loss, last.then_some(self.corpus.baselines), logged)?;
        self.looked_at = Some(step);
        // Saved even if the run was already finished when resumed, because --out may be a new folder or lack files.
        if last || !begins && (step / self.args.eval_every).is_multiple_of(EVALUATIONS_PER_SAVE) {
            self.save(trainer).await?;
            if !self.args.json {
                let sample = self.sample(trainer).await?;
                self.report.line(&format!("step {step}: {sample}\n"));
            }
        }
        Ok(stopped)
    }

    /// Trains up to step `end` or the time limit. Only training time counts, not evaluations.
    async fn train_until(&mut self, trainer: &mut Trainer, end: u64) -> Result<(), Trouble> {
        let (clock, before, mut timed) = (Instant::now(), self.standing.seconds, 0);
        loop {
            let time_is_up = self.rules.stop_seconds.is_some_and(|most| self.standing.seconds >= most);
            let save_now = self.keeper.due(trainer.step());
            let left = if time_is_up || save_now { 0 } else { end - trainer.step() };
            if left == 0 && trainer.in_flight() == 0 {
                if !save_now {
                    return Ok(());
                }
                self.save(trainer).await?;
                continue;
            }
            if left > 0 {
                trainer.submit(left.min(CHUNK) as usize);
            }
            if trainer.in_flight() > 1 || left == 0 {
                self.lose_device_before(Work::Train, self.standing.step);
                let collected = trainer.collect().await;
                let seconds = clock.elapsed().as_secs_f64().max(1e-9);
                self.standing.seconds = before + seconds;
                let points = match collected {
                    Err(error @ TrainError::Diverged { .. }) => {
                        let sentence = self.keeper.diverged(trainer, &self.corpus.tokenizer, error).await;
                        return Err(Trouble::End(sentence));
                    }
                    collected => collected?,
                };
                timed += points.len();
                self.standing.step += points.len() as u64;
                let tokens_per_s = (timed * self.standing.tokens_per_step) as f64 / seconds;
                self.report.steps(&points, self.standing.seconds, tokens_per_s)?;
            }
        }
    }

    async fn sample(&mut self, trainer: &mut Trainer) -> Result<String, TrainError> {
        self.lose_device_before(Work::Sample, self.standing.step);
        let tokenizer = &self.corpus.tokenizer;
        let sampling = Sampling { max_tokens: 80, seed: trainer.step(), ..Sampling::default() };
        let mut writer = Writer::new(tokenizer, "", sampling);
        while !writer.done() {
            writer.write(trainer).await?;
        }
        Ok(writer.text(tokenizer))
    }

    /// Saves the run and, in case the device is lost, keeps a snapshot in memory. No steps may be in flight.
    async fn save(&mut self, trainer: &mut Trainer) -> Result<(), Trouble> {
        self.lose_device_before(Work::Save, self.standing.step);
        let state = self.keeper.save(trainer, &self.corpus.tokenizer).await?;
        if let Some(state) = state.filter(|_| self.context.is_some()) {
            let (standing, looked_at, log) = (self.standing, self.looked_at, self.report.mark()?);
            self.copy = Copy { state: Some(state), standing, looked_at, log };
        }
        Ok(())
    }
}
