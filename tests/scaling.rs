//! Scaling laws: fits of planted laws, tables with foreign names, and what fits do not support.

use glasshead::rng::Rng;
use glasshead::scaling::error::ScalingError;
use glasshead::scaling::fit::{Settings, fit_law, fit_size};
use glasshead::scaling::isoflop::{Minimum, Unusable};
use glasshead::scaling::law::Law;
use glasshead::scaling::read::{Columns, read};
use glasshead::scaling::table::{Budget, Run};

const PLANTED: Law = Law { e: 1.69, a: 406.4, b: 410.7, alpha: 0.34, beta: 0.28 };

const SETTINGS: Settings = Settings { resamples: 400, seed: 1 };

/// Runs of `n_budgets` budgets with `n_sizes` sizes around the best one, with lognormal noise.
fn planted(seed: u64, noise: f64, n_budgets: usize, n_sizes: usize) -> Vec<Run> {
    let mut rng = Rng::with_stream(seed, 7);
    let mut runs = Vec::new();
    for budget in 0..n_budgets {
        let c = 6e18 * 3f64.powi(budget as i32);
        let best = PLANTED.optimal_size().unwrap().at(c);
        for size in 0..n_sizes {
            let n = best * 2f64.powf(size as f64 - (n_sizes - 1) as f64 / 2.0);
            let d = c / (6.0 * n);
            let loss = PLANTED.loss(n, d) * (noise * rng.truncated_normal(9.0)).exp();
            runs.push(Run { n, d, loss });
        }
    }
    runs
}

#[test]
fn an_exact_law_is_recovered() {
    let fit = fit_law(&planted(1, 0.0, 5, 7), SETTINGS).unwrap();
    for ((found, expected), name) in fit.law.values().into_iter().zip(PLANTED.values()).zip(Law::NAMES) {
        assert!((found / expected - 1.0).abs() < 1e-3, "{name}: {found} instead of {expected}");
    }
    let (found, expected) = (fit.optimal_size.unwrap(), PLANTED.optimal_size().unwrap());
    assert!((found.at(1e21) / expected.at(1e21) - 1.0).abs() < 1e-3);
    assert!(fit.outliers.is_empty() && fit.mean_error < 1e-5);
    // The best size by the closed form has the lowest loss of its budget.
    let (c, n) = (1e21, expected.at(1e21));
    let loss = |n: f64| PLANTED.loss(n, c / (6.0 * n));
    assert!(loss(n) < loss(1.05 * n) && loss(n) < loss(0.95 * n));
}

/// The share of draws of noise in which the planted exponents are both inside their intervals.
fn coverage(draws: u64) -> f64 {
    let covered = (0..draws).filter(|&seed| {
        let intervals = fit_law(&planted(seed, 0.01, 9, 8), SETTINGS).unwrap().intervals.unwrap();
        intervals.alpha.contains(PLANTED.alpha) && intervals.beta.contains(PLANTED.beta)
    });
    covered.count() as f64 / draws as f64
}

#[test]
fn intervals_contain_the_planted_exponents() {
    assert!(coverage(20) >= 0.9);
}

/// `cargo test --test headless scaling -- --ignored --nocapture`
#[test]
#[ignore = "the figures of docs/scaling.md; takes half a minute"]
fn intervals_contain_the_planted_exponents_in_hundred_draws() {
    let share = coverage(100);
    println!("both exponents inside their intervals in {:.0} of 100 draws", 100.0 * share);
    assert!(share >= 0.9, "{share}");
}

#[test]
fn runs_that_follow_another_law_are_left_out_and_named() {
    let mut runs = planted(3, 0.003, 5, 7);
    let without = fit_law(&runs, SETTINGS).unwrap();
    let stopped = Run { n: 3e9, d: 1e8, loss: 2.0 * PLANTED.loss(3e9, 1e8) };
    runs.push(stopped);
    let fit = fit_law(&runs, SETTINGS).unwrap();
    assert_eq!((&fit.outliers[..], fit.law), (&[stopped][..], without.law));
    assert!(fit.limits[0].contains("do not follow the law"), "{:?}", fit.limits);
}

#[test]
fn the_minima_of_a_planted_law_give_its_exponent() {
    let expected = PLANTED.optimal_size().unwrap();
    let fit = fit_size(&planted(1, 0.0, 5, 7), Minimum::Lowest, SETTINGS).unwrap();
    assert!((fit.b - expected.exponent).abs() < 1e-6 && (fit.a / expected.coefficient - 1.0).abs() < 1e-4);
    // ln L is not quadratic in ln N: a parabola through few sizes around the lowest has a smaller bias.
    let exponent = |near| fit_size(&planted(1, 0.0, 5, 9), Minimum::Parabola(near), SETTINGS).unwrap().b;
    assert!((exponent(Some(3)) - expected.exponent).abs() < 2e-3);
    let noisy = fit_size(&planted(2, 0.003, 5, 7), Minimum::Parabola(None), SETTINGS).unwrap();
    assert!(noisy.intervals.unwrap().b.contains(expected.exponent), "{noisy:?}");
    assert!(noisy.leave_one_budget_out.unwrap().max_error < 0.5);
}

#[test]
fn budgets_without_a_bracketed_minimum_do_not_count() {
    let budget = |losses: &[f64]| {
        let runs: Vec<Run> = losses
            .iter()
            .enumerate()
            .map(|(i, &loss)| {
                let n = 1e6 * 2f64.powi(i as i32);
                Run { n, d: 1e15 / (6.0 * n), loss }
            })
            .collect();
        Budget::group(&runs).remove(0).minimum(Minimum::Parabola(None)).map(|optimum| optimum.n)
    };
    assert_eq!(budget(&[1.0, 1.1, 1.3]), Err(Unusable::SmallestIsLowest));
    assert_eq!(budget(&[1.3, 1.1, 1.0]), Err(Unusable::LargestIsLowest));
    assert_eq!(budget(&[1.0, 1.1]), Err(Unusable::TooFewSizes));
    assert_eq!(budget(&[1.1, 1.0, 5.0, 5.0, 1.2]), Err(Unusable::OpensDownward));
    assert!((budget(&[1.1, 1.0, 1.1]).unwrap() / 2e6 - 1.0).abs() < 1e-9);

    // A censored budget is named and left out; with one budget left there is no law, and the message says why.
    let mut runs = planted(1, 0.0, 3, 5);
    let complete = fit_size(&runs, Minimum::Parabola(None), SETTINGS).unwrap();
    let best = PLANTED.optimal_size().unwrap().at(6e18 * 9.0);
    runs.retain(|run| run.flops() < 5e19 || run.n >= 0.9 * best);
    let fit = fit_size(&runs, Minimum::Parabola(None), SETTINGS).unwrap();
    assert_eq!(fit.budgets[2].unusable, Some(Unusable::SmallestIsLowest));
    assert!(fit.limits[0].contains("5.40e19 FLOPs is censored: its smallest size"), "{:?}", fit.limits);
    assert_eq!(fit.budgets[..2], complete.budgets[..2]);
    runs.retain(|run| run.flops() > 1e19);
    let error = fit_size(&runs, Minimum::Parabola(None), SETTINGS).unwrap_err().to_string();
    assert!(error.contains("2 budgets") && error.contains("is censored"), "{error}");
}

#[test]
fn sizes_and_tokens_that_vary_together_are_not_separable() {
    let runs: Vec<Run> = (0..12)
        .map(|i| {
            let n = 1e7 * 1.7f64.powi(i);
            Run { n, d: 20.0 * n, loss: PLANTED.loss(n, 20.0 * n) * (1.0 + 0.002 * f64::from(i % 3)) }
        })
        .collect();
    let fit = fit_law(&runs, SETTINGS).unwrap();
    assert!(fit.limits.iter().any(|limit| limit.contains("α and β are not separable")), "{:?}", fit.limits);
}

#[test]
fn tables_of_other_programs_are_read() {
    let run = Run { n: 1e8, d: 2e9, loss: 3.5 };
    let of = |text: &str| read(text.as_bytes(), &Columns::default());
    for text in [
        "N,D,loss\n1e8,2e9,3.5\n",
        "\u{feff}x,Model Size,Training FLOP,color,loss\n4,1e8,1.2e18,#fff,3.5\n",
        "tokens;final_loss;compute_budget\n2_000_000_000;3.5;1.2e18\n",
        r#"[{"parameters": 100000000, "compute_budget": 1.2e18, "final_loss": 3.5}]"#,
        r#"{"title": "runs", "data": [{"num_params": "1e8", "num_tokens": 2e9, "val_loss": 3.5, "train_loss": 3.1}]}"#,
        "{\"n\": 1e8, \"d\": 2e9, \"loss\": 3.5}\n",
        r#"{"n": [1e8], "tokens": [2e9], "loss": [3.5]}"#,
    ] {
        let table = of(text).unwrap();
        let [read] = table.runs[..] else { panic!("{text}: {table:?}") };
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-12;
        assert!(close(read.n, run.n) && close(read.d, run.d) && close(read.loss, run.loss), "{text}: {read:?}");
    }
    let columns = Columns::parse("n=width, loss=y").unwrap();
    assert_eq!(read(b"width,tokens,y\n1e8,2e9,3.5\n", &columns).unwrap().runs, [run]);
    // Runs that diverged, or without a number, are counted.
    let table = of("n,d,loss\n1e8,2e9,nan\n1e8,,3.5\n1e8,2e9,3.5\n1e8,0,3.5\n").unwrap();
    assert_eq!((table.runs.len(), table.skipped), (1, 3));
}

#[test]
fn tables_that_cannot_be_fitted_say_what_is_missing() {
    let refused = |text: &str, expected: &str| {
        let error = read(text.as_bytes(), &Columns::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    };
    refused("", "no column for loss");
    refused("n,loss\n1,2\n", "no column for tokens among [n, loss]; rename one to `d`");
    refused("n,d\n1,2\n", "no column for loss");
    refused("[1, 2]", "no object with the fields of a run");
    refused("[{\"n\": 1", "not a table of runs");
    let error = read(b"n,d,loss\n", &Columns::parse("n=size").unwrap()).unwrap_err();
    assert!(matches!(error, ScalingError::Column { quantity: "parameters", .. }), "{error}");
    assert!(Columns::parse("m=size").is_err());
    let error = fit_law(&planted(1, 0.0, 1, 5), SETTINGS).unwrap_err().to_string();
    assert!(error.contains("parametric needs at least 6 runs, and there are only 5"), "{error}");
}
