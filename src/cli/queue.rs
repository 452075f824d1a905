//! `glasshead queue`: lists of runs that survive a kill.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{SpecArgs, sentence};
use crate::run::queue::{Entry, Queue, Report, State};
use crate::types::series::{Band, Series};

/// Commands of `glasshead queue`.
#[derive(Subcommand)]
pub(super) enum QueueCommand {
    /// Add runs to a queue.
    Add(AddArgs),
    /// Train the runs of a queue until all have ended or the queue is paused. Start it again after a kill: runs continue
    /// from their checkpoints.
    Run(RunArgs),
    /// Show the runs of a queue, and the mean and the range of runs that differ only in their seeds.
    List {
        /// The folder of the queue.
        folder: PathBuf,
        /// Print one JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Save and stop the runs of a queue.
    Pause {
        /// The folder of the queue.
        folder: PathBuf,
    },
}

/// Options of `glasshead queue add`.
#[derive(Args)]
pub(super) struct AddArgs {
    /// The folder of the queue, which is created if it is missing.
    folder: PathBuf,
    /// The name of the run.
    #[arg(long, default_value = "run")]
    name: String,
    /// Add N runs with consecutive seeds.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    seeds: u16,
    #[command(flatten)]
    spec: SpecArgs,
}

/// Options of `glasshead queue run`.
#[derive(Args)]
pub(super) struct RunArgs {
    /// The folder of the queue.
    folder: PathBuf,
    /// Train N runs at a time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,
}

pub(super) fn queue(command: QueueCommand) -> Result<(), String> {
    match command {
        QueueCommand::Add(args) => add(args),
        QueueCommand::Run(args) => run(args),
        QueueCommand::List { folder, json } => list(&Queue::open(&folder).map_err(sentence)?, json),
        QueueCommand::Pause { folder } => Queue::open(&folder).and_then(|queue| queue.pause()).map_err(sentence),
    }
}

fn add(args: AddArgs) -> Result<(), String> {
    let spec = super::train::spec(&args.spec, &args.name, None)?;
    let queue = Queue::open(&args.folder).map_err(sentence)?;
    for id in queue.extend(&spec.seeds(args.seeds.into())).map_err(sentence)? {
        say!("{id}");
    }
    Ok(())
}

fn run(args: RunArgs) -> Result<(), String> {
    let queue = Queue::open(&args.folder).map_err(sentence)?;
    queue.unpause().map_err(sentence)?;
    let summary = queue.run(args.jobs.into(), &|report| print(report, args.json)).map_err(sentence)?;
    match (summary.failed, summary.stopped) {
        (0, 0) => Ok(()),
        (0, n) => Err(format!("{n} runs were stopped; continue them with glasshead queue run")),
        (n, _) => Err(format!("{n} runs have failed; glasshead queue list shows why")),
    }
}

fn print(report: Report<'_>, as_json: bool) {
    match report {
        Report::Notice(entry, message) => eprintln!("{}: {message}", entry.id),
        Report::Began(entry) if as_json => say!("{}", json!({ "run": entry.id, "status": "running" })),
        Report::Began(entry) => say!("{}: began", entry.id),
        Report::Evaluated(entry, evaluation) if as_json => {
            let (step, val_loss) = (evaluation.point.step, evaluation.point.loss);
            say!("{}", json!({ "run": entry.id, "step": step, "val_loss": val_loss }));
        }
        Report::Evaluated(entry, evaluation) => {
            say!("{}: step {}, held-out loss {:.4}", entry.id, evaluation.point.step, evaluation.point.loss);
        }
        Report::Ended(entry, state) => {
            say!("{}", if as_json { state_json(entry, state) } else { state_line(entry, state) })
        }
    }
}

fn state_json(entry: &Entry, state: &State) -> String {
    let mut line = json!(state);
    line["run"] = json!(entry.id);
    line.to_string()
}

fn state_line(entry: &Entry, state: &State) -> String {
    let id = &entry.id;
    match state {
        State::Waiting => format!("{id}: waiting"),
        State::Stopped { step } => format!("{id}: stopped after step {step}"),
        State::Done { step, val_loss, reason, .. } => {
            format!("{id}: {step} steps, held-out loss {:.4}; stopped because {reason}", val_loss.unwrap_or(f32::NAN))
        }
        State::Failed { message } => format!("{id}: {message}"),
    }
}

fn list(queue: &Queue, as_json: bool) -> Result<(), String> {
    for entry in queue.entries().map_err(sentence)? {
        match (as_json, entry.running) {
            (true, true) => say!("{}", json!({ "run": entry.id, "status": "running" })),
            (true, false) => say!("{}", state_json(&entry, &entry.state)),
            (false, true) => say!("{}: running", entry.id),
            (false, false) => say!("{}", state_line(&entry, &entry.state)),
        }
    }
    for (entries, series) in queue.series().map_err(sentence)? {
        if entries.len() > 1 {
            series_lines(&entries, &series, as_json);
        }
    }
    Ok(())
}

fn series_lines(entries: &[Entry], series: &Series, as_json: bool) {
    let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
    if as_json {
        return say!("{}", json!({ "series": ids, "validation": series.validation }));
    }
    say!("{}:", ids.join(", "));
    for Band { step, n, mean, min, max } in &series.validation {
        say!("  step {step}: held-out loss {mean:.4} ({min:.4} to {max:.4}, {n} runs)");
    }
}
