//! `glasshead scale predict` and `glasshead scale check`: sealed predictions.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::{BackendArg, open, sentence};
use super::execute::{Runner, SAVE_EVERY};
use super::folder::{Folder, read_json, unix_s};
use crate::scaling::bootstrap::RESAMPLES;
use crate::scaling::check::{CHANGED, History, check_run, conclusion, seal};
use crate::scaling::fit::Settings;
use crate::scaling::limits::short;
use crate::scaling::sealed::{Afterwards, Prediction, Sealed};
use crate::scaling::spec::{RunResult, SweepRun};

#[derive(Args)]
pub(in super::super) struct PredictArgs {
    /// The folder of a sweep.
    folder: PathBuf,
    /// The budget in FLOPs; by default, the largest budget of the plan times its check factor.
    #[arg(long, value_name = "FLOPS")]
    at: Option<f64>,
    /// Break the seal of the open prediction, for this reason, instead of making one. It stays in the history.
    #[arg(long, value_name = "REASON", conflicts_with = "at")]
    break_seal: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(in super::super) struct CheckArgs {
    /// The folder of a sweep with a sealed prediction.
    folder: PathBuf,
    /// The backend.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: BackendArg,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Reads the predictions of a folder.
fn history(folder: &Folder) -> Result<History, String> {
    let mut history = History::default();
    for path in folder.list("predictions")? {
        if path.to_string_lossy().ends_with(".after.json") {
            history.afterwards.push(read_json(&path)?);
        } else {
            history.sealed.push(read_json(&path)?);
        }
    }
    Ok(history)
}

fn file_of(sealed: &Sealed, after: bool) -> String {
    format!("predictions/{:04}{}.json", sealed.prediction.number, if after { ".after" } else { "" })
}

fn break_seal(folder: &Folder, sealed: &Sealed, reason: &str) -> Result<(), String> {
    folder.write_json(&file_of(sealed, true), &History::broken(sealed, reason, unix_s()))
}

pub(super) fn predict(args: &PredictArgs) -> Result<(), String> {
    let folder = Folder::open(&args.folder)?;
    let history = history(&folder)?;
    if let Some(reason) = &args.break_seal {
        let open = history.open().ok_or("there is no open prediction whose seal could be broken")?;
        break_seal(&folder, open, reason)?;
        return report(&folder, args.json);
    }
    if let Some(open) = history.open() {
        return Err(format!(
            "prediction {} is sealed and not checked yet; run glasshead scale check {}, or break the seal with --break-seal",
            open.prediction.number,
            args.folder.display()
        ));
    }
    let (plan, sweep) = (&folder.stored.plan, folder.sweep()?);
    let settings = Settings { resamples: RESAMPLES, seed: 1 };
    let sealed = seal((plan, &sweep, &history), args.at, settings, unix_s()).map_err(sentence)?;
    folder.write_json(&file_of(&sealed, false), &sealed)?;
    report(&folder, args.json)
}

/// Executes the check run of the open prediction and compares.
pub(super) async fn check(args: &CheckArgs) -> Result<(), String> {
    let folder = Folder::open(&args.folder)?;
    let history = history(&folder)?;
    let sealed = history.open().ok_or_else(|| {
        format!("there is no sealed prediction to check; run glasshead scale predict {} first", args.folder.display())
    })?;
    if let Some(broken) = history.changed() {
        break_seal(&folder, sealed, CHANGED)?;
        return Err(format!(
            "prediction {}: {CHANGED}; this is recorded, and prediction {} no longer counts",
            broken.prediction.number, sealed.prediction.number
        ));
    }
    let spec = check_run(&folder.stored.plan, sealed).map_err(sentence)?;
    folder.add(&spec)?;
    let Some(_claim) = folder.claim(&spec.id)? else {
        if !folder.is_finished(&spec.id) {
            return Err(format!("another process executes {}; wait for it", spec.id));
        }
        return conclude(&folder, sealed, &spec, args);
    };
    let (tokenizer, tokens) = folder.data()?;
    let (context, n_train) = (open(args.backend).await?, folder.stored.n_train);
    let runner = Runner { context, tokenizer: tokenizer.into(), tokens, n_train, save_every: SAVE_EVERY };
    folder.log("start", &spec.id)?;
    let max_s = || Ok(spec.reserved_s() + folder.sweep()?.ledger(&folder.stored.plan).free_s());
    let result = runner.execute(&spec, Some(&folder.state_of(&spec.id)), &max_s).await?;
    folder.finish(&result)?;
    folder.log("finish", &spec.id)?;
    conclude(&folder, sealed, &spec, args)
}

/// Stores the outcome of the check run.
fn conclude(folder: &Folder, sealed: &Sealed, spec: &SweepRun, args: &CheckArgs) -> Result<(), String> {
    let result: RunResult = folder.read(&format!("results/{}.json", spec.id))?.ok_or("the check run has no result")?;
    folder.write_json(&file_of(sealed, true), &conclusion(sealed, &result, unix_s()))?;
    report(folder, args.json)
}

/// Prints the history; with `json`, as one object.
pub(super) fn report(folder: &Folder, json: bool) -> Result<(), String> {
    let history = history(folder)?;
    if json {
        let entries: Vec<_> = history
            .sealed
            .iter()
            .map(|sealed| {
                let intact = sealed.holds();
                json!({ "prediction": sealed.prediction, "hash": sealed.hash, "intact": intact,
                    "afterwards": history.after(sealed) })
            })
            .collect();
        say!("{}", json!({ "predictions": entries }));
        return Ok(());
    }
    for sealed in &history.sealed {
        let Prediction { number, budget, n_optimal, n_params, tokens, loss, interval, method, n_runs, .. } =
            &sealed.prediction;
        say!(
            "Prediction {number} for {} FLOPs, from {n_runs} runs, sealed as {}",
            short(*budget),
            sealed.hash.chars().take(12).collect::<String>()
        );
        say!("  best size {}; the check run has {n_params} parameters and {tokens} tokens", short(*n_optimal));
        say!("  held-out loss {loss:.4}, 95 %: {:.4} to {:.4} ({method})", interval.low, interval.high);
        match history.after(sealed) {
            None => say!("  not checked yet"),
            Some(Afterwards::Checked { loss, error, inside, .. }) => {
                let inside = if *inside { "inside" } else { "outside" };
                say!("  measured {loss:.4}: the prediction is off by {:+.2} %, {inside} the interval", 100.0 * error);
            }
            Some(Afterwards::Broken { reason, .. }) => say!("  seal broken: {reason}"),
        }
    }
    Ok(())
}
