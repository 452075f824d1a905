//! Components that several views use, and small helpers for them.

pub mod entry;
pub mod icon;
pub mod opens;
pub mod pill;
pub mod plot;
pub mod segmented;
pub mod size;
pub mod tokens;

use wasm_bindgen::JsCast as _;
use web_sys::{Event, HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};

use crate::tokens as display;
pub use crate::units::counted;
pub use crate::units::grouped;

/// The value of the field that fired an event.
pub fn value_of(event: &Event) -> String {
    let Some(target) = event.target() else { return String::new() };
    if let Some(input) = target.dyn_ref::<HtmlInputElement>() {
        return input.value();
    }
    if let Some(area) = target.dyn_ref::<HtmlTextAreaElement>() {
        return area.value();
    }
    target.dyn_ref::<HtmlSelectElement>().map(HtmlSelectElement::value).unwrap_or_default()
}

/// A token for display, with no invisible or empty parts.
pub fn visible(text: &str) -> String {
    if text.is_empty() { "∅".into() } else { display::visible(text) }
}
