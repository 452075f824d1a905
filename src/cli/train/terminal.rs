//! The observer of `glasshead train`: JSON lines or a progress bar.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::super::TrainArgs;
use super::Moment;
use crate::config::{EVALUATION_TOKENS, TrainConfig};
use crate::gpu::context::Context;
use crate::run::native::Outcome;
use crate::run::{Evaluation, Observer, Start, Steps, TaskScore, Work};
use crate::types::{Baselines, StepPoint};

/// Reports progress as JSON lines or a progress bar.
pub(super) struct Terminal {
    bar: Option<ProgressBar>,
    step: u64,
    latest: Option<StepPoint>,
    tokens_per_s: f64,
    val_loss: f32,
    baselines: Option<Baselines>,
    out: PathBuf,
    /// Device losses to be simulated, and the device.
    to_be_lost: Vec<Moment>,
    device: Option<wgpu::Device>,
}

impl Terminal {
    pub fn new(args: &TrainArgs, n_steps: u64) -> Self {
        let bar = (!args.json).then(|| {
            let template = "{bar:30} {pos}/{len} steps · {msg} · {eta} left";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(n_steps).with_style(style)
        });
        Self {
            bar,
            step: 0,
            latest: None,
            tokens_per_s: 0.0,
            val_loss: f32::NAN,
            baselines: None,
            out: args.out.clone(),
            to_be_lost: args.lose_device.clone(),
            device: None,
        }
    }

    fn line(&self, text: &str) {
        if let Some(bar) = &self.bar {
            // Without a terminal, the bar is hidden and would discard its lines.
            if bar.is_hidden() { say!("{text}") } else { bar.println(text) }
        }
    }

    fn evaluation_line(&self, evaluation: &Evaluation) {
        let (step, val_loss) = (evaluation.point.step, evaluation.point.loss);
        let loss = self.latest.map(|point| point.loss);
        let mut line = json!({ "step": step, "loss": loss, "val_loss": val_loss, "tokens_per_s": self.tokens_per_s });
        if let Some(Baselines { uniform, unigram, bigram }) = self.baselines.filter(|_| evaluation.last) {
            line["baselines"] = json!({ "uniform": uniform, "unigram": unigram, "bigram": bigram });
        }
        say!("{line}");
    }

    /// Reports the end of the run.
    pub fn end(&self, outcome: &Outcome) {
        let Some(bar) = &self.bar else { return };
        let (val_loss, bigram) = (outcome.val_loss.unwrap_or(f32::NAN), outcome.baselines.bigram);
        let verdict = if f64::from(val_loss) < bigram { "beats" } else { "does not beat" };
        self.line(&format!("held-out loss {val_loss:.4} {verdict} the bigram's {bigram:.4}"));
        self.line(&format!(
            "stopped because {}; saved in {}",
            outcome.reason.as_deref().unwrap_or_default(),
            self.out.display()
        ));
        bar.finish();
    }
}

impl Observer for Terminal {
    fn started(&mut self, start: &Start<'_>) {
        let Start { driver, text, device, .. } = start;
        let config = driver.config();
        self.step = driver.steps_done();
        self.baselines = Some(text.baselines);
        let Baselines { uniform, unigram, bigram } = text.baselines;
        self.line(&format!(
            "{} parameters, {} MiB of buffers, {} dispatches a step, on {device}",
            config.model.n_params(),
            driver.trainer.memory_bytes() >> 20,
            driver.trainer.dispatches_per_step(),
        ));
        self.line(&format!(
            "{} bytes, {} tokens to train on, {} held out, vocabulary {}",
            text.text_bytes, text.n_train, text.n_val, config.model.vocab_size,
        ));
        self.line(&format!("held-out losses are means over {EVALUATION_TOKENS} tokens"));
        self.line(&format!("to beat: uniform {uniform:.3}, unigram {unigram:.3}, bigram {bigram:.3} nats per token"));
    }

    fn device_opened(&mut self, context: Option<&Context>) {
        self.device = context.map(|context| context.device.clone());
    }

    fn before(&mut self, work: Work, step: u64) {
        let due = |moment: &Moment| moment.work == work && moment.step <= step;
        if let Some(index) = self.to_be_lost.iter().position(due) {
            self.to_be_lost.swap_remove(index);
            self.device.iter().for_each(wgpu::Device::destroy);
        }
    }

    fn steps(&mut self, steps: Steps<'_>) {
        self.tokens_per_s = steps.tokens_per_s;
        let Some(&last) = steps.points.last() else { return };
        (self.latest, self.step) = (Some(last), last.step);
        if let Some(bar) = &self.bar {
            bar.set_position(last.step);
            let (loss, val_loss, tokens_per_s) = (last.loss, self.val_loss, self.tokens_per_s);
            bar.set_message(format!("loss {loss:.3} (val {val_loss:.3}) · {tokens_per_s:.0} tokens/s"));
        } else {
            for StepPoint { step, loss, .. } in steps.points {
                say!("{}", json!({ "step": step, "loss": loss, "val_loss": null, "tokens_per_s": self.tokens_per_s }));
            }
        }
    }

    fn task_evaluated(&mut self, score: TaskScore<'_>) {
        let TaskScore { step, right, of, answers } = score;
        if self.bar.is_none() {
            let share = right as f64 / of.max(1) as f64;
            return say!("{}", json!({ "step": step, "exact_match": share, "examples": of }));
        }
        let wrong = answers.iter().find(|answer| answer.written != answer.expected);
        let example = wrong.map_or(String::new(), |answer| {
            format!("; wrong: {}{}, not {}", answer.prompt, answer.written, answer.expected)
        });
        self.line(&format!("step {step}: {right} of {of} held-out examples right{example}"));
    }

    fn evaluated(&mut self, evaluation: Evaluation) {
        let (step, val_loss) = (evaluation.point.step, evaluation.point.loss);
        self.val_loss = val_loss;
        if self.bar.is_some() {
            let loss = self.latest.map_or(String::new(), |point| format!("loss {:.4}, ", point.loss));
            let speed = self.tokens_per_s;
            self.line(&format!("step {step}: {loss}held-out loss {val_loss:.4}, {speed:.0} tokens/s"));
        } else {
            self.evaluation_line(&evaluation);
        }
    }

    fn sample(&mut self, step: u64, text: &str) {
        self.line(&format!("step {step}: {text}\n"));
    }

    /// Later steps are trained and reported again.
    fn went_back(&mut self, step: u64, _train: &TrainConfig) {
        (self.step, self.latest, self.val_loss) = (step, None, f32::NAN);
        self.bar.iter().for_each(|bar| bar.set_position(step));
    }

    fn notice(&mut self, message: &str) {
        match &self.bar {
            None => say!("{}", json!({ "step": self.step, "notice": message })),
            Some(bar) if bar.is_hidden() => eprintln!("{message}"),
            Some(bar) => bar.println(message),
        }
    }

    fn warn(&mut self, message: &str) {
        eprintln!("{message}");
    }
}
