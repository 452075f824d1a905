//! Reports the progress of `glasshead train` as JSON lines or a progress bar, and in log files if requested.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::super::TrainArgs;
use super::super::log::{Log, Mark};
use super::corpus::Corpus;
use crate::config::EVALUATION_TOKENS;
use crate::config::rules::Standing;
use crate::train::exact_match::Score;
use crate::train::trainer::Trainer;
use crate::types::{Baselines, StepPoint};

/// Reports progress as JSON lines or a progress bar, and in log files if requested.
pub(super) struct Report {
    bar: Option<ProgressBar>,
    log: Option<Log>,
    latest: Option<StepPoint>,
    tokens_per_s: f64,
    val_loss: f32,
}

impl Report {
    pub fn new(args: &TrainArgs, n_steps: u64, log: Option<Log>) -> Self {
        let bar = (!args.json).then(|| {
            let template = "{bar:30} {pos}/{len} steps · {msg} · {eta} left";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(n_steps).with_style(style)
        });
        Self { bar, log, latest: None, tokens_per_s: 0.0, val_loss: f32::NAN }
    }

    pub fn line(&self, text: &str) {
        if let Some(bar) = &self.bar {
            // Without a terminal, the bar is hidden and would discard its lines.
            if bar.is_hidden() { say!("{text}") } else { bar.println(text) }
        }
    }

    /// The current position in the log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn mark(&self) -> Result<Option<Mark>, String> {
        self.log.as_ref().map(Log::mark).transpose()
    }

    /// Reports that the run continues from an earlier step, for the reason in `message`, and truncates the log to
    /// `mark`.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn went_back(&mut self, to: &Standing, mark: Option<Mark>, message: &str) -> Result<(), String> {
        (self.latest, self.val_loss) = (None, to.val_loss.unwrap_or(f32::NAN));
        match &self.bar {
            None => say!("{}", json!({ "step": to.step, "notice": message })),
            Some(bar) if bar.is_hidden() => eprintln!("{message}"),
            Some(bar) => {
                bar.println(message);
                bar.set_position(to.step);
            }
        }
        self.log.as_mut().zip(mark).map_or(Ok(()), |(log, mark)| log.go_back(to.step, mark))
    }

    pub fn begin(&self, trainer: &Trainer, corpus: &Corpus, device: &str) {
        let model = &trainer.config().model;
        let Baselines { uniform, unigram, bigram } = corpus.baselines;
        self.line(&format!(
            "{} parameters, {} MiB of buffers, {} dispatches a step, on {device}",
            model.n_params(),
            trainer.memory_bytes() >> 20,
            trainer.dispatches_per_step(),
        ));
        self.line(&format!(
            "{} bytes, {} tokens to train on, {} held out, vocabulary {}",
            corpus.text_bytes, corpus.n_train, corpus.n_val, model.vocab_size,
        ));
        self.line(&format!("held-out losses are means over {EVALUATION_TOKENS} tokens"));
        self.line(&format!("to beat: uniform {uniform:.3}, unigram {unigram:.3}, bigram {bigram:.3} nats per token"));
    }

    pub fn steps(&mut self, points: &[StepPoint], trained: f64, tokens_per_s: f64) -> Result<(), String> {
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
                say!("{}", json!({ "step": step, "loss": loss, "val_loss": null, "tokens_per_s": tokens_per_s }));
            }),
        }
        self.log.as_mut().map_or(Ok(()), |log| log.steps(points, trained, tokens_per_s))
    }

    /// Prints the task result on a separate line, before the evaluation's.
    pub fn score(&self, step: u64, score: &Score) {
        let (right, of) = (score.right, score.answers.len());
        if self.bar.is_none() {
            return say!("{}", json!({ "step": step, "exact_match": score.share(), "examples": of }));
        }
        let wrong = score.answers.iter().find(|answer| answer.written != answer.expected);
        let example = wrong.map_or(String::new(), |answer| {
            format!("; wrong: {}{}, not {}", answer.prompt, answer.written, answer.expected)
        });
        self.line(&format!("step {step}: {right} of {of} held-out examples right{example}"));
    }

    /// Reports an evaluation. `baselines` are included in the last one; it is written to the log only if `logged`.
    pub fn validation(
        &mut self,
        standing: &Standing,
        val_loss: f32,
        baselines: Option<Baselines>,
        logged: bool,
    ) -> Result<(), String> {
        let step = standing.step;
        self.val_loss = val_loss;
        if self.bar.is_some() {
            let loss = self.latest.map_or(String::new(), |point| format!("loss {:.4}, ", point.loss));
            let speed = self.tokens_per_s;
            self.line(&format!("step {step}: {loss}held-out loss {val_loss:.4}, {speed:.0} tokens/s"));
        } else {
            self.validation_line(step, val_loss, baselines);
        }
        let log = self.log.as_mut().filter(|_| logged);
        log.map_or(Ok(()), |log| log.validation(step, standing.seconds, val_loss))
    }

    fn validation_line(&self, step: u64, val_loss: f32, baselines: Option<Baselines>) {
        let loss = self.latest.map(|point| point.loss);
        let mut line = json!({ "step": step, "loss": loss, "val_loss": val_loss, "tokens_per_s": self.tokens_per_s });
        if let Some(Baselines { uniform, unigram, bigram }) = baselines {
            line["baselines"] = json!({ "uniform": uniform, "unigram": unigram, "bigram": bigram });
        }
        say!("{line}");
    }

    pub fn end(&self, val_loss: f32, baselines: Baselines, args: &TrainArgs, why: &str) {
        let Some(bar) = &self.bar else { return };
        let verdict = if f64::from(val_loss) < baselines.bigram { "beats" } else { "does not beat" };
        self.line(&format!("held-out loss {val_loss:.4} {verdict} the bigram's {:.4}", baselines.bigram));
        self.line(&format!("stopped because {why}; saved in {}", args.out.display()));
        bar.finish();
    }
}
