//! The page's queue against the worker's session, and a sweep from its plan to the check of its prediction.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use glasshead::config::{Preset, RunConfig, Schedule};
use glasshead::serve::Session;
use glasshead::types::queue::{Progress, QueueEnd, QueueText, QueuedRun};
use glasshead::types::{BackendChoice, CorpusChoice};
use glasshead::wire::queue::{QueueCommand, QueueEvent};
use glasshead::wire::{Command, Event};
use glasshead_page::scale::fits::Fitted;
use glasshead_page::scale::state::{Method, Quantity, ScaleAction};
use glasshead_page::scale::steps::Stage;
use glasshead_page::state::queue::{Item, ItemState, QueueAction};
use glasshead_page::state::{Action, State};
use pollster::block_on;

type Messages = Rc<RefCell<VecDeque<(Event, Option<Vec<u8>>)>>>;

/// A worker's session, and the checkpoints that the page would have stored.
struct Worker {
    session: Session,
    messages: Messages,
    files: std::collections::BTreeMap<String, Vec<u8>>,
}

impl Worker {
    fn new() -> Self {
        let messages: Messages = Rc::default();
        let (sink, began) = (messages.clone(), Instant::now());
        let session = Session::new(
            Box::new(move |event, bytes| sink.borrow_mut().push_back((event, bytes))),
            Box::new(move || began.elapsed().as_secs_f64()),
        );
        Self { session, messages, files: Default::default() }
    }

    fn send(&mut self, command: QueueCommand, bytes: Option<Vec<u8>>) {
        block_on(self.session.handle(Command::Queue(command), bytes));
    }

    /// One unit of work; the events since the last one go to the page.
    fn work(&mut self, page: &mut State) {
        block_on(self.session.work());
        while let Some((event, bytes)) = { self.messages.borrow_mut().pop_front() } {
            if let (Event::Queue(QueueEvent::Saved { id, .. }), Some(bytes)) = (&event, &bytes) {
                self.files.insert(id.clone(), bytes.clone());
            }
            page.apply(Action::Events(vec![(event, bytes.map(Rc::from))]));
        }
    }

    /// What the page's hook does: sends the next run with its checkpoint.
    fn send_next(&mut self, page: &mut State) {
        let Some(item) = page.queue.next().cloned() else { return };
        let Item { run, progress, saved, .. } = item;
        let file = saved.and_then(|_| self.files.get(&run.id).cloned());
        page.apply(Action::Queue(QueueAction::Sent(run.id.clone())));
        self.send(QueueCommand::Run { run: Box::new(run), progress }, file);
    }
}

fn config() -> RunConfig {
    let mut config = Preset::Nano.config();
    let model = &mut config.model;
    (model.vocab_size, model.context_length, model.d_model, model.d_ff) = (257, 16, 8, 8);
    (model.n_layers, model.n_heads, model.n_kv_heads) = (1, 2, 2);
    (config.train.batch_size, config.train.schedule_steps, config.train.warmup_steps) = (2, 60, 4);
    config
}

fn run(id: &str, config: RunConfig, ends: &[u64]) -> QueuedRun {
    QueuedRun {
        id: id.into(),
        list: "list".into(),
        name: id.into(),
        text: QueueText::Corpus { choice: CorpusChoice::Task(0), asked: Box::new(self::config()) },
        config,
        backend: BackendChoice::Cpu,
        ends: ends.to_vec(),
        evaluate_every: Some(20),
        max_seconds: None,
        unique_tokens: None,
    }
}

fn page() -> State {
    let mut page = State::default();
    page.apply(Action::Queue(QueueAction::Loaded(None)));
    page.apply(Action::Scale(ScaleAction::Loaded(None)));
    page
}

/// The page after a reload: it reads what it had stored.
fn reloaded(page: &State) -> State {
    let mut next = State::default();
    next.apply(Action::Queue(QueueAction::Loaded(Some(page.queue.to_json()))));
    let sweep = serde_json::to_string(&page.scale.sweep).unwrap();
    next.apply(Action::Scale(ScaleAction::Loaded(Some(sweep))));
    next
}

/// Name, end and losses of a run.
type Outcome = (String, Option<QueueEnd>, Vec<(u64, f64)>);

fn results(page: &State) -> Vec<Outcome> {
    let of = |item: &Item| {
        let reached = item.progress.reached.iter().map(|reached| (reached.step, reached.loss)).collect();
        (item.run.id.clone(), item.end().cloned(), reached)
    };
    page.queue.items.iter().map(of).collect()
}

fn runs() -> Vec<QueuedRun> {
    let mut wsd = config();
    (wsd.train.schedule, wsd.train.seed) = (Schedule::Wsd, 3);
    let mut wild = config();
    (wild.train.max_lr, wild.train.min_lr, wild.train.warmup_steps) = (1e30, 1e30, 0);
    let mut other_seed = config();
    other_seed.train.seed += 1;
    vec![
        run("one", config(), &[60]),
        run("two", other_seed, &[60]),
        run("several-ends", wsd, &[200, 400, 800]),
        run("wild", wild, &[60]),
    ]
}

fn work_off(worker: &mut Worker, page: &mut State) {
    for _ in 0..4000 {
        worker.send_next(page);
        worker.work(page);
        if page.queue.items.iter().all(Item::is_over) {
            return;
        }
    }
    panic!("the queue does not end: {:?}", results(page));
}

#[test]
fn a_queue_that_is_reloaded_and_stopped_ends_as_one_that_never_was() {
    let (mut calm, mut worker) = (page(), Worker::new());
    calm.apply(Action::Queue(QueueAction::Add(runs())));
    assert!(calm.queue.next().is_none(), "it begins paused");
    calm.apply(Action::Queue(QueueAction::Train(true)));
    work_off(&mut worker, &mut calm);
    let expected = results(&calm);
    assert_eq!(expected[2].2.len(), 3, "{expected:?}");
    assert_eq!(expected[3].1, Some(QueueEnd::Diverged), "{expected:?}");
    assert!(expected[0].1 == Some(QueueEnd::Done) && expected[0].2[0].1 < 5.6, "{expected:?}");
    let series = calm.queue.series("list");
    assert_eq!(series.iter().map(|(items, _)| items.len()).collect::<Vec<_>>(), [2, 1, 1]);
    let band = series[0].1.validation.last().unwrap();
    assert!(band.n == 2 && f64::from(band.min) < band.mean && band.mean < f64::from(band.max), "{band:?}");

    let mut rough = page();
    rough.apply(Action::Queue(QueueAction::Add(runs())));
    let mut worker = Worker::new();
    for round in 0..400 {
        rough.apply(Action::Queue(QueueAction::Train(true)));
        worker.send_next(&mut rough);
        for _ in 0..(1 + 7 * (round % 4)) {
            worker.work(&mut rough);
        }
        if rough.queue.items.iter().all(Item::is_over) {
            break;
        }
        if round % 2 == 0 {
            worker.send(QueueCommand::Stop, None);
            worker.work(&mut rough);
        } else {
            // A kill: a new worker, and what the page had stored.
            let files = std::mem::take(&mut worker.files);
            worker = Worker { files, ..Worker::new() };
        }
        rough = reloaded(&rough);
        assert!(!rough.queue.on && rough.queue.active.is_none());
    }
    assert_eq!(results(&rough), expected);
}

#[test]
fn what_cannot_be_trained_ends_with_a_sentence() {
    let (mut page, mut worker) = (page(), Worker::new());
    let mut missing = run("missing", config(), &[10]);
    missing.text = QueueText::Stored { name: "pages".into(), held_out: None };
    let mut wrong = run("../wrong", config(), &[10]);
    page.apply(Action::Queue(QueueAction::Add(vec![missing.clone(), wrong.clone()])));
    assert_eq!(page.queue.items.len(), 1, "an id that is not a name is left out");
    page.apply(Action::Queue(QueueAction::Train(true)));
    work_off(&mut worker, &mut page);
    assert!(
        matches!(page.queue.items[0].end(), Some(QueueEnd::Failed { message }) if message.contains("“pages” is missing"))
    );
    wrong.id = "wrong".into();
    wrong.ends = vec![20, 10];
    worker.send(QueueCommand::Run { run: Box::new(wrong), progress: Progress::default() }, None);
    let (event, _) = worker.messages.borrow_mut().pop_back().unwrap();
    assert!(matches!(event, Event::Queue(QueueEvent::Ended { end: QueueEnd::Failed { .. }, .. })), "{event:?}");
    // The text that was missing, and another one that is held out.
    let story = "Tom had a red ball. ".repeat(300);
    worker.send(QueueCommand::Text { name: "pages".into() }, Some(story.clone().into_bytes()));
    worker.send(QueueCommand::Text { name: "other".into() }, Some(story.replace("red", "blue").into_bytes()));
    missing.id = "there".into();
    missing.text = QueueText::Stored { name: "pages".into(), held_out: Some("other".into()) };
    page.apply(Action::Queue(QueueAction::Add(vec![missing])));
    work_off(&mut worker, &mut page);
    assert_eq!(page.queue.items[1].end(), Some(&QueueEnd::Done));
}

#[test]
fn a_stored_queue_of_nonsense_is_ignored() {
    for json in ["", "{", "[]", r#"{"version":1}"#, r#"{"version":9,"items":[]}"#, r#"{"version":1,"items":[{}]}"#] {
        let mut state = State::default();
        state.apply(Action::Queue(QueueAction::Loaded(Some(json.into()))));
        state.apply(Action::Scale(ScaleAction::Loaded(Some(json.into()))));
        assert!(state.queue.loaded && state.queue.items.is_empty());
        assert_eq!(state.scale.stage(), Stage::Empty);
    }
}

/// Plans and trains a sweep of two budgets and three sizes up to the end of its runs; reloads after some of them.
fn small_sweep(reload_after: &[usize]) -> (State, Worker) {
    let (mut page, mut worker) = (page(), Worker::new());
    page.draft.backend = BackendChoice::Cpu;
    for (field, text) in [
        ("flops", "2e9"),
        ("budgets", "2"),
        ("sizes", "3"),
        ("context_length", "16"),
        ("batch_size", "4"),
        ("lr", "0.02"),
    ] {
        page.apply(Action::Scale(ScaleAction::Enter(field, text.into())));
        assert_eq!(page.scale.refused, None);
    }
    page.apply(Action::Scale(ScaleAction::Plan));
    let mut sent = 0;
    for _ in 0..100 {
        if page.scale.stage() != Stage::Measuring {
            break;
        }
        if page.scale.measurements != sent {
            sent = page.scale.measurements;
            let configs = page.scale.waiting.clone();
            worker.send(QueueCommand::Measure { configs, backend: BackendChoice::Cpu }, None);
        }
        worker.work(&mut page);
    }
    assert_eq!((page.scale.stage(), &page.scale.problem), (Stage::Planned, &None));
    page.apply(Action::Scale(ScaleAction::Start));
    let mut reloads: Vec<usize> = reload_after.to_vec();
    for _ in 0..20_000 {
        worker.send_next(&mut page);
        worker.work(&mut page);
        let results = page.scale.sweep.runs.results.len();
        if reloads.first().is_some_and(|&after| results >= after) {
            reloads.remove(0);
            let files = std::mem::take(&mut worker.files);
            worker = Worker { files, ..Worker::new() };
            page = reloaded(&page);
            page.apply(Action::Queue(QueueAction::Train(true)));
        }
        if page.scale.stage() == Stage::Complete {
            return (page, worker);
        }
    }
    panic!("the sweep does not end: {:?}", results(&page));
}

#[test]
fn a_sweep_survives_reloads_and_ends_with_a_checked_prediction() {
    let (calm, _) = small_sweep(&[]);
    let (mut rough, mut worker) = small_sweep(&[1, 3, 5]);
    let losses = |page: &State| -> Vec<(String, Vec<f64>)> {
        let results = page.scale.sweep.runs.results.values();
        results.map(|result| (result.id.clone(), result.points.iter().map(|point| point.loss).collect())).collect()
    };
    assert!(losses(&calm).len() >= 6, "{:?}", losses(&calm));
    assert_eq!(losses(&rough), losses(&calm), "no run lost, none repeated");
    for method in [Method::Lowest, Method::Parabola, Method::Parametric] {
        let [a, b] = [&calm, &rough].map(|page| Fitted::new(&page.scale.fitted_runs(), method));
        assert_eq!(a, b);
        assert!(!a.limits.is_empty() && a.series.len() == 2, "{:?}", a.limits);
        for quantity in [Quantity::Size, Quantity::Tokens, Quantity::Loss] {
            let trend = a.trend(quantity, 1e9, 1e10);
            assert!(trend.line.iter().all(|[_, value, low, high]| low <= value && value <= high));
        }
    }
    // The models of a finished sweep can be inspected.
    rough.apply(Action::Scale(ScaleAction::Compare(true)));
    let models = rough.scale.compared.models.clone();
    assert_eq!(models.len(), 2);
    for (id, _) in &models {
        let file = worker.files[id].clone();
        worker.send(QueueCommand::Maps { id: id.clone(), sentence: "Tom had a ball.".into() }, Some(file));
    }
    worker.work(&mut rough);
    for (_, maps) in &rough.scale.compared.models {
        let maps = maps.as_ref().unwrap();
        let n = maps.tokens.len();
        assert!(n == 15 && maps.bytes.len() == maps.n_layers * maps.n_heads * n * n);
    }
    // With both minima bracketed, or by hand, a prediction is sealed and checked.
    rough.apply(Action::Scale(ScaleAction::Seal(1_700_000_000)));
    if rough.scale.stage() != Stage::Sealed {
        assert!(rough.scale.problem.as_ref().unwrap().contains("bracketed"), "{:?}", rough.scale.problem);
        return;
    }
    rough.apply(Action::Scale(ScaleAction::Check));
    assert_eq!(rough.scale.stage(), Stage::Checking);
    rough = reloaded(&rough);
    rough.apply(Action::Queue(QueueAction::Train(true)));
    for _ in 0..20_000 {
        worker.send_next(&mut rough);
        worker.work(&mut rough);
        if rough.scale.stage() == Stage::Complete {
            break;
        }
    }
    assert_eq!(rough.scale.sweep.history.afterwards.len(), 1);
}

#[test]
fn a_prediction_can_be_broken_and_a_file_is_fitted() {
    let mut page = page();
    let rows: String = [1e18f64, 4e18, 1.6e19]
        .into_iter()
        .flat_map(|c| {
            (-2..=2).map(move |i| {
                let n = 0.1 * c.sqrt() * 2f64.powi(i);
                format!("{n},{c},{}\n", 2.0 + (c / 1e18).powf(-0.1) + 0.05 * f64::from(i * i))
            })
        })
        .collect();
    page.apply(Action::Scale(ScaleAction::Open("runs.csv".into(), format!("params,flops,loss\n{rows}").into_bytes())));
    assert_eq!(page.scale.problem, None);
    let fitted = Fitted::new(&page.scale.fitted_runs(), Method::Parabola);
    let (exponent, interval) = fitted.exponent.unwrap();
    assert!((exponent - 0.5).abs() < 0.01 && interval.is_some() && fitted.bracketed() == 3, "{exponent}");
    page.apply(Action::Scale(ScaleAction::Open("nonsense.csv".into(), b"a,b\n1,2\n".to_vec())));
    assert!(
        page.scale.problem.as_ref().unwrap().starts_with("nonsense.csv: no column for"),
        "{:?}",
        page.scale.problem
    );
    page.apply(Action::Scale(ScaleAction::CloseForeign));
    assert!(page.scale.fitted_runs().is_empty());
    // Refused entries stay as text.
    page.apply(Action::Scale(ScaleAction::Enter("budgets", "1".into())));
    assert_eq!(page.scale.refused.as_ref().unwrap().2, "Enter 2 to 8 budgets.");
    assert_eq!(page.queue.items.iter().filter(|item| item.state != ItemState::Waiting).count(), 0);
}

#[test]
fn settings_of_a_sweep_survive_a_link() {
    use glasshead_page::scale::link::CARDS;
    use glasshead_page::scale::state::Form;
    use glasshead_page::share::{hash, restored};
    for card in &CARDS {
        let form = Form::from_link(card.settings).unwrap();
        assert_eq!(Form::from_link(&form.to_link()).unwrap(), form);
        // The plan of each card is possible on a device with 6e9 FLOP/s.
        let mut planner = form.planner();
        while let Ok(shapes) = planner.to_measure() {
            if shapes.is_empty() {
                break;
            }
            shapes.iter().for_each(|shape| planner.settings.speed.add(shape.n_params, 1e9 / shape.n_params as f64));
        }
        let plan = planner.plan().unwrap();
        assert!(plan.runs.iter().all(|run| run.problem().is_none()) && plan.runs.len() >= 6, "{}", card.name);
        assert!(plan.expected_s() < 300.0, "{}: {}", card.name, plan.expected_s());
    }
    let mut page = page();
    page.apply(Action::View(glasshead_page::state::View::Scale));
    page.apply(Action::Scale(ScaleAction::Enter("budgets", "4".into())));
    let (state, problems) = restored(&hash(&page, false));
    assert_eq!((&state.scale.form, problems), (&page.scale.form, Vec::new()));
    for wrong in ["budgets:0", "nonsense", "vary:mood", "lr:nan", "sizes:1e99"] {
        let (state, problems) = restored(&format!("#view=scale&sweep={wrong}"));
        assert_eq!((state.scale.form.clone(), problems.len()), (Form::default(), 1), "{wrong}");
    }
}

#[test]
fn other_laws_vary_one_value_at_equal_compute() {
    use glasshead::scaling::variable::Variable;
    use glasshead_page::scale::state::Form;
    for variable in Variable::ALL.into_iter().skip(1) {
        let form = Form { variable, flops: Some(5e10), budgets: 2, sizes: 5, lr: Some(0.02), ..Form::default() };
        let mut planner = form.planner();
        for n in [5_000, 500_000] {
            planner.settings.speed.add(n, 1e9 / n as f64);
        }
        let plan = planner.plan().unwrap();
        assert_eq!(plan.runs.len(), 10, "{variable:?}");
        for &budget in &plan.budgets {
            let runs: Vec<_> = plan.runs.iter().filter(|run| run.horizons[0].budget == budget).collect();
            let mut values: Vec<f64> = runs.iter().map(|run| run.value()).collect();
            values.sort_by(f64::total_cmp);
            values.dedup();
            assert_eq!(values.len(), 5, "{variable:?} {values:?}");
            for run in runs {
                assert_eq!(run.problem(), None);
                let tokens = run.tokens(run.total_steps());
                let flops = 6.0 * run.n_params as f64 * tokens as f64;
                assert!((flops / budget - 1.0).abs() < 0.05, "{variable:?}: {flops:e} of {budget:e}");
                // What is fitted has the budget's FLOPs exactly.
                let point = run.run(tokens, 1.0);
                assert!((point.flops() / budget - 1.0).abs() < 1e-9 && point.n == run.value());
                assert_eq!(run.unique_tokens.is_some(), variable == Variable::Epochs);
            }
        }
    }
    assert_eq!(
        Variable::Depth.worded("its smallest size; add smaller sizes"),
        "its smallest depth; add smaller depths"
    );
}

#[test]
fn the_present_setup_is_repeated_with_other_seeds() {
    use glasshead::types::{StepPoint, ValidationPoint};
    let mut page = page();
    assert!(page.seed_runs(3).is_empty(), "there is no run yet");
    page.apply(Action::Started);
    let runs = page.seed_runs(3);
    assert!(runs.len() == 3 && runs.iter().all(|run| run.problem().is_none() && run.same_but_seed(&runs[0])));
    page.apply(Action::Queue(QueueAction::Add(runs.clone())));
    assert_eq!((page.seed_runs(2)[0].list.as_str(), page.seed_series()[0].runs), ("seeds-2", (3, 0)));
    for (run, loss) in runs.iter().zip([2.0f32, 3.0, 4.0]) {
        let points = vec![StepPoint { step: 1, loss, lr: 0.1, grad_norm: 1.0, seconds: 0.0 }];
        let validation = vec![ValidationPoint { step: 1, loss }];
        let event = QueueEvent::Steps { id: run.id.clone(), points, validation, seconds: 1.0 };
        page.apply(Action::Events(vec![(Event::Queue(event), None)]));
    }
    let series = page.seed_series();
    let band = series[0].series.validation[0];
    assert_eq!((series.len(), band.n, band.mean, band.min, band.max), (1, 3, 3.0, 2.0, 4.0));
}
