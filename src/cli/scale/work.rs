//! `glasshead scale run`: works off the runs of a sweep.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::super::{BackendArg, open};
use super::execute::Runner;
use super::folder::{Folder, word};
use crate::scaling::spec::{RunResult, SweepRun};
use crate::scaling::sweep::FollowUp;

#[derive(Args)]
pub(in super::super) struct RunArgs {
    /// The folder of a plan.
    folder: PathBuf,
    /// Execute only this run.
    #[arg(long, value_name = "ID")]
    only: Option<String>,
    /// Stop after this number of runs.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    max_runs: Option<u64>,
    /// The backend.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: BackendArg,
    /// Save a checkpoint of the current run every N seconds.
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS")]
    save_every: f64,
    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,
}

/// Executes runs until none is left that no other process executes.
pub(super) async fn run(args: &RunArgs) -> Result<(), String> {
    let folder = Folder::open(&args.folder)?;
    let (tokenizer, tokens) = folder.data()?;
    let context = open(args.backend).await?;
    let save_every = Duration::try_from_secs_f64(args.save_every)
        .map_err(|_| format!("--save-every is {}; it has to be a number of seconds, such as 5", args.save_every))?;
    let tokenizer = tokenizer.into();
    let runner = Runner { context, tokenizer, tokens, n_train: folder.stored.n_train, save_every };
    let mut done = 0;
    while args.max_runs.is_none_or(|max| done < max) {
        follow_up(&folder, args, false)?;
        let Some(spec) = next(&folder, args)? else { break };
        let Some(claim) = folder.claim(&spec.id)? else {
            if args.only.is_some() {
                return Err(format!("{} is finished, or another process executes it", spec.id));
            }
            continue;
        };
        folder.log("start", &spec.id)?;
        report_start(&spec, args);
        // A run may take longer than it reserved, but not the time of others.
        let max_s = || Ok(spec.reserved_s() + folder.sweep()?.ledger(&folder.stored.plan).free_s());
        let result = runner.execute(&spec, Some(&folder.state_of(&spec.id)), &max_s).await?;
        folder.finish(&result)?;
        folder.log("finish", &spec.id)?;
        drop(claim);
        report(&spec, &result, args);
        done += 1;
        if args.only.is_some() {
            break;
        }
    }
    follow_up(&folder, args, true)?;
    summarize(&folder, done, args)
}

/// The shortest run that nobody executes.
fn next(folder: &Folder, args: &RunArgs) -> Result<Option<SweepRun>, String> {
    let sweep = folder.sweep()?;
    if let Some(id) = &args.only {
        let spec = sweep.specs.get(id).cloned();
        return spec.map(Some).ok_or_else(|| format!("there is no run {id} in {}", args.folder.display()));
    }
    Ok(sweep.open().into_iter().find(|spec| !folder.is_running(&spec.id)).cloned())
}

/// Adds the runs that the results so far require, and updates the table. Refusals are reported at the end, because time becomes
/// free whenever a run ends early.
fn follow_up(folder: &Folder, args: &RunArgs, at_end: bool) -> Result<(), String> {
    let _decisions = folder.exclusive()?;
    let sweep = folder.sweep()?;
    folder.write_table(&sweep)?;
    for follow_up in sweep.follow_ups(&folder.stored.plan) {
        match follow_up {
            FollowUp::Run(spec) => {
                let why = if spec.attempt > 0 { "repeats a run that diverged" } else { "extends a censored budget" };
                folder.add(&spec)?;
                if args.json {
                    say!("{}", json!({ "event": "added", "run": spec.id, "reason": why }));
                } else {
                    say!("added    {:<28} {why}", spec.id);
                }
            }
            FollowUp::Refused(_) if !at_end => {}
            FollowUp::Refused(reason) if args.json => say!("{}", json!({ "event": "refused", "reason": reason })),
            FollowUp::Refused(reason) => say!("{reason}"),
        }
    }
    Ok(())
}

fn report_start(spec: &SweepRun, args: &RunArgs) {
    if args.json {
        let object = json!({ "event": "start", "run": spec.id, "n": spec.n_params, "expected_s": spec.expected_s });
        say!("{object}");
    }
}

fn report(spec: &SweepRun, result: &RunResult, args: &RunArgs) {
    let outcome = word(&result.outcome);
    if args.json {
        let object = json!({ "event": "finish", "run": spec.id, "n": spec.n_params, "lr": spec.config.train.max_lr,
            "outcome": outcome, "points": result.points, "seconds": result.seconds });
        return say!("{object}");
    }
    let losses: Vec<String> = result.points.iter().map(|point| format!("{:.4}", point.loss)).collect();
    say!("{outcome:<8} {:<28} loss {:<18} {:>6.1} s", spec.id, losses.join(" "), result.seconds);
}

fn summarize(folder: &Folder, done: u64, args: &RunArgs) -> Result<(), String> {
    let sweep = folder.sweep()?;
    let open = sweep.open();
    let running = open.iter().filter(|spec| folder.is_running(&spec.id)).count();
    let ledger = sweep.ledger(&folder.stored.plan);
    let allowed_s = ledger.allowed_s;
    if args.json {
        let object = json!({ "event": "end", "executed": done, "finished": sweep.results.len(), "open": open.len(),
            "running": running, "charged_s": ledger.charged_s, "reserved_s": ledger.reserved_s, "allowed_s": allowed_s });
        say!("{object}");
        return Ok(());
    }
    let allowed = allowed_s.map_or(String::new(), |allowed| format!(" of {allowed:.0} s"));
    say!(
        "{done} runs executed; {} finished, {} open ({running} running elsewhere); {:.0} s{allowed} used, {:.0} s reserved",
        sweep.results.len(),
        open.len(),
        ledger.charged_s,
        ledger.reserved_s
    );
    Ok(())
}
