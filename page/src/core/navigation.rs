//! The hash of the page's address. All reading and writing goes through this module; writing an entry leaves the others
//! unchanged.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Reflect;
use wasm_bindgen::JsValue;

use super::context::{Cx, on_window};
pub use crate::share::with_entry;
use crate::share::{differ_in_place_alone, restored, without_entry};
use crate::state::experiments::Stage;
use crate::state::{Action, View};
use glasshead::types::CorpusChoice;
use glasshead::wire::{Command, Event};

/// Follows changes of the hash; returns a function that removes the listener.
pub fn listen(latest: Rc<RefCell<Cx>>) -> impl FnOnce() {
    on_window("hashchange", move |event| {
        let old =
            Reflect::get(&event, &"oldURL".into()).ok().and_then(|address| address.as_string()).unwrap_or_default();
        let old = old.split_once('#').map_or("", |(_, hash)| hash);
        let cx = latest.borrow().clone();
        match hash() {
            hash if differ_in_place_alone(old, &hash) => cx.act(Action::View(View::from_hash(&hash))),
            hash => follow(&cx, hash),
        }
    })
}

/// Applies a link that was entered into the open page. If it needs a new run, the run starts at once unless that would
/// lose training progress; otherwise the settings go into the setup, and a message reports it.
pub fn follow(cx: &Cx, hash: String) {
    let sentence = cx.state.probe.clone();
    let (_, mut said) = restored(&hash);
    cx.act(Action::Follow(hash));
    // A handle keeps every state that it has read alive, so a short-lived clone reads this one.
    let cx = cx.clone();
    let state = &cx.state;
    let experiment = state.experiments.running.as_ref();
    let starting =
        experiment.is_some_and(|running| running.stage == Stage::Starting && running.run == state.next_run());
    if starting || state.needs_restart() && state.step == 0 {
        cx.restart();
    } else if state.needs_restart() {
        let message = "This link has settings of its own. They stand in the setup now; “reset” starts a run with them, \
                       and the present run ends then.";
        said.push(message.into());
    } else if !state.pending_live().is_empty() {
        cx.change_settings(Action::ApplyToRun);
    }
    if state.probe != sentence {
        cx.send(&Command::Probe { text: state.probe.clone() });
    }
    let said = said.into_iter().map(|message| (Event::Notice { run: 0, message }, None));
    cx.act(Action::Events(said.collect()));
}

/// Sends the probe sentence to the worker once it has reported its tasks, because a task chosen by a link gets its
/// sentence only then.
pub fn tell_sentence(cx: &Cx) {
    // A handle keeps every state that it has read alive, so a short-lived clone reads this one.
    let cx = cx.clone();
    if matches!(cx.state.draft.corpus, CorpusChoice::Task(_)) {
        cx.send(&Command::Probe { text: cx.state.probe.clone() });
    }
}

/// The hash of the current address.
pub fn hash() -> String {
    web_sys::window().and_then(|window| window.location().hash().ok()).unwrap_or_default()
}

/// The hash that opens a view. It starts no experiment again.
pub fn link_to(view: View) -> String {
    let plain = without_entry(&without_entry(&hash(), "experiment"), "recipe");
    with_entry(&plain, "view", view.name())
}

/// Opens a view by setting the hash.
pub fn open(view: View) {
    if let Some(window) = web_sys::window() {
        // Setting a hash cannot fail.
        drop(window.location().set_hash(&link_to(view)));
    }
}

/// Writes an entry into the current address without adding to the history.
pub fn remember(key: &str, value: &str) {
    if let Some(history) = web_sys::window().and_then(|window| window.history().ok()) {
        // Fails only for addresses of other origins.
        drop(history.replace_state_with_url(&JsValue::NULL, "", Some(&with_entry(&hash(), key, value))));
    }
}

/// Removes an entry from the current address without adding to the history.
pub fn forget(key: &str) {
    if let Some(history) = web_sys::window().and_then(|window| window.history().ok()) {
        // Fails only for addresses of other origins.
        drop(history.replace_state_with_url(&JsValue::NULL, "", Some(&without_entry(&hash(), key))));
    }
}

/// Writes the lesson's step into the current address.
pub fn remember_step(name: &str) {
    remember("view", View::Lesson.name());
    remember("step", name);
}
