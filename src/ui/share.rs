//! The link that restores a view: the state as the hash of an address, and back. Pure.
//!
//! Entries are `key=value`, separated by `&`, percent-encoded: `view`, `preset`, every hyper-parameter that differs from
//! the preset by its own name, `layer` and `head` (from 1), `pin` (a position), `colors`, `mask`, and `text` when the
//! sentence is wanted. A link is a stranger's text: whatever it says, the state that comes out can start.

use serde_json::Value;

use super::draw::colors::ColorMap;
use super::state::{State, View};
use crate::config::{ConfigError, Preset, RunConfig};

/// A sentence in a link is cut after so many characters.
const MOST_CHARACTERS: usize = 2_000;

/// What a link asks to look at, once there are maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// (layer, head), from 0.
    pub head: (usize, usize),
    /// The query row to hold.
    pub pin: Option<usize>,
}

/// The hash that restores what is on show; with the sentence only when that is wanted.
pub fn hash(state: &State, with_text: bool) -> String {
    let (preset, changes) = nearest_preset(&state.draft.config);
    let mut entries = vec![("view".into(), state.view.name().into()), ("preset".into(), preset.name().to_string())];
    entries.extend(changes);
    entries.push(("layer".into(), (state.selected.0 + 1).to_string()));
    entries.push(("head".into(), (state.selected.1 + 1).to_string()));
    entries.extend(state.pinned.map(|query| ("pin".to_string(), query.to_string())));
    entries.push(("colors".into(), state.color_map.name().into()));
    if !state.mask_shown {
        entries.push(("mask".into(), "0".into()));
    }
    if with_text {
        entries.push(("text".into(), state.probe.chars().take(MOST_CHARACTERS).collect()));
    }
    let written: Vec<String> = entries.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
    format!("#{}", written.join("&"))
}

/// The state that a hash describes, and what of it could not be taken over, in sentences.
pub fn restored(hash: &str) -> (State, Vec<String>) {
    let mut state = State::default();
    let mut problems = Vec::new();
    let entries: Vec<(String, String)> = hash
        .trim_start_matches('#')
        .split('&')
        .filter_map(|entry| entry.split_once('='))
        .map(|(key, value)| (decoded(key), decoded(value)))
        .collect();
    if let Some((_, name)) = entries.iter().find(|(key, _)| key == "preset") {
        match Preset::from_name(name) {
            Some(preset) => state.draft.config = preset.config(),
            None => problems.push(format!("The link names a preset, {}, that there is not.", shown(name))),
        }
    }
    let plain = state.draft.config.clone();
    for (key, value) in entries.iter().filter(|(key, _)| key != "preset") {
        if let Err(problem) = restore(&mut state, key, value) {
            problems.push(problem);
        }
    }
    if let Err(error) = state.draft.config.validate() {
        problems.push(format!("The link's settings do not fit together, so the preset's are used: {error}."));
        state.draft.config = plain;
    }
    (state, problems)
}

fn restore(state: &mut State, key: &str, value: &str) -> Result<(), String> {
    let number = || value.parse::<usize>().map_err(|_| refused(key, value));
    let from_one = || number().and_then(|number| number.checked_sub(1).ok_or_else(|| refused(key, value)));
    let wanted = state.remember.wanted.unwrap_or_default();
    match key {
        "view" => state.view = named(View::ALL, View::name, value).ok_or_else(|| refused(key, value))?,
        "layer" => state.remember.wanted = Some(Wanted { head: (from_one()?, wanted.head.1), ..wanted }),
        "head" => state.remember.wanted = Some(Wanted { head: (wanted.head.0, from_one()?), ..wanted }),
        "pin" => state.remember.wanted = Some(Wanted { pin: Some(number()?), ..wanted }),
        "colors" => {
            state.color_map = named(ColorMap::ALL, ColorMap::name, value).ok_or_else(|| refused(key, value))?;
        }
        "mask" => state.mask_shown = value != "0",
        "text" => state.probe = value.chars().take(MOST_CHARACTERS).collect(),
        _ => match state.draft.config.set(key, value) {
            Ok(()) => (),
            Err(ConfigError::Unknown { .. }) => {
                return Err(format!("The link has an entry, {}, that this page does not know.", shown(key)));
            }
            Err(_) => return Err(refused(key, value)),
        },
    }
    Ok(())
}

fn named<T: Copy>(all: impl IntoIterator<Item = T>, name: fn(T) -> &'static str, value: &str) -> Option<T> {
    all.into_iter().find(|&item| name(item) == value)
}

fn refused(key: &str, value: &str) -> String {
    format!("The link sets {} to {}, which it cannot be; it stays as it is.", shown(key), shown(value))
}

/// A stranger's word, short enough for a sentence.
fn shown(text: &str) -> String {
    let short: String = text.chars().filter(|character| !character.is_control()).take(24).collect();
    format!("“{short}”")
}

/// The preset with the fewest differences, and the fields that differ.
fn nearest_preset(config: &RunConfig) -> (Preset, Vec<(String, String)>) {
    let differing = |preset: Preset| (preset, differences(config, &preset.config()));
    let all = Preset::ALL.into_iter().map(differing);
    // There are presets, so the default is never taken.
    all.min_by_key(|(_, changes)| changes.len()).unwrap_or((Preset::Nano, Vec::new()))
}

fn differences(config: &RunConfig, plain: &RunConfig) -> Vec<(String, String)> {
    let [ours, theirs] = [config, plain].map(|config| serde_json::to_value(config).unwrap_or_default());
    let mut changes = Vec::new();
    for half in ["model", "train"] {
        let Some(fields) = ours[half].as_object() else { continue };
        for (field, value) in fields {
            // n_heads takes n_kv_heads along when it is set, so they go together.
            let together = field == "n_kv_heads" && config.model.n_heads != plain.model.n_heads;
            if *value != theirs[half][field] || together {
                let text = if let Value::String(text) = value { text.clone() } else { value.to_string() };
                changes.push((field.clone(), text));
            }
        }
    }
    changes
}

/// Percent-encoding (RFC 3986): all but its unreserved characters.
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

/// The text behind it; what is no encoding stands for itself.
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
