//! `glasshead scale fit`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::super::{in_file, sentence};
use crate::scaling::bootstrap::{Interval, RESAMPLES};
use crate::scaling::fit::{LawFit, LeftOut, Settings, SizeFit, fit_law, fit_size};
use crate::scaling::isoflop::Minimum;
use crate::scaling::limits::short;
use crate::scaling::linear::PowerLaw;
use crate::scaling::read::{Columns, MAX_BYTES, Table, read};
use crate::scaling::table::FLOPS_PER_PARAM_AND_TOKEN;

#[derive(Args)]
pub(in super::super) struct FitArgs {
    /// A CSV, JSON or JSON Lines file with a row for each run.
    file: PathBuf,
    /// The method: the lowest run of each budget, a parabola in ln N through the runs of each budget, or
    /// L = E + A/N^alpha + B/D^beta through all runs.
    #[arg(long, value_enum, default_value = "parabola")]
    method: Method,
    /// The columns, if they are not recognized by name: n=NAME,d=NAME,c=NAME,loss=NAME; two of n, d and c suffice.
    #[arg(long, default_value = "")]
    columns: String,
    /// Fit each parabola to this number of sizes around the lowest; by default, to all.
    #[arg(long, value_parser = clap::value_parser!(u16).range(3..))]
    near: Option<u16>,
    /// Report the compute-optimal size for this number of FLOPs; can be repeated.
    #[arg(long, value_name = "FLOPS")]
    at: Vec<f64>,
    /// The number of bootstrap resamples.
    #[arg(long, default_value_t = RESAMPLES as u32, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    bootstrap: u32,
    /// The seed of the resamples.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// How a law is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Method {
    Lowest,
    Parabola,
    Parametric,
}

/// Reads a table of runs.
///
/// # Errors
/// If the file cannot be read, or is not a table of runs.
fn table(path: &Path, columns: &str) -> Result<Table, String> {
    let columns = Columns::parse(columns).map_err(sentence)?;
    let size = fs::metadata(path).map_err(in_file(path))?.len();
    if size > MAX_BYTES as u64 {
        return Err(format!("{} has more than {} MiB; choose a part of it", path.display(), MAX_BYTES >> 20));
    }
    let bytes = fs::read(path).map_err(in_file(path))?;
    read(&bytes, &columns).map_err(|error| format!("{}: {error}", path.display()))
}

pub(super) fn fit(args: &FitArgs) -> Result<(), String> {
    if let Some(c) = args.at.iter().find(|c| !(c.is_finite() && **c > 0.0)) {
        return Err(format!("--at {c} is not a number of FLOPs; expected a number greater than 0, such as 1e21"));
    }
    let table = table(&args.file, &args.columns)?;
    let settings = Settings { resamples: args.bootstrap as usize, seed: args.seed };
    let (mut object, text) = match args.method {
        Method::Parametric => {
            let fit = fit_law(&table.runs, settings).map_err(sentence)?;
            (serde_json::to_value(&fit).map_err(sentence)?, law_text(&fit, &args.at))
        }
        method => {
            let near = args.near.map(usize::from);
            let minimum = if method == Method::Lowest { Minimum::Lowest } else { Minimum::Parabola(near) };
            let fit = fit_size(&table.runs, minimum, settings).map_err(sentence)?;
            (serde_json::to_value(&fit).map_err(sentence)?, size_text(&fit, &args.at))
        }
    };
    if !args.json {
        say!("{text}");
        if table.skipped > 0 {
            say!("{} rows without usable numbers were skipped", table.skipped);
        }
        return Ok(());
    }
    object["skipped_rows"] = table.skipped.into();
    object["at"] = args.at.iter().map(|&c| optimum(&object, c)).collect::<Vec<Value>>().into();
    say!("{object}");
    Ok(())
}

/// The compute-optimal size that a reported fit predicts.
fn optimum(fit: &Value, c: f64) -> Value {
    let law = |coefficient: &Value, exponent: &Value| {
        Some(PowerLaw { coefficient: coefficient.as_f64()?, exponent: exponent.as_f64()? })
    };
    let size = law(&fit["a"], &fit["b"])
        .or_else(|| law(&fit["optimal_size"]["coefficient"], &fit["optimal_size"]["exponent"]));
    let n = size.map(|law| law.at(c));
    json!({ "c": c, "n": n, "d": n.map(|n| c / (FLOPS_PER_PARAM_AND_TOKEN * n)) })
}

fn within(interval: Option<Interval>) -> String {
    interval.map_or("no interval".into(), |Interval { low, high }| format!("95 %: {} to {}", short(low), short(high)))
}

fn left_out_text(left_out: Option<&LeftOut>) -> String {
    left_out.map_or(String::new(), |LeftOut { quantity, mean_error, max_error, folds }| {
        let what = if *quantity == "n" { "best size" } else { "losses" };
        format!(
            "\nEach of {folds} budgets predicted from the others: {what} off by {:.2} % on average, {:.2} % at most",
            100.0 * mean_error,
            100.0 * max_error
        )
    })
}

fn size_text(fit: &SizeFit, at: &[f64]) -> String {
    let SizeFit { a, b, .. } = *fit;
    let mut lines = vec![format!("N = a·C^b by {}, from {} runs", fit.method, fit.n_runs)];
    lines.push(format!("a = {:<12} {}", short(a), within(fit.intervals.map(|intervals| intervals.a))));
    lines.push(format!("b = {b:<12.5} {}\n", within(fit.intervals.map(|intervals| intervals.b))));
    lines.push(format!("{:>12} {:>6} {:>12} {:>12} {:>9}", "FLOPs", "runs", "best N", "tokens", "loss"));
    for budget in &fit.budgets {
        let start = format!("{:>12} {:>6}", short(budget.c), budget.n_runs);
        lines.push(match (&budget.optimum, budget.unusable) {
            (Some(best), _) => {
                let (n, d) = (short(best.n), short(best.tokens()));
                format!("{start} {n:>12} {d:>12} {:>9.4}", best.loss)
            }
            (None, reason) => format!("{start}   {}", reason.map_or("", |reason| reason.sentence())),
        });
    }
    let law = PowerLaw { coefficient: a, exponent: b };
    lines.extend(at.iter().map(|&c| size_at(Some(law), c)));
    format!("{}{}{}", lines.join("\n"), left_out_text(fit.leave_one_budget_out.as_ref()), limits_text(&fit.limits))
}

fn size_at(law: Option<PowerLaw>, c: f64) -> String {
    let Some(law) = law else { return format!("At {} FLOPs: no best size", short(c)) };
    let n = law.at(c);
    let d = c / (FLOPS_PER_PARAM_AND_TOKEN * n);
    format!("At {} FLOPs: {} parameters and {} tokens", short(c), short(n), short(d))
}

fn law_text(fit: &LawFit, at: &[f64]) -> String {
    let LawFit { law, intervals, .. } = *fit;
    let rows = [
        ("E", law.e, intervals.map(|i| i.e)),
        ("A", law.a, intervals.map(|i| i.a)),
        ("B", law.b, intervals.map(|i| i.b)),
        ("alpha", law.alpha, intervals.map(|i| i.alpha)),
        ("beta", law.beta, intervals.map(|i| i.beta)),
    ];
    let mut lines = vec![format!("L = E + A/N^alpha + B/D^beta, from {} runs", fit.n_runs)];
    lines.extend(rows.map(|(name, value, interval)| format!("{name:<5} = {:<12} {}", short(value), within(interval))));
    lines.push(format!("Losses of the runs: off by {:.2} % on average", 100.0 * fit.mean_error));
    if let Some(PowerLaw { coefficient, exponent }) = fit.optimal_size {
        let interval = within(fit.optimal_exponent);
        lines.push(format!("Best size: N = {}·C^{exponent:.4} ({interval} for the exponent)", short(coefficient)));
    }
    lines.extend(at.iter().map(|&c| size_at(fit.optimal_size, c)));
    format!("{}{}{}", lines.join("\n"), left_out_text(fit.leave_one_budget_out.as_ref()), limits_text(&fit.limits))
}

fn limits_text(limits: &[String]) -> String {
    let lines: Vec<String> = limits.iter().map(|limit| format!("\n- {limit}")).collect();
    format!("\nLimits:{}", lines.concat())
}
