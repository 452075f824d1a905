//! Keyboard shortcuts, active anywhere on the page except in fields.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo_events::EventListener;
use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement, KeyboardEvent};

use super::context::{Cx, on_window};
use super::navigation;
use crate::state::ask::{AskAction, Section};
use crate::state::overlay::{Overlay, OverlayAction};
use crate::state::remember::RememberAction;
use crate::state::{Action, View};

/// Every key and its function, for the help.
pub const HELP: [(&str, &str); 17] = [
    ("Space", "Train or pause"),
    (".", "One step"),
    ("[ ]", "Previous, next head"),
    ("{ }", "Previous, next layer"),
    ("< >", "Earlier, later snapshot"),
    ("L", "Back to live"),
    ("M", "Hatch the masked cells"),
    ("T", "Weights as a table"),
    ("1–6", "Tabs of the inspector"),
    ("F6", "Next tile; with Shift, the one before"),
    ("G then T, A, C, D, S, E, L", "Go to Train, Align, Scale, Data, Systems, Experiments, Lesson"),
    ("Arrows", "Move through the cells of the large map; Home and End too; Enter pins the row"),
    ("Shift Enter", "Pin one more row and show their mean"),
    ("+ − 0", "Zoom in, out, fit"),
    ("Ctrl K, ⌘K", "Search or run a command"),
    ("Esc", "Close what is open; then unpin"),
    ("?", "This help"),
];

/// Listens for keys and window resizes; returns a function that removes the listeners.
pub fn listen(latest: Rc<RefCell<Cx>>) -> impl FnOnce() {
    let (of_size, of_scheme) = (latest.clone(), latest.clone());
    let stop_size = on_window("resize", move |_| of_size.borrow().act(Action::Resized));
    let after_g = Cell::new(false);
    let stop_keys = on_window("keydown", move |event| {
        if let Ok(event) = event.dyn_into::<KeyboardEvent>() {
            let cx = latest.borrow().clone();
            press(&cx, &event, &after_g);
        }
    });
    let stop_scheme = on_scheme(move || of_scheme.borrow().act(Action::Resized));
    move || {
        stop_size();
        stop_keys();
        stop_scheme();
    }
}

/// The view that a key opens after G.
fn view_of(key: &str) -> Option<View> {
    match key {
        "t" => Some(View::Train),
        "a" => Some(View::Align),
        "c" => Some(View::Scale),
        "d" => Some(View::Data),
        "s" => Some(View::Systems),
        "e" => Some(View::Experiments),
        "l" => Some(View::Lesson),
        _ => None,
    }
}

/// Calls `changed` when the system's color scheme changes, because canvases have to be painted again; until the returned function
/// is called.
fn on_scheme(changed: impl Fn() + 'static) -> impl FnOnce() {
    let query = web_sys::window().and_then(|window| window.match_media("(prefers-color-scheme: dark)").ok().flatten());
    let listening = query.map(|query| EventListener::new(&query, "change", move |_| changed()));
    move || drop(listening)
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

/// Handles a key; `after_g` is whether the key before was G.
fn press(cx: &Cx, event: &KeyboardEvent, after_g: &Cell<bool>) {
    if event.key() == "F6" {
        event.prevent_default();
        return next_tile(event.shift_key());
    }
    let command = (event.ctrl_key() || event.meta_key()) && !event.alt_key();
    if command && event.key().eq_ignore_ascii_case("k") {
        event.prevent_default();
        return cx.act(Action::Overlay(OverlayAction::Toggle(Overlay::Palette)));
    }
    let going = after_g.replace(false);
    let tag = event.target().and_then(|target| target.dyn_into::<Element>().ok()).map(|element| element.tag_name());
    let in_field = matches!(tag.as_deref(), Some("INPUT" | "TEXTAREA" | "SELECT"));
    if in_field || event.ctrl_key() || event.meta_key() || event.alt_key() {
        return;
    }
    if let Some(view) = view_of(&event.key()).filter(|_| going) {
        return navigation::open(view);
    }
    match event.key().as_str() {
        "g" => after_g.set(true),
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
