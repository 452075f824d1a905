//! Queues of runs: threads, kills, pauses, failures and series of seeds.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use glasshead::config::{Preset, RunConfig};
use glasshead::data::Task;
use glasshead::run::native::run;
use glasshead::run::queue::{Queue, QueueError, Report, State, Summary};
use glasshead::run::{RunSpec, TextSource};
use glasshead::types::series::{Band, Series};
use glasshead::types::{BackendChoice, History, StepPoint, ValidationPoint};
use pollster::block_on;

/// A model that trains a step in about a millisecond.
fn config() -> RunConfig {
    let mut config = Preset::Nano.config();
    let model = &mut config.model;
    (model.vocab_size, model.context_length, model.d_model, model.d_ff) = (257, 16, 8, 8);
    (model.n_layers, model.n_heads, model.n_kv_heads) = (1, 2, 2);
    (config.train.batch_size, config.train.schedule_steps, config.train.warmup_steps) = (2, 40, 4);
    config
}

fn spec(name: &str) -> RunSpec {
    let mut spec = RunSpec::new(name, config());
    (spec.text, spec.backend) = (TextSource::Task(Task::Copy), BackendChoice::Cpu);
    // Saved between evaluations, too, and at the last step also before its evaluation.
    spec.snapshot_seconds = 0.0;
    spec
}

fn long(name: &str, n_steps: u64) -> RunSpec {
    let mut spec = spec(name);
    spec.config.train.schedule_steps = n_steps;
    (spec.rules.stop_steps, spec.rules.evaluate_every) = (Some(n_steps), Some(200));
    spec.snapshot_seconds = 0.02;
    spec
}

fn works<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// The rows of a log without the time.
fn rows(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("log.csv")).unwrap();
    let row = |line: &str| {
        let mut cells: Vec<&str> = line.split(',').collect();
        cells.remove(2);
        cells.join(",")
    };
    text.lines().map(row).collect()
}

fn silent(_: Report<'_>) {}

#[test]
fn seeds_of_one_specification_are_a_series() {
    let folder = tempfile::tempdir().unwrap();
    let queue = works(Queue::open(&folder.path().join("queue")));
    let ids = works(queue.extend(&spec("a/b c").seeds(3)));
    assert_eq!(ids, ["0001-a-b-c", "0002-a-b-c", "0003-a-b-c"]);
    let ended = Mutex::new(Vec::new());
    let report = |report: Report<'_>| {
        if let Report::Ended(entry, State::Done { step, .. }) = report {
            ended.lock().unwrap().push((entry.id.clone(), *step));
        }
    };
    assert_eq!(works(queue.run(2, &report)), Summary { done: 3, ..Summary::default() });
    let mut ended = ended.into_inner().unwrap();
    ended.sort();
    assert_eq!(ended, ids.iter().map(|id| (id.clone(), 40)).collect::<Vec<_>>());
    let series = works(queue.series());
    let [(entries, series)] = &series[..] else { panic!("{} series", series.len()) };
    let alone = folder.path().join("alone");
    let outcome = works(block_on(run(&entries[1].spec, &alone, None, &mut ())));
    let last = entries.iter().map(|entry| works(entry.history()).validation.last().unwrap().loss).collect::<Vec<_>>();
    assert_eq!(outcome.val_loss, Some(last[1]), "a run of a queue is the run of its specification");
    let band = series.validation.last().unwrap();
    let mean = last.iter().map(|&loss| f64::from(loss)).sum::<f64>() / 3.0;
    let (min, max) = (last.iter().copied().fold(f32::MAX, f32::min), last.iter().copied().fold(0.0, f32::max));
    assert_eq!(*band, Band { step: 40, n: 3, mean, min, max });
    assert!(min < max, "the seeds differ: {last:?}");
    assert_eq!((series.training.len(), series.training[0].step), (40, 1));
    // Nothing is left.
    assert_eq!(works(queue.run(1, &silent)), Summary::default());
}

#[test]
fn a_band_holds_the_runs_that_have_reached_its_step() {
    let history = |losses: &[f32]| History {
        points: Vec::<StepPoint>::new(),
        validation: (1..).zip(losses).map(|(step, &loss)| ValidationPoint { step, loss }).collect(),
    };
    let series = Series::new(&[history(&[4.0, 3.0]), history(&[2.0])]);
    let both = Band { step: 1, n: 2, mean: 3.0, min: 2.0, max: 4.0 };
    assert_eq!(series.validation, [both, Band { step: 2, n: 1, mean: 3.0, min: 3.0, max: 3.0 }]);
    assert_eq!(series.training, []);
}

#[test]
fn a_queue_that_is_killed_again_and_again_ends_as_one_that_never_was() {
    const STEPS: u64 = 3000;
    let folder = tempfile::tempdir().unwrap();
    let [whole, killed] = ["whole", "killed"].map(|name| works(Queue::open(&folder.path().join(name))));
    for queue in [&whole, &killed] {
        works(queue.extend(&long("run", STEPS).seeds(2)));
    }
    assert_eq!(works(whole.run(2, &silent)).done, 2);
    let mut kills = 0;
    loop {
        assert!(kills < 60, "it does not get on");
        let mut command = Command::new(env!("CARGO_BIN_EXE_glasshead"));
        command.args(["--threads", "1", "queue", "run", "--jobs", "2"]).arg(folder.path().join("killed"));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if began.elapsed() > Duration::from_millis(900 + 100 * kills) {
                break None;
            }
            sleep(Duration::from_millis(5));
        };
        drop(child.kill()); // SIGKILL; may fail once it has exited
        child.wait().unwrap();
        if let Some(status) = ended {
            assert!(status.success());
            break;
        }
        kills += 1;
    }
    println!("{kills} kills");
    for (a, b) in works(whole.entries()).iter().zip(&works(killed.entries())) {
        assert!(matches!(b.state, State::Done { step: STEPS, .. }), "{:?}", b.state);
        assert!(rows(&a.log()) == rows(&b.log()), "the logs differ");
        let state =
            |entry: &glasshead::run::queue::Entry| works(glasshead::run::native::load(&entry.model())).checkpoint.state;
        assert!(state(a) == state(b), "the states differ");
    }
}

#[test]
fn a_paused_queue_is_saved_and_continues() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, paused] = ["whole", "paused"].map(|name| works(Queue::open(&folder.path().join(name))));
    for queue in [&whole, &paused] {
        let mut spec = long("run", 2000);
        spec.snapshot_seconds = 1e6;
        works(queue.add(&spec));
    }
    works(whole.run(1, &silent));
    let summary = scope(|scope| {
        let pause = scope.spawn(|| {
            // Once it trains.
            let log = paused.entries().unwrap()[0].log().join("log.csv");
            while fs::metadata(&log).map_or(0, |facts| facts.len()) < 4000 {
                sleep(Duration::from_millis(1));
            }
            let running = works(paused.entries())[0].running;
            works(paused.pause());
            running
        });
        let summary = works(paused.run(1, &silent));
        assert!(pause.join().unwrap(), "it is shown as running");
        summary
    });
    assert_eq!(summary, Summary { stopped: 1, ..Summary::default() });
    let entry = works(paused.entries()).remove(0);
    let State::Stopped { step } = entry.state else { panic!("{:?}", entry.state) };
    assert!(step > 0 && step < 2000 && !entry.running, "{step}");
    assert_eq!(works(paused.run(1, &silent)), Summary::default(), "nothing begins during a pause");
    works(paused.unpause());
    works(paused.add(&spec("later")));
    assert_eq!(works(paused.run(1, &silent)).done, 2);
    let [a, b] = [&whole, &paused].map(|queue| works(queue.entries())[0].log());
    let of_steps = |rows: Vec<String>| rows.into_iter().filter(|row| row.split(',').count() == 6).collect::<Vec<_>>();
    assert_eq!(of_steps(rows(&a)), of_steps(rows(&b)), "every step once, with the same losses");
}

#[test]
fn a_run_that_fails_says_why_and_does_not_end_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let queue = works(Queue::open(folder.path()));
    let mut wild = spec("wild");
    (wild.config.train.max_lr, wild.config.train.min_lr, wild.config.train.warmup_steps) = (1e30, 1e30, 0);
    works(queue.extend(&[wild, spec("calm")]));
    assert_eq!(works(queue.run(1, &silent)), Summary { done: 1, failed: 1, stopped: 0 });
    let entries = works(queue.entries());
    assert!(matches!(&entries[0].state, State::Failed { message } if message.contains("it began in the")));
    assert!(matches!(&entries[1].state, State::Done { step: 40, .. }));
    // Longer than it was first asked for.
    let mut longer = spec("calm");
    longer.rules.stop_steps = Some(60);
    works(queue.continue_with(&entries[1], &longer));
    assert_eq!(works(queue.run(1, &silent)).done, 1);
    assert!(matches!(works(queue.entries())[1].state, State::Done { step: 60, .. }));
}

#[test]
fn what_cannot_be_a_queue_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let queue = works(Queue::open(folder.path()));
    let mut wrong = spec("wrong");
    wrong.config.train.batch_size = 0;
    let error = queue.add(&wrong).unwrap_err();
    assert!(error.to_string().starts_with("the run wrong cannot be added: batch_size"), "{error}");
    let id = works(queue.add(&spec("run")));
    let path = folder.path().join(id).join("spec.json");
    for text in ["", "{", "[]", r#"{"name":"run","config":{},"unknown":1}"#] {
        fs::write(&path, text).unwrap();
        let error = queue.entries().unwrap_err();
        assert!(matches!(error, QueueError::Format { .. }), "{error}");
        assert!(error.to_string().contains("spec.json is not valid"), "{error}");
    }
    // A specification that is written by hand is checked before it trains.
    fs::write(&path, serde_json::to_string(&wrong).unwrap()).unwrap();
    assert_eq!(works(queue.run(1, &silent)).failed, 1);
}
