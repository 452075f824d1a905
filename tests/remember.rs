//! The timeline: snapshots in bounded memory, shown again, compared, and exported to files.

use std::rc::Rc;

use glasshead::types::Token;
use glasshead::types::attention_weights::{Weights, WeightsAbout, csv_of, json_of};
use glasshead::wire::Event;
use glasshead_page::draw::figure::{Figure, PAPER};
use glasshead_page::maps::Plane;
use glasshead_page::state::difference::{difference, mean_absolute, obstacle};
use glasshead_page::state::look::{LookAction, Values};
use glasshead_page::state::remember::RememberAction;
use glasshead_page::state::shown::Table;
use glasshead_page::state::snapshots::Snapshots;
use glasshead_page::state::{Action, Maps, State};
use proptest::prelude::*;

fn tokens(n: usize) -> Vec<Token> {
    (0..n as u32).map(|id| Token { id, text: format!(" t{id}") }).collect()
}

/// Two layers of three heads; every cell that is not masked depends on the step.
fn maps(step: u64, n: usize) -> Maps {
    let cell = |i: usize| if i % n > i / n % n { 0 } else { (i as u64 * 7 + step * 13) as u8 };
    let bytes: Vec<u8> = (0..2 * 3 * n * n).map(cell).collect();
    Maps {
        step,
        tokens: tokens(n),
        n_layers: 2,
        n_heads: 3,
        causal: true,
        tokens_cut: 0,
        bytes: bytes.into(),
        entropies: Rc::from([]),
    }
}

fn heard(state: &mut State, maps: &Maps) {
    let Maps { step, tokens, n_layers, n_heads, causal, tokens_cut, bytes, .. } = maps.clone();
    let event = Event::Attention { run: state.run, step, tokens, n_layers, n_heads, causal, tokens_cut };
    state.apply(Action::Events(vec![(event, Some(bytes))]));
}

fn act(state: &mut State, action: RememberAction) {
    state.apply(Action::Remember(action));
}

#[test]
fn moments_come_back_as_they_were() {
    let mut moments = Snapshots::new(&maps(0, 5), 1 << 20);
    for step in 1..20 {
        moments.record(&maps(step, 5));
    }
    assert_eq!(moments.len(), 20);
    for step in 0..20 {
        assert_eq!(moments.maps(moments.at_step(step)), Some(maps(step, 5)));
    }
    moments.record(&maps(19, 5));
    assert_eq!(moments.len(), 20, "the same step again is no other moment");
    assert_eq!(moments.maps(20), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn memory_is_bounded_and_the_moments_stay_even(arrivals in 1u64..400, room in 2usize..40) {
        let each = 2 * 3 * (4 * 5 / 2);
        let mut moments = Snapshots::new(&maps(0, 4), room * each);
        for step in 1..arrivals {
            moments.record(&maps(10 * step, 4));
            prop_assert!(moments.bytes() <= room * each);
        }
        let steps: Vec<u64> = moments.steps().collect();
        prop_assert_eq!(steps[0], 0);
        prop_assert_eq!(*steps.last().unwrap(), 10 * (arrivals - 1));
        let apart: Vec<u64> = steps.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let (newest, others) = apart.split_last().map_or((0, &[][..]), |(newest, others)| (*newest, others));
        prop_assert!(others.iter().all(|&gap| gap == 10 * moments.stride()), "{:?}", steps);
        prop_assert!(newest <= 10 * moments.stride());
    }
}

#[test]
fn the_scrubber_goes_back_and_forth_while_training_goes_on() {
    let mut state = State::default();
    state.apply(Action::Started);
    for step in [0, 10, 20, 30] {
        heard(&mut state, &maps(step, 3));
    }
    let shown = |state: &State| state.shown_maps().unwrap().step;
    assert_eq!((shown(&state), state.remember.earlier.is_some()), (30, false));
    act(&mut state, RememberAction::Walk(-1));
    assert_eq!((shown(&state), state.remember.place()), (20, 2));
    heard(&mut state, &maps(40, 3));
    assert_eq!(shown(&state), 20, "a new snapshot does not move what is shown");
    act(&mut state, RememberAction::Show(0));
    assert_eq!(*state.shown_maps().unwrap(), maps(0, 3));
    act(&mut state, RememberAction::Play(true));
    for _ in 0..4 {
        assert!(state.remember.playing);
        act(&mut state, RememberAction::Walk(1));
    }
    assert_eq!((shown(&state), state.remember.playing), (40, false), "the film ends with the present");
    act(&mut state, RememberAction::Show(1));
    heard(&mut state, &maps(50, 2));
    assert_eq!((shown(&state), state.remember.place()), (50, 0), "another sentence begins live");
    heard(&mut state, &maps(60, 3));
    let steps: Vec<u64> = state.remember.moments.as_ref().unwrap().steps().collect();
    assert_eq!(steps, [0, 10, 20, 30, 40, 60], "the first sentence has its moments back");
}

#[test]
fn a_held_moment_outlives_its_run_and_says_when_it_cannot_be_compared() {
    let mut state = State::default();
    state.apply(Action::Started);
    heard(&mut state, &maps(7, 4));
    act(&mut state, RememberAction::Hold);
    state.apply(Action::Started);
    heard(&mut state, &maps(0, 4));
    let held = state.remember.held.clone().unwrap();
    assert_eq!((held.run, held.run_name.as_str(), held.maps.step, state.obstacle()), (1, "run 1", 7, None));
    heard(&mut state, &maps(0, 3));
    assert!(state.obstacle().unwrap().contains("different sentences"));
    let mut other = maps(0, 4);
    other.n_layers = 3;
    assert!(obstacle(&held.maps, &other).unwrap().contains("3 layers of 3 heads"));
    let mut cut = maps(0, 2);
    (cut.tokens[0].text, cut.tokens[1].text) = (" t0 t".into(), "1 t2 t3".into());
    assert!(obstacle(&held.maps, &cut).unwrap().contains("into 4 and 2 tokens"));
}

#[test]
fn differences_are_shown_minus_held() {
    let (mut held, mut shown) = (maps(0, 2), maps(0, 2));
    (held.bytes, shown.bytes) = (Rc::from([0; 24]), Rc::from([0; 24]));
    Rc::get_mut(&mut held.bytes).unwrap()[4..8].copy_from_slice(&[255, 0, 255, 0]);
    Rc::get_mut(&mut shown.bytes).unwrap()[4..8].copy_from_slice(&[255, 0, 51, 204]);
    let difference = difference(&held, &shown, Plane::Head(0, 1));
    for (ours, expected) in difference.iter().zip([0.0, 0.0, -0.8, 0.8]) {
        assert!((ours - expected).abs() < 1e-6, "{difference:?}");
    }
    assert!(
        (mean_absolute(&held, &shown, (0, 1)) - 1.6 / 3.0).abs() < 1e-6,
        "over the three cells that are not masked"
    );
    assert_eq!(mean_absolute(&held, &shown, (0, 0)), 0.0);
}

#[test]
fn files_of_weights_name_every_cell() {
    let mut about = WeightsAbout {
        step: 12,
        seed: 5,
        tokens: tokens(2),
        n_layers: 1,
        n_heads: 2,
        causal: true,
        kept_as_bytes: false,
    };
    about.tokens[1].text = "\"a\",\n".into();
    (about.tokens[0].id, about.tokens[1].id) = (41, 300);
    let numbers = [1.0f32, 0.0, 0.123_456_79, 0.876_543_2, 1.0, 0.0, 1e-9, 1.0];
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    assert_eq!(Weights::from_bytes(about.clone(), &bytes[1..]), None);
    let weights = Weights::from_bytes(about, &bytes).unwrap();
    let csv = weights.to_csv(Some((0, 1)));
    let header = "step,layer,head,query,key,query_token,key_token,weight,precision,query_id,key_id\n";
    assert!(csv.starts_with(&format!("{header}12,1,2,0,0,\" t0\",\" t0\",1,,41,41\n")), "{csv}");
    assert!(csv.contains("12,1,2,1,0,\"\"\"a\"\",\n\",\" t0\",0.000000001,,300,41\n"), "{csv}");
    assert_eq!(weights.to_csv(None).matches("\n12,").count(), 6);
    let json: serde_json::Value = serde_json::from_str(&weights.to_json(None)).unwrap();
    assert_eq!((&json["seed"], &json["heads"][0]["layer"]), (&5.into(), &1.into()));
    assert_eq!(json["heads"][0]["weights"][1][0].as_f64().unwrap() as f32, 0.123_456_79);
    assert_eq!(json["precision"], "f32");
    let open = Weights { about: WeightsAbout { causal: false, ..weights.about.clone() }, ..weights.clone() };
    assert_eq!(open.to_csv(None).matches("\n12,").count(), 8, "without a mask every cell has its line");
    // Several snapshots as one table, and as one list.
    let mut later = weights.clone();
    (later.about.step, later.about.kept_as_bytes) = (13, true);
    let both = csv_of([weights.clone(), later.clone()].into_iter(), Some((0, 0)));
    assert!(both.starts_with(header) && both.matches("weight,").count() == 1, "{both}");
    assert!(
        both.contains("\n13,1,1,1,0,\"\"\"a\"\",\n\",\" t0\",0.123,0.002,300,41\n"),
        "what was kept as bytes holds three decimals: {both}"
    );
    assert_eq!((both.matches("\n12,").count(), both.matches("\n13,").count()), (3, 3));
    let list: serde_json::Value = serde_json::from_str(&json_of([weights, later].into_iter(), Some((0, 0)))).unwrap();
    assert_eq!(
        (&list[1]["step"], &list[1]["precision"], &list[2]),
        (&13.into(), &"0.002".into(), &serde_json::Value::Null)
    );
}

#[test]
fn figures_show_what_the_screen_shows_and_need_nothing_else() {
    let mut state = State::default();
    let mut shown = maps(12, 3);
    shown.bytes = Rc::from([[0; 9], [255, 0, 0, 9, 8, 0, 1, 2, 4], [9; 9], [0; 9], [0; 9], [0; 9]].concat());
    heard(&mut state, &shown);
    state.apply(Action::Select(0, 1));
    for action in [LookAction::Values(Values::EachRow), LookAction::Gamma(0.5), LookAction::Threshold(0.03)] {
        state.apply(Action::Look(action));
    }
    let table = state.table().unwrap();
    let labels = vec!["<b>".into(), "\"&".into(), "\u{1}".into()];
    let figure = Figure::of(&table, state.legend_of(&table, PAPER), labels, "step 12 · seed 5".into());
    assert_eq!(figure.cells, table.pixels(&state.color_scale(PAPER)), "row by row, bent and faded as on the screen");
    assert_ne!(figure.cells[4 * 4..4 * 5], figure.cells[4 * 3..4 * 4]);
    let svg = figure.svg("");
    assert!(svg.contains("layer 1, head 2") && svg.contains("step 12 · seed 5"), "{svg}");
    assert!(svg.contains("each row&apos;s maximum") || svg.contains("each row's maximum"), "{svg}");
    assert!(svg.contains("gamma 0.50 · below 0.03 faded"), "{svg}");
    assert!(svg.contains(">&lt;b&gt;</text>") && svg.contains(">&quot;&amp;</text>"), "{svg}");
    assert!(!svg.contains('\u{1}') && !svg.contains("href"), "{svg}");
    assert_eq!(svg.matches("<rect").count(), 2 + 1 + 1 + 6 + 32, "hatching, ground, mask, cells, legend");
    let tokens: Vec<String> = (0..65).map(|at| at.to_string()).collect();
    let large = Figure { tokens, cells: vec![0; 4 * 65 * 65], ..figure };
    assert!(large.svg("data:image/png;base64,AA").contains("href=\"data:image/png;base64,AA\""));
    state.apply(Action::Look(LookAction::Show(Plane::Max(0))));
    assert_eq!(state.table(), Some(Table::Weights(state.maps.clone().unwrap(), Plane::Max(0))));
}

#[test]
fn a_film_is_cancelled_by_its_number() {
    let mut state = State::default();
    act(&mut state, RememberAction::Film(7));
    act(&mut state, RememberAction::Frames { film: 6, done: 3, of: 4 });
    assert_eq!(state.remember.making.film.map(|film| film.done), Some(0), "of one that was cancelled before");
    act(&mut state, RememberAction::Frames { film: 7, done: 3, of: 4 });
    assert_eq!(state.remember.making.film.map(|film| (film.done, film.of)), Some((3, 4)));
    act(&mut state, RememberAction::Made("given up".into()));
    assert_eq!(state.remember.making.film, None);
    assert_eq!(state.look.announcement, "given up", "the status line says it");
}
