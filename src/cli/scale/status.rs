//! `glasshead scale status`: the matrix of runs.

use std::path::Path;

use serde_json::json;

use super::folder::{Folder, word};
use super::predict;
use crate::scaling::limits::short;
use crate::scaling::sweep::Sweep;

pub(super) fn status(path: &Path, json: bool) -> Result<(), String> {
    let folder = Folder::open(path)?;
    let sweep = folder.sweep()?;
    let plan = &folder.stored.plan;
    let ledger = sweep.ledger(plan);
    let state = |id: &str| match sweep.results.get(id) {
        Some(result) => word(&result.outcome),
        None if folder.is_running(id) => "running".into(),
        None => "queued".into(),
    };
    if json {
        let runs: Vec<_> = sweep
            .specs
            .values()
            .map(|spec| {
                json!({ "id": spec.id, "n": spec.n_params, "purpose": spec.purpose, "attempt": spec.attempt,
                    "expected_s": spec.expected_s, "state": state(&spec.id), "result": sweep.results.get(&spec.id) })
            })
            .collect();
        let object = json!({ "runs": runs, "charged_s": ledger.charged_s, "reserved_s": ledger.reserved_s,
            "allowed_s": ledger.allowed_s, "seed_deviation": sweep.seed_deviation() });
        say!("{object}");
        return Ok(());
    }
    for &budget in &plan.budgets {
        say!("{} FLOPs: {}", short(budget), cells(&sweep, budget));
    }
    for spec in sweep.specs.values().filter(|spec| state(&spec.id) != "done") {
        say!("{:<9} {}", state(&spec.id), spec.id);
    }
    if let Some(deviation) = sweep.seed_deviation() {
        say!("seeds: losses differ by {:.2} % (standard deviation)", 100.0 * deviation);
    }
    say!("{:.0} s used, {:.0} s reserved", ledger.charged_s, ledger.reserved_s);
    predict::report(&folder, false)
}

/// Sizes and losses of a budget; with several seeds, their mean and range.
fn cells(sweep: &Sweep, budget: f64) -> String {
    let runs = sweep.runs_of(budget);
    let mut sizes: Vec<(f64, Vec<f64>)> = Vec::new();
    for run in runs {
        match sizes.last_mut().filter(|(n, _)| *n == run.n) {
            Some((_, losses)) => losses.push(run.loss),
            None => sizes.push((run.n, vec![run.loss])),
        }
    }
    let cell = |(n, losses): &(f64, Vec<f64>)| {
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        let (low, high) =
            losses.iter().fold((f64::INFINITY, 0.0f64), |(low, high), loss| (low.min(*loss), high.max(*loss)));
        let band = if losses.len() > 1 { format!(" ({low:.3} to {high:.3})") } else { String::new() };
        format!("{} {mean:.3}{band}", short(*n))
    };
    sizes.iter().map(cell).collect::<Vec<_>>().join(", ")
}
