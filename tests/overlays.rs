//! Drawers, the settings by group, and the command palette.

use std::collections::BTreeSet;

use glasshead::config::fields::Field;
use glasshead::config::table::FIELDS;
use glasshead::types::CorpusChoice;
use glasshead_page::palette::state::{Kind, Target, entries, search};
use glasshead_page::settings::state::{Group, changed, choice_label, field_found, group_found, help, sentence_case};
use glasshead_page::share::restored;
use glasshead_page::state::overlay::{HelpTab, Overlay, OverlayAction};
use glasshead_page::state::{Action, State, View};

#[test]
fn every_field_is_in_one_group() {
    let grouped: Vec<&str> = Group::ALL.iter().flat_map(|group| group.fields()).copied().collect();
    let (unique, all) =
        (grouped.iter().copied().collect::<BTreeSet<_>>(), FIELDS.iter().map(|field| field.name).collect());
    assert_eq!(unique, all);
    assert_eq!(grouped.len(), FIELDS.len(), "no field is in two groups");
    for group in Group::ALL {
        assert!(!group.summary(&State::default()).is_empty(), "{}", group.title());
        for (name, _) in group.others() {
            assert_eq!(Group::of(name), Some(group), "{name}");
        }
    }
    assert_eq!(Group::Model.summary(&State::default()), "2 layers · 4 heads · width 48");
    assert_eq!(Group::Architecture.summary(&State::default()), "RMSNorm, pre · RoPE · SwiGLU");
    assert_eq!(Group::Stop.summary(&State::default()), "never");
}

#[test]
fn labels_and_help_are_in_sentence_case() {
    for field in &FIELDS {
        let first = help(field).chars().next().unwrap();
        assert!(!first.is_lowercase(), "{}: {}", field.name, help(field));
        assert!(field.label.chars().next().unwrap().is_uppercase(), "{}", field.label);
    }
    assert_eq!(sentence_case("modular addition"), "Modular addition");
    assert_eq!(
        [choice_label("wsd"), choice_label("true"), choice_label("0.5")],
        ["Warm-up, stable, decay", "Yes", "0.5"]
    );
}

#[test]
fn settings_are_found_by_label_code_name_and_help() {
    let warmup = Field::find("warmup_steps").unwrap();
    for text in ["warm-up", "warmup_steps", "Warm up", "warmup", "rises from 0", ""] {
        assert!(field_found(text, warmup), "{text}");
    }
    assert!(!field_found("heads", warmup));
    let groups = |text: &str| Group::ALL.into_iter().filter(|group| group_found(text, *group)).collect::<Vec<_>>();
    assert_eq!(groups("warmup_steps"), [Group::Optimizer]);
    assert_eq!(groups("what it costs"), [Group::Costs]);
    assert_eq!(groups("workers"), [Group::Device]);
    assert!(groups("zzz").is_empty());
}

#[test]
fn one_overlay_is_open_and_escape_closes_it_before_it_unpins() {
    let mut state = State::default();
    let overlay = |action| Action::Overlay(action);
    state.apply(overlay(OverlayAction::Toggle(Overlay::Runs)));
    state.apply(overlay(OverlayAction::Toggle(Overlay::Settings)));
    assert_eq!(state.overlay.open, Some(Overlay::Settings));
    state.pinned = Some(3);
    state.apply(Action::Escape);
    assert_eq!((state.overlay.open, state.pinned), (None, Some(3)));
    state.apply(Action::Escape);
    assert_eq!(state.pinned, None);
    state.apply(overlay(OverlayAction::Setting("optimizer", "max_lr")));
    assert!(state.overlay.groups.contains("optimizer") && state.overlay.is_open(Overlay::Settings));
    let before = state.overlay.wanted.unwrap();
    state.apply(overlay(OverlayAction::Setting("optimizer", "max_lr")));
    assert_ne!(state.overlay.wanted.unwrap(), before, "the same setting can be requested again");
    state.apply(overlay(OverlayAction::Help(HelpTab::Glossary)));
    assert!(state.overlay.is_open(Overlay::Help));
    state.apply(Action::View(View::Lesson));
    assert_eq!(state.overlay.open, None, "another view has its own overlays");
    let names: BTreeSet<&str> = Overlay::ALL.iter().map(|overlay| overlay.name()).collect();
    assert_eq!(names.len(), Overlay::ALL.len());
}

#[test]
fn undo_restores_the_settings_of_the_run() {
    let mut state = State::default();
    state.apply(Action::Started);
    state.apply(Action::Corpus(CorpusChoice::Task(0)));
    state.apply(Action::Enter("d_model", "96".into()));
    state.apply(Action::Enter("max_lr", "0.02".into()));
    state.apply(Action::Enter("n_heads", "5".into()));
    assert!(state.pending().contains(&"d_model"), "{:?}", state.pending());
    assert!(state.problem().is_some(), "{:?}", state.draft.config.get("n_heads"));
    assert_eq!(changed(&state, Group::Model), 1);
    state.apply(Action::Undo);
    assert_eq!((state.pending(), state.problem()), (Vec::new(), None));
    assert_eq!(state.draft.config.get("d_model").unwrap(), "48");
    assert_eq!(state.draft.config.get("max_lr").unwrap(), "0.02", "live settings were applied to the run and stay");
    assert_eq!(state.draft.corpus, CorpusChoice::BuiltIn);
}

#[test]
fn the_palette_finds_settings_actions_experiments_and_terms() {
    let state = State::default();
    let all = entries(&state);
    let titles = |text: &str| search(&all, text).into_iter().map(|entry| (entry.kind, entry.title)).collect::<Vec<_>>();
    let found = titles("learning");
    assert_eq!(found[0], (Kind::Setting, "Learning rate".into()));
    assert!(found.contains(&(Kind::Setting, "Final learning rate".into())));
    assert!(found.contains(&(Kind::Experiment, "Set the learning rate too high".into())));
    assert!(found.windows(2).all(|pair| pair[0].0 <= pair[1].0), "grouped by kind: {found:?}");
    let rate = &search(&all, "max_lr")[0];
    assert_eq!((rate.detail.as_str(), &rate.target), ("0.01 · max_lr", &Target::Setting("max_lr")));
    assert_eq!(titles("softmax").last().unwrap(), &(Kind::Term, "Softmax".into()));
    assert!(titles("lesson").contains(&(Kind::View, "Lesson".into())));
    assert!(titles("zzz").is_empty());
    assert!(titles("").iter().all(|(kind, _)| *kind != Kind::Setting && *kind != Kind::Term));
    assert!(titles("find a learning").is_empty(), "without a run, no learning rate can be searched");
}

#[test]
fn old_links_open_the_systems_view() {
    let (state, problems) = restored("#view=profile&preset=nano");
    assert_eq!((state.view, problems), (View::Systems, Vec::new()));
    assert_eq!(restored("#view=systems").0.view, View::Systems);
    assert_eq!(restored("#view=experiments").0.view, View::Experiments);
}
