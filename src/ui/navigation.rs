//! Which view the link names.

use yew::prelude::*;

use super::app::on_window;
use super::state::{Action, State, View};

/// Follows the link's hash until the page goes away.
pub fn listen(dispatcher: UseReducerDispatcher<State>) -> impl FnOnce() {
    let follow = move || {
        let hash = web_sys::window().and_then(|window| window.location().hash().ok()).unwrap_or_default();
        dispatcher.dispatch(Action::View(View::from_hash(&hash)));
    };
    follow();
    on_window("hashchange", move |_| follow())
}

/// Opens a view by its link.
pub fn open(view: View) {
    if let Some(window) = web_sys::window() {
        // A hash is never refused.
        drop(window.location().set_hash(&format!("view={}", view.name())));
    }
}
