//! Keyboard shortcuts, active anywhere on the page except in fields.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::JsCast as _;
use web_sys::{Element, KeyboardEvent};

use crate::core::context::Cx;

use crate::core::context::on_window;
use crate::state::Action;
use crate::state::ask::{AskAction, Section};
use crate::state::remember::RememberAction;

/// Every key and its function, for the help.
pub const HELP: [(&str, &str); 13] = [
    ("Space", "train or pause"),
    (".", "one step"),
    ("[ ]", "previous and next head"),
    ("{ }", "previous and next layer"),
    ("< >", "earlier and later moments of the training"),
    ("l", "back to the live maps"),
    ("m", "show or hide the mask's hatching"),
    ("t", "show the weights as a table"),
    ("Arrows, Home, End", "walk the cells of the large heatmap while it has the focus; Enter pins the row"),
    ("+ - 0", "zoom the large heatmap while it has the focus; Shift with Enter adds a row to those pinned"),
    ("1–6", "tabs of the inspector"),
    ("Esc", "close what is open; then unpin all rows"),
    ("?", "this help"),
];

/// Listens for keys and window resizes; returns a function that removes the listeners.
pub fn listen(latest: Rc<RefCell<Cx>>) -> impl FnOnce() {
    let of_size = latest.clone();
    let stop_size = on_window("resize", move |_| of_size.borrow().act(Action::Resized));
    let stop_keys = on_window("keydown", move |event| {
        if let Ok(event) = event.dyn_into::<KeyboardEvent>() {
            let cx = latest.borrow().clone();
            press(&cx, &event);
        }
    });
    move || {
        stop_size();
        stop_keys();
    }
}

fn press(cx: &Cx, event: &KeyboardEvent) {
    let tag = event.target().and_then(|target| target.dyn_into::<Element>().ok()).map(|element| element.tag_name());
    let in_field = matches!(tag.as_deref(), Some("INPUT" | "TEXTAREA" | "SELECT"));
    if in_field || event.ctrl_key() || event.meta_key() || event.alt_key() {
        return;
    }
    match event.key().as_str() {
        "Escape" => cx.act(Action::Escape),
        // On a button, the space bar presses it.
        " " if !matches!(tag.as_deref(), Some("BUTTON" | "SUMMARY")) => {
            event.prevent_default();
            cx.toggle_training();
        }
        "." => cx.step(),
        "[" => cx.act(Action::Walk { layers: 0, heads: -1 }),
        "]" => cx.act(Action::Walk { layers: 0, heads: 1 }),
        "{" => cx.act(Action::Walk { layers: -1, heads: 0 }),
        "}" => cx.act(Action::Walk { layers: 1, heads: 0 }),
        "m" => cx.act(Action::ToggleMask),
        "t" => cx.act(Action::ToggleTable),
        "<" => cx.act(Action::Remember(RememberAction::Walk(-1))),
        ">" => cx.act(Action::Remember(RememberAction::Walk(1))),
        "l" => cx.act(Action::Remember(RememberAction::Live)),
        "?" => cx.act(Action::ToggleHelp),
        digit @ ("1" | "2" | "3" | "4" | "5" | "6") => {
            let section = digit.parse::<usize>().ok().and_then(|at| Section::ALL.get(at - 1));
            section.into_iter().for_each(|&section| cx.act(Action::Ask(AskAction::Open(section))));
        }
        _ => (),
    }
}
