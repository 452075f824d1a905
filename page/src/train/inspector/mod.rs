//! The sections of the detail column that need more than the attention maps from the worker.

pub mod arithmetic;
pub mod detail;
pub mod head_scores;
pub mod lens;
pub mod neurons;
pub mod what_if;

use wasm_bindgen::JsCast as _;
use web_sys::HtmlElement;
use yew::prelude::*;

use crate::core::context::Cx;
use crate::state::Action;
use crate::state::ask::{AskAction, Section};
use glasshead::wire::Command;
use glasshead::wire::inspect::InspectCommand;

/// The tabs of the detail column. Reports the open section to the worker whenever it changes.
#[component]
pub fn Tabs(cx: &Cx) -> Html {
    let state = &cx.state;
    {
        let cx = cx.clone();
        let watched = state.watched();
        use_effect_with((state.run, state.has_run(), watched), move |(_, has_run, watched)| {
            if *has_run {
                cx.send(&Command::Inspect { command: InspectCommand::Watch(watched.clone()) });
            }
        });
    }
    let tab = |section: Section| {
        let open = state.ask.section == section;
        html! {
            <button role="tab" id={tab_id(section)} aria-selected={open.to_string()} aria-controls="detail-section"
                tabindex={if open { "0" } else { "-1" }} onclick={ask(cx, AskAction::Open(section))}>
                {section.title()}
            </button>
        }
    };
    let keys = {
        let cx = cx.clone();
        Callback::from(move |event: KeyboardEvent| turn(&cx, &event))
    };
    html! {
        <div class="inspector-tabs" role="tablist" aria-label="Inspector" onkeydown={keys}>{for Section::ALL.map(tab)}</div>
    }
}

/// The element id of a section's tab, which labels the section.
pub fn tab_id(section: Section) -> String {
    format!("tab-{}", section.title().replace(' ', "-"))
}

/// Moves between tabs with the arrow keys.
fn turn(cx: &Cx, event: &KeyboardEvent) {
    let n = Section::ALL.len();
    let at = Section::ALL.iter().position(|&section| section == cx.state.ask.section).unwrap_or(0);
    let to = match event.key().as_str() {
        "ArrowLeft" => (at + n - 1) % n,
        "ArrowRight" => (at + 1) % n,
        "Home" => 0,
        "End" => n - 1,
        _ => return,
    };
    event.prevent_default();
    cx.act(Action::Ask(AskAction::Open(Section::ALL[to])));
    let document = web_sys::window().and_then(|window| window.document());
    let tab = document.and_then(|document| document.get_element_by_id(&tab_id(Section::ALL[to])));
    if let Some(tab) = tab.and_then(|tab| tab.dyn_into::<HtmlElement>().ok()) {
        drop(tab.focus()); // focusing an attached element cannot fail
    }
}

/// The open section, except `Section::Row`, which `Detail` renders.
#[component]
pub fn Asked(cx: &Cx) -> Html {
    match cx.state.ask.section {
        Section::Row => html! {},
        Section::Arithmetic => html! { <arithmetic::Arithmetic ..cx.clone() /> },
        Section::Neurons => html! { <neurons::Neurons ..cx.clone() /> },
        Section::WhatIf => html! { <what_if::WhatIf ..cx.clone() /> },
        Section::Lens => html! { <lens::LensView ..cx.clone() /> },
        Section::Scores => html! { <head_scores::HeadScores ..cx.clone() /> },
    }
}

/// A small button that explains a term in place.
pub fn explain(cx: &Cx, name: &'static str) -> Html {
    let click = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.act(Action::Ask(AskAction::ExplainHere(name))))
    };
    html! { <button class="explain" aria-label={format!("what is: {name}")} title={name} onclick={click}></button> }
}

/// A click callback that dispatches an action.
pub fn ask(cx: &Cx, action: AskAction) -> Callback<MouseEvent> {
    let cx = cx.clone();
    Callback::from(move |_| cx.act(Action::Ask(action.clone())))
}
