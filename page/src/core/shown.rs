//! Reports to the worker whether the maps are visible: while they are not, it computes them rarely.

use std::cell::RefCell;
use std::rc::Rc;

use crate::core::context::Cx;

use crate::core::context::on_window;
use crate::state::View;
use glasshead::wire::Command;
use glasshead::wire::inspect::InspectCommand;

/// The command that reports whether the maps are visible.
pub fn command(view: View) -> Command {
    let document = web_sys::window().and_then(|window| window.document());
    let in_front = document.is_none_or(|document| !document.hidden());
    Command::Inspect { command: InspectCommand::Shown(in_front && view == View::Train) }
}

/// Reports changes of the tab's visibility; returns a function that removes the listener.
pub fn listen(latest: Rc<RefCell<Cx>>) -> impl FnOnce() {
    on_window("visibilitychange", move |_| {
        let cx = latest.borrow().clone();
        cx.send(&command(cx.state.view));
    })
}
