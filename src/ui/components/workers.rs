//! How many workers share a step on the CPU.

use yew::prelude::*;

use super::entry::Entry;
use super::value_of;
use crate::protocol::BackendChoice;
use crate::protocol::workers::MOST_WORKERS;
use crate::ui::app::Cx;
use crate::ui::state::Action;
use crate::ui::state::workers::Wanted;
use crate::ui::workers;

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
            let wanted = match entry.trim().parse() {
                Ok(n) => Wanted::Chosen(n),
                Err(_) if entry.trim().is_empty() => Wanted::Reported(workers::reported()),
                Err(_) => {
                    let problem =
                        format!("workers cannot be “{entry}”; enter a number from 1, or nothing to measure it");
                    return cx.act(Action::EntryProblem(problem));
                }
            };
            let mut state = cx.state.workers;
            state.want(wanted);
            workers::remember(matches!(wanted, Wanted::Chosen(_)).then_some(state.wanted));
            cx.send(&state.command());
            cx.act(Action::Workers(wanted));
        })
    };
    let now = state.workers;
    let help = format!(
        "how many workers share each batch on the CPU, at most {MOST_WORKERS} and one per sequence; applies at once; \
         empty: measured"
    );
    html! {
        <label title={help}>
            <span>{"workers"}</span>
            <Entry name="workers" testid="workers" value={now.wanted.to_string()} onchange={change} />
            if state.on_cpu() && now.computing != now.wanted {
                <small>{format!("{} compute", now.computing)}</small>
            }
            if let Some(reported) = now.doubted() {
                <small title="a measurement found fewer than the browser reports">{format!("{reported} reported")}</small>
            }
        </label>
    }
}
