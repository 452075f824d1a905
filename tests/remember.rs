//! Earlier moments: kept in bounded memory, shown again, compared, and taken along as files.

use std::rc::Rc;

use glasshead::protocol::export::{Weights, WeightsAbout};
use glasshead::protocol::{Event, Token};
use glasshead::ui::draw::colors::ColorMap;
use glasshead::ui::draw::figure::{Figure, Pick};
use glasshead::ui::share::{hash, restored};
use glasshead::ui::state::difference::{head_difference, mean_absolute, obstacle};
use glasshead::ui::state::remember::RememberAction;
use glasshead::ui::state::snapshots::Snapshots;
use glasshead::ui::state::{Action, Maps, State};
use proptest::prelude::*;

fn tokens(n: usize) -> Vec<Token> {
    (0..n as u32).map(|id| Token { id, text: format!(" t{id}") }).collect()
}

/// Two layers of three heads; every cell that is not masked depends on the step.
fn maps(step: u64, n: usize) -> Maps {
    let cell = |i: usize| if i % n > i / n % n { 0 } else { (i as u64 * 7 + step * 13) as u8 };
    let bytes: Vec<u8> = (0..2 * 3 * n * n).map(cell).collect();
    Maps { step, tokens: tokens(n), n_layers: 2, n_heads: 3, tokens_cut: 0, bytes: bytes.into() }
}

fn heard(state: &mut State, maps: &Maps) {
    let Maps { step, tokens, n_layers, n_heads, tokens_cut, bytes } = maps.clone();
    let event = Event::Attention { run: state.run, step, tokens, n_layers, n_heads, tokens_cut };
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

    #[test]
    fn any_link_gives_a_state_that_can_start(text in ".{0,200}") {
        let (state, _) = restored(&text);
        prop_assert_eq!(state.problem(), None);
    }

    #[test]
    fn any_value_in_a_link_gives_a_state_that_can_start(
        key in "(view|preset|seed|layer|head|pin|colors|text|d_model|n_heads|max_lr|batch_size|norm)",
        value in "[-+0-9a-zA-Z.%\u{0}-\u{ff}]{0,24}",
    ) {
        let (state, _) = restored(&format!("#{key}={value}"));
        prop_assert_eq!(state.problem(), None);
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
    let difference = head_difference(&held, &shown, (0, 1));
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
    let mut about = WeightsAbout { step: 12, seed: 5, tokens: tokens(2), n_layers: 1, n_heads: 2 };
    about.tokens[1].text = "\"a\",\n".into();
    let numbers = [1.0f32, 0.0, 0.123_456_79, 0.876_543_2, 1.0, 0.0, 1e-9, 1.0];
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    assert_eq!(Weights::from_bytes(about.clone(), &bytes[1..]), None);
    let weights = Weights::from_bytes(about, &bytes).unwrap();
    let csv = weights.to_csv(Some((0, 1)));
    let header = "step,layer,head,query,key,query_token,key_token,weight\n";
    assert!(csv.starts_with(&format!("{header}12,1,2,0,0,\" t0\",\" t0\",1\n")), "{csv}");
    assert!(csv.contains("12,1,2,1,0,\"\"\"a\"\",\n\",\" t0\",0.000000001\n"), "{csv}");
    assert_eq!(weights.to_csv(None).matches("\n12,").count(), 6);
    let json: serde_json::Value = serde_json::from_str(&weights.to_json(None)).unwrap();
    assert_eq!((&json["seed"], &json["heads"][0]["layer"]), (&5.into(), &1.into()));
    assert_eq!(json["heads"][0]["weights"][1][0].as_f64().unwrap() as f32, 0.123_456_79);
}

#[test]
fn figures_say_what_they_show_and_need_nothing_else() {
    let mut maps = maps(12, 3);
    maps.bytes = Rc::from([[0; 9], [255, 0, 0, 9, 8, 0, 1, 2, 4], [9; 9], [0; 9], [0; 9], [0; 9]].concat());
    assert_eq!(Pick::Max.weights(&maps, (0, 0))[3..5], [9, 9]);
    assert_eq!(Pick::Mean.weights(&maps, (0, 0))[..4], [88, 3, 3, 6]);
    let labels = vec!["<b>".into(), "\"&".into(), "\u{1}".into()];
    let figure = Figure::of_weights(&maps, Pick::Head, (0, 1), ColorMap::Grey, labels, "step 12 · seed 5".into());
    let svg = figure.svg("");
    assert!(svg.contains("layer 1, head 2") && svg.contains("step 12 · seed 5"), "{svg}");
    assert!(svg.contains(">&lt;b&gt;</text>") && svg.contains(">&quot;&amp;</text>"), "{svg}");
    assert!(!svg.contains('\u{1}') && !svg.contains("href"), "{svg}");
    assert_eq!(svg.matches("<rect").count(), 2 + 1 + 1 + 6 + 32, "hatching, ground, mask, cells, legend");
    let tokens: Vec<String> = (0..65).map(|at| at.to_string()).collect();
    let large = Figure { tokens, cells: vec![0; 4 * 65 * 65], ..figure };
    assert!(large.svg("data:image/png;base64,AA").contains("href=\"data:image/png;base64,AA\""));
}

#[test]
fn a_link_restores_the_view() {
    let mut state = State::default();
    state.apply(Action::Started);
    heard(&mut state, &maps(0, 6));
    let mut config = state.draft.config.clone();
    (config.model.n_layers, config.train.seed, config.train.max_lr) = (3, 99, 0.005);
    state.apply(Action::Config(config.clone()));
    state.apply(Action::Select(1, 2));
    state.apply(Action::Pin(4));
    state.probe = "my own & secret = words".into();
    let plain = hash(&state, false);
    assert!(!plain.contains("secret"), "{plain}");
    assert!(plain.contains("n_layers=3") && !plain.contains("d_model"), "only what differs from the preset: {plain}");
    let (mut again, problems) = restored(&hash(&state, true));
    assert_eq!((problems, &again.draft.config, again.probe.as_str()), (Vec::new(), &config, state.probe.as_str()));
    again.apply(Action::Started);
    heard(&mut again, &maps(0, 6));
    assert_eq!((again.selected, again.pinned), ((1, 2), Some(4)));
    let (defaults, problems) = restored("#preset=huge&d_model=7&n_heads=3&layer=-1");
    assert_eq!(defaults.draft.config, State::default().draft.config);
    assert_eq!(problems.len(), 3, "{problems:?}");
}
