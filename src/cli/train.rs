//! `glasshead train`

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::keep::{self, Keeper};
use super::log::Log;
use super::{TrainArgs, open, sentence, tune};
use crate::config::RunConfig;
use crate::config::rules::{Rules, Standing};
use crate::data::{DataError, Tokenizer, stories};
use crate::gpu::context::Context;
use crate::protocol::{Baselines, Sampling, StepPoint};
use crate::train::checkpoint::Checkpoint;
use crate::train::file_data::{FileData, prepare_files};
use crate::train::generate::Writer;
use crate::train::prepare::{built_in_bytes, encode, train_tokenizer};
use crate::train::score::{Score, exact_match};
use crate::train::trainer::{TrainError, Trainer};

/// Steps per submission.
const CHUNK: u64 = 10;

/// Held-out batches per evaluation.
const EVALUATION_BATCHES: usize = 16;

/// The 256 bytes and the end-of-text token: what a synthetic task needs.
const BYTE_VOCABULARY: usize = 257;

/// Examples of a task that are answered at every evaluation, and at the end.
const EXAMPLES: [usize; 2] = [50, 500];

/// Evaluations between two saves and two samples.
const EVALUATIONS_PER_SAVE: u64 = 5;

pub(super) async fn train(args: TrainArgs) -> Result<(), String> {
    if args.eval_every == 0 {
        return Err("--eval-every is 0; it has to be at least 1".into());
    }
    let keeper = Keeper::new(&args.out, args.save_every)?;
    let resumed = args.resume.as_deref().map(keep::load).transpose()?;
    let config = match &resumed {
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
    let (mut trainer, corpus) = match &args.text[..] {
        [] => on_generated(&args, config, context.as_ref(), tokenizer).await?,
        _ => on_files(&args, config, context.as_ref(), tokenizer).await?,
    };
    if let Some(state) = state {
        trainer.restore(&state);
        keep::retune(&mut trainer, &args.set)?;
    }
    let log = args.log_dir.as_deref().map(|folder| Log::open(folder, trainer.config().tokens_per_step()));
    let report = Report::new(&args, n_steps, log.transpose()?);
    report.begin(&trainer, &corpus, &device);
    run(trainer, corpus, report, &args, rules, keeper).await
}

/// What is told and used of a run's data besides the tokens.
struct Corpus {
    tokenizer: Tokenizer,
    baselines: Baselines,
    text_bytes: u64,
    n_train: usize,
    n_val: usize,
}

/// A trainer on text files, whose tokens go into a file in the model's folder.
async fn on_files(
    args: &TrainArgs,
    mut config: RunConfig,
    context: Option<&Context>,
    tokenizer: Option<Tokenizer>,
) -> Result<(Trainer, Corpus), String> {
    let in_file = |error| match (&args.text[..], &error) {
        (_, DataError::File { .. } | DataError::InFile { .. }) => error.to_string(),
        ([path], _) => format!("{}: {error}", path.display()),
        _ => format!("the files: {error}"),
    };
    let data = prepare_files(&args.text, &args.field, &args.out, tokenizer, &mut config).map_err(in_file)?;
    let FileData { tokenizer, tokens, n_train, baselines, file_bytes: text_bytes } = data;
    let n_val = tokens.len() - n_train;
    tune(&config, context).await?;
    let trainer = Trainer::on_file(config, context, tokens, n_train).await.map_err(sentence)?;
    Ok((trainer, Corpus { tokenizer, baselines, text_bytes, n_train, n_val }))
}

/// A trainer on stories or on a task.
async fn on_generated(
    args: &TrainArgs,
    mut config: RunConfig,
    context: Option<&Context>,
    tokenizer: Option<Tokenizer>,
) -> Result<(Trainer, Corpus), String> {
    let (seed, bytes) = (config.train.seed, built_in_bytes(&config));
    let text = args.task.map_or_else(|| stories(seed, bytes), |task| task.text(seed, bytes));
    let tokenizer = match tokenizer {
        Some(tokenizer) => tokenizer,
        None => train_tokenizer(&text, &mut config).map_err(sentence)?,
    };
    let data = encode(&text, tokenizer, &config).map_err(sentence)?;
    let (train, val) = (&data.dataset.train, &data.dataset.val);
    tune(&config, context).await?;
    let trainer = Trainer::new(config, context, train, val).await.map_err(sentence)?;
    let (n_train, n_val, text_bytes) = (train.len(), val.len(), text.len() as u64);
    let (tokenizer, baselines) = (data.tokenizer, data.baselines);
    Ok((trainer, Corpus { tokenizer, baselines, text_bytes, n_train, n_val }))
}

/// The preset with what the command line changes of it; the schedule ends with the last step.
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

/// Changes fields, each told as FIELD=VALUE.
pub(super) fn apply(config: &mut RunConfig, changes: &[String]) -> Result<(), String> {
    for change in changes {
        let (field, value) = change.split_once('=').ok_or(format!("--set {change} is not FIELD=VALUE"))?;
        config.set(field.trim(), value.trim()).map_err(sentence)?;
    }
    Ok(())
}

async fn run(
    mut trainer: Trainer,
    data: Corpus,
    mut report: Report,
    args: &TrainArgs,
    rules: Rules,
    mut keeper: Keeper,
) -> Result<(), String> {
    let tokens_per_step = trainer.config().tokens_per_step();
    let mut val_loss = trainer.evaluate(EVALUATION_BATCHES).await.map_err(sentence)?;
    let mut standing = Standing { step: trainer.step(), tokens_per_step, seconds: 0.0, val_loss: Some(val_loss) };
    let mut stopped = rules.reached(&standing);
    report.validation(&standing, val_loss, stopped.as_ref().map(|_| data.baselines))?;
    while stopped.is_none() {
        let end = trainer.step() + rules.steps_ahead(trainer.step(), tokens_per_step, u64::MAX);
        train_until(&mut trainer, end, &rules, &mut standing, &mut report, (&mut keeper, &data.tokenizer)).await?;
        val_loss = trainer.evaluate(EVALUATION_BATCHES).await.map_err(sentence)?;
        standing.val_loss = Some(val_loss);
        stopped = rules.reached(&standing);
        let last = stopped.is_some();
        if let Some(task) = args.task {
            let examples = task.examples(trainer.config().train.seed, EXAMPLES[usize::from(last)]);
            let score = exact_match(&mut trainer, &data.tokenizer, &examples).await.map_err(sentence)?;
            report.score(standing.step, &score);
        }
        report.validation(&standing, val_loss, last.then_some(data.baselines))?;
        if last || (standing.step / args.eval_every).is_multiple_of(EVALUATIONS_PER_SAVE) {
            if !args.json {
                let sample = sample(&mut trainer, &data).await?;
                report.line(&format!("step {}: {sample}\n", standing.step));
            }
            keeper.save(&mut trainer, &data.tokenizer).await.map_err(sentence)?;
        }
    }
    keeper.finish()?;
    report.end(val_loss, data.baselines, args, &stopped.unwrap_or_default());
    Ok(())
}

/// Trains up to step `end`, or until the time is up. Only training counts as time: looking is not training.
async fn train_until(
    trainer: &mut Trainer,
    end: u64,
    rules: &Rules,
    standing: &mut Standing,
    report: &mut Report,
    (keeper, tokenizer): (&mut Keeper, &Tokenizer),
) -> Result<(), String> {
    let (clock, before, mut timed) = (Instant::now(), standing.seconds, 0);
    loop {
        let time_is_up = rules.stop_seconds.is_some_and(|most| standing.seconds >= most);
        let save_now = keeper.due(trainer.step());
        let left = if time_is_up || save_now { 0 } else { end - trainer.step() };
        if left == 0 && trainer.in_flight() == 0 {
            if !save_now {
                return Ok(());
            }
            keeper.save(trainer, tokenizer).await.map_err(sentence)?;
            continue;
        }
        if left > 0 {
            trainer.submit(left.min(CHUNK) as usize);
        }
        if trainer.in_flight() > 1 || left == 0 {
            let points = match trainer.collect().await {
                Ok(points) => points,
                Err(error @ TrainError::Diverged { .. }) => {
                    return Err(keeper.diverged(trainer, tokenizer, error).await);
                }
                Err(error) => return Err(error.to_string()),
            };
            let seconds = clock.elapsed().as_secs_f64().max(1e-9);
            timed += points.len();
            standing.step += points.len() as u64;
            standing.seconds = before + seconds;
            report.steps(&points, standing.seconds, (timed * standing.tokens_per_step) as f64 / seconds)?;
        }
    }
}

async fn sample(trainer: &mut Trainer, data: &Corpus) -> Result<String, String> {
    let sampling = Sampling { max_tokens: 80, seed: trainer.step(), ..Sampling::default() };
    let mut writer = Writer::new(&data.tokenizer, "", sampling);
    while !writer.done() {
        writer.write(trainer, &data.tokenizer).await.map_err(sentence)?;
    }
    Ok(writer.text(&data.tokenizer))
}

/// What is told while it trains: lines of JSON, or a progress bar; and files, where they are wanted.
struct Report {
    bar: Option<ProgressBar>,
    log: Option<Log>,
    latest: Option<StepPoint>,
    tokens_per_s: f64,
    val_loss: f32,
}

impl Report {
    fn new(args: &TrainArgs, n_steps: u64, log: Option<Log>) -> Self {
        let bar = (!args.json).then(|| {
            let template = "{bar:30} {pos}/{len} steps · {msg} · {eta} left";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(n_steps).with_style(style)
        });
        Self { bar, log, latest: None, tokens_per_s: 0.0, val_loss: f32::NAN }
    }

    fn line(&self, text: &str) {
        if let Some(bar) = &self.bar {
            // Without a terminal the bar prints nothing, and its lines would be lost.
            if bar.is_hidden() { println!("{text}") } else { bar.println(text) }
        }
    }

    fn begin(&self, trainer: &Trainer, data: &Corpus, device: &str) {
        let model = &trainer.config().model;
        let Baselines { uniform, unigram, bigram } = data.baselines;
        self.line(&format!(
            "{} parameters, {} MiB of buffers, {} dispatches a step, on {device}",
            model.n_params(),
            trainer.memory_bytes() >> 20,
            trainer.dispatches_per_step(),
        ));
        self.line(&format!(
            "{} bytes, {} tokens to train on, {} held out, vocabulary {}",
            data.text_bytes, data.n_train, data.n_val, model.vocab_size,
        ));
        self.line(&format!("to beat: uniform {uniform:.3}, unigram {unigram:.3}, bigram {bigram:.3} nats per token"));
    }

    fn steps(&mut self, points: &[StepPoint], trained: f64, tokens_per_s: f64) -> Result<(), String> {
        self.tokens_per_s = tokens_per_s;
        self.latest = points.last().copied();
        match (&self.bar, self.latest) {
            (Some(bar), Some(point)) => {
                bar.set_position(point.step);
                let (loss, val_loss) = (point.loss, self.val_loss);
                bar.set_message(format!("loss {loss:.3} (val {val_loss:.3}) · {tokens_per_s:.0} tokens/s"));
            }
            _ => points.iter().for_each(|point| {
                let StepPoint { step, loss, .. } = point;
                println!("{}", json!({ "step": step, "loss": loss, "val_loss": null, "tokens_per_s": tokens_per_s }));
            }),
        }
        self.log.as_mut().map_or(Ok(()), |log| log.steps(points, trained, tokens_per_s))
    }

    /// A line of its own, before the evaluation's.
    fn score(&self, step: u64, score: &Score) {
        let (right, of) = (score.right, score.answers.len());
        if self.bar.is_none() {
            return println!("{}", json!({ "step": step, "exact_match": score.share(), "examples": of }));
        }
        let wrong = score.answers.iter().find(|answer| answer.written != answer.expected);
        let example = wrong.map_or(String::new(), |answer| {
            format!("; wrong: {}{}, not {}", answer.prompt, answer.written, answer.expected)
        });
        self.line(&format!("step {step}: {right} of {of} held-out examples right{example}"));
    }

    /// `baselines` come with the last line.
    fn validation(&mut self, standing: &Standing, val_loss: f32, baselines: Option<Baselines>) -> Result<(), String> {
        let step = standing.step;
        self.val_loss = val_loss;
        if self.bar.is_some() {
            let loss = self.latest.map_or(String::new(), |point| format!("loss {:.4}, ", point.loss));
            let speed = self.tokens_per_s;
            self.line(&format!("step {step}: {loss}held-out loss {val_loss:.4}, {speed:.0} tokens/s"));
        } else {
            self.validation_line(step, val_loss, baselines);
        }
        self.log.as_mut().map_or(Ok(()), |log| log.validation(step, standing.seconds, val_loss))
    }

    fn validation_line(&self, step: u64, val_loss: f32, baselines: Option<Baselines>) {
        let loss = self.latest.map(|point| point.loss);
        let mut line = json!({ "step": step, "loss": loss, "val_loss": val_loss, "tokens_per_s": self.tokens_per_s });
        if let Some(Baselines { uniform, unigram, bigram }) = baselines {
            line["baselines"] = json!({ "uniform": uniform, "unigram": unigram, "bigram": bigram });
        }
        println!("{line}");
    }

    fn end(&self, val_loss: f32, baselines: Baselines, args: &TrainArgs, why: &str) {
        let Some(bar) = &self.bar else { return };
        let verdict = if f64::from(val_loss) < baselines.bigram { "beats" } else { "does not beat" };
        self.line(&format!("held-out loss {val_loss:.4} {verdict} the bigram's {:.4}", baselines.bigram));
        self.line(&format!("stopped because {why}; saved in {}", args.out.display()));
        bar.finish();
    }
}
