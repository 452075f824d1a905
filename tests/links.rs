//! Links: what a hash restores, in a fresh page and in an active one.

use std::rc::Rc;

use glasshead::config::Preset;
use glasshead::data::Task;
use glasshead::types::tasks::{TASKS, TaskInfo};
use glasshead::types::{CorpusChoice, Token};
use glasshead::wire::Event;
use glasshead::wire::data::DataEvent;
use glasshead_page::draw::colors::ColorMap;
use glasshead_page::maps::{Direction, Plane};
use glasshead_page::share::{HIDEABLE, differ_in_place_alone, hash, restored, take_over, with_entry};
use glasshead_page::state::look::{Form, LookAction, Values};
use glasshead_page::state::{Action, DEFAULT_PROBE, State, View};
use proptest::prelude::*;

/// Two layers of three heads over six tokens.
fn heard(state: &mut State) {
    let tokens = (0..6).map(|id| Token { id, text: format!("t{id}") }).collect();
    let event =
        Event::Attention { run: state.run, step: 0, tokens, n_layers: 2, n_heads: 3, causal: true, tokens_cut: 0 };
    state.apply(Action::Events(vec![(event, Some(Rc::from([9; 6 * 36])))]));
}

fn look(state: &mut State, action: LookAction) {
    state.apply(Action::Look(action));
}

/// A run with many non-default settings.
fn sender() -> State {
    let mut state = State::default();
    state.apply(Action::Started);
    heard(&mut state);
    let mut config = (*state.draft.config).clone();
    (config.model.n_layers, config.train.seed, config.train.max_lr) = (3, 99, 0.005);
    state.apply(Action::Config(config));
    state.apply(Action::Pin(4));
    look(&mut state, LookAction::Add(2));
    look(&mut state, LookAction::Show(Plane::Max(1)));
    look(&mut state, LookAction::Values(Values::EachRow));
    look(&mut state, LookAction::Gamma(0.45));
    look(&mut state, LookAction::Threshold(0.2));
    look(&mut state, LookAction::Form(Form::Lines));
    look(&mut state, LookAction::Direction(Direction::LookedAtBy));
    state.apply(Action::ToggleMask);
    state.apply(Action::ColorMap(ColorMap::Magma));
    state.probe = "my own & secret = words".into();
    state
}

/// The part of a state that a link restores, once there are maps.
fn restorable(state: &State) -> impl PartialEq + std::fmt::Debug + use<> {
    let look = &state.look;
    let seen = (state.plane(), state.pinned, look.added.clone(), state.mask_shown, state.color_map);
    let how = (look.values, look.gamma, look.threshold, look.form, look.direction);
    (state.draft.config.clone(), state.draft.corpus, seen, how)
}

#[test]
fn a_link_restores_the_view_in_a_fresh_page() {
    let state = sender();
    let plain = hash(&state, false);
    assert!(!plain.contains("secret"), "{plain}");
    assert!(plain.contains("n_layers=3") && !plain.contains("d_model"), "only what differs from the preset: {plain}");
    let (mut again, problems) = restored(&hash(&state, true));
    assert_eq!((problems, again.probe.as_str()), (Vec::new(), state.probe.as_str()));
    again.apply(Action::Started);
    heard(&mut again);
    assert_eq!(restorable(&again), restorable(&state));
}

#[test]
fn whatever_a_link_says_the_page_can_start() {
    let (defaults, problems) = restored("#preset=huge&d_model=7&n_heads=3&layer=-1");
    assert_eq!(defaults.draft.config, State::default().draft.config);
    assert_eq!(problems.len(), 3, "{problems:?}");
    let odd = "#gamma=nan&fade=-8&pin=1,x&shows=all&form=&reads=%ff&task=&step=..&layer=9&head=99&view=home&corpus=own";
    let (mut odd, problems) = restored(odd);
    assert_eq!(problems.len(), 8, "{problems:?}");
    assert!(problems.iter().any(|problem| problem.contains("text of their own")), "{problems:?}");
    odd.apply(Action::Started);
    heard(&mut odd);
    assert_eq!((odd.plane(), odd.pinned, odd.look.threshold), (Plane::Head(1, 2), None, 0.0), "the last there is");
}

#[test]
fn a_link_is_taken_over_by_a_page_that_runs() {
    let sender = sender();
    let mut state = State::default();
    state.apply(Action::Started);
    heard(&mut state);
    look(&mut state, LookAction::Gamma(2.0));
    // View settings change at once; settings that need a new run go into the draft.
    let link = hash(&sender, false);
    state.apply(Action::Follow(link.clone()));
    assert!(state.needs_restart() && state.look.gamma == 0.45);
    assert_eq!(
        (state.plane(), state.probe.as_str()),
        (Plane::Head(0, 0), DEFAULT_PROBE),
        "its head is of the next run"
    );
    state.apply(Action::Started);
    heard(&mut state);
    assert_eq!(restorable(&state), restorable(&sender));
    // A link with the same settings selects its head at once.
    let other = with_entry(&with_entry(&link, "head", "2"), "layer", "1");
    state.apply(Action::Follow(other));
    assert_eq!((state.needs_restart(), state.plane()), (false, Plane::Head(0, 1)));
    // A link without a preset changes only the fields that it names.
    state.apply(Action::Follow("#view=tokenizer&colors=grey".into()));
    assert_eq!((state.view, state.color_map, state.look.gamma), (View::Tokenizer, ColorMap::Grey, 0.45));
    assert!(!state.needs_restart());
    // A plain link resets the fields that it does not name.
    assert_eq!(take_over(&mut state, "#view=train&preset=nano"), Vec::<String>::new());
    assert_eq!((&*state.draft.config, state.look.gamma, state.mask_shown), (&Preset::Nano.config(), 1.0, true));
}

#[test]
fn a_task_is_in_the_link_with_its_sentence() {
    assert_eq!(TASKS, Task::ALL.map(Task::name), "links name the tasks as the command line does");
    let mut state = State::default();
    state.apply(Action::Corpus(CorpusChoice::Task(1)));
    let link = hash(&state, false);
    assert!(link.contains("task=reverse"), "{link}");
    let (mut again, problems) = restored(&link);
    assert_eq!((problems, again.draft.corpus), (Vec::new(), CorpusChoice::Task(1)));
    assert_eq!(again.draft.config.model.vocab_size, 257);
    let info = |task: Task| TaskInfo { name: task.name().into(), description: String::new(), probe: task.probe() };
    let tasks = DataEvent::Tasks { tasks: Task::ALL.map(info).into() };
    again.apply(Action::Events(vec![(Event::Data(tasks), None)]));
    assert_eq!(again.probe, Task::Reverse.probe());
}

#[test]
fn a_vocabulary_and_a_text_of_ones_own_stay_at_home() {
    let mut state = State::default();
    state.apply(Action::File("diary.txt".into()));
    state.apply(Action::TakeVocabulary("mine".into(), 9_000));
    let link = hash(&state, false);
    assert!(!link.contains("diary") && !link.contains("mine") && !link.contains("9000"), "{link}");
    let (again, problems) = restored(&link);
    assert_eq!((again.draft.corpus, problems.len()), (CorpusChoice::BuiltIn, 2), "{problems:?}");
    assert!(problems[1].contains("vocabulary"), "{problems:?}");
}

#[test]
fn a_link_hides_parts_of_the_page() {
    let (mut state, problems) = restored("#preset=nano&hide=writing,setup,%20saved,setup");
    assert_eq!((problems, &state.hidden[..]), (Vec::new(), &["saved", "setup", "writing"][..]));
    assert!(hash(&state, false).ends_with("&hide=saved%2Csetup%2Cwriting"));
    assert_eq!(restored(&hash(&state, false)).0.hidden, state.hidden);
    let (other, problems) = restored("#hide=setup,everything");
    assert_eq!((other.hidden.len(), problems.len()), (0, 1));
    state.apply(Action::Follow("#preset=nano".into()));
    assert!(state.hidden.is_empty());
    let styles = include_str!("../www/embed.css");
    for name in HIDEABLE {
        assert!(styles.contains(&format!("data-hide~=\"{name}\"]")), "no style hides {name}");
        assert!(include_str!("../docs/embedding.md").contains(&format!("| `{name}` |")), "{name} is not told");
    }
}

#[test]
fn entries_of_a_hash_have_one_owner_each() {
    assert_eq!(with_entry("", "view", "lesson"), "#view=lesson");
    assert_eq!(with_entry("#view=train&preset=nano", "view", "lesson"), "#view=lesson&preset=nano");
    assert_eq!(
        with_entry("#view=lesson&preset=nano&seed=5", "step", "a b"),
        "#view=lesson&preset=nano&seed=5&step=a%20b"
    );
    assert!(differ_in_place_alone("#view=lesson&preset=nano&step=mask", "#view=train&preset=nano"));
    assert!(!differ_in_place_alone("#view=lesson&preset=nano", "#view=lesson&preset=tiny"));
    let mut state = State::default();
    state.apply(Action::View(View::Lesson));
    assert!(hash(&state, false).starts_with("#view=lesson&step="));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_link_gives_a_state_that_can_start(text in ".{0,200}") {
        let (state, _) = restored(&text);
        prop_assert_eq!(state.problem(), None);
    }

    #[test]
    fn any_value_in_a_link_gives_a_state_that_can_start(
        key in "(view|hide|preset|seed|layer|head|pin|colors|text|form|reads|shows|gamma|fade|task|corpus|mask|step|d_model|n_heads|max_lr|batch_size|norm)",
        value in "[-+0-9a-zA-Z.%\u{0}-\u{ff}]{0,24}",
    ) {
        let (state, _) = restored(&format!("#{key}={value}"));
        prop_assert_eq!(state.problem(), None);
    }
}
