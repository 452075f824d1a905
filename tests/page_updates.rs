//! What of the page is rendered again, and samples that appear token by token.

use glasshead::wire::Event;
use glasshead_page::draw::colors::Colors;
use glasshead_page::draw::heat::ColorScale;
use glasshead_page::state::ask::{AskAction, Section};
use glasshead_page::state::{Action, RunState, State};

fn tokens(run: u32, step: u64, tokens: &[(&str, f32)]) -> (Event, Option<std::rc::Rc<[u8]>>) {
    let tokens = tokens.iter().map(|(text, p)| (text.to_string(), *p)).collect();
    (Event::SampleTokens { run, step, tokens }, None)
}

fn whole(run: u32, step: u64, text: &str) -> (Event, Option<std::rc::Rc<[u8]>>) {
    (Event::Sample { run, step, text: text.into() }, None)
}

#[test]
fn a_sample_grows_and_is_completed_and_an_interrupted_one_stays() {
    let mut state = State::default();
    let run = state.run;
    state.apply(Action::Events(vec![tokens(run, 3, &[("Once", 0.5)])]));
    state.apply(Action::Events(vec![tokens(run, 3, &[(" upon", 0.25)])]));
    assert_eq!(state.samples.len(), 1);
    assert_eq!(*state.samples[0].tokens, [("Once".to_string(), 0.5), (" upon".to_string(), 0.25)]);
    assert_eq!(state.samples[0].text, None);
    state.apply(Action::Events(vec![whole(run, 3, "Once upon")]));
    assert_eq!((state.samples.len(), state.samples[0].text.as_deref()), (1, Some("Once upon")));
    // Another sample at the same step, and one that is broken off.
    state.apply(Action::Events(vec![tokens(run, 3, &[("Tom", 0.1)]), tokens(run, 9, &[("Lily", 0.1)])]));
    let steps: Vec<u64> = state.samples.iter().map(|sample| sample.step).collect();
    assert_eq!(steps, [9, 3, 3]);
    // Of a run whose tokens are not reported, the text alone.
    state.apply(Action::Events(vec![whole(run, 20, "The end.")]));
    assert!(state.samples[0].tokens.is_empty());
    // Events of another run are ignored.
    state.apply(Action::Events(vec![tokens(run + 7, 21, &[("no", 0.1)])]));
    assert_eq!(state.samples[0].step, 20);
}

#[test]
fn what_is_closed_ignores_the_progress_of_training() {
    let mut state = State::default();
    let run = state.run;
    state.run_state = RunState::Training;
    let before = state.quiet;
    state.apply(Action::Events(vec![tokens(run, 3, &[("Once", 0.5)]), whole(run, 3, "Once")]));
    state.apply(Action::Hover(Some((1, 0))));
    assert_eq!(state.quiet, before);
    assert!(state.settled > before);
    // Everything else reaches it, also together with progress, and the last progress of a run that pauses.
    let refused = (Event::Notice { run, message: "refused".into() }, None);
    state.apply(Action::Events(vec![tokens(run, 4, &[("a", 0.5)]), refused]));
    assert_eq!(state.quiet, state.version);
    state.run_state = RunState::Paused;
    state.apply(Action::Events(vec![whole(run, 4, "a")]));
    assert_eq!(state.quiet, state.version);
    state.apply(Action::ToggleMask);
    assert_eq!(state.quiet, state.version);
}

#[test]
fn escape_gives_the_large_tile_back_before_it_unpins() {
    let mut state = State::default();
    state.pinned = Some(2);
    state.apply(Action::Ask(AskAction::Open(Section::Lens)));
    state.apply(Action::Ask(AskAction::Wide(true)));
    state.apply(Action::Escape);
    assert_eq!((state.ask.wide, state.pinned), (false, Some(2)));
    state.apply(Action::Escape);
    assert_eq!(state.pinned, None);
}

#[test]
fn differences_are_red_below_zero_blue_above_and_as_neutral_as_the_page_between() {
    for dark in [false, true] {
        let scale = ColorScale::around_zero(1.0).on_page(dark);
        let [below, middle, above] = [-1.0, 0.0, 1.0].map(|value| scale.color(value, 0.0));
        assert!(below[0] > below[2] && above[2] > above[0], "{below:?} {above:?}");
        let spread = middle.iter().max().unwrap() - middle.iter().min().unwrap();
        assert!(spread <= 16, "{middle:?} is neutral");
        assert_eq!(middle[0] < 64, dark, "{middle:?} on a page that is dark: {dark}");
    }
    let weights = ColorScale::weights(glasshead_page::draw::colors::ColorMap::Cividis);
    assert_eq!(weights.on_page(true), weights, "attention weights look the same on both");
    assert_ne!(Colors::Diverging.at(0.5), Colors::DivergingDark.at(0.5));
}
