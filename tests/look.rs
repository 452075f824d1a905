//! Displaying attention, without a page: tables, rows, entropies, colors, zoom, labels, lines.

use std::rc::Rc;

use glasshead::types::inspect::HeadRows;
use glasshead::types::{RunSummary, Token, ValidationPoint};
use glasshead::wire::Event;
use glasshead::wire::inspect::InspectEvent;
use glasshead_page::draw::colors::{ColorMap, Colors};
use glasshead_page::draw::heat::{ColorScale, Domain, pixels, shrunk};
use glasshead_page::draw::lines::{STRENGTHS, strands};
use glasshead_page::draw::window::{Window, labelled};
use glasshead_page::maps::{Direction, Plane};
use glasshead_page::state::ask::Head;
use glasshead_page::state::difference::obstacle;
use glasshead_page::state::look::{LookAction, Values};
use glasshead_page::state::shown::Table;
use glasshead_page::state::snapshots::Snapshots;
use glasshead_page::state::{Action, Maps, State};
use proptest::prelude::*;

/// One layer of two heads over three tokens: the first attends uniformly, the second to itself.
fn maps() -> Maps {
    let bytes = [255, 0, 0, 128, 127, 0, 85, 85, 85, 255, 0, 0, 0, 255, 0, 0, 0, 255];
    let tokens = (0..3).map(|id| Token { id, text: "x".into() }).collect();
    Maps {
        step: 1,
        tokens,
        n_layers: 1,
        n_heads: 2,
        causal: true,
        tokens_cut: 0,
        bytes: bytes.into(),
        entropies: [0.861_654, 0.0, 0.9].into(),
    }
}

fn state() -> State {
    let mut state = State::default();
    let Maps { step, tokens, n_layers, n_heads, causal, tokens_cut, bytes, entropies } = maps();
    let event = Event::Attention { run: state.run, step, tokens, n_layers, n_heads, causal, tokens_cut };
    let rest = entropies.iter().flat_map(|entropy| entropy.to_le_bytes());
    let bytes: Vec<u8> = bytes.iter().copied().chain(rest).collect();
    state.apply(Action::Events(vec![(event, Some(bytes.into()))]));
    state
}

fn look(state: &mut State, action: LookAction) {
    state.apply(Action::Look(action));
}

#[test]
fn heads_are_taken_together_cell_by_cell() {
    let maps = maps();
    assert_eq!(*maps.plane(Plane::Max(0)), [255, 0, 0, 128, 255, 0, 85, 85, 255]);
    assert_eq!(*maps.plane(Plane::Mean(0)), [255, 0, 0, 64, 191, 0, 43, 43, 170]);
    assert!((maps.value(Plane::Mean(0), 1, 0) * 255.0 - 64.0).abs() < 1e-9, "the mean of numbers is not rounded");
    assert!((maps.value(Plane::Max(0), 2, 2) - 1.0).abs() < 1e-9);
}

#[test]
fn entropy_is_zero_for_one_key_and_the_logarithm_for_all() {
    let maps = state().maps.expect("the event's maps and entropies");
    let even = (1.0 + 3f64.log2()) / 3.0;
    assert!((maps.entropy(Plane::Head(0, 0)).unwrap() - even).abs() < 1e-4);
    assert_eq!(maps.entropy(Plane::Mean(0)), Some(f64::from(0.9_f32)));
    assert!((maps.most_entropy() - even).abs() < 1e-12);
    assert!(maps.entropy(Plane::Head(0, 1)).unwrap().abs() < 1e-12);
    assert_eq!(maps.entropy(Plane::Max(0)), None);
}

#[test]
fn rows_and_columns_of_several_tokens_are_averaged() {
    let maps = maps();
    let near = |seen: Vec<Option<f64>>, expected: [Option<f64>; 3]| {
        for (seen, expected) in seen.into_iter().zip(expected) {
            assert_eq!(seen.is_some(), expected.is_some());
            assert!((seen.unwrap_or(0.0) - expected.unwrap_or(0.0) / 255.0).abs() < 1e-9);
        }
    };
    let head = Plane::Head(0, 0);
    near(maps.seen(head, &[1], Direction::LooksAt), [Some(128.0), Some(127.0), None]);
    near(maps.seen(head, &[0, 1], Direction::LooksAt), [Some(191.5), Some(63.5), None]);
    near(maps.seen(head, &[1], Direction::LookedAtBy), [None, Some(127.0), Some(85.0)]);
}

#[test]
fn rows_are_pinned_added_and_let_go() {
    let mut state = state();
    state.apply(Action::Hover(Some((2, 1))));
    assert_eq!(state.rows(), [2]);
    look(&mut state, LookAction::Direction(Direction::LookedAtBy));
    assert_eq!(state.rows(), [1], "the column under the pointer");
    state.apply(Action::Pin(2));
    look(&mut state, LookAction::Add(0));
    assert_eq!(state.rows(), [0, 2]);
    look(&mut state, LookAction::Drop(2));
    assert_eq!((state.rows(), state.pinned), (vec![0], Some(0)));
    state.apply(Action::Pin(0));
    assert!(!state.holds(0), "a second click lets go");
    state.apply(Action::Pin(1));
    look(&mut state, LookAction::Add(2));
    state.apply(Action::Escape);
    assert!((0..3).all(|row| !state.holds(row)));
}

#[test]
fn a_mean_is_chosen_like_a_head_and_walked_away_from() {
    let mut state = state();
    look(&mut state, LookAction::Show(Plane::Max(0)));
    assert_eq!(state.plane(), Plane::Max(0));
    state.apply(Action::Walk { layers: 1, heads: 0 });
    assert_eq!(state.plane(), Plane::Max(0));
    state.apply(Action::Walk { layers: 0, heads: 1 });
    assert_eq!(state.plane(), Plane::Head(0, 1));
}

/// q·k / √D of the second head: of the queries 2, −1, 0 and the keys 1, 3, −5, each of one dimension.
fn hear_scores(state: &mut State, at: (usize, usize)) {
    let rows = HeadRows { d_head: 1, causal: true, q: vec![2.0, -1.0, 0.5], k: vec![1.0, 3.0, -5.0], v: vec![0.0; 3] };
    let event = InspectEvent::Head { step: 1, at, n: 3, d_head: 1, causal: true };
    let event = Event::Inspect { run: state.run, event };
    state.apply(Action::Events(vec![(event, Some(rows.to_bytes().into()))]));
}

#[test]
fn scores_are_shown_around_zero_for_one_live_head() {
    let mut state = state();
    look(&mut state, LookAction::Show(Plane::Max(0)));
    look(&mut state, LookAction::Values(Values::Scores));
    assert_eq!(state.plane(), Plane::Head(0, 0), "scores are of one head");
    assert_eq!(state.watched().head, Some((0, 0)));
    hear_scores(&mut state, (0, 1));
    assert!(matches!(state.table(), Some(Table::Weights(..))), "until its own have come");
    hear_scores(&mut state, (0, 0));
    let table = state.table().unwrap();
    let scores: Vec<f64> = [(0, 0), (1, 0), (1, 1), (2, 2)].map(|(query, key)| table.value(query, key)).into();
    assert_eq!(scores, [2.0, -1.0, -3.0, -2.5]);
    let legend = state.legend_of(&table, [255; 3]);
    assert_eq!((legend.low.as_str(), legend.high.as_str()), ("−3.000", "+3.000"));
    let shown = table.pixels(&legend.scale);
    assert_eq!(shown[4 * 4..4 * 4 + 3], Colors::Diverging.at(0.0), "the lowest");
    assert_eq!(shown[4 * 2 + 3], 0, "a masked cell is transparent");
    look(&mut state, LookAction::Show(Plane::Mean(0)));
    assert_eq!(state.look.values, Values::Weights);
    assert_eq!(state.watched().head, None);
}

#[test]
fn passing_a_baseline_is_announced_once() {
    let mut state = State::default();
    let config = (*state.draft.config).clone();
    let summary = RunSummary {
        config,
        n_params: 1,
        memory_bytes: 1,
        corpus: String::new(),
        corpus_bytes: 1,
        train_tokens: 1,
        val_tokens: 1,
        baselines: glasshead::types::Baselines { uniform: 6.0, unigram: 4.0, bigram: 2.0 },
    };
    let run = state.run;
    state.apply(Action::Events(vec![(Event::Ready { run, summary: Box::new(summary) }, None)]));
    let mut evaluated = |step: u64, loss: f32| {
        let validation = vec![ValidationPoint { step, loss }];
        let event = Event::Progress { run, step, points: Vec::new(), validation, tokens_per_s: 0.0 };
        state.apply(Action::Events(vec![(event, None)]));
        state.look.announcement.clone()
    };
    assert_eq!(evaluated(10, 6.5), "");
    assert!(evaluated(20, 3.0).starts_with("step 20: the held-out loss 3.00 is below 4.00"));
    assert!(evaluated(30, 2.9).starts_with("step 20"), "said once");
    assert!(evaluated(40, 1.0).contains("counts of pairs"));
}

#[test]
fn masked_cells_are_transparent_and_others_have_the_maps_colors() {
    let weights = [255_u8, 9, 0, 255];
    let value = |row: usize, column: usize| f32::from(weights[row * 2 + column]) / 255.0;
    let shown = pixels(2, true, &ColorScale::weights(ColorMap::Grey), value);
    assert_eq!(shown, [255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255]);
    for map in ColorMap::ALL {
        assert_eq!(ColorMap::from_name(map.name()), map);
    }
}

/// In a model without the causal mask, later positions are treated like all others.
#[test]
fn without_a_mask_nothing_is_hidden() {
    let open = Maps {
        tokens: maps().tokens[..2].to_vec(),
        n_heads: 1,
        causal: false,
        bytes: [64, 191, 128, 127].into(),
        ..maps()
    };
    let head = Plane::Head(0, 0);
    let shown = Table::Weights(Rc::new(open.clone()), head).pixels(&ColorScale::weights(ColorMap::Grey));
    assert!(shown.chunks_exact(4).all(|pixel| pixel[3] == 255), "no cell is transparent");
    assert_eq!(shown[4], 191);
    let seen = open.seen(head, &[0], Direction::LooksAt);
    assert!((seen[1].unwrap() - 191.0 / 255.0).abs() < 1e-9);
    assert!(!open.hides(0, 1) && maps().hides(0, 1));
    assert_eq!(open.most_entropy(), 1.0, "two keys for every query");
    assert_eq!(Snapshots::new(&open, 100).maps(0).unwrap(), open, "moments keep all cells");
    assert!(obstacle(&open, &Maps { causal: true, ..open.clone() }).unwrap().contains("mask"));
    let rows = HeadRows { d_head: 1, causal: false, q: vec![2.0, -1.0], k: vec![1.0, 3.0], v: vec![0.0; 2] };
    assert_eq!(Head::new(1, (0, 0), rows).scores, [2.0, 6.0, -1.0, -3.0]);
    let strands = strands(2, 0.0, |_, _| true, |query, key| open.value(head, query, key));
    assert_eq!(strands.iter().map(Vec::len).sum::<usize>(), 4);
}

#[test]
fn colors_bend_fade_and_follow_the_row() {
    let plain = ColorScale::weights(ColorMap::Grey);
    let bent = ColorScale { gamma: 0.5, ..plain };
    assert_eq!(bent.color(0.25, 1.0), [128; 3]);
    assert_eq!(ColorScale { domain: Domain::EachRow, ..plain }.color(0.2, 0.2), [255; 3]);
    let faded = ColorScale { threshold: 0.5, paper: [200; 3], ..plain };
    assert_eq!(faded.color(0.0, 1.0), [176; 3]);
    assert_eq!(faded.color(0.5, 1.0), plain.color(0.5, 1.0));
    let around = ColorScale::around_zero(2.0);
    assert_eq!(around.color(0.0, 0.0), Colors::Diverging.at(0.5));
    assert_eq!(around.color(-2.0, 0.0), Colors::Diverging.at(0.0));
    // The painted pixels equal the colors computed one at a time.
    let rows = pixels(2, true, &ColorScale { domain: Domain::EachRow, ..plain }, |_, column| 0.1 + 0.3 * column as f32);
    assert_eq!(rows[..3], [255; 3]);
    assert_eq!(rows[8..11], [64; 3]);
}

#[test]
fn small_pictures_keep_the_strongest_cells() {
    let n = 200;
    let mut weights = vec![1_u8; n * n];
    weights[150 * n + 37] = 250;
    let (m, small) = shrunk(&weights, n, 96);
    assert_eq!(m, 67);
    assert_eq!(small[50 * m + 12], 250);
    assert_eq!(small.iter().filter(|&&weight| weight == 250).count(), 1);
    assert_eq!(shrunk(&weights, n, 200).0, n);
}

#[test]
fn labels_are_thinned_by_the_room_they_have() {
    assert_eq!(labelled(5, 0.0, 1.0, 500.0, 13.0), [0, 1, 2, 3, 4]);
    let few = labelled(256, 0.0, 1.0, 560.0, 13.0);
    assert!((37..=43).contains(&few.len()), "{}", few.len());
    let zoomed = labelled(256, 0.5, 0.1, 560.0, 13.0);
    assert_eq!(zoomed.first(), Some(&128));
    assert!(zoomed.windows(2).all(|pair| pair[1] == pair[0] + 1));
}

#[test]
fn strong_weights_become_strong_lines_and_weak_ones_none() {
    let strands = strands(3, 0.0, |query, _| query > 0, |query, key| if query == key { 1.0 } else { 0.01 });
    assert_eq!(strands[STRENGTHS - 1], [(1, 1), (2, 2)]);
    assert_eq!(strands.iter().map(Vec::len).sum::<usize>(), 2);
}

proptest! {
    #[test]
    fn a_window_stays_inside_and_shows_what_it_is_asked_to(
        steps in proptest::collection::vec((0.3..3.0_f64, 0.0..1.0_f64, 0.0..1.0_f64, -2.0..2.0_f64), 1..20),
        n in 1..300_usize,
        cell in (0.0..1.0_f64, 0.0..1.0_f64),
    ) {
        let mut window = Window::WHOLE;
        for (factor, x, y, by) in steps {
            window = window.zoomed(factor, [x, y], n).moved([by, -by]);
            prop_assert!(window.left >= 0.0 && window.left + window.size <= 1.0 + 1e-9);
            prop_assert!(window.top >= 0.0 && window.top + window.size <= 1.0 + 1e-9);
        }
        let cell = ((cell.0 * n as f64) as usize, (cell.1 * n as f64) as usize);
        let window = window.showing(cell, n);
        let [x, y] = [window.middle(window.left, cell.1, n), window.middle(window.top, cell.0, n)];
        prop_assert_eq!(window.cell_at([x, y], n), Some(cell));
    }
}

/// Numbers shown for the selected head come from its queries and keys, not from the map, which has steps of 1/255.
#[test]
fn numbers_of_the_selected_head_are_those_of_its_arithmetic() {
    use glasshead::wire::inspect::InspectEvent;
    use glasshead_page::state::arithmetic::Row;
    let mut state = state();
    assert_eq!(state.watched().head, None, "no number is on show");
    state.apply(Action::Pin(1));
    assert_eq!(state.watched().head, Some((0, 0)));
    assert_eq!(state.weight_text(state.weight(1, 0)), "0.50", "two decimals are what bytes hold");
    let rows = HeadRows { d_head: 1, causal: true, q: vec![1.0, 1.0, 1.0], k: vec![0.35, 0.0, 0.2], v: vec![0.0; 3] };
    let event = InspectEvent::Head { step: 1, at: (0, 0), n: 3, d_head: 1, causal: true };
    let event = Event::Inspect { run: state.run, event };
    state.apply(Action::Events(vec![(event.clone(), Some(rows.to_bytes().into()))]));
    let row = Row::of(&rows, 1).unwrap();
    assert_eq!(state.weight(1, 0), f64::from(row.weight(0)));
    assert_eq!(state.weight_text(state.weight(1, 0)), format!("{:.3}", row.weight(0)));
    assert_eq!(state.seen(&[1], Direction::LooksAt)[0], Some(f64::from(row.weight(0))));
    // Numbers from another step do not apply to the map.
    let Event::Inspect { run, event: InspectEvent::Head { at, n, d_head, causal, .. } } = event else { unreachable!() };
    let other = Event::Inspect { run, event: InspectEvent::Head { step: 2, at, n, d_head, causal } };
    state.apply(Action::Events(vec![(other, Some(rows.to_bytes().into()))]));
    assert_eq!(state.weight_text(state.weight(1, 0)), "0.50");
    look(&mut state, LookAction::Show(Plane::Mean(0)));
    assert_eq!(state.watched().head, None);
}
