//! The page's state and its transitions, without a page.

use std::rc::Rc;

use glasshead::config::Preset;
use glasshead::config::table::{FIELDS, Kind};
use glasshead::types::{StepPoint, Token, ValidationPoint};
use glasshead::wire::Event;
use glasshead_page::draw::chart::{Scale, apart, columns, nearest, smoothed};
use glasshead_page::state::data::DataAction;
use glasshead_page::state::runs::RunsAction;
use glasshead_page::state::{Action, RunState, State};

fn point(step: u64, loss: f32) -> StepPoint {
    StepPoint { step, loss, lr: 0.1, grad_norm: 1.0, seconds: step as f64 / 2.0 }
}

fn attention(run: u32, n: u32) -> (Event, Option<Rc<[u8]>>) {
    let tokens = (0..n).map(|id| Token { id, text: "x".into() }).collect();
    let bytes: Vec<u8> = (0..2 * 3 * n * n).map(|i| i as u8).collect();
    (
        Event::Attention { run, step: 4, tokens, n_layers: 2, n_heads: 3, causal: true, tokens_cut: 0 },
        Some(bytes.into()),
    )
}

#[test]
fn events_of_an_older_run_are_dropped() {
    let mut state = State::default();
    state.apply(Action::Started);
    state.apply(Action::Started);
    state.apply(Action::Events(vec![(Event::Training { run: 1, on: true }, None)]));
    assert_eq!(state.run_state, RunState::Loading(None));
    state.apply(Action::Events(vec![(Event::Training { run: 2, on: true }, None)]));
    assert_eq!(state.run_state, RunState::Training);
}

#[test]
fn weights_are_found_and_pins_stay_inside_the_sentence() {
    let mut state = State::default();
    state.apply(Action::Started);
    state.apply(Action::Events(vec![attention(1, 3)]));
    let maps = state.maps.clone().unwrap();
    assert!((maps.weight((1, 2), 2, 1) * 255.0 - (5.0 * 9.0 + 7.0)).abs() < 1e-9);
    state.apply(Action::Pin(2));
    assert_eq!(state.query(), Some(2));
    state.apply(Action::Events(vec![attention(1, 2)]));
    assert_eq!(state.query(), None, "the row does not exist any more");
    state.apply(Action::Walk { layers: -1, heads: 4 });
    assert_eq!(state.selected, (1, 1));
}

/// Messages about one file do not stay while the next one is opened.
#[test]
fn opening_a_file_clears_the_messages_about_the_one_before() {
    let mut state = State::default();
    state.apply(Action::Runs(RunsAction::Message("the file is cut".into())));
    state.apply(Action::Data(DataAction::Read(Some("it is not UTF-8".into()))));
    state.apply(Action::Data(DataAction::NotFetched(Some("no network".into()))));
    assert!(state.runs.message.is_some() && state.data.file_problem.is_some() && state.data.problem.is_some());
    state.apply(Action::Data(DataAction::Opening));
    assert_eq!((&state.runs.message, &state.data.file_problem, &state.data.problem), (&None, &None, &None));
    state.apply(Action::Data(DataAction::Read(Some("it is not UTF-8".into()))));
    state.apply(Action::Data(DataAction::Read(None)));
    assert_eq!(state.data.file_problem, None, "the next file was fine");
}

#[test]
fn only_what_needs_it_asks_for_a_reset() {
    let mut state = State::default();
    state.apply(Action::Started);
    let mut config = (*state.draft.config).clone();
    config.train.max_lr = 0.02;
    state.apply(Action::Config(config));
    assert!(!state.needs_restart());
    state.apply(Action::Preset(Preset::Tiny));
    assert!(state.needs_restart());
    state.apply(Action::Started);
    assert!(!state.needs_restart());
}

#[test]
fn every_field_reads_what_it_wrote_and_refuses_words() {
    for field in &FIELDS {
        let mut config = Preset::Nano.config();
        let values = match &field.kind {
            Kind::Choice { names, .. } => names(),
            Kind::Count { .. } | Kind::Number { .. } => vec!["12", "7"],
        };
        for value in values {
            field.set(&mut config, &format!(" {value} ")).unwrap();
            assert_eq!(field.get(&config), value, "{}", field.name);
            let mut copied = Preset::Tiny.config();
            field.copy(&config, &mut copied);
            assert_eq!(field.get(&copied), value, "{}", field.name);
        }
        let before = config.clone();
        assert!(field.set(&mut config, "many").unwrap_err().to_string().contains(field.name));
        assert_eq!(config, before);
    }
}

#[test]
fn charts_show_every_extreme() {
    let points: Vec<_> = (1..=10_000).map(|step| point(step, if step == 5_000 { 9.0 } else { 1.0 })).collect();
    let x = Scale { low: 0.0, high: 10_000.0, from: 0.0, to: 100.0 };
    let pairs = || points.iter().map(|point| (point.step as f64, f64::from(point.loss)));
    let columns = columns(pairs(), &x);
    assert!(columns.len() <= 101);
    assert!(columns.iter().any(|&(_, _, high)| high == 9.0));
    assert!((smoothed(pairs(), &x, 10.0)[0].1 - 1.0).abs() < 1e-9);
    assert_eq!(nearest(&points, |point| point.seconds, 2_499.8), Some(4_999));
    assert_eq!(x.ticks(4), [0.0, 5_000.0, 10_000.0]);
}

#[test]
fn labels_of_a_chart_never_overlap() {
    assert_eq!(apart(&[5.0, 50.0], 10.0, 100.0), [5.0, 50.0]);
    assert_eq!(apart(&[5.0, 6.0, 7.0], 10.0, 100.0), [5.0, 15.0, 25.0]);
    assert_eq!(apart(&[88.0, 99.0, 100.0], 10.0, 100.0), [80.0, 90.0, 100.0]);
}

#[test]
fn a_run_that_lasts_all_night_is_remembered_evenly_and_in_bounded_memory() {
    let mut state = State::default();
    state.apply(Action::Started);
    let (last, batch) = (1_000_000, 250);
    for first in (1..=last).step_by(batch) {
        let points: Vec<StepPoint> = (first..first + batch as u64).map(|step| point(step, 2.0)).collect();
        let step = first + batch as u64 - 1;
        let validation = vec![ValidationPoint { step, loss: 3.0 }];
        let progress = Event::Progress { run: 1, step, points, validation, tokens_per_s: 1.0 };
        state.apply(Action::Events(vec![(progress, None)]));
        assert!(state.history.points.len() <= 40_000);
    }
    let steps: Vec<u64> = state.history.points.iter().map(|point| point.step).collect();
    assert_eq!((steps[0], steps[steps.len() - 1]), (1, last));
    let (old, latest) = steps.split_at(steps.len() - 1_000);
    assert!(latest.is_sorted_by(|a, b| a + 1 == *b), "the latest are all there");
    assert!(old.len() > 10_000, "{}", old.len());
    // Entries since the list was last halved are still dense; earlier ones are evenly spaced.
    let apart: Vec<u64> = old.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let halved = apart.iter().position(|&gap| gap != apart[0]).unwrap_or(apart.len());
    assert!(halved > 9_000 && apart[halved..].iter().all(|&gap| gap <= apart[0]), "{halved} of {}", apart.len());
    assert_eq!(state.history.validation.len(), (last / batch as u64) as usize, "these are few, and all there");
}
