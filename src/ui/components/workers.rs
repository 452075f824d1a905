//! How many workers share a step on the CPU.

use yew::prelude::*;

use super::entry::Entry;
use super::value_of;
use crate::protocol::BackendChoice;
use crate::protocol::workers::MOST_WORKERS;
use crate::ui::app::Cx;
use crate::ui::fields::number;
use crate::ui::preferences;
use crate::ui::state::Action;

/// The name of the field.
const NAME: &str = "workers";

/// Under this name the browser remembers a choice.
const PREFERENCE: &str = "workers";

/// What was chosen last, else as many as the processor has cores.
pub fn wanted() -> usize {
    let cores = || web_sys::window().map_or(1.0, |window| window.navigator().hardware_concurrency());
    let chosen = preferences::load(PREFERENCE).and_then(|chosen| chosen.parse().ok());
    chosen.unwrap_or_else(|| cores() as usize).clamp(1, MOST_WORKERS)
}

#[component]
pub fn Workers(cx: &Cx) -> Html {
    let state = &cx.state;
    let on_cpu = state.draft.backend == BackendChoice::Cpu || state.on_cpu();
    if !on_cpu {
        return html! {};
    }
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let entry = value_of(&event);
            let n = match number::<usize>(&entry) {
                Some(n) if (1..=MOST_WORKERS).contains(&n) => n,
                _ => {
                    let problem = format!("workers cannot be “{entry}”; enter a whole number from 1 to {MOST_WORKERS}");
                    return cx.act(Action::Refuse(NAME, entry, problem));
                }
            };
            cx.act(Action::Accept(NAME));
            let mut workers = cx.state.workers;
            workers.want(n);
            preferences::save(PREFERENCE, &workers.wanted.to_string());
            cx.send(&workers.command());
            cx.act(Action::Workers(n));
        })
    };
    let workers = state.workers;
    let refused = state.refused(NAME).map(|refused| refused.text.clone());
    let value = refused.clone().unwrap_or_else(|| workers.wanted.to_string());
    let help = format!(
        "how many workers share each batch on the CPU, at most {MOST_WORKERS} and one per sequence; applies at once"
    );
    html! {
        <label title={help}>
            <span>{"workers"}</span>
            <Entry name={NAME} testid={NAME} {value} onchange={change} invalid={refused.is_some()} />
            if state.on_cpu() && workers.computing != workers.wanted {
                <small>{format!("{} compute", workers.computing)}</small>
            }
        </label>
    }
}
