//! The share link: encodes the state as the hash of an address, and restores it. Pure.
//!
//! Entries are `key=value`, separated by `&`, percent-encoded: `view`, `step` (of the lesson), `preset`, `task`, every
//! hyper-parameter that differs from the preset by its own name, `layer` (from 1), `head` (from 1, or `mean`, `max`),
//! `pin` (positions), display options (`form`, `reads`, `shows`, `gamma`, `fade`, `colors`, `mask`), `hide` (parts of
//! the page), `sweep` (settings of a sweep), `filters` and `pages` (in the Data view), and `text` if the sentence is included. Links are untrusted input: for any link, the restored state is
//! valid and can start.

use std::rc::Rc;
use thiserror::Error;

use super::data::link;
use super::draw::colors::ColorMap;
use super::lesson::steps::STEPS;
use super::maps::Direction;
use super::scale::state::Form as Sweep;
use super::state::align::{AlignAction, recipes};
use super::state::experiments::find;
use super::state::look::{Form, Look, LookAction, Together, Values};
use super::state::{DEFAULT_PROBE, State, View, Vocabulary};
use glasshead::config::fields::Field;
use glasshead::config::table::FIELDS;
use glasshead::config::{ConfigError, Preset, RunConfig, ValidConfig};
use glasshead::types::tasks::TASKS;
use glasshead::types::{CorpusChoice, RunId};

/// The parts of the page that a link can hide; the style sheet maps them to elements.
pub const HIDEABLE: [&str; 9] =
    ["title", "controls", "setup", "saved", "attention", "detail", "loss", "writing", "costs"];

/// A sentence in a link is truncated to this many characters.
const MAX_CHARACTERS: usize = 2_000;

/// Maximum number of pinned rows restored from a link.
const MAX_PINS: usize = 64;

/// Maximum number of entries read from a link, more than there are keys. The rest is ignored.
const MAX_ENTRIES: usize = 128;

/// The head and rows that a link requests, applied once there are maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The run that they apply to.
    pub run: RunId,
    /// (layer, head), from 0.
    pub head: (usize, usize),
    /// The aggregate of that layer's heads, if requested.
    pub together: Option<Together>,
    /// The query rows to pin.
    pub pins: Vec<usize>,
}

/// The hash that restores the current view; contains the sentence only if `with_text`.
pub fn hash(state: &State, with_text: bool) -> String {
    let (preset, mut changes) = nearest_preset(&state.draft.config);
    let mut entries: Vec<(String, String)> = Vec::new();
    let mut put = |key: &str, value: &str| entries.push((key.into(), value.into()));
    put("view", state.view.name());
    if state.view == View::Lesson {
        put("step", STEPS[state.lesson.step].name);
    }
    if state.view == View::Scale {
        put("sweep", &state.scale.form.to_link());
    }
    put("preset", preset.name());
    match state.draft.corpus {
        CorpusChoice::BuiltIn => (),
        CorpusChoice::File => put("corpus", OWN),
        CorpusChoice::Task(number) => put("task", TASKS.get(number).copied().unwrap_or_default()),
    }
    if matches!(state.draft.vocabulary, Vocabulary::Chosen { .. }) {
        put("vocabulary", OWN);
        changes.retain(|(field, _)| field != "vocab_size");
    }
    entries.extend(changes);
    if state.view == View::Data {
        entries.push(("filters".into(), link::write(&state.filters.changes)));
        entries.extend(link::write_source(&state.filters.source).map(|source| ("pages".to_string(), source)));
    }
    entries.extend(look_entries(state));
    if !state.hidden.is_empty() {
        entries.push(("hide".into(), state.hidden.join(",")));
    }
    if with_text {
        entries.push(("text".into(), state.probe.chars().take(MAX_CHARACTERS).collect()));
    }
    let written: Vec<String> = entries.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
    format!("#{}", written.join("&"))
}

/// Marks a file of the sender's: links contain neither its contents nor its name.
const OWN: &str = "own";

/// Entries for the head, the rows and the display options that differ from their defaults.
fn look_entries(state: &State) -> Vec<(String, String)> {
    let (look, plain) = (&state.look, Look::default());
    let head = match look.together {
        None => (state.selected.1 + 1).to_string(),
        Some(together) => together.name().into(),
    };
    let mut entries = vec![("layer", (state.selected.0 + 1).to_string()), ("head", head)];
    let pins: Vec<String> = state.pinned.iter().chain(&look.added).map(|row| row.to_string()).collect();
    if !pins.is_empty() {
        entries.push(("pin", pins.join(",")));
    }
    entries.push(("colors", state.color_map.name().into()));
    let mut differing = |key: &'static str, value: String, differs: bool| {
        entries.extend(differs.then_some((key, value)));
    };
    differing("form", look.form.name().into(), look.form != plain.form);
    differing("reads", look.direction.name().into(), look.direction != plain.direction);
    differing("shows", look.values.key().into(), look.values != plain.values);
    differing("gamma", look.gamma.to_string(), look.gamma != plain.gamma);
    differing("fade", look.threshold.to_string(), look.threshold != plain.threshold);
    differing("mask", "0".into(), !state.mask_shown);
    entries.into_iter().map(|(key, value)| (key.into(), value)).collect()
}

/// `hash` with this entry set, and all others unchanged.
pub fn with_entry(hash: &str, key: &str, value: &str) -> String {
    let entry = format!("{key}={}", encoded(value));
    let is_it = |other: &str| other.split_once('=').is_some_and(|(name, _)| name == key);
    let mut entries: Vec<&str> = hash.trim_start_matches('#').split('&').filter(|entry| !entry.is_empty()).collect();
    match entries.iter().position(|other| is_it(other)) {
        Some(place) => entries[place] = &entry,
        None => entries.push(&entry),
    }
    format!("#{}", entries.join("&"))
}

/// `hash` without this entry.
pub fn without_entry(hash: &str, key: &str) -> String {
    let is_it = |other: &&str| other.split_once('=').is_some_and(|(name, _)| name == key);
    let entries = hash.trim_start_matches('#').split('&').filter(|entry| !is_it(entry));
    format!("#{}", entries.collect::<Vec<_>>().join("&"))
}

/// Whether two hashes differ at most in the view and the lesson's step.
pub fn differ_in_place_alone(one: &str, other: &str) -> bool {
    let starts = entries(other).iter().any(|(key, _)| key == "experiment");
    let others = |hash: &str| {
        // Leaving an experiment's link changes nothing; opening one starts it.
        let place = |(key, _): &(String, String)| key == "view" || key == "step" || key == "experiment" && !starts;
        entries(hash).into_iter().filter(|entry| !place(entry)).collect::<Vec<_>>()
    };
    others(one) == others(other)
}

/// The state that a hash describes, and messages about the entries that could not be applied.
pub fn restored(hash: &str) -> (State, Vec<String>) {
    let mut state = State::default();
    let problems = take_over(&mut state, hash);
    (state, problems)
}

/// Applies a hash; returns messages about entries that could not be applied. A hash with a preset describes everything,
/// any other only the entries it contains. Settings go into the draft.
pub fn take_over(state: &mut State, hash: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let entries = entries(hash);
    state.view = View::from_hash(hash);
    if let Some((_, name)) = entries.iter().find(|(key, _)| key == "preset") {
        match Preset::from_name(name) {
            Some(preset) => start_over(state, preset),
            None => problems.push(format!("The link names a preset, {}, that there is not.", shown(name))),
        }
    }
    let mut config = (*state.draft.config).clone();
    for (key, value) in entries.iter().filter(|(key, _)| key != "preset") {
        if let Err(problem) = restore(state, &mut config, (key, value)) {
            problems.push(problem.to_string());
        }
    }
    match state.draft.check(config) {
        Ok(config) => state.draft.config = config,
        Err(error) => {
            problems.push(format!("The link's settings do not fit together, so the preset's are used: {error}."));
        }
    }
    let run = if state.needs_restart() || state.run == 0 { state.next_run() } else { state.run };
    if let Some(wanted) = &mut state.remember.wanted {
        wanted.run = run;
    }
    if let Some((_, name)) = entries.iter().find(|(key, _)| key == "experiment") {
        state.begin_experiment(name, run);
    }
    if let Some(maps) = state.maps.clone() {
        state.look_at_wanted(&maps);
    }
    problems
}

/// Resets settings and display options to those of a link that contains only a preset.
fn start_over(state: &mut State, preset: Preset) {
    state.draft.config = ValidConfig::preset(preset);
    state.draft.vocabulary = Vocabulary::OfTheText;
    if matches!(state.draft.corpus, CorpusChoice::Task(_)) {
        state.probe = DEFAULT_PROBE.into();
    }
    state.draft.corpus = CorpusChoice::BuiltIn;
    state.refused.clear();
    state.hidden.clear();
    let Look { form, direction, values, gamma, threshold, .. } = Look::default();
    let look = &mut state.look;
    (look.form, look.direction, look.values) = (form, direction, values);
    (look.gamma, look.threshold, state.mask_shown) = (gamma, threshold, true);
}

/// Why an entry of a link cannot be applied.
#[derive(Debug, Error)]
enum LinkError {
    #[error("The link sets {key} to {value}, which it cannot be; it stays as it is.")]
    Value { key: String, value: String },
    #[error("The link has an entry, {key}, that this page does not know.")]
    Unknown { key: String },
    #[error(
        "The sender trained on a text of their own, which no link holds. Here the built-in stories are used; choose another \
         text under data."
    )]
    OwnText,
    #[error(
        "The sender used a vocabulary of their own, which no link holds. Here one is trained on the text; the Tokenizer view \
         loads another."
    )]
    OwnVocabulary,
}

fn entries(hash: &str) -> Vec<(String, String)> {
    let all = hash.trim_start_matches('#').split('&').filter_map(|entry| entry.split_once('='));
    all.take(MAX_ENTRIES).map(|(key, value)| (decoded(key), decoded(value))).collect()
}

/// Applies one entry; settings are written to `config`, which is validated at the end.
fn restore(state: &mut State, config: &mut RunConfig, (key, value): (&str, &str)) -> Result<(), LinkError> {
    let refused = || LinkError::Value { key: shown(key), value: shown(value) };
    let number = || value.parse::<f32>().ok().filter(|number| number.is_finite()).ok_or_else(refused);
    match key {
        "sweep" => Rc::make_mut(&mut state.scale).form = Sweep::from_link(value).map_err(|_| refused())?,
        "view" => View::from_name(value).map(drop).ok_or_else(refused)?,
        "step" => (),                                               // handled by the lesson
        "experiment" => find(value).map(drop).ok_or_else(refused)?, // begun at the end, with all settings
        "recipe" => {
            recipes::find(value).ok_or_else(refused)?;
            state.align.apply(AlignAction::Recipe(value.into()));
        }
        "layer" | "head" | "pin" => want(state, key, value).ok_or_else(refused)?,
        "form" => state.look.form = named(Form::ALL, Form::name, value).ok_or_else(refused)?,
        "reads" => state.look.direction = named(Direction::ALL, Direction::name, value).ok_or_else(refused)?,
        "shows" => state.look.values = named(Values::ALL, Values::key, value).ok_or_else(refused)?,
        "gamma" => state.apply_look(LookAction::Gamma(number()?)),
        "fade" => state.apply_look(LookAction::Threshold(number()?)),
        "colors" => state.color_map = named(ColorMap::ALL, ColorMap::name, value).ok_or_else(refused)?,
        "mask" => state.mask_shown = value != "0",
        "hide" => state.hidden = hidden(value).ok_or_else(refused)?,
        "text" => state.probe = value.chars().take(MAX_CHARACTERS).collect(),
        "filters" => state.filters.changes = Rc::new(link::read(value)),
        "pages" => state.filters.source = link::read_source(value).ok_or_else(refused)?,
        "task" => {
            let number = TASKS.iter().position(|&task| task == value).ok_or_else(refused)?;
            state.choose_corpus(CorpusChoice::Task(number));
            config.model.vocab_size = state.draft.config.model.vocab_size;
        }
        "corpus" | "vocabulary" if value == OWN => {
            return Err(if key == "corpus" { LinkError::OwnText } else { LinkError::OwnVocabulary });
        }
        _ => match config.set(key, value) {
            Ok(()) => (),
            Err(ConfigError::Unknown { .. }) => return Err(LinkError::Unknown { key: shown(key) }),
            Err(_) => return Err(refused()),
        },
    }
    Ok(())
}

/// The parts that a link hides; none if it names an unknown part.
fn hidden(value: &str) -> Option<Vec<&'static str>> {
    let named = |name: &str| HIDEABLE.into_iter().find(|known| *known == name.trim());
    let mut hidden = value.split(',').map(named).collect::<Option<Vec<_>>>()?;
    hidden.sort_unstable();
    hidden.dedup();
    Some(hidden)
}

/// Records the head and rows that a link requests; none if the value is invalid.
fn want(state: &mut State, key: &str, value: &str) -> Option<()> {
    let from_one = || value.parse::<usize>().ok()?.checked_sub(1);
    let mut wanted = state.remember.wanted.clone().unwrap_or_default();
    match key {
        "layer" => wanted.head.0 = from_one()?,
        "head" => {
            wanted.together = named(Together::ALL, Together::name, value);
            if wanted.together.is_none() {
                wanted.head.1 = from_one()?;
            }
        }
        _ => {
            let rows: Option<Vec<usize>> = value.split(',').take(MAX_PINS).map(|row| row.parse().ok()).collect();
            wanted.pins = rows?;
        }
    }
    state.remember.wanted = Some(wanted);
    Some(())
}

fn named<T: Copy>(all: impl IntoIterator<Item = T>, name: fn(T) -> &'static str, value: &str) -> Option<T> {
    all.into_iter().find(|&item| name(item) == value)
}

/// Untrusted text, truncated for use in a message.
fn shown(text: &str) -> String {
    let short: String = text.chars().filter(|character| !character.is_control()).take(24).collect();
    format!("“{short}”")
}

/// The preset with the fewest differences, and the fields that differ.
fn nearest_preset(config: &RunConfig) -> (Preset, Vec<(String, String)>) {
    let differing = |preset: Preset| (preset, differences(config, &preset.config()));
    let all = Preset::ALL.into_iter().map(differing);
    // The list of presets is not empty, so the default is never used.
    all.min_by_key(|(_, changes)| changes.len()).unwrap_or((Preset::Nano, Vec::new()))
}

fn differences(config: &RunConfig, plain: &RunConfig) -> Vec<(String, String)> {
    // Setting n_heads also sets n_kv_heads, so n_kv_heads is written whenever n_heads differs.
    let together = |name: &str| name == "n_kv_heads" && config.model.n_heads != plain.model.n_heads;
    let differs = |field: &&Field| together(field.name) || field.get(config) != field.get(plain);
    FIELDS.iter().filter(differs).map(|field| (field.name.into(), field.get(config))).collect()
}

/// Percent-encodes a text (RFC 3986): everything except unreserved characters.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Decodes percent-encoding; invalid sequences are kept as they are.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.filter(|_| byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(escaped.unwrap_or(byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
