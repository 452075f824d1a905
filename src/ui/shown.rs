//! Tells the worker whether anybody sees the maps: it computes them rarely while nobody does.

use std::cell::RefCell;
use std::rc::Rc;

use super::app::{Cx, on_window};
use super::state::View;
use crate::protocol::Command;
use crate::protocol::inspect::InspectCommand;

/// What the worker is told.
pub fn command(view: View) -> Command {
    let document = web_sys::window().and_then(|window| window.document());
    let in_front = document.is_none_or(|document| !document.hidden());
    Command::Inspect { command: InspectCommand::Shown(in_front && view == View::Train) }
}

/// Tells it whenever the tab comes to the front or leaves it, until the page goes away.
pub fn listen(latest: Rc<RefCell<Cx>>) -> impl FnOnce() {
    on_window("visibilitychange", move |_| {
        let cx = latest.borrow().clone();
        cx.send(&command(cx.state.view));
    })
}
