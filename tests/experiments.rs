//! The one-click experiments: their links, their phases, and whether their checks are reached.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use glasshead::serve::Session;
use glasshead::types::BackendChoice;
use glasshead::wire::runs::RunsCommand;
use glasshead::wire::{Command, Event};
use glasshead_page::share::{restored, take_over, with_entry};
use glasshead_page::state::experiments::catalogue::{Begin, EXPERIMENTS, Experiment, Picture};
use glasshead_page::state::experiments::thumbnails::{self, CURVE_POINTS, CURVES};
use glasshead_page::state::experiments::{ExperimentsAction, Order, Outcome, Stage, duration, find};
use glasshead_page::state::{Action, RunState, State};
use pollster::block_on;

fn link(experiment: &Experiment) -> String {
    experiment.entries().into_iter().fold("#".into(), |hash, (key, value)| with_entry(&hash, key, value))
}

/// An event with its binary part.
type Message = (Event, Option<Vec<u8>>);

/// The page without a browser: the state, and a session that receives what the page would send.
struct Page {
    state: State,
    session: Session,
    events: Rc<RefCell<Vec<Message>>>,
}

impl Page {
    fn new(hash: &str) -> Self {
        let events = Rc::new(RefCell::new(Vec::new()));
        let (sink, start) = (events.clone(), Instant::now());
        let clock = move || start.elapsed().as_secs_f64();
        let session =
            Session::new(Box::new(move |event, bytes| sink.borrow_mut().push((event, bytes))), Box::new(clock));
        let mut state = State::default();
        assert!(take_over(&mut state, hash).is_empty(), "{hash}");
        state.draft.backend = BackendChoice::Cpu;
        let mut page = Self { state, session, events };
        page.start();
        page
    }

    fn send(&mut self, command: Command) {
        block_on(self.session.handle(command, None));
    }

    fn start(&mut self) {
        let command = self.state.start_command();
        self.send(command);
        self.state.apply(Action::Started);
    }

    /// Lets the session work once, and carries out what the experiment needs.
    fn turn(&mut self) {
        block_on(self.session.work());
        let events = self.events.borrow_mut().drain(..).map(|(event, bytes)| (event, bytes.map(Rc::from))).collect();
        self.state.apply(Action::Events(events));
        if matches!(self.state.run_state, RunState::Diverged(_)) {
            self.send(Command::Runs { command: RunsCommand::GoOnSlower });
        }
        let Some(order) = self.state.experiment_order() else { return };
        match order {
            Order::Start => {
                self.state.apply(Action::Experiments(ExperimentsAction::Carried(order)));
                self.start();
            }
            Order::Train | Order::Pause => {
                self.send(if order == Order::Train { Command::Train } else { Command::Pause });
                self.state.apply(Action::Experiments(ExperimentsAction::Carried(order)));
            }
        }
    }

    /// Runs an experiment to its end.
    fn outcome(&mut self) -> Outcome {
        loop {
            self.turn();
            let running = self.state.experiments.running.as_ref().expect("the experiment goes on");
            if let Some(outcome) = &running.outcome {
                return outcome.clone();
            }
        }
    }
}

#[test]
fn every_link_sets_up_its_experiment() {
    for experiment in &EXPERIMENTS {
        let (state, problems) = restored(&link(experiment));
        assert!(problems.is_empty(), "{}: {problems:?}", experiment.name);
        let running = state.experiments.running.as_ref().unwrap();
        assert_eq!((running.experiment.name, running.phase), (experiment.name, 0));
        match experiment.phases[0].begin {
            Begin::Settings(_) => {
                assert_eq!((running.stage, running.run), (Stage::Starting, 1));
                assert_eq!(Some(&state.draft.config), experiment.phases[0].config().as_ref(), "{}", experiment.name);
            }
            Begin::Model | Begin::Text => assert_eq!(running.stage, Stage::NeedsFile),
        }
        for phase in experiment.phases {
            assert_eq!(phase.config().is_none(), !matches!(phase.begin, Begin::Settings(_)), "{}", experiment.name);
            assert!(phase.usual <= phase.limit, "{}", experiment.name);
        }
    }
    let (state, problems) = restored("#view=train&experiment=nothing");
    assert!(state.experiments.running.is_none());
    assert!(problems[0].contains("experiment"), "{problems:?}");
}

#[test]
fn durations_are_estimated_from_the_speed_and_then_measured() {
    let mut experiments = State::default().experiments;
    let no_mask = find("no-mask").unwrap();
    assert_eq!(experiments.time_text(no_mask), "about 180 steps");
    experiments.speed = Some(1e9);
    let slow = experiments.seconds(no_mask).unwrap();
    experiments.speed = Some(4e9);
    assert!((slow / experiments.seconds(no_mask).unwrap() - 4.0).abs() < 1e-9);
    experiments.durations.insert("no-mask".into(), 7.3);
    assert_eq!(experiments.time_text(no_mask), "7 s");
    assert_eq!(experiments.time_text(find("your-text").unwrap()), "depends on your file");
    assert_eq!([duration(0.2), duration(89.0), duration(200.0)], ["1 s", "89 s", "3 min"]);
}

#[test]
fn a_run_of_the_users_ends_an_experiment() {
    let mut page = Page::new(&link(find("no-mask").unwrap()));
    while page.state.experiments.running.as_ref().unwrap().stage != Stage::Training {
        page.turn();
    }
    assert_eq!(page.state.runs.name, "No causal mask");
    page.start();
    page.turn();
    assert!(page.state.experiments.running.is_none());
    assert_eq!(page.state.experiment_order(), None);
}

/// The fastest experiment, to its end.
#[test]
fn without_the_mask_the_answer_leaks() {
    let mut page = Page::new(&link(find("no-mask").unwrap()));
    let outcome = page.outcome();
    assert!(outcome.passed, "{}", outcome.sentence);
    assert!(outcome.sentence.contains("copies the next token"), "{}", outcome.sentence);
    assert!(page.state.experiments.durations["no-mask"] > 0.0);
    assert!(page.state.experiments.speed.unwrap() > 0.0);
    page.turn();
    assert_eq!(page.state.run_state, RunState::Paused, "the run is paused at the end");
}

#[test]
fn every_picture_has_its_maps_and_curves() {
    for experiment in &EXPERIMENTS {
        match experiment.picture {
            Picture::Maps(numbers) => assert!(numbers.iter().all(|&n| thumbnails::map(n).iter().any(|&cell| cell > 0))),
            Picture::Curves(numbers) => {
                assert!(numbers.iter().all(|&n| thumbnails::curve(n).iter().any(|&height| height > 0)));
            }
        }
    }
}

/// Several series on one scale, as heights from 0 to 255.
fn heights(series: &[Vec<f64>]) -> Vec<Vec<u8>> {
    let all = series.iter().flatten();
    let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    let height = |x: f64| (255.0 * (x - low) / (high - low).max(1e-9)).round() as u8;
    let resampled = |values: &Vec<f64>| {
        let at = |point: usize| values[point * (values.len() - 1) / (CURVE_POINTS - 1)];
        (0..CURVE_POINTS).map(|point| height(at(point))).collect()
    };
    series.iter().map(resampled).collect()
}

/// Training losses, averaged over 9 steps; of a run that diverged up to the largest that can be drawn.
fn losses(points: &[glasshead::types::StepPoint]) -> Vec<f64> {
    let mean = |window: &[glasshead::types::StepPoint]| {
        window.iter().map(|point| f64::from(point.loss.min(12.0))).sum::<f64>() / window.len() as f64
    };
    points.windows(9.min(points.len())).map(mean).collect()
}

/// Runs every experiment that needs no files, prints how long it took, and writes the pictures of the cards. Takes minutes:
/// `cargo test --test headless -- --ignored every_experiment --nocapture`.
#[test]
#[ignore = "takes minutes, and writes the pictures of the cards"]
fn every_experiment_reaches_its_check() {
    let mut curves = vec![Vec::new(); CURVES];
    for experiment in EXPERIMENTS.iter().filter(|one| matches!(one.phases[0].begin, Begin::Settings(_))) {
        let mut page = Page::new(&link(experiment));
        let outcome = page.outcome();
        println!("{}: {} ({:.0} s) {}", experiment.name, outcome.passed, outcome.seconds, outcome.sentence);
        assert!(outcome.passed);
        let mut runs = page.state.all_runs();
        // The present run comes first, the ones before it in their order.
        runs.rotate_left(1);
        let series: Vec<Vec<f64>> = runs.iter().map(|run| losses(&run.history.points)).collect();
        let first = match experiment.picture {
            Picture::Curves([first, ..]) => *first,
            _ => panic!("{} has no curve", experiment.name),
        };
        for (at, curve) in heights(&series).into_iter().enumerate().take(experiment.phases.len()) {
            curves[first + at] = curve;
        }
        if experiment.name == "tied" {
            // The loss of the built-in stories also stands for the user's text.
            curves[CURVES - 1] = heights(&series[..1]).swap_remove(0);
        }
    }
    let file: Vec<u8> = curves.into_iter().flatten().collect();
    assert_eq!(file.len(), thumbnails::BYTES);
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/page/assets/thumbnails.bin");
    std::fs::write(place, file).unwrap();
}
