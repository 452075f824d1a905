//! The page and the command line train with one driver: equal settings give equal losses, and each opens what the other has
//! saved.

use std::cell::RefCell;
use std::path::Path;
use std::process::Command as Program;
use std::rc::Rc;
use std::time::Instant;

use glasshead::config::rules::Rules;
use glasshead::config::{Preset, RunConfig};
use glasshead::data::Task;
use glasshead::run::native::{self, load};
use glasshead::run::{Driver, Evaluation, Observer, RunSpec, Steps, TaskScore, TextSource};
use glasshead::serve::Session;
use glasshead::train::trainer::TrainingState;
use glasshead::types::{BackendChoice, CorpusChoice, FileInfo, StepPoint, VocabularyChoice};
use glasshead::wire::runs::{RunsCommand, RunsEvent};
use glasshead::wire::{Command, Event, Message};
use pollster::block_on;

const STEPS: u64 = 50;

/// The configuration of `glasshead train --task copy --seed 7 --steps 50`.
fn config() -> RunConfig {
    let mut config = Preset::Nano.config();
    (config.model.vocab_size, config.train.seed, config.train.schedule_steps) = (257, 7, STEPS);
    config.train.warmup_steps = config.train.warmup_steps.min(STEPS / 10);
    config
}

/// The number of the task on the page.
fn copy() -> CorpusChoice {
    TextSource::Task(Task::Copy).choice()
}

/// A session on the CPU, and its messages.
struct Page {
    session: Session,
    messages: Rc<RefCell<Vec<Message>>>,
}

impl Page {
    fn new(stop_steps: u64) -> Self {
        let messages: Rc<RefCell<Vec<Message>>> = Rc::default();
        let (sink, began) = (messages.clone(), Instant::now());
        let sink = Box::new(move |event, bytes| sink.borrow_mut().push((event, bytes)));
        let session = Session::new(sink, Box::new(move || began.elapsed().as_secs_f64()));
        let mut page = Self { session, messages };
        let rules = Rules { stop_steps: Some(stop_steps), ..Rules::default() };
        page.send(Command::Runs { command: RunsCommand::Rules(rules) }, None);
        page
    }

    fn send(&mut self, command: Command, bytes: Option<Vec<u8>>) {
        block_on(self.session.handle(command, bytes));
    }

    fn start(&mut self, config: RunConfig, corpus: CorpusChoice) {
        let (backend, probe) = (BackendChoice::Cpu, "a cat".to_string());
        let vocabulary = VocabularyChoice::Trained;
        self.send(Command::Start { run: 1, config, corpus, vocabulary, backend, probe }, None);
    }

    fn resume(&mut self, file: Vec<u8>) {
        let command = RunsCommand::Resume { run: 2, backend: BackendChoice::Cpu, probe: "a cat".into() };
        self.send(Command::Runs { command }, Some(file));
    }

    /// Trains until the rule stops it, and returns all steps.
    fn train(&mut self) -> Vec<StepPoint> {
        self.messages.borrow_mut().clear();
        self.send(Command::Train, None);
        while block_on(self.session.work()) {}
        let messages = self.messages.borrow();
        let points = |(event, _): &Message| match event {
            Event::Progress { points, .. } => points.clone(),
            Event::Failed { message, .. } => panic!("{message}"),
            _ => Vec::new(),
        };
        messages.iter().flat_map(points).collect()
    }

    fn save(&mut self) -> Vec<u8> {
        self.send(Command::Runs { command: RunsCommand::Save { name: "saved".into() } }, None);
        let messages = self.messages.borrow();
        let saved = |(event, bytes): &Message| match event {
            Event::Runs { event: RunsEvent::Saved { .. }, .. } => bytes.clone(),
            _ => None,
        };
        messages.iter().rev().find_map(saved).expect("the run's file")
    }

    fn runs_event<T>(&self, of: impl Fn(&RunsEvent) -> Option<T>) -> Option<T> {
        self.messages.borrow().iter().rev().find_map(|(event, _)| match event {
            Event::Runs { event, .. } => of(event),
            _ => None,
        })
    }

    fn notices(&self) -> Vec<String> {
        let messages = self.messages.borrow();
        let notice = |(event, _): &Message| match event {
            Event::Notice { message, .. } => Some(message.clone()),
            _ => None,
        };
        messages.iter().filter_map(notice).collect()
    }
}

/// Runs the program, which has to succeed.
fn glasshead(arguments: &[&str]) {
    let output = Program::new(env!("CARGO_BIN_EXE_glasshead")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The bits of the losses in a log, by step.
fn logged(folder: &Path) -> Vec<(u64, u32)> {
    let text = std::fs::read_to_string(folder.join("log.csv")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        Some((cells[0].parse().ok()?, cells[3].parse::<f32>().ok()?.to_bits()))
    };
    text.lines().filter_map(row).collect()
}

fn bits(points: &[StepPoint]) -> Vec<(u64, u32)> {
    points.iter().map(|point| (point.step, point.loss.to_bits())).collect()
}

#[test]
fn the_page_and_the_command_line_compute_the_same_losses() {
    let folder = tempfile::tempdir().unwrap();
    let [model, log] = ["model", "log"].map(|name| folder.path().join(name).display().to_string());
    let train = ["train", "--task", "copy", "--seed", "7", "--steps", "50", "--backend", "cpu", "--json"];
    glasshead(&[&train[..], &["--out", &model, "--log-dir", &log]].concat());
    let mut page = Page::new(STEPS);
    page.start(config(), copy());
    let points = page.train();
    assert_eq!(points.len() as u64, STEPS);
    assert_eq!(logged(&folder.path().join("log")), bits(&points));
}

#[test]
fn the_page_opens_a_checkpoint_of_the_command_line_with_everything_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model").display().to_string();
    let train = ["train", "--task", "copy", "--seed", "7", "--steps", "50", "--set", "max_lr=0.002"];
    let half = ["--stop-tokens", "25000", "--eval-every", "7", "--backend", "cpu", "--json", "--out", &model];
    glasshead(&[&train[..], &half].concat());
    let done = load(Path::new(&model)).map_err(|error| error.to_string()).unwrap().checkpoint.state.step;
    assert!(done > 0 && done < STEPS, "{done}");
    let mut page = Page::new(STEPS);
    page.resume(std::fs::read(folder.path().join("model/checkpoint.safetensors")).unwrap());
    assert_eq!(page.notices(), Vec::<String>::new(), "nothing had to be guessed");
    let record = page.runs_event(|event| match event {
        RunsEvent::Resumed { record, .. } => Some((**record).clone()),
        _ => None,
    });
    let record = record.expect("it resumes");
    assert_eq!((record.name.as_str(), record.corpus.choice), ("model", copy()));
    assert_eq!(record.history.points.len() as u64, done);
    assert_eq!(record.history.validation.first().map(|val| val.step), Some(0));
    let mut whole = Page::new(STEPS);
    let mut uninterrupted = config();
    uninterrupted.train.max_lr = 0.002;
    whole.start(uninterrupted, copy());
    let expected = bits(&whole.train());
    assert_eq!(bits(&record.history.points), expected[..done as usize]);
    assert_eq!(bits(&page.train()), expected[done as usize..]);
}

#[test]
fn the_command_line_continues_a_run_of_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let [model, log] = ["model", "log"].map(|name| folder.path().join(name));
    let mut page = Page::new(20);
    page.start(config(), copy());
    let first = page.train();
    std::fs::create_dir(&model).unwrap();
    std::fs::write(model.join("checkpoint.safetensors"), page.save()).unwrap();
    let [model, log_dir] = [&model, &log].map(|path| path.display().to_string());
    // Which task it was trained on is in the file.
    glasshead(&["train", "--resume", &model, "--out", &model, "--log-dir", &log_dir, "--backend", "cpu", "--json"]);
    let mut whole = Page::new(STEPS);
    whole.start(config(), copy());
    let expected = bits(&whole.train());
    assert_eq!([bits(&first), logged(&log)].concat(), expected);
    let saved = load(Path::new(&model)).map_err(|error| error.to_string()).unwrap();
    let record = saved.record.expect("the record is written again");
    assert_eq!((record.name.as_str(), record.history.points.len() as u64), ("saved", STEPS));
}

#[test]
fn a_file_that_the_command_line_was_trained_on_is_recognized_by_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let [text, model] = ["cat.txt", "model"].map(|name| folder.path().join(name));
    let words = "The cat sat on the mat, and the dog sat on the log. ".repeat(100);
    std::fs::write(&text, &words).unwrap();
    let [text, model] = [&text, &model].map(|path| path.display().to_string());
    let small = ["--set", "vocab_size=260", "--set", "context_length=16", "--set", "batch_size=2"];
    let train = ["train", "--text", &text, "--steps", "5", "--backend", "cpu", "--json", "--out", &model];
    glasshead(&[&train[..], &small].concat());
    let file = std::fs::read(folder.path().join("model/checkpoint.safetensors")).unwrap();
    let mut page = Page::new(9);
    page.resume(file);
    let needs = page.runs_event(|event| match event {
        RunsEvent::NeedsFile { name, problem, .. } => Some((name.clone(), problem.clone())),
        _ => None,
    });
    assert_eq!(needs, Some(("cat.txt".into(), None)));
    for (content, expected) in [(words.replace("cat", "cow"), false), (words, true)] {
        let files = vec![FileInfo { name: "cat.txt".into(), size: content.len(), fields: Vec::new() }];
        page.send(Command::LoadFiles { files }, Some(content.into_bytes()));
        let resumed = page.runs_event(|event| matches!(event, RunsEvent::Resumed { .. }).then_some(()));
        assert_eq!(resumed.is_some(), expected);
    }
    assert_eq!(page.train().len(), 4);
}

/// Collects losses.
#[derive(Default)]
struct Losses(Vec<StepPoint>);

impl Observer for Losses {
    fn steps(&mut self, steps: Steps<'_>) {
        self.0.extend_from_slice(steps.points);
    }
}

#[test]
fn a_specification_is_a_run_and_survives_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = RunSpec::new("short", config());
    (spec.text, spec.backend) = (TextSource::Task(Task::Copy), BackendChoice::Cpu);
    spec.rules.stop_steps = Some(12);
    let json = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<RunSpec>(&json).unwrap(), spec);
    assert!(json.contains(r#""text":{"task":"copy"}"#), "{json}");
    let mut losses = Losses::default();
    let outcome = block_on(native::run(&spec, folder.path(), None, &mut losses)).map_err(|error| error.to_string());
    let outcome = outcome.unwrap();
    assert_eq!((outcome.step, losses.0.len()), (12, 12));
    assert!(
        outcome.val_loss.is_some_and(f32::is_finite)
            && outcome.reason.as_ref().is_some_and(|reason| reason.contains("12 steps")),
        "{outcome:?}"
    );
    let mut page = Page::new(12);
    page.start(config(), copy());
    assert_eq!(bits(&page.train()), bits(&losses.0));
    let seeds: Vec<u64> = spec.seeds(3).iter().map(|spec| spec.config.train.seed).collect();
    assert_eq!(seeds, [7, 8, 9]);
}

/// Notes what happens, apart from steps.
#[derive(Default)]
struct Order(Vec<String>);

impl Observer for Order {
    fn evaluated(&mut self, evaluation: Evaluation) {
        self.0.push(format!("evaluated {}{}", evaluation.point.step, if evaluation.last { ", the last" } else { "" }));
    }

    fn task_evaluated(&mut self, score: TaskScore<'_>) {
        assert_eq!(score.answers.len(), score.of);
        self.0.push(format!("{} examples at {}", score.of, score.step));
    }

    fn snapshot(&mut self, driver: &Driver, state: &TrainingState) {
        assert_eq!(state.step, driver.steps_done());
        self.0.push(format!("saved {}", state.step));
    }

    fn sample(&mut self, step: u64, _text: &str) {
        self.0.push(format!("sample {step}"));
    }

    fn training(&mut self, on: bool) {
        self.0.push(format!("training {on}"));
    }

    fn stopped(&mut self, reason: &str) {
        self.0.push(format!("stopped: {reason}"));
    }
}

#[test]
fn an_unattended_run_evaluates_saves_and_ends_in_this_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config();
    (config.model.context_length, config.model.d_model, config.model.d_ff) = (16, 8, 8);
    (config.model.n_layers, config.model.n_heads, config.model.n_kv_heads, config.train.batch_size) = (1, 2, 2, 2);
    let mut spec = RunSpec::new("ordered", config);
    (spec.text, spec.backend, spec.samples) = (TextSource::Task(Task::Copy), BackendChoice::Cpu, true);
    (spec.rules.stop_steps, spec.rules.evaluate_every, spec.snapshot_seconds) = (Some(7), Some(1), 1e6);
    let mut order = Order::default();
    block_on(native::run(&spec, folder.path(), None, &mut order)).unwrap_or_else(|error| panic!("{error}"));
    let evaluated = |step: u64| [format!("50 examples at {step}"), format!("evaluated {step}")];
    let saved = |step: u64| [format!("saved {step}"), format!("sample {step}")];
    let mut expected = vec!["training true".to_string(), "evaluated 0".into()];
    expected.extend((1..=5).flat_map(evaluated).chain(saved(5)).chain(evaluated(6)));
    expected.extend(["500 examples at 7".to_string(), "evaluated 7, the last".into()].into_iter().chain(saved(7)));
    expected.extend(["stopped: 7 steps are done".to_string(), "training false".into()]);
    assert_eq!(order.0, expected);
}
