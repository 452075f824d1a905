//! The page's setup: the draft, the run's settings, and arbitrary text in any field.

use glasshead::accounting::Account;
use glasshead::config::fields::documentation;
use glasshead::config::table::{FIELDS, Kind};
use glasshead::config::{Preset, ValidConfig};
use glasshead::types::{Baselines, RunSummary};
use glasshead::wire::Event;
use glasshead_page::share::{hash, restored};
use glasshead_page::state::runs::RunsAction;
use glasshead_page::state::typed::TypedField;
use glasshead_page::state::{Action, RunState, State};
use glasshead_page::units::{counted, file_size, grouped};
use proptest::prelude::*;

/// A run of the draft, built by the worker with a vocabulary of this size.
fn built(state: &mut State, vocab_size: usize) {
    state.apply(Action::Started);
    let mut config = (*state.draft.config).clone();
    config.model.vocab_size = vocab_size;
    let summary = RunSummary {
        n_params: config.model.n_params(),
        config,
        memory_bytes: 1 << 20,
        corpus: "a text".into(),
        corpus_bytes: 1,
        train_tokens: 1,
        val_tokens: 1,
        baselines: Baselines { uniform: 6.0, unigram: 4.0, bigram: 2.0 },
    };
    let run = state.run;
    state.apply(Action::Events(vec![(Event::Ready { run, summary: Box::new(summary) }, None)]));
}

fn running() -> State {
    let mut state = State::default();
    built(&mut state, 512);
    state
}

fn enter(state: &mut State, name: &'static str, text: &str) {
    state.apply(Action::Enter(name, text.into()));
}

fn of_run(state: &State, name: &str) -> String {
    state.run_config().expect("a run").get(name).expect("a field")
}

#[test]
fn the_page_of_settings_is_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    let advice = "docs/settings.md is out of date; write it with `cargo run -- settings > docs/settings.md`";
    assert!(page.trim_end() == documentation().trim_end(), "{advice}");
}

#[test]
fn a_field_accepts_its_range_and_nothing_else() {
    for field in &FIELDS {
        let mut config = Preset::Nano.config();
        assert_eq!(field.check(&config), Ok(()), "{}", field.name);
        let outside: &[&str] = match field.kind {
            Kind::Count { min, max, .. } => &[&min.wrapping_sub(1).to_string(), &max.wrapping_add(1).to_string()],
            Kind::Number { .. } => &["-1", "NaN", "inf", "1e300"],
            Kind::Choice { .. } => &[],
        };
        for text in outside.iter().filter(|text| !(field.name == "seed" && **text != "-1")) {
            let refused = field.set(&mut config, text).and_then(|()| field.check(&config));
            assert!(refused.is_err_and(|error| error.to_string().contains(field.name)), "{} {text}", field.name);
        }
    }
    let error = Preset::Nano.config().set("tied", "true").unwrap_err().to_string();
    assert!(error.starts_with("unknown field `tied`; expected one of vocab_size, "), "{error}");
}

#[test]
fn a_refused_text_stays_in_its_field_and_changes_nothing() {
    let mut state = running();
    let before = state.draft.config.clone();
    for (name, text) in [("n_heads", "0"), ("n_layers", "many"), ("max_lr", "0,5"), ("d_model", "-1"), ("d_ff", "1e3")]
    {
        enter(&mut state, name, text);
        assert_eq!((state.field_text(name).as_str(), &state.draft.config), (text, &before), "{name}");
        assert!(state.refused(name).is_some_and(|refused| refused.problem.contains(name)), "{name}");
    }
    assert!(state.problem().is_some());
    assert!(state.refused("max_lr").is_some_and(|refused| refused.problem.contains("decimal point")));
    assert!(state.refused("d_ff").is_some_and(|refused| refused.problem.contains("whole number")));
    state.apply(Action::Discard);
    assert_eq!((state.problem(), state.field_text("n_heads").as_str()), (None, "4"));
}

#[test]
fn texts_that_fit_only_together_are_taken_over_together() {
    let mut state = running();
    enter(&mut state, "d_model", "50");
    assert_eq!((state.field_text("d_model").as_str(), state.draft.config.model.d_model), ("50", 48));
    enter(&mut state, "n_heads", "5");
    assert_eq!((state.problem(), state.draft.config.model.d_model, state.draft.config.model.n_heads), (None, 50, 5));
    // The lower bound of the learning rate waits for the upper one.
    enter(&mut state, "min_lr", "0.02");
    assert_eq!((of_run(&state, "min_lr").as_str(), state.problem().is_some()), ("0.001", true));
    enter(&mut state, "max_lr", "0.03");
    assert_eq!((of_run(&state, "min_lr").as_str(), of_run(&state, "max_lr").as_str()), ("0.02", "0.03"));
}

/// While another field is invalid, a field that applies during training still takes effect.
#[test]
fn a_learning_rate_beside_a_refused_field_reaches_the_run() {
    let mut state = running();
    enter(&mut state, "n_layers", "0");
    enter(&mut state, "max_lr", "0.5");
    assert_eq!((state.field_text("max_lr").as_str(), of_run(&state, "max_lr").as_str()), ("0.5", "0.5"));
    enter(&mut state, "n_layers", "2");
    assert_eq!((state.problem(), state.pending()), (None, Vec::new()));
    assert_eq!(state.run_train().expect("the worker is told").max_lr, 0.5);
}

/// A preset only changes the draft: the run keeps its learning rate, and the page shows that until the preset is applied.
#[test]
fn a_preset_and_back_leaves_the_runs_learning_rate_marked() {
    let mut state = running();
    enter(&mut state, "max_lr", "0.02");
    state.apply(Action::Preset(Preset::Tiny));
    assert_eq!(of_run(&state, "max_lr"), "0.02");
    assert!(["d_model", "max_lr"].iter().all(|name| state.pending().contains(name)), "{:?}", state.pending());
    state.apply(Action::Preset(Preset::Nano));
    assert_eq!((state.field_text("max_lr").as_str(), of_run(&state, "max_lr").as_str()), ("0.01", "0.02"));
    let mark = state.mark("max_lr").expect("the difference is marked");
    assert_eq!((mark.of_run.as_str(), mark.pending), ("0.02", true));
    assert_eq!((state.pending(), state.needs_restart()), (vec!["max_lr"], false));
    state.apply(Action::ApplyToRun);
    assert_eq!((state.pending(), of_run(&state, "max_lr").as_str()), (Vec::new(), "0.01"));
}

/// Applying one field during training applies no other field of the draft.
#[test]
fn a_field_is_applied_alone() {
    let mut state = running();
    state.apply(Action::Preset(Preset::Tiny));
    enter(&mut state, "weight_decay", "0.2");
    assert_eq!((of_run(&state, "weight_decay").as_str(), of_run(&state, "max_lr").as_str()), ("0.2", "0.01"));
    assert_eq!(state.pending_live(), ["max_lr", "min_lr", "warmup_steps", "schedule_steps"]);
}

#[test]
fn what_went_back_follows_only_where_draft_and_run_agreed() {
    use glasshead::wire::runs::RunsEvent;
    let mut state = running();
    let mut train = state.run_config().expect("a run").train;
    (train.max_lr, train.min_lr) = (0.005, 0.0005);
    let event = RunsEvent::WentBack { step: 0, train: Box::new(train.clone()) };
    state.apply(Action::Events(vec![(Event::Runs { run: 1, event }, None)]));
    assert_eq!((state.field_text("max_lr").as_str(), of_run(&state, "max_lr").as_str()), ("0.005", "0.005"));
    state.apply(Action::Preset(Preset::Tiny));
    train.max_lr = 0.0025;
    let event = RunsEvent::WentBack { step: 0, train: Box::new(train) };
    state.apply(Action::Events(vec![(Event::Runs { run: 1, event }, None)]));
    assert_eq!((state.field_text("max_lr").as_str(), of_run(&state, "max_lr").as_str()), ("0.003", "0.0025"));
}

/// 100,000 tokens were requested, but the text yields 1,184.
#[test]
fn costs_of_the_run_are_those_of_its_real_vocabulary() {
    let mut state = State::default();
    enter(&mut state, "vocab_size", "100000");
    assert!(!state.accounted().1, "there is no run yet");
    built(&mut state, 1184);
    let (config, of_run) = state.accounted();
    let params = Account::new(&config).total(|part| part.params);
    assert_eq!((of_run, config.model.vocab_size, params), (true, 1184, config.model.n_params()));
    assert!((150_000..200_000).contains(&params), "{params}");
    let mark = state.mark("vocab_size").expect("the run has another size");
    assert_eq!((mark.of_run.as_str(), mark.pending, state.pending()), ("1184", false, Vec::new()));
    enter(&mut state, "n_layers", "3");
    let (config, of_run) = state.accounted();
    assert_eq!((of_run, config.model.vocab_size), (false, 100_000), "the next run's");
}

#[test]
fn a_vocabulary_too_small_to_train_is_refused_where_it_is_entered() {
    let mut state = running();
    enter(&mut state, "vocab_size", "256");
    assert!(state.problem().is_some_and(|problem| problem.contains("at least 257")));
    enter(&mut state, "vocab_size", "257");
    assert_eq!(state.problem(), None);
    let (state, problems) = restored("#preset=nano&vocab_size=5");
    assert_eq!((state.draft.config.model.vocab_size, problems.len()), (512, 1), "{problems:?}");
    assert!(problems[0].contains("at least 257"), "{problems:?}");
    // A selected vocabulary determines the vocabulary size.
    let mut state = running();
    state.apply(Action::TakeVocabulary("mine".into(), 90));
    enter(&mut state, "vocab_size", "100");
    assert!(state.problem().is_some_and(|problem| problem.contains("90, the size of the chosen vocabulary mine")));
}

/// Kernels compute in f32: a learning rate of 1e39 is infinite there, and an ε of 1e-60 is 0.
#[test]
fn numbers_that_f32_cannot_hold_are_refused() {
    for (name, text) in [("max_lr", "1e39"), ("adam_eps", "1e-60"), ("max_grad_norm", "1e300"), ("weight_decay", "NaN")]
    {
        let mut state = running();
        enter(&mut state, name, text);
        assert!(state.refused(name).is_some(), "{name} {text}");
    }
}

/// Parameter counts have 64 bits on every machine: in 32 bits, 4,294,967,296 would become 0.
#[test]
fn parameters_are_counted_in_64_bits() {
    let mut config = Preset::Nano.config();
    (config.model.vocab_size, config.model.d_model) = (1 << 20, 1 << 13);
    let count: u64 = config.model.n_params();
    assert!(count > 2 << 33, "{count}");
    assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
}

#[test]
fn odd_texts_for_sampling_and_weights_are_refused_with_a_word() {
    use glasshead::types::inspect::WeightAt;
    use glasshead_page::state::ask::AskAction;
    let mut state = running();
    let weight = WeightAt { tensor: "t".into(), row: 3, column: 4 };
    state.apply(Action::Ask(AskAction::Weight(weight)));
    let (sampling, ask) = (state.sampling.clone(), state.ask.clone());
    let all = TypedField::SAMPLING.into_iter().chain([
        TypedField::WeightRow,
        TypedField::WeightColumn,
        TypedField::WeightValue,
    ]);
    for field in all {
        for text in ["-1", "NaN", "0,5", "1e39", "two"] {
            let fits = field == TypedField::WeightValue && text == "-1";
            state.apply(Action::Type(field, text.into()));
            assert_eq!(state.typed_text(field), text, "{field:?}");
            assert_eq!(state.typed_problems(&[field]).len(), usize::from(!fits), "{field:?} {text}");
        }
        assert_eq!(state.sampling, sampling, "{field:?}");
    }
    assert_eq!(state.ask.weight, ask.weight);
    state.apply(Action::Type(TypedField::SamplingSeed, u64::MAX.to_string()));
    assert_eq!((state.sampling.seed, state.typed_problems(&[TypedField::SamplingSeed])), (u64::MAX, Vec::new()));
    state.apply(Action::Type(TypedField::WeightValue, " -0.25 ".into()));
    assert_eq!((state.ask.value, state.typed_text(TypedField::WeightValue).as_str()), (Some(-0.25), "-0.25"));
    state.apply(Action::Type(TypedField::WeightValue, "".into()));
    assert_eq!(state.ask.value, None);
}

#[test]
fn sizes_and_counts_are_readable() {
    assert_eq!([file_size(1), file_size(999), file_size(42_000)], ["1 byte", "999 bytes", "42.0 kB"]);
    assert_eq!([file_size(999_949), file_size(999_950), file_size(2_200_000_000)], ["999.9 kB", "1.0 MB", "2.2 GB"]);
    assert_eq!(
        [counted(0, "token"), counted(1, "token"), counted(1000, "token")],
        ["0 tokens", "1 token", "1,000 tokens"]
    );
}

/// Possible input: numbers of all kinds, words, and the empty string.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0u64..40).prop_map(|n| n.to_string()),
        2 => any::<u64>().prop_map(|n| n.to_string()),
        2 => any::<f64>().prop_map(|x| x.to_string()),
        1 => Just("0".to_string()),
        1 => "[-+0-9eE.,_ ]{0,12}",
        1 => ".{0,12}",
    ]
}

/// One change of the settings, and whether the page requests a new run after it.
fn changes() -> impl Strategy<Value = (usize, String, u8)> {
    (0..FIELDS.len() + TypedField::SAMPLING.len() + 4, texts(), 0u8..8)
}

fn change(state: &mut State, (field, text, then): (usize, String, u8)) {
    let settings = FIELDS.len();
    let typed = settings + TypedField::SAMPLING.len();
    state.apply(match field {
        _ if field < settings => match &FIELDS[field].kind {
            Kind::Choice { names, .. } if text.len() != 7 => {
                Action::Enter(FIELDS[field].name, names()[text.len() % names().len()].into())
            }
            _ => Action::Enter(FIELDS[field].name, text),
        },
        _ if field < typed => Action::Type(TypedField::SAMPLING[field - settings], text),
        _ if field == typed => Action::Preset(Preset::ALL[text.len() % Preset::ALL.len()]),
        _ if field == typed + 1 => Action::TakeVocabulary(text.clone(), text.parse().unwrap_or(300)),
        _ if field == typed + 2 => Action::DropVocabulary,
        _ => Action::Follow(format!("#preset=tiny&d_model={text}&vocab_size={text}")),
    });
    match then {
        0 if state.problem().is_none() => built(state, 300),
        1 => state.apply(Action::Events(vec![(Event::Training { run: state.run, on: true }, None)])),
        2 => state.apply(Action::ApplyToRun),
        3 => state.apply(Action::Runs(RunsAction::Loading(None))),
        4 => state.apply(Action::Events(vec![(Event::Failed { run: 0, message: "it stopped".into() }, None)])),
        _ => (),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Any input in any order, with or without a run: nothing panics, the configuration that would start is valid, every
    /// derived number can be computed, and each field shows the current value or is marked.
    #[test]
    fn any_text_in_any_field_leaves_draft_and_run_consistent(all in prop::collection::vec(changes(), 1..24)) {
        let mut state = State::default();
        if all.len() % 2 == 0 {
            built(&mut state, 400);
        }
        for one in all {
            change(&mut state, one);
            prop_assert!(state.draft.check((*state.draft.config).clone()).is_ok());
            let (config, _) = state.accounted();
            prop_assert!(Account::new(&config).total(|part| part.params) == config.model.n_params());
            prop_assert!(config.tokens_per_step() > 0 && config.model.d_head() > 0);
            for name in FIELDS.iter().map(|field| field.name) {
                let in_force = state.draft.config.get(name).unwrap();
                let refused = state.refused(name).is_some();
                prop_assert!(refused || state.field_text(name) == in_force, "{name} shows another value");
                if let Some(run) = state.run_config() {
                    let same = run.get(name).unwrap() == in_force;
                    prop_assert!(same != state.mark(name).is_some(), "{name} differs and is not marked");
                }
            }
            if let Some(run) = state.run_config() {
                prop_assert!(ValidConfig::try_from(run).is_ok(), "the run's settings are valid");
            }
            prop_assert!(restored(&hash(&state, true)).0.problem().is_none());
            let _ = (state.pending(), state.pending_live(), state.start_command(), state.all_runs());
            prop_assert!(state.run_state != RunState::Ready || state.summary.is_some());
        }
    }
}
