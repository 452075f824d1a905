//! Sweeps: plans, what follows from results, folders that survive kills, and sealed predictions.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use glasshead::config::Schedule;
use glasshead::rng::Rng;
use glasshead::scaling::bootstrap::Interval;
use glasshead::scaling::plan::{Plan, Request};
use glasshead::scaling::predict::predict;
use glasshead::scaling::sealed::{Afterwards, Prediction, Sealed, first_broken};
use glasshead::scaling::shape::Task;
use glasshead::scaling::spec::{LrRule, Outcome, Point, RunResult, RunSettings, Speed, SweepRun, TrainSettings};
use glasshead::scaling::sweep::{FollowUp, Sweep};
use glasshead::scaling::table::Run;
use serde_json::Value;

fn request() -> Request {
    Request {
        variable: glasshead::scaling::variable::Variable::Size,
        task: Task { vocab_size: 257, context_length: 64 },
        n_budgets: 3,
        budget_ratio: 3.2,
        n_sizes: 5,
        size_ratio: 1.7,
        seeds: vec![1],
        check_factor: 3.0,
    }
}

/// A device that computes 1e10 FLOPs per second at every size.
fn settings(schedule: Schedule) -> RunSettings {
    let mut speed = Speed::default();
    for n in [4_000, 100_000_000] {
        speed.add(n, 1e10 / (6.0 * n as f64));
    }
    let lr = LrRule { n_params: 40_000.0, lr: 0.02, exponent: 0.5 };
    RunSettings { train: TrainSettings { batch_size: 8, schedule, lr }, speed }
}

/// A law whose best sizes are near those at which sweeps are planned.
fn loss(n: f64, d: f64) -> f64 {
    0.3 + 60.0 / n.powf(0.5) + 268.0 / d.powf(0.5)
}

#[test]
fn a_plan_keeps_its_time_and_follows_its_rules() {
    let plan = Plan::for_seconds(&request(), &settings(Schedule::Cosine), 240.0).unwrap();
    assert!(plan.reserved_s() <= 240.0 && plan.reserved_s() > 200.0, "{}", plan.reserved_s());
    assert_eq!((plan.budgets.len(), plan.runs.len()), (3, 15));
    assert!((plan.budgets[2] / plan.budgets[1] / 3.2 - 1.0).abs() < 0.1, "{:?}", plan.budgets);
    for run in &plan.runs {
        assert_eq!(run.problem(), None);
        let [horizon] = run.horizons[..] else { panic!("{run:?}") };
        // C = 6ND with the parameters of the model that is trained, to half a step.
        let per_step = 6.0 * run.n_params as f64 * run.config.tokens_per_step() as f64;
        assert_eq!(run.n_params, run.config.model.n_params());
        assert!((horizon.steps as f64 - horizon.budget / per_step).abs() <= 0.5, "{run:?}");
        let lr = 0.02 * (run.n_params as f64 / 40_000.0).powf(-0.5);
        assert!((run.config.train.max_lr / lr - 1.0).abs() < 0.01);
        assert_eq!(run.config.train.schedule_steps, horizon.steps);
    }
    let twice = Plan::for_seconds(&request(), &settings(Schedule::Cosine), 480.0).unwrap();
    assert!(twice.budgets[2] > 1.5 * plan.budgets[2]);
    let error = Plan::for_seconds(&request(), &settings(Schedule::Cosine), 20.0).unwrap_err().to_string();
    assert!(error.contains("20 s are not enough"), "{error}");
    let error = Plan::for_flops(&request(), &settings(Schedule::Cosine), 1e7).unwrap_err().to_string();
    assert!(error.contains("steps") && error.contains("choose larger budgets"), "{error}");
}

#[test]
fn with_wsd_one_run_serves_all_budgets_of_its_size() {
    let (request, settings) = (request(), settings(Schedule::Wsd));
    let wsd = Plan::for_flops(&request, &settings, 3e11).unwrap();
    let points: usize = wsd.runs.iter().map(|run| run.horizons.len()).sum();
    let sizes: std::collections::BTreeSet<u64> = wsd.runs.iter().map(|run| run.n_params).collect();
    assert_eq!((points, wsd.runs.len()), (15, sizes.len()));
    assert!(wsd.runs.len() < 15 && wsd.runs.iter().all(|run| run.problem().is_none()));
    let run = wsd.runs.iter().find(|run| run.horizons.len() > 1).unwrap();
    let [first, .., last] = &run.horizons[..] else { panic!("{run:?}") };
    // The decays are repeated, the constant phase is not.
    let alone: u64 = run.horizons.iter().map(|horizon| horizon.steps).sum();
    assert!(run.total_steps() < alone && run.total_steps() > last.steps);
    assert_eq!(run.branch(first.steps), first.steps * 8 / 10);
}

fn finished(sweep: &mut Sweep, id: &str, outcome: Outcome, loss: impl Fn(f64, f64) -> f64) {
    let spec = &sweep.specs[id];
    let point = |horizon: &glasshead::scaling::spec::Horizon| {
        let tokens = horizon.steps * spec.config.tokens_per_step() as u64;
        Point { budget: horizon.budget, tokens, loss: loss(spec.n_params as f64, tokens as f64) }
    };
    let points = if outcome == Outcome::Done { spec.horizons.iter().map(point).collect() } else { Vec::new() };
    let result = RunResult { id: id.into(), outcome, points, seconds: spec.expected_s };
    sweep.results.insert(id.into(), result);
}

fn sweep_of(plan: &Plan) -> Sweep {
    Sweep { specs: plan.runs.iter().map(|run| (run.id.clone(), run.clone())).collect(), results: BTreeMap::new() }
}

fn added(sweep: &Sweep, plan: &Plan) -> Vec<SweepRun> {
    let run = |follow_up| match follow_up {
        FollowUp::Run(spec) => Some(*spec),
        FollowUp::Refused(_) => None,
    };
    sweep.follow_ups(plan).into_iter().filter_map(run).collect()
}

#[test]
fn a_diverged_run_is_repeated_once_at_a_lower_rate() {
    let plan = Plan::for_flops(&request(), &settings(Schedule::Cosine), 3e11).unwrap();
    let mut sweep = sweep_of(&plan);
    let id = plan.runs[3].id.clone();
    finished(&mut sweep, &id, Outcome::Diverged, loss);
    let repeated = added(&sweep, &plan);
    assert_eq!(repeated.len(), 1);
    let slower = &repeated[0];
    assert_eq!((slower.attempt, &slower.id), (1, &format!("{id}-slower")));
    assert_eq!(slower.config.train.max_lr, 0.5 * plan.runs[3].config.train.max_lr);
    assert_eq!(slower.problem(), None);
    sweep.specs.insert(slower.id.clone(), slower.clone());
    assert_eq!(added(&sweep, &plan), []);
    finished(&mut sweep, &slower.id.clone(), Outcome::Diverged, loss);
    assert_eq!(added(&sweep, &plan), [], "only once");
}

#[test]
fn a_censored_budget_is_extended_until_its_minimum_is_bracketed() {
    let plan = Plan::for_flops(&request(), &settings(Schedule::Cosine), 3e11).unwrap();
    let mut sweep = sweep_of(&plan);
    // Best at about 160,000 parameters at the largest budget, beyond its sizes.
    let larger = |n: f64, d: f64| 0.3 + 600.0 / n.powf(0.5) + 268.0 / d.powf(0.5);
    let largest = plan.budgets[2];
    for run in &plan.runs {
        assert_eq!(added(&sweep, &plan), [], "a budget is judged when its runs have ended");
        let law = if run.horizons[0].budget == largest { larger } else { loss };
        finished(&mut sweep, &run.id, Outcome::Done, law);
    }
    let most = plan.runs.iter().map(|run| run.n_params).max().unwrap();
    let mut extensions = 0;
    while let [spec] = &added(&sweep, &plan)[..] {
        assert!(spec.n_params > most && spec.horizons[0].budget == largest, "{spec:?}");
        sweep.specs.insert(spec.id.clone(), spec.clone());
        assert_eq!(added(&sweep, &plan), []);
        finished(&mut sweep, &spec.id.clone(), Outcome::Done, larger);
        extensions += 1;
    }
    assert!((1..=3).contains(&extensions), "{extensions}");
    // Without time, nothing is added, and the reason is reported.
    let plan = Plan { allowed_s: Some(1.0), ..plan };
    let mut sweep = sweep_of(&plan);
    finished(&mut sweep, &plan.runs[0].id, Outcome::Diverged, loss);
    let [FollowUp::Refused(reason)] = &sweep.follow_ups(&plan)[..] else { panic!() };
    assert!(reason.contains("is not added: it would reserve"), "{reason}");
}

#[test]
fn finished_runs_are_charged_and_others_reserve() {
    let plan = Plan::for_seconds(&request(), &settings(Schedule::Cosine), 240.0).unwrap();
    let mut sweep = sweep_of(&plan);
    let before = sweep.ledger(&plan);
    assert!(before.charged_s == 0.0 && (before.reserved_s - plan.reserved_s()).abs() < 1e-9);
    finished(&mut sweep, &plan.runs[0].id, Outcome::Done, loss);
    let after = sweep.ledger(&plan);
    assert_eq!(after.charged_s, plan.runs[0].expected_s);
    assert!((before.reserved_s - after.reserved_s - plan.runs[0].reserved_s()).abs() < 1e-9);
    assert!(after.free_s() > before.free_s());
}

#[test]
fn predictions_from_noisy_runs_contain_the_truth() {
    let truth = |c: f64| {
        let sizes = (0..4000).map(|i| 1e4 * 1.001f64.powi(i));
        sizes.map(|n| loss(n, c / (6.0 * n))).fold(f64::INFINITY, f64::min)
    };
    let (mut inside, mut worst) = (0, 0.0f64);
    for seed in 0..20 {
        let mut rng = Rng::with_stream(seed, 3);
        let mut runs = Vec::new();
        for c in [3e10, 1e11, 3e11f64] {
            let center = (c / 120.0).sqrt();
            for i in -2..=2 {
                let n = center * 1.8f64.powi(i);
                let d = c / (6.0 * n);
                runs.push(Run { n, d, loss: loss(n, d) * (0.02 * rng.truncated_normal(6.0)).exp() });
            }
        }
        let settings = glasshead::scaling::fit::Settings { resamples: 300, seed: 1 };
        let found = predict(&runs, 1e12, None, settings).unwrap();
        inside += u32::from(found.interval.contains(truth(1e12)));
        worst = worst.max((found.loss / truth(1e12) - 1.0).abs());
    }
    assert!(inside >= 18 && worst < 0.2, "{inside} of 20 inside, off by up to {worst}");
}

fn prediction(number: u32, previous: &str) -> Prediction {
    let interval = Interval { low: 0.4, high: 0.6 };
    Prediction {
        number,
        budget: 1e12,
        n_optimal: 1e5,
        n_interval: interval,
        n_params: 100_000,
        tokens: 1_000_000,
        loss: 0.5,
        interval,
        method: "power law".into(),
        n_runs: 15,
        time_unix_s: 1_700_000_000,
        previous: previous.into(),
    }
}

#[test]
fn a_seal_shows_changed_and_removed_predictions() {
    let first = Sealed::new(prediction(1, "")).unwrap();
    let second = Sealed::new(prediction(2, &first.hash)).unwrap();
    assert_eq!(first_broken(&[first.clone(), second.clone()]), None);
    let mut changed = first.clone();
    changed.prediction.loss = 0.45;
    assert!(!changed.holds());
    assert_eq!(first_broken(&[changed.clone(), second.clone()]), Some(&changed));
    assert_eq!(first_broken(std::slice::from_ref(&second)), Some(&second), "the first was removed");
    // A change that is sealed again shows in the next one.
    let resealed = Sealed::new(changed.prediction).unwrap();
    assert_eq!(first_broken(&[resealed, second.clone()]), Some(&second));
    let Afterwards::Checked { error, inside, .. } = first.checked(0.4, 0) else { panic!() };
    assert!(inside && (error - 0.25).abs() < 1e-12);
    assert!(matches!(first.checked(0.39, 0), Afterwards::Checked { inside: false, .. }));
}

fn program(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glasshead"));
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    command
}

/// Runs the program; its standard output.
fn output(arguments: &str) -> String {
    let output = program(arguments).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {message}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(arguments: &str) -> String {
    let output = program(arguments).output().unwrap();
    assert!(!output.status.success(), "{arguments}");
    String::from_utf8(output.stderr).unwrap()
}

const SMALL: &str =
    "--backend cpu --context-length 16 --batch-size 4 --megabytes 1 --budgets 2 --sizes 3 --size-ratio 1.3";

fn results(folder: &Path) -> BTreeMap<String, Vec<Point>> {
    let files = fs::read_dir(folder.join("results")).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        let result: RunResult = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!(result.outcome, Outcome::Done);
        (result.id, result.points)
    };
    files.map(read).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() { copy(&entry, &target) } else { fs::copy(&entry, &target).map(drop).unwrap() }
    }
}

/// Kills two processes that work on one folder at random moments, again and again, until all runs are finished. Results are
/// those of one process that nothing disturbed, and no run is executed after it is finished.
#[test]
fn kills_neither_lose_nor_repeat_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let [calm, rough] = ["calm", "rough"].map(|name| folder.path().join(name));
    for schedule in ["cosine", "wsd"] {
        let [calm, rough] = [&calm, &rough].map(|path| path.join(schedule));
        fs::create_dir_all(folder.path().join("calm")).unwrap();
        output(&format!("scale plan --flops 5e9 --lr 0.03 {SMALL} --schedule {schedule} --out {}", calm.display()));
        copy(&calm, &rough);
        output(&format!("scale run {} --backend cpu", calm.display()));
        // As a scheduler starts its tasks.
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scaling/sweep.sbatch");
        let start = || -> Child {
            let mut command = Command::new("bash");
            command.arg(&script).args(["--save-every", "0.05"]).stdin(Stdio::null()).stdout(Stdio::null());
            command.env("GLASSHEAD", env!("CARGO_BIN_EXE_glasshead")).env("SWEEP", &rough).env("BACKEND", "cpu");
            command.spawn().unwrap()
        };
        let mut rng = Rng::new(9);
        for _ in 0..4 {
            let mut workers = [start(), start()];
            for worker in &mut workers {
                sleep(Duration::from_millis(u64::from(200 + rng.below(900))));
                worker.kill().unwrap();
                worker.wait().unwrap();
            }
        }
        let mut workers = [start(), start()];
        assert!(workers.iter_mut().all(|worker| worker.wait().unwrap().success()));
        let expected = results(&calm);
        assert!(expected.len() >= 3, "{expected:?}");
        assert_eq!(results(&rough), expected, "{schedule}");
        let log = fs::read_to_string(rough.join("log.jsonl")).unwrap();
        let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for id in expected.keys() {
            let of_run: Vec<&str> = events
                .iter()
                .filter(|event| event["run"] == **id)
                .map(|event| event["event"].as_str().unwrap())
                .collect();
            let finishes = of_run.iter().filter(|event| **event == "finish").count();
            // A process that is killed between storing the result and logging it leaves no line.
            assert!(finishes <= 1 && (finishes == 0 || of_run.last() == Some(&"finish")), "{id}: {of_run:?}");
        }
        let table = |path: &Path| fs::read_to_string(path.join("runs.csv")).unwrap();
        assert_eq!(table(&rough), table(&calm));
    }
}

#[test]
fn a_diverging_sweep_ends_with_repetitions_that_are_marked() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = folder.path().join("sweep");
    output(&format!("scale plan --flops 4e8 --lr 1e6 {SMALL} --out {}", sweep.display()));
    output(&format!("scale run {} --backend cpu", sweep.display()));
    let status: Value = serde_json::from_str(&output(&format!("scale status {} --json", sweep.display()))).unwrap();
    let runs = status["runs"].as_array().unwrap();
    assert!(runs.iter().all(|run| run["state"] == "diverged"), "{status}");
    assert_eq!(runs.iter().filter(|run| run["attempt"] == 1).count() * 2, runs.len());
    let message = refused(&format!("scale predict {}", sweep.display()));
    assert!(message.contains("2 budgets whose minimum is bracketed"), "{message}");
}

#[test]
fn a_prediction_is_sealed_before_its_check() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = folder.path().join("sweep");
    let at = sweep.display();
    output(&format!("scale plan --flops 1.2e9 --lr 0.03 {SMALL} --out {at}"));
    // Results of a planted law, whose minima are bracketed.
    let entries = fs::read_dir(sweep.join("runs")).unwrap();
    let specs: Vec<SweepRun> =
        entries.map(|entry| serde_json::from_slice(&fs::read(entry.unwrap().path()).unwrap()).unwrap()).collect();
    for spec in &specs {
        let mut sizes: Vec<u64> = specs
            .iter()
            .filter(|other| other.horizons[0].budget == spec.horizons[0].budget)
            .map(|other| other.n_params)
            .collect();
        sizes.sort_unstable();
        let middle = sizes[1] as f64 * (spec.horizons[0].budget / 1.2e9).powf(0.1);
        let tokens = spec.horizons[0].steps * spec.config.tokens_per_step() as u64;
        let loss = 2.5 * (spec.horizons[0].budget / 1e9).powf(-0.1) + (spec.n_params as f64 / middle).ln().powi(2);
        let points = vec![Point { budget: spec.horizons[0].budget, tokens, loss }];
        let result = RunResult { id: spec.id.clone(), outcome: Outcome::Done, points, seconds: 1.0 };
        fs::write(sweep.join(format!("results/{}.json", spec.id)), serde_json::to_vec(&result).unwrap()).unwrap();
    }
    let message = refused(&format!("scale check {at} --backend cpu"));
    assert!(message.contains("there is no sealed prediction to check"), "{message}");
    let json = |text: String| -> Value { serde_json::from_str(&text).unwrap() };
    let history = |arguments: &str| json(output(arguments))["predictions"].as_array().unwrap().clone();
    let sealed = history(&format!("scale predict {at} --json"));
    assert!(sealed[0]["afterwards"].is_null() && sealed[0]["intact"] == true, "{sealed:?}");
    let message = refused(&format!("scale predict {at} --at 9e9"));
    assert!(message.contains("is sealed and not checked yet"), "{message}");

    // Breaking the seal is recorded, and a new prediction can be made.
    let broken = history(&format!("scale predict {at} --break-seal typo --json"));
    assert_eq!(broken[0]["afterwards"]["reason"], "typo");
    history(&format!("scale predict {at} --json"));
    let checked = history(&format!("scale check {at} --backend cpu --json"));
    let after = &checked[1]["afterwards"];
    assert!(after["event"] == "checked" && after["loss"].as_f64().unwrap() > 0.5, "{after}");
    let ratio = checked[1]["prediction"]["loss"].as_f64().unwrap() / after["loss"].as_f64().unwrap();
    assert!((after["error"].as_f64().unwrap() - ratio + 1.0).abs() < 1e-9);

    // A changed prediction is noticed before its check run starts.
    history(&format!("scale predict {at} --json"));
    let path = sweep.join("predictions/0003.json");
    let mut changed: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    changed["prediction"]["loss"] = 2.0.into();
    fs::write(&path, changed.to_string()).unwrap();
    let message = refused(&format!("scale check {at} --backend cpu"));
    assert!(message.contains("not the one that was sealed; this is recorded"), "{message}");
    output(&format!("scale run {at} --backend cpu"));
    let table = output(&format!("scale fit {at}/runs.csv --json"));
    assert_eq!(json(table)["budgets"].as_array().unwrap().len(), 2, "check runs do not enter the fit");
}
