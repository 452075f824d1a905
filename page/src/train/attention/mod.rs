//! The sentence and its tokens, all heads as small maps, and one table large.

mod bars;
pub mod canvas;
mod cells;
mod controls;
mod grid;
mod labels;
mod large;
mod lines;
mod strip;
mod table;
mod tooltip;

pub use bars::Bars;
pub use grid::HeadsTile;
pub use large::{Big, capital};
pub use strip::Sentence;

use yew::prelude::*;

use crate::core::context::Cx;
use crate::state::Action;

/// A callback that dispatches an action.
fn act<E: 'static>(cx: &Cx, action: Action) -> Callback<E> {
    cx.on(action)
}

/// The sentence of a tile without maps.
fn nothing(cx: &Cx, title: &'static str) -> Html {
    let text = if cx.state.has_run() {
        "Type a sentence to see where each token looks."
    } else {
        "appears as soon as the model is built"
    };
    html! { <div class="empty"><b>{title}</b><span>{text}</span></div> }
}
