//! The probe sentence, its tokens, all heads as small maps and one table large.

mod bars;
mod canvas;
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

use yew::prelude::*;

use super::remember::Remember;
use super::value_of;
use crate::app::Cx;
use crate::state::Action;
use glasshead::wire::Command;

#[component]
pub fn Attention(cx: &Cx) -> Html {
    let state = &cx.state;
    html! {
        <section class="panel attention" aria-labelledby="attention-title">
            <h2 id="attention-title">{"Attention"}</h2>
            {sentence(cx)}
            if state.shown_maps().is_some_and(|maps| !maps.tokens.is_empty()) {
                <strip::Strip ..cx.clone() />
                <grid::Grid ..cx.calm() />
                <large::Large ..cx.clone() />
                <Remember ..cx.clone() />
            } else if state.has_run() {
                <p class="count">{"Write a sentence above: its tokens and their attention appear here."}</p>
            } else {
                <p class="count">{"The heads appear here as soon as the model is built."}</p>
            }
        </section>
    }
}

fn sentence(cx: &Cx) -> Html {
    let input = {
        let cx = cx.clone();
        Callback::from(move |event: InputEvent| {
            let text = value_of(&event);
            cx.send(&Command::Probe { text: text.clone() });
            cx.act(Action::Probe(text));
        })
    };
    html! {
        <label class="wide">
            {"your sentence"}
            <input data-testid="probe-input" autocomplete="off" spellcheck="false" value={cx.state.probe.clone()}
                oninput={input} />
        </label>
    }
}

/// A callback that dispatches an action.
fn act<E: 'static>(cx: &Cx, action: Action) -> Callback<E> {
    let cx = cx.clone();
    Callback::from(move |_| cx.act(action.clone()))
}
