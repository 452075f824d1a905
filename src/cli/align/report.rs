//! Reports the progress of `glasshead align`: lines or a progress bar, log files, and sampled responses as JSON Lines.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::super::{in_file, sentence};
use super::AlignArgs;
use crate::run::native::log::Log;
use crate::run::stage::{Pace, StageObserver};
use crate::train::align::{Evaluation, StepReport};
use crate::types::StepPoint;

/// The file with sampled responses.
const ROLLOUTS: &str = "rollouts.jsonl";

pub(super) struct Report {
    bar: Option<ProgressBar>,
    log: Option<Log>,
    rollouts: File,
    path: PathBuf,
    every: u64,
    tokens_per_step: usize,
    latest: String,
    /// Why a file could not be written, until it is reported.
    failure: Option<String>,
}

impl Report {
    /// Opens the files. A resumed run continues them; rows of later steps are removed.
    ///
    /// # Errors
    /// When a file cannot be written, or holds the log of another run.
    pub fn new(args: &AlignArgs, tokens_per_step: usize, resumed_at: Option<u64>) -> Result<Self, String> {
        let log = args.log_dir.as_deref().map(|folder| Log::open(folder, tokens_per_step, resumed_at));
        let log = log.transpose().map_err(sentence)?;
        let bar = (!args.json).then(|| {
            let template = "{bar:30} {pos}/{len} updates · {msg} · {eta} left";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(args.steps).with_style(style)
        });
        fs::create_dir_all(&args.out).map_err(in_file(&args.out))?;
        let path = args.out.join(ROLLOUTS);
        cut(&path, resumed_at.unwrap_or(0)).map_err(in_file(&path))?;
        let rollouts = OpenOptions::new().create(true).append(true).open(&path).map_err(in_file(&path))?;
        let (every, latest) = (args.rollouts_every, String::new());
        Ok(Self { bar, log, rollouts, path, every, tokens_per_step, latest, failure: None })
    }

    pub fn line(&self, text: &str) {
        if let Some(bar) = &self.bar {
            // Without a terminal, the bar is hidden and would discard its lines.
            if bar.is_hidden() { say!("{text}") } else { bar.println(text) }
        }
    }

    /// Why a file could not be written, if one could not.
    ///
    /// # Errors
    /// The reason.
    pub fn failure(&mut self) -> Result<(), String> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Reports an update.
    fn step(&mut self, report: &StepReport, pace: Pace) -> Result<(), String> {
        let Pace { seconds, updates_per_s: steps_per_s } = pace;
        let StepPoint { step, loss, lr, grad_norm, .. } = report.point;
        let metrics = report.metrics.named();
        if let Some(bar) = &self.bar {
            let shown: Vec<String> = metrics.iter().take(2).map(|(name, value)| format!("{name} {value:.3}")).collect();
            if !shown.is_empty() {
                self.latest = shown.join(", ");
            }
            bar.set_position(step);
            bar.set_message(format!("loss {loss:.4} · {} · {steps_per_s:.1} updates/s", self.latest));
        } else {
            let mut line = json!({ "step": step, "loss": loss, "lr": lr, "grad_norm": grad_norm, "seconds": seconds });
            metrics.iter().for_each(|(name, value)| line[*name] = json!(value));
            say!("{line}");
        }
        if let Some(log) = &mut self.log {
            log.steps(&[report.point], seconds, steps_per_s * self.tokens_per_step as f64).map_err(sentence)?;
            log.measurements(step, &metrics).map_err(sentence)?;
        }
        if !report.rollouts.is_empty() && ((step - 1).is_multiple_of(self.every)) {
            self.write_rollouts(step, report).map_err(in_file(&self.path))?;
        }
        Ok(())
    }

    /// Writes the sampled responses of an update, one per line.
    fn write_rollouts(&mut self, step: u64, report: &StepReport) -> std::io::Result<()> {
        let mut lines = String::new();
        for (rollout, advantage) in &report.rollouts {
            let example = report.prompts.get(rollout.prompt);
            let line = json!({
                "step": step,
                "prompt": example.map(|example| &example.prompt),
                "answer": example.and_then(|example| example.answer.as_ref()),
                "response": rollout.text,
                "ended": rollout.ended,
                "reward": rollout.verdict.reward,
                "exact": rollout.verdict.exact,
                "format": rollout.verdict.format,
                "advantage": advantage,
                "tokens": rollout.row.response(),
                "log_probs": rollout.log_probs,
            });
            lines.push_str(&format!("{line}\n"));
        }
        self.rollouts.write_all(lines.as_bytes())
    }

    /// Reports results on held-out prompts.
    fn evaluation(&mut self, step: u64, evaluation: &Evaluation) -> Result<(), String> {
        let Evaluation { prompts, sampled, greedy, reward, pairs, accuracy } = *evaluation;
        let mut named = vec![("held_out/sampled", sampled), ("held_out/greedy", greedy), ("held_out/reward", reward)];
        named.extend(accuracy.map(|accuracy| ("held_out/preference_accuracy", accuracy)));
        if self.bar.is_some() {
            let percent = |share: f64| format!("{:.1} %", 100.0 * share);
            let pairs = accuracy.map_or(String::new(), |accuracy| {
                format!("; {} of {pairs} pairs preferred as judged", percent(accuracy))
            });
            self.line(&format!(
                "step {step}: {} of {prompts} held-out prompts right when sampled, {} when greedy, reward {reward:.3}{pairs}",
                percent(sampled),
                percent(greedy)
            ));
        } else {
            let mut line =
                Map::from_iter([("step".to_string(), Value::from(step)), ("prompts".into(), prompts.into())]);
            line.extend(named.iter().map(|(name, value)| ((*name).to_string(), Value::from(*value))));
            say!("{}", Value::Object(line));
        }
        self.log.as_mut().map_or(Ok(()), |log| log.measurements(step, &named).map_err(sentence))
    }

    pub fn end(&self, why: &str, folder: &Path) {
        self.line(&format!("stopped because {why}; saved in {}", folder.display()));
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}

impl StageObserver for Report {
    fn updated(&mut self, report: StepReport, pace: Pace) {
        let written = self.step(&report, pace);
        self.failure = self.failure.take().or(written.err());
    }

    fn evaluated(&mut self, step: u64, evaluation: &Evaluation) {
        let written = self.evaluation(step, evaluation);
        self.failure = self.failure.take().or(written.err());
    }
}

/// Removes the rows of steps after `step`, and a last row that is incomplete.
fn cut(path: &Path, step: u64) -> std::io::Result<()> {
    let Ok(file) = File::open(path) else { return Ok(()) };
    let (mut reader, mut line, mut end) = (BufReader::new(file), Vec::new(), 0);
    while reader.read_until(b'\n', &mut line)? > 0 {
        let row = serde_json::from_slice::<Value>(&line).ok().filter(|_| line.ends_with(b"\n"));
        match row.and_then(|row| row["step"].as_u64()) {
            Some(of_row) if of_row <= step => end += line.len() as u64,
            _ => break,
        }
        line.clear();
    }
    OpenOptions::new().write(true).open(path)?.set_len(end)
}
