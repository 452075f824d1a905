//! `glasshead scale predict` and `glasshead scale check`: sealed predictions.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::{BackendArg, open, sentence};
use super::execute::{Runner, SAVE_EVERY};
use super::folder::{Folder, read_json, unix_s};
use crate::scaling::bootstrap::RESAMPLES;
use crate::scaling::fit::Settings;
use crate::scaling::limits::short;
use crate::scaling::predict::predict as extrapolate;
use crate::scaling::sealed::{Afterwards, Prediction, Sealed, first_broken};
use crate::scaling::spec::{Outcome, RunResult, SweepRun};

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

/// All predictions of a folder with what happened to them.
struct History {
    sealed: Vec<Sealed>,
    afterwards: Vec<Afterwards>,
}

impl History {
    fn read(folder: &Folder) -> Result<Self, String> {
        let (mut sealed, mut afterwards) = (Vec::new(), Vec::new());
        for path in folder.list("predictions")? {
            if path.to_string_lossy().ends_with(".after.json") {
                afterwards.push(read_json(&path)?);
            } else {
                sealed.push(read_json(&path)?);
            }
        }
        Ok(Self { sealed, afterwards })
    }

    fn after(&self, sealed: &Sealed) -> Option<&Afterwards> {
        self.afterwards.iter().find(|after| after.hash() == sealed.hash)
    }

    /// The latest prediction, if it was neither checked nor broken.
    fn open(&self) -> Option<&Sealed> {
        self.sealed.last().filter(|sealed| self.after(sealed).is_none())
    }
}

fn file_of(sealed: &Sealed, after: bool) -> String {
    format!("predictions/{:04}{}.json", sealed.prediction.number, if after { ".after" } else { "" })
}

fn break_seal(folder: &Folder, sealed: &Sealed, reason: &str) -> Result<(), String> {
    let broken = Afterwards::Broken { hash: sealed.hash.clone(), reason: reason.into(), time_unix_s: unix_s() };
    folder.write_json(&file_of(sealed, true), &broken)
}

pub(super) fn predict(args: &PredictArgs) -> Result<(), String> {
    let folder = Folder::open(&args.folder)?;
    let history = History::read(&folder)?;
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
    let plan = &folder.stored.plan;
    let largest = plan.budgets.iter().copied().fold(0.0, f64::max);
    let c = args.at.unwrap_or(plan.request.check_factor * largest);
    if !(c > largest && c.is_finite()) {
        return Err(format!("--at {c} is not above the largest budget, {}; choose a larger one", short(largest)));
    }
    let sweep = folder.sweep()?;
    let runs = sweep.runs();
    let settings = Settings { resamples: RESAMPLES, seed: 1 };
    let found = extrapolate(&runs, c, sweep.seed_deviation(), settings).map_err(sentence)?;
    let check = plan.check_run(c, found.n, plan.request.seeds[0]).map_err(sentence)?;
    if let Some(problem) = check.problem() {
        return Err(format!("there is no check run for {} parameters: {problem}", short(found.n)));
    }
    let prediction = Prediction {
        number: history.sealed.len() as u32 + 1,
        budget: c,
        n_optimal: found.n,
        n_interval: found.n_interval,
        n_params: check.n_params,
        tokens: check.tokens(check.total_steps()),
        loss: found.loss,
        interval: found.interval,
        method: found.method,
        n_runs: runs.len(),
        time_unix_s: unix_s(),
        previous: history.sealed.last().map_or(String::new(), |sealed| sealed.hash.clone()),
    };
    let sealed = Sealed::new(prediction).map_err(sentence)?;
    folder.write_json(&file_of(&sealed, false), &sealed)?;
    report(&folder, args.json)
}

/// Executes the check run of the open prediction and compares.
pub(super) async fn check(args: &CheckArgs) -> Result<(), String> {
    let folder = Folder::open(&args.folder)?;
    let history = History::read(&folder)?;
    let sealed = history.open().ok_or_else(|| {
        format!("there is no sealed prediction to check; run glasshead scale predict {} first", args.folder.display())
    })?;
    if let Some(broken) = first_broken(&history.sealed) {
        let reason = "the stored prediction is not the one that was sealed";
        break_seal(&folder, sealed, reason)?;
        return Err(format!(
            "prediction {}: {reason}; this is recorded, and prediction {} no longer counts",
            broken.prediction.number, sealed.prediction.number
        ));
    }
    let spec = check_spec(&folder, sealed)?;
    folder.add(&spec)?;
    let Some(_claim) = folder.claim(&spec.id)? else {
        if !folder.is_finished(&spec.id) {
            return Err(format!("another process executes {}; wait for it", spec.id));
        }
        return conclude(&folder, sealed, &spec, args);
    };
    let (tokenizer, tokens) = folder.data()?;
    let (context, n_train) = (open(args.backend).await?, folder.stored.n_train);
    let runner = Runner { context, tokenizer, tokens, n_train, save_every: SAVE_EVERY };
    folder.log("start", &spec.id)?;
    let max_s = spec.reserved_s() + folder.sweep()?.ledger(&folder.stored.plan).free_s();
    let result = runner.execute(&spec, Some(&folder.state_of(&spec.id)), max_s).await?;
    folder.finish(&result)?;
    folder.log("finish", &spec.id)?;
    conclude(&folder, sealed, &spec, args)
}

/// The check run that a prediction describes.
fn check_spec(folder: &Folder, sealed: &Sealed) -> Result<SweepRun, String> {
    let plan = &folder.stored.plan;
    let Prediction { budget, n_optimal, number, .. } = sealed.prediction;
    let mut spec = plan.check_run(budget, n_optimal, plan.request.seeds[0]).map_err(sentence)?;
    spec.id = format!("{}-{number}", spec.id);
    match spec.problem() {
        Some(problem) => Err(problem),
        None => Ok(spec),
    }
}

/// Stores the outcome of the check run.
fn conclude(folder: &Folder, sealed: &Sealed, spec: &SweepRun, args: &CheckArgs) -> Result<(), String> {
    let result: RunResult = folder.read(&format!("results/{}.json", spec.id))?.ok_or("the check run has no result")?;
    let loss = result.points.first().map(|point| point.loss).filter(|_| result.outcome == Outcome::Done);
    match loss {
        Some(loss) => folder.write_json(&file_of(sealed, true), &sealed.checked(loss, unix_s()))?,
        None => break_seal(folder, sealed, "the check run diverged, or was stopped because its time was over")?,
    }
    report(folder, args.json)
}

/// Prints the history; with `json`, as one object.
pub(super) fn report(folder: &Folder, json: bool) -> Result<(), String> {
    let history = History::read(folder)?;
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
