//! The number of workers that share a step on the CPU.

use yew::prelude::*;

use super::entry::Entry;
use super::value_of;
use crate::app::Cx;
use crate::fields::number;
use crate::state::Action;
use crate::state::workers::Wanted;
use crate::workers;
use glasshead::protocol::BackendChoice;
use glasshead::protocol::workers::MAX_WORKERS;

/// The field's name.
const NAME: &str = "workers";

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
            let wanted = match number::<usize>(&entry) {
                Some(n) if (1..=MAX_WORKERS).contains(&n) => Wanted::Chosen(n),
                None if entry.trim().is_empty() => Wanted::Reported(workers::reported()),
                _ => {
                    let problem = format!(
                        "workers cannot be “{entry}”; enter a whole number from 1 to {MAX_WORKERS}, or nothing to \
                         measure it"
                    );
                    return cx.act(Action::Refuse(NAME, entry, problem));
                }
            };
            cx.act(Action::Accept(NAME));
            let mut state = cx.state.workers;
            state.want(wanted);
            workers::remember(matches!(wanted, Wanted::Chosen(_)).then_some(state.wanted));
            cx.send(&state.command());
            cx.act(Action::Workers(wanted));
        })
    };
    let now = state.workers;
    let refused = state.refused(NAME).map(|refused| refused.text.clone());
    let value = refused.clone().unwrap_or_else(|| now.wanted.to_string());
    let help = format!(
        "how many workers share each batch on the CPU, at most {MAX_WORKERS} and one per sequence; applies at once; \
         empty: measured"
    );
    html! {
        <label title={help}>
            <span>{"workers"}</span>
            <Entry name={NAME} testid={NAME} {value} onchange={change} invalid={refused.is_some()} />
            if state.on_cpu() && now.computing != now.wanted {
                <small>{format!("{} compute", now.computing)}</small>
            }
            if let Some(reported) = now.doubted() {
                <small title="a measurement found fewer than the browser reports">{format!("{reported} reported")}</small>
            }
        </label>
    }
}
