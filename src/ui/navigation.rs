//! Which view the link names.

use yew::prelude::*;

use super::app::on_window;
use super::state::{Action, State, View};
use crate::protocol::Event;

/// Follows the link's hash until the page goes away.
pub fn listen(dispatcher: UseReducerDispatcher<State>) -> impl FnOnce() {
    let told = dispatcher.clone();
    let follow = move || dispatcher.dispatch(Action::View(View::from_hash(&hash())));
    follow();
    on_window("hashchange", move |_| {
        follow();
        if hash().contains("preset=") {
            let message =
                "This link has settings of its own: reload the page to start with them. The present run ends \
                           then."
                    .into();
            told.dispatch(Action::Events(vec![(Event::Notice { run: 0, message }, None)]));
        }
    })
}

/// The link's hash.
pub fn hash() -> String {
    web_sys::window().and_then(|window| window.location().hash().ok()).unwrap_or_default()
}

/// Opens a view by its link.
pub fn open(view: View) {
    if let Some(window) = web_sys::window() {
        // A hash is never refused.
        drop(window.location().set_hash(&format!("view={}", view.name())));
    }
}

/// Puts the lesson's step into the link of this place, without a new entry in the history.
pub fn remember_step(name: &str) {
    if let Some(history) = web_sys::window().and_then(|window| window.history().ok()) {
        let hash = format!("#view=lesson&step={name}");
        // Refused only for addresses of other sites.
        drop(history.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(&hash)));
    }
}
