//! Runs as a whole: saved and resumed, stopped by rules, logged, compared, and used by the learning-rate search.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use glasshead::config::rules::{Rules, Standing};
use glasshead::config::{Preset, RunConfig};
use glasshead::serve::Session;
use glasshead::train::checkpoint::Checkpoint;
use glasshead::types::runs::{CorpusRecord, RunRecord};
use glasshead::types::{
    BackendChoice, CorpusChoice, FileInfo, History, Sampling, StepPoint, ValidationPoint, VocabularyChoice,
};
use glasshead::wire::Message;
use glasshead::wire::runs::{RunsCommand, RunsEvent};
use glasshead::wire::{Command, Event};
use glasshead_page::state::compare::compare;
use glasshead_page::state::runs::{MAX_RUNS, RunsAction};
use glasshead_page::state::{Action, State, Vocabulary};
use pollster::block_on;

use crate::step::awkward;

const TEXT: &str = "the cat sat on the mat and the dog sat on the log. ";

/// A session on the CPU whose clock advances by a hundredth of a second at every reading.
struct ShardServer {
    session: Session,
    heard: Rc<RefCell<Vec<Message>>>,
}

impl ShardServer {
    fn new() -> Self {
        let heard: Rc<RefCell<Vec<Message>>> = Rc::default();
        let (sink, time) = (heard.clone(), Cell::new(0.0));
        let clock = move || {
            time.set(time.get() + 0.01);
            time.get()
        };
        let sink = Box::new(move |event, bytes| sink.borrow_mut().push((event, bytes)));
        Self { session: Session::new(sink, Box::new(clock)), heard }
    }

    fn tell(&mut self, command: Command, bytes: Option<Vec<u8>>) {
        block_on(self.session.handle(command, bytes));
    }

    fn tell_runs(&mut self, command: RunsCommand, bytes: Option<Vec<u8>>) {
        self.tell(Command::Runs { command }, bytes);
    }

    fn start(&mut self, corpus: CorpusChoice) {
        let (backend, probe) = (BackendChoice::Cpu, "a cat".to_string());
        self.tell(
            Command::Start { run: 1, config: config(), corpus, vocabulary: VocabularyChoice::Trained, backend, probe },
            None,
        );
    }

    fn steps(&mut self, n: usize) {
        for _ in 0..n {
            self.tell(Command::Step, None);
            self.work();
        }
    }

    fn work(&mut self) {
        while block_on(self.session.work()) {}
    }

    fn save(&mut self) -> Vec<u8> {
        self.tell_runs(RunsCommand::Save { name: "first".into() }, None);
        let (event, bytes) = self.heard.borrow_mut().pop().expect("an answer");
        assert!(matches!(event, Event::Runs { event: RunsEvent::Saved { .. }, .. }), "{event:?}");
        bytes.expect("the file rides along")
    }

    fn resume(&mut self, bytes: &[u8]) {
        let (backend, probe) = (BackendChoice::Cpu, "a cat".to_string());
        self.tell_runs(RunsCommand::Resume { run: 7, backend, probe }, Some(bytes.to_vec()));
    }

    fn runs_events(&self) -> Vec<RunsEvent> {
        let events = self.heard.borrow();
        let event = |(event, _): &Message| match event {
            Event::Runs { event, .. } => Some(event.clone()),
            _ => None,
        };
        events.iter().filter_map(event).collect()
    }
}

fn config() -> RunConfig {
    let mut config = awkward();
    (config.train.warmup_steps, config.train.max_lr) = (5, 1e-2);
    config
}

fn file(name: &str, copies: usize) -> (Command, Option<Vec<u8>>) {
    let bytes = TEXT.repeat(copies).into_bytes();
    (
        Command::LoadFiles { files: vec![FileInfo { name: name.into(), size: bytes.len(), fields: Vec::new() }] },
        Some(bytes),
    )
}

fn user_file() -> (Command, Option<Vec<u8>>) {
    file("mine.txt", 400)
}

#[test]
fn a_saved_session_goes_on_elsewhere_as_if_it_had_never_stopped() {
    let mut whole = ShardServer::new();
    whole.start(CorpusChoice::BuiltIn);
    whole.steps(6);
    let mut first = ShardServer::new();
    first.start(CorpusChoice::BuiltIn);
    first.steps(2);
    let bytes = first.save();
    let mut second = ShardServer::new();
    second.resume(&bytes);
    let history = second.runs_events().into_iter().find_map(|event| match event {
        RunsEvent::Resumed { record, .. } => Some(record.history),
        _ => None,
    });
    assert_eq!(history.expect("it has resumed").points.len(), 2, "the losses come back");
    second.steps(4);
    let [a, b] = [whole, second].map(|mut desk| Checkpoint::from_bytes(&desk.save()).expect("a checkpoint"));
    assert_eq!(a.state.step, 6);
    assert!(a.state == b.state && a.config == b.config, "resuming has changed the run");
}

#[test]
fn a_run_on_a_users_file_asks_for_it_and_takes_no_other() {
    let mut first = ShardServer::new();
    let (load, bytes) = user_file();
    first.tell(load, bytes);
    first.start(CorpusChoice::File);
    first.steps(1);
    let saved = first.save();
    let mut second = ShardServer::new();
    second.start(CorpusChoice::BuiltIn);
    second.resume(&saved);
    let asked = |problem: bool| move |event: &RunsEvent| matches!(event, RunsEvent::NeedsFile { name, problem: p, .. } if name == "mine.txt" && p.is_some() == problem);
    assert!(second.runs_events().last().is_some_and(asked(false)));
    let (load, bytes) = file("other.txt", 300);
    second.tell(load, bytes);
    assert!(second.runs_events().last().is_some_and(asked(true)), "another text is refused");
    second.steps(1); // the current run continues meanwhile
    let (load, bytes) = user_file();
    second.tell(load, bytes);
    assert!(matches!(second.runs_events().last(), Some(RunsEvent::Resumed { .. })));
    second.steps(1);
    let state = Checkpoint::from_bytes(&second.save()).expect("a checkpoint").state;
    assert_eq!(state.step, 2);
}

#[test]
fn a_file_that_is_no_run_leaves_the_present_one_alone() {
    let mut desk = ShardServer::new();
    desk.start(CorpusChoice::BuiltIn);
    desk.steps(2);
    let good = desk.save();
    for bytes in [&good[..good.len() / 2], b"no".as_slice(), &[]] {
        desk.resume(bytes);
        assert!(matches!(desk.runs_events().last(), Some(RunsEvent::ResumeFailed { .. })));
    }
    desk.steps(1);
    assert_eq!(Checkpoint::from_bytes(&desk.save()).expect("a checkpoint").state.step, 3);
}

#[test]
fn rules_stop_on_the_step_and_say_why() {
    let now = Standing { step: 50, tokens_per_step: 20, seconds: 9.0, val_loss: Some(2.0) };
    let none = Rules::default();
    assert_eq!(none.reached(&now), None);
    let cases = [
        (Rules { stop_steps: Some(50), ..none }, Rules { stop_steps: Some(51), ..none }, "50 steps"),
        (Rules { stop_tokens: Some(1_000), ..none }, Rules { stop_tokens: Some(1_001), ..none }, "1000 tokens"),
        (Rules { stop_loss: Some(2.0), ..none }, Rules { stop_loss: Some(1.99), ..none }, "held-out loss is 2.000"),
        (Rules { stop_seconds: Some(9.0), ..none }, Rules { stop_seconds: Some(9.1), ..none }, "9.0 s"),
    ];
    for (stops, goes_on, reason) in cases {
        assert!(stops.reached(&now).is_some_and(|text| text.contains(reason)), "{reason}");
        assert_eq!(goes_on.reached(&now), None, "{reason}");
    }
    let rules = Rules { stop_steps: Some(50), stop_tokens: Some(901), evaluate_every: Some(8), ..none };
    assert_eq!(rules.steps_ahead(32, 20, 100), 8);
    assert_eq!(rules.steps_ahead(45, 20, 100), 1, "46 steps have 920 tokens");
    assert_eq!(rules.steps_ahead(60, 20, 100), 0);
    assert_eq!((rules.evaluation_due(16), rules.evaluation_due(0), rules.evaluation_due(9)), (true, false, false));
    assert!(Rules { stop_loss: Some(f64::NAN), ..none }.validate().is_err());
    assert!(Rules { evaluate_every: Some(0), ..none }.validate().is_err());
}

#[test]
fn a_session_obeys_its_rules() {
    let mut desk = ShardServer::new();
    desk.start(CorpusChoice::BuiltIn);
    let rules = Rules { stop_steps: Some(23), evaluate_every: Some(5), ..Rules::default() };
    desk.tell_runs(RunsCommand::Rules(rules), None);
    desk.tell(Command::Train, None);
    desk.work();
    let progress: Vec<(u64, Vec<ValidationPoint>)> = desk
        .heard
        .borrow()
        .iter()
        .filter_map(|(event, _)| match event {
            Event::Progress { step, validation, .. } => Some((*step, validation.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(progress.last().map(|&(step, _)| step), Some(23));
    let evaluated: Vec<u64> = progress.iter().flat_map(|(_, list)| list.iter().map(|val| val.step)).collect();
    assert_eq!(evaluated, [0, 5, 10, 15, 20, 23]);
    assert!(matches!(desk.runs_events().last(), Some(RunsEvent::Stopped { message }) if message.contains("23 steps")));
    assert!(matches!(
        desk.heard.borrow().last(),
        Some((Event::Attention { .. } | Event::Training { on: false, .. }, _))
    ));
    desk.tell(Command::Train, None);
    desk.work();
    assert_eq!(Checkpoint::from_bytes(&desk.save()).expect("a checkpoint").state.step, 23, "it stays stopped");
}

#[test]
fn the_search_for_a_learning_rate_leaves_the_run_as_it_was() {
    let mut desk = ShardServer::new();
    desk.start(CorpusChoice::BuiltIn);
    desk.steps(3);
    let before = Checkpoint::from_bytes(&desk.save()).expect("a checkpoint");
    desk.tell_runs(RunsCommand::FindLr, None);
    for _ in 0..3 {
        assert!(block_on(desk.session.work()));
    }
    let meanwhile = Checkpoint::from_bytes(&desk.save()).expect("a checkpoint");
    assert!(meanwhile.state == before.state && meanwhile.config == before.config, "what is saved is the run");
    desk.work();
    let after = Checkpoint::from_bytes(&desk.save()).expect("a checkpoint");
    assert!(after.state == before.state && after.config == before.config, "the run has changed");
    let points: Vec<_> = desk
        .runs_events()
        .into_iter()
        .filter_map(|event| match event {
            RunsEvent::LrPoints { points, .. } => Some(points),
            _ => None,
        })
        .flatten()
        .collect();
    assert!(points.len() > 30 && points.is_sorted_by(|a, b| a.lr < b.lr), "{} points", points.len());
    let suggestion = desk.runs_events().into_iter().rev().find_map(|event| match event {
        RunsEvent::LrFound { suggestion } => suggestion,
        _ => None,
    });
    assert!(suggestion.is_some_and(|lr| (1e-5..0.5).contains(&lr)), "{suggestion:?}");
}

#[test]
fn every_written_token_comes_with_its_alternatives() {
    let mut desk = ShardServer::new();
    desk.start(CorpusChoice::BuiltIn);
    let sampling = Sampling { max_tokens: 12, top_k: 5, top_p: 0.9, temperature: 0.7, seed: 3 };
    desk.tell(Command::Generate { request: 1, prompt: "The".into(), sampling }, None);
    desk.work();
    let (mut tokens, mut whole) = (Vec::new(), String::new());
    for (event, _) in desk.heard.borrow().iter() {
        if let Event::Generated { tokens: new, text, .. } = event {
            tokens.extend(new.clone());
            whole.clone_from(text);
        }
    }
    assert_eq!(tokens.iter().map(|token| token.text.as_str()).collect::<String>(), whole);
    assert!((1..=12).contains(&tokens.len()));
    for token in &tokens {
        assert_eq!(token.kept_by_k, 5);
        assert!((1..=5).contains(&token.kept_by_p));
        let chosen = token.choices.iter().find(|choice| choice.id == token.id).expect("the chosen one is told");
        assert!(chosen.rank < token.kept_by_p, "what was cut is never chosen");
        assert!(token.choices.is_sorted_by(|a, b| a.rank < b.rank && a.tempered >= b.tempered));
        assert!(token.choices[0].tempered > token.choices[0].plain, "a low temperature favours the likeliest");
    }
}

fn history() -> History {
    let point = |step: u64| StepPoint { step, loss: 5.0, lr: 0.01, grad_norm: 1.0, seconds: step as f64 / 4.0 };
    let val = |step, loss| ValidationPoint { step, loss };
    History { points: (1..=5).map(point).collect(), validation: vec![val(0, 6.0), val(2, 5.5), val(5, 4.5)] }
}

#[test]
fn a_log_has_one_line_per_step_and_loses_nothing() {
    let csv = history().to_csv(10);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "step,tokens,seconds,loss,lr,grad_norm,val_loss");
    assert_eq!(lines[1], "0,0,,,,,6");
    assert_eq!(lines[2], "1,10,0.250,5,0.01,1,");
    assert_eq!((lines[3], lines[6]), ("2,20,0.500,5,0.01,1,5.5", "5,50,1.250,5,0.01,1,4.5"));
    assert_eq!(lines.len(), 7);
    let json: serde_json::Value = serde_json::from_str(&history().to_json("a", "b", &config())).expect("JSON");
    assert_eq!(json["points"].as_array().map(Vec::len), Some(6));
    assert_eq!(json["points"][5]["val_loss"], 4.5);
    assert_eq!(json["config"]["train"]["seed"], config().train.seed);
}

#[test]
fn a_thinned_log_keeps_its_ends() {
    let long = History {
        points: (1..=1001).map(|step| StepPoint { step, ..history().points[0] }).collect(),
        validation: Vec::new(),
    };
    let thin = long.thinned(100);
    assert!((90..=101).contains(&thin.points.len()), "{}", thin.points.len());
    assert_eq!((thin.points[0].step, thin.points.last().map(|point| point.step)), (1, Some(1001)));
    assert_eq!(history().thinned(100), history());
    assert_eq!(History::default().thinned(5), History::default());
}

#[test]
fn runs_that_are_over_stay_and_show_what_differs() {
    let mut state = State::default();
    for (run, seed) in (1..=10).zip([1, 2].into_iter().cycle()) {
        let mut config = (*state.draft.config).clone();
        config.train.seed = seed;
        state.apply(Action::Config(config));
        state.apply(Action::Started);
        let points = history().points;
        let event = Event::Progress { run, step: 5, points, validation: Vec::new(), tokens_per_s: 1.0 };
        state.apply(Action::Events(vec![(event, None)]));
    }
    let runs = state.all_runs();
    assert_eq!(runs.len(), 1 + MAX_RUNS);
    assert_eq!((runs[0].name.as_str(), runs[1].name.as_str()), ("run 10", "run 2"));
    let comparison = compare(&runs);
    assert_eq!(comparison.columns, ["seed"]);
    assert_eq!((comparison.rows[0][0].as_str(), comparison.rows[2][0].as_str()), ("2", "1"));
    let id = runs[1].id;
    state.apply(Action::Runs(RunsAction::Toggle(id)));
    assert!(!state.all_runs()[1].shown);
    state.apply(Action::Runs(RunsAction::Name(id, "  wide  ".into())));
    assert_eq!(state.all_runs()[1].name, "wide");
    state.apply(Action::Runs(RunsAction::Remove(id)));
    assert_eq!(state.all_runs()[1].name, "run 3");
}

#[test]
fn a_failed_load_leaves_the_page_as_it_was_and_a_good_one_takes_over() {
    let mut state = State::default();
    state.apply(Action::Started);
    let points = history().points;
    let progress = Event::Progress { run: 1, step: 5, points, validation: Vec::new(), tokens_per_s: 1.0 };
    state.apply(Action::Events(vec![(progress, None)]));
    let hear = |state: &mut State, run, event| state.apply(Action::Events(vec![(Event::Runs { run, event }, None)]));
    state.apply(Action::Runs(RunsAction::Loading(None)));
    let before = state.all_runs();
    hear(&mut state, 2, RunsEvent::ResumeFailed { message: "it was cut".into() });
    assert_eq!((state.all_runs(), state.run), (before, 1));
    assert!(state.runs.message.as_ref().is_some_and(|message| message.contains("it was cut")));
    state.apply(Action::Runs(RunsAction::Loading(None)));
    let asked = Preset::Tiny.config();
    let corpus = CorpusRecord {
        choice: CorpusChoice::File,
        name: "mine.txt".into(),
        vocabulary: Some("of mine".into()),
        field: None,
        fingerprint: "0".into(),
        asked: asked.clone(),
    };
    let record = Box::new(RunRecord { name: "old".into(), corpus, history: history() });
    hear(&mut state, 3, RunsEvent::Resumed { record: record.clone(), config: Box::new(asked.clone()) });
    assert_eq!(state.run, 1, "nobody has asked for that one");
    hear(&mut state, 2, RunsEvent::Resumed { record, config: Box::new(asked.clone()) });
    assert_eq!((state.run, state.step, state.runs.name.as_str()), (2, 5, "old"));
    assert_eq!(((*state.draft.config).clone(), state.draft.file_name.clone()), (asked, Some("mine.txt".into())));
    assert_eq!(state.all_runs().len(), 2, "the run before stays for comparison");
    let vocabulary = &state.draft.vocabulary;
    assert!(matches!(vocabulary, Vocabulary::Chosen { name, .. } if name == "of mine"), "{vocabulary:?}");
    assert!(!state.needs_restart());
}
