//! Keyboard shortcuts, active anywhere on the page except in fields.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo_events::EventListener;
use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement, KeyboardEvent};

use super::context::{Cx, on_window};
use super::navigation;
use crate::state::ask::{AskAction, Section};
use crate::state::remember::RememberAction;
use crate::state::{Action, View};

/// Every key and its function, for the help.
pub const HELP: [(&str, &str); 15] = [
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
    ("F6", "next tile; with Shift, the one before"),
    ("G, then a letter", "another view: Train, Experiments, sYstems, tOkenizer, Lesson"),
    ("Esc", "close what is open; then unpin all rows"),
    ("?", "this help"),
];

/// Listens for keys and window resizes; returns a function that removes the listeners.
pub fn listen(latest: Rc<RefCell<Cx>>) -> impl FnOnce() {
    let (of_size, of_scheme) = (latest.clone(), latest.clone());
    let stop_size = on_window("resize", move |_| of_size.borrow().act(Action::Resized));
    // Whether the key before was G, after which a letter names a view.
    let going = Cell::new(false);
    let stop_keys = on_window("keydown", move |event| {
        if let Ok(event) = event.dyn_into::<KeyboardEvent>() {
            let cx = latest.borrow().clone();
            press(&cx, &event, &going);
        }
    });
    let stop_scheme = on_scheme(move || of_scheme.borrow().act(Action::Resized));
    move || {
        stop_size();
        stop_keys();
        stop_scheme();
    }
}

/// Calls `changed` when the system's color scheme changes, because canvases have to be painted again; until the returned function
/// is called.
fn on_scheme(changed: impl Fn() + 'static) -> impl FnOnce() {
    let query = web_sys::window().and_then(|window| window.match_media("(prefers-color-scheme: dark)").ok().flatten());
    let listening = query.map(|query| EventListener::new(&query, "change", move |_| changed()));
    move || drop(listening)
}

/// The view that a letter after G opens.
fn view_of(letter: &str) -> Option<View> {
    Some(match letter {
        "e" => View::Experiments,
        "t" => View::Train,
        "y" => View::Systems,
        "o" => View::Tokenizer,
        "l" => View::Lesson,
        _ => return None,
    })
}

/// Moves the focus to the next tile, or with Shift to the one before.
fn next_tile(back: bool) {
    let document = web_sys::window().and_then(|window| window.document());
    let Some((document, tiles)) = document.and_then(|document| {
        let tiles = document.query_selector_all(".view .tile, .view .setup-bar").ok()?;
        Some((document, tiles))
    }) else {
        return;
    };
    let seen = |at: u32| tiles.item(at)?.dyn_into::<HtmlElement>().ok().filter(|tile| tile.offset_width() > 0);
    let tiles: Vec<HtmlElement> = (0..tiles.length()).filter_map(seen).collect();
    let active = document.active_element();
    let now = tiles.iter().position(|tile| tile.contains(active.as_deref()));
    let next = match (now, back) {
        (Some(at), false) => (at + 1) % tiles.len(),
        (Some(at), true) => (at + tiles.len() - 1) % tiles.len(),
        (None, _) => 0,
    };
    if let Some(tile) = tiles.get(next) {
        // Setting a constant attribute and focusing an attached element cannot fail.
        drop(tile.set_attribute("tabindex", "-1"));
        drop(tile.focus());
    }
}

fn press(cx: &Cx, event: &KeyboardEvent, going: &Cell<bool>) {
    let tag = event.target().and_then(|target| target.dyn_into::<Element>().ok()).map(|element| element.tag_name());
    let in_field = matches!(tag.as_deref(), Some("INPUT" | "TEXTAREA" | "SELECT"));
    let key = event.key();
    if key == "Escape" && in_field && cx.state.overlay.open.is_some() {
        return cx.act(Action::Escape);
    }
    if key == "F6" {
        event.prevent_default();
        return next_tile(event.shift_key());
    }
    if in_field || event.ctrl_key() || event.meta_key() || event.alt_key() {
        return;
    }
    if going.replace(key == "g")
        && let Some(view) = view_of(&key)
    {
        return navigation::open(view);
    }
    match key.as_str() {
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
