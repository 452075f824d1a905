//! What computes the run: the backend, and the number of workers on the processor.

use yew::prelude::*;

use super::field::{Row, row};
use super::state::backend_name;
use crate::core::context::Cx;
use crate::core::workers;
use crate::fields::number;
use crate::shared::entry::Entry;
use crate::shared::value_of;
use crate::state::Action;
use crate::state::workers::Wanted;
use glasshead::types::BackendChoice;
use glasshead::types::workers::MAX_WORKERS;

/// The name of the field for the number of workers.
const WORKERS: &str = "workers";

const CHOICES: [(&str, BackendChoice); 3] =
    [("GPU, else CPU", BackendChoice::Auto), ("GPU only", BackendChoice::Gpu), ("CPU only", BackendChoice::Cpu)];

/// The choice of the backend.
pub fn backend(cx: &Cx) -> Html {
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let value = value_of(&event);
            if let Some((_, choice)) = CHOICES.iter().find(|(name, _)| *name == value) {
                cx.act(Action::Backend(*choice));
            }
        })
    };
    let option = |(name, choice): &(&'static str, BackendChoice)| {
        html! { <option value={*name} selected={cx.state.draft.backend == *choice}>{backend_name(*choice)}</option> }
    };
    let control = html! {
        <span class="input"><select data-testid="backend" onchange={change}>{for CHOICES.iter().map(option)}</select></span>
    };
    let changed = cx.state.pending().contains(&"computed by");
    let help = "What computes the next run";
    row(Row { name: "backend", label: "Device", help, live: false, problem: None, changed }, control, html! {})
}

/// How many workers share each batch; only for runs on the processor.
pub fn workers_field(cx: &Cx) -> Html {
    let state = &cx.state;
    if state.draft.backend != BackendChoice::Cpu && !state.on_cpu() {
        return html! {};
    }
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| enter(&cx, value_of(&event)))
    };
    let now = state.workers;
    let refused = state.refused(WORKERS);
    let value = refused.map_or_else(|| now.wanted.to_string(), |refused| refused.text.clone());
    let help = format!("At most {MAX_WORKERS}, and one per sequence of a batch; empty: measured");
    let control = html! {
        <span class="input">
            <Entry name={WORKERS} testid={WORKERS} {value} onchange={change} invalid={refused.is_some()} />
        </span>
    };
    let after = html! {
        <>
            if state.on_cpu() && now.computing != now.wanted { <small>{format!("{} compute", now.computing)}</small> }
            if let Some(reported) = now.doubted() {
                <small title="A measurement found fewer than the browser reports.">{format!("{reported} reported")}</small>
            }
        </>
    };
    let problem = refused.map(|refused| refused.problem.clone());
    row(Row { name: WORKERS, label: "Workers", help: &help, live: true, problem, changed: false }, control, after)
}

fn enter(cx: &Cx, entry: String) {
    let wanted = match number::<usize>(&entry) {
        Some(n) if (1..=MAX_WORKERS).contains(&n) => Wanted::Chosen(n),
        None if entry.trim().is_empty() => Wanted::Reported(workers::reported()),
        _ => {
            let problem = format!(
                "workers cannot be “{entry}”; enter a whole number from 1 to {MAX_WORKERS}, or nothing to measure it"
            );
            return cx.act(Action::Refuse(WORKERS, entry, problem));
        }
    };
    cx.act(Action::Accept(WORKERS));
    let mut state = cx.state.workers;
    state.want(wanted);
    workers::remember(matches!(wanted, Wanted::Chosen(_)).then_some(state.wanted));
    cx.send(&state.command());
    cx.act(Action::Workers(wanted));
}
