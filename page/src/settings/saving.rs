//! Evaluations and autosaves.

use yew::prelude::*;

use super::field::{Row, row};
use super::stop;
use crate::core::context::Cx;
use crate::runs::autosave;
use crate::shared::entry::Entry;
use crate::shared::value_of;

/// The fields of the group.
pub fn saving(cx: &Cx) -> Html {
    html! { <>{stop::field(cx, &stop::EVALUATE)}{save_every(cx)}</> }
}

fn save_every(cx: &Cx) -> Html {
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| autosave::set(&cx, &value_of(&event)))
    };
    let refused = cx.state.refused("save_every");
    let in_force = || cx.state.runs.autosave.every.map_or(String::new(), |every| every.to_string());
    let value = refused.map_or_else(in_force, |refused| refused.text.clone());
    let control = html! {
        <span class="input">
            <Entry name="save_every" placeholder="–" onchange={change} invalid={refused.is_some()} {value} />
            <i class="unit">{"s"}</i>
        </span>
    };
    let help = "Seconds of training between autosaves in this browser; empty: never";
    let problem = refused.map(|refused| refused.problem.clone());
    row(Row { name: "save_every", label: "Save every", help, live: true, problem, changed: false }, control, html! {})
}
