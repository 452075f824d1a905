//! The entries of the command palette and its search. Pure.

use crate::glossary::GLOSSARY;
use crate::settings::state::{Group, choice_label, sentence_case};
use crate::state::experiments::catalogue::EXPERIMENTS;
use crate::state::{RunState, State, View};
use crate::units::grouped;
use glasshead::config::table::FIELDS;

/// Maximum number of entries of one kind that a search shows.
const MAX_PER_KIND: usize = 6;

/// The kind of an entry; entries are grouped by kind in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A setting, which opens in the drawer.
    Setting,
    /// A command.
    Action,
    /// A view of the page.
    View,
    /// A one-click experiment.
    Experiment,
    /// A run of this session, or one saved in this browser.
    Run,
    /// A term.
    Term,
}

impl Kind {
    /// All kinds in display order.
    pub const ALL: [Self; 6] = [Self::Setting, Self::Action, Self::View, Self::Experiment, Self::Run, Self::Term];

    /// The heading above entries of this kind.
    pub fn title(self) -> &'static str {
        match self {
            Self::Setting => "Settings",
            Self::Action => "Actions",
            Self::View => "Views",
            Self::Experiment => "Experiments",
            Self::Run => "Runs",
            Self::Term => "Glossary",
        }
    }

    /// The icon of its entries.
    pub fn icon(self) -> &'static str {
        match self {
            Self::Setting => "sliders",
            Self::Action => "right",
            Self::View => "train",
            Self::Experiment => "flask",
            Self::Run => "runs",
            Self::Term => "lesson",
        }
    }
}

/// What choosing an entry does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Opens the settings drawer at this setting.
    Setting(&'static str),
    /// Starts or pauses training.
    Train,
    /// Trains one step.
    Step,
    /// Starts a new run from random weights.
    Restart,
    /// Starts the learning rate finder.
    FindLr,
    /// Saves the current run.
    Save,
    /// Opens the file picker for runs, models, tokenizers and texts.
    Import,
    /// Opens the share popover.
    Share,
    /// Opens the runs drawer.
    Runs,
    /// Opens the settings drawer.
    Settings,
    /// Opens the keyboard help.
    Keys,
    /// Switches the color theme.
    Theme,
    /// Returns to the live maps.
    Live,
    /// Measures where a step spends its time.
    Measure,
    /// Opens a view.
    View(View),
    /// Starts an experiment by its name.
    Experiment(&'static str),
    /// Continues the saved run with this key.
    Continue(String),
    /// Opens the glossary at this term.
    Term(&'static str),
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its kind.
    pub kind: Kind,
    /// What is shown in ink.
    pub title: String,
    /// What is shown muted after it: the value and the code name of a setting, for example.
    pub detail: String,
    /// The key that does the same, if any.
    pub key: &'static str,
    /// What choosing it does.
    pub target: Target,
}

fn entry(kind: Kind, title: impl Into<String>, detail: impl Into<String>, target: Target) -> Entry {
    Entry { kind, title: title.into(), detail: detail.into(), key: "", target }
}

/// All entries for a state.
pub fn entries(state: &State) -> Vec<Entry> {
    let mut all = settings(state);
    all.extend(actions(state));
    let views = View::ALL.into_iter().filter(|view| *view != state.view);
    all.extend(views.map(|view| entry(Kind::View, view.title(), "", Target::View(view))));
    all.extend(EXPERIMENTS.iter().map(|experiment| {
        let detail = state.experiments.time_text(experiment);
        entry(Kind::Experiment, experiment.title, detail, Target::Experiment(experiment.name))
    }));
    all.extend(state.runs.kept.iter().flatten().map(|kept| {
        let detail = format!("step {} · {}", grouped(kept.about.step), kept.saved);
        entry(Kind::Run, format!("Continue {}", kept.about.name), detail, Target::Continue(kept.key.clone()))
    }));
    let term = |term: &crate::glossary::Entry| {
        entry(Kind::Term, sentence_case(term.name), first_clause(term.what), Target::Term(term.name))
    };
    all.extend(GLOSSARY.iter().map(term));
    all
}

fn settings(state: &State) -> Vec<Entry> {
    let field = |field: &'static glasshead::config::fields::Field| {
        let value = state.field_text(field.name);
        let detail = format!("{} · {}", choice_label(&value), field.name);
        entry(Kind::Setting, field.label, detail, Target::Setting(field.name))
    };
    let others = Group::ALL.into_iter().flat_map(Group::others);
    let others = others.filter(|(name, _)| *name != "find max_lr");
    let other = |(name, label): &(&'static str, &'static str)| {
        let group = Group::of(name).map_or("", Group::title);
        entry(Kind::Setting, *label, group, Target::Setting(name))
    };
    FIELDS.iter().map(field).chain(others.map(other)).collect()
}

fn actions(state: &State) -> Vec<Entry> {
    let training = state.run_state == RunState::Training;
    let all = [
        (if training { "Pause" } else { "Train" }, "", "Space", Target::Train, state.can_train()),
        ("One step", "", ".", Target::Step, state.can_train() && !training),
        ("Restart from random weights", "", "", Target::Restart, state.problem().is_none()),
        ("Find a learning rate…", "a short trial run", "", Target::FindLr, state.has_run()),
        ("Save this run", "", "", Target::Save, state.has_run()),
        ("Import…", "a run, a model or text files", "", Target::Import, true),
        ("Share a link to this view", "", "", Target::Share, true),
        ("Runs", "", "", Target::Runs, true),
        ("All settings", "", "", Target::Settings, true),
        ("Keyboard shortcuts", "", "?", Target::Keys, true),
        ("Theme", state.theme.name(), "", Target::Theme, true),
        ("Back to live", "", "L", Target::Live, state.remember.earlier.is_some()),
        ("Measure a step", "", "", Target::Measure, state.has_run()),
        ("Plan a sweep over model sizes", "Scale", "", Target::View(View::Scale), state.view != View::Scale),
    ];
    let possible = all.into_iter().filter(|(.., possible)| *possible);
    possible
        .map(|(title, detail, key, target, _)| Entry { key, ..entry(Kind::Action, title, detail, target) })
        .collect()
}

/// A text up to the first colon, semicolon, comma or full stop, without its capital letter.
fn first_clause(text: &str) -> String {
    let clause = text.split([':', ';', ',', '.']).next().unwrap_or_default();
    let mut letters = clause.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

/// The entries that match a search, grouped by kind. Within a kind, titles that begin with the search come first, then
/// titles with a word that does, then other matches. An empty search shows actions and views.
pub fn search(entries: &[Entry], text: &str) -> Vec<Entry> {
    let wanted = plain(text);
    let mut found: Vec<(Kind, u8, usize, &Entry)> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let rank = if wanted.is_empty() {
            matches!(entry.kind, Kind::Action | Kind::View | Kind::Experiment).then_some(0)
        } else {
            rank(entry, &wanted)
        };
        found.extend(rank.map(|rank| (entry.kind, rank, at, entry)));
    }
    found.sort_by_key(|(kind, rank, at, _)| (*kind, *rank, *at));
    let mut counts = [0; Kind::ALL.len()];
    let few = found.into_iter().filter(|(kind, ..)| {
        counts[*kind as usize] += 1;
        counts[*kind as usize] <= MAX_PER_KIND
    });
    few.map(|(.., entry)| entry.clone()).collect()
}

fn plain(text: &str) -> String {
    text.to_lowercase().replace(['-', '_'], " ").trim().to_string()
}

/// How well an entry matches, 0 is best; `None` if a word of the search occurs nowhere.
fn rank(entry: &Entry, wanted: &str) -> Option<u8> {
    let (title, detail) = (plain(&entry.title), plain(&entry.detail));
    if title.starts_with(wanted) {
        return Some(0);
    }
    if title.split_whitespace().any(|word| word.starts_with(wanted)) {
        return Some(1);
    }
    let everywhere = format!("{title} {detail} {}", plain(entry.kind.title()));
    let joined = everywhere.replace(' ', "");
    let all = wanted.split_whitespace().all(|word| everywhere.contains(word) || joined.contains(word));
    all.then_some(if title.contains(wanted) { 2 } else { 3 })
}
