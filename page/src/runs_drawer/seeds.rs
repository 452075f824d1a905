//! Repeats the present run with several seeds.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::shared::entry::Entry;
use crate::shared::value_of;
use crate::state::Action;
use crate::state::queue::QueueAction;
use crate::state::seeds::{MAX_SEEDS, SeedSeries};
use crate::units::grouped;

#[component]
pub fn Seeds(cx: &Cx) -> Html {
    let count = use_state_eq(|| 3_u64);
    let enter = {
        let count = count.clone();
        Callback::from(move |event: Event| {
            let n = value_of(&event).trim().parse().ok().filter(|n| (2..=MAX_SEEDS).contains(n));
            count.set(n.unwrap_or(*count));
        })
    };
    let n = *count;
    let possible = !cx.state.seed_runs(1).is_empty() && !cx.state.queue.elsewhere;
    let repeat = cx.call(move |cx, _: MouseEvent| {
        cx.act(Action::Queue(QueueAction::Add(cx.state.seed_runs(n))));
        cx.act(Action::Queue(QueueAction::Train(true)));
    });
    html! {
        <div class="seeds" data-testid="seeds">
            <div class="line">
                <button class="small" data-testid="repeat-seeds" disabled={!possible} onclick={repeat}
                    title="Trains the same setup with other seeds, next to this run; the loss chart shows their mean and range">
                    {"Repeat with"}
                </button>
                <Entry value={n.to_string()} onchange={enter} label="Number of seeds" testid="seeds-count" />
                <span class="count">{"seeds"}</span>
            </div>
            {for cx.state.seed_series().iter().map(|series| row(cx, series))}
        </div>
    }
}

fn row(cx: &Cx, series: &SeedSeries) -> Html {
    let (of, over) = series.runs;
    let running = cx.state.running_seed().filter(|item| item.run.list == series.list);
    let last = series.series.validation.last().filter(|band| band.n == of);
    let said = match (running, last) {
        (Some(item), _) => format!("run {} of {of}, step {}", over + 1, grouped(item.step())),
        (None, Some(band)) => format!("held-out loss {:.3} ({:.3} to {:.3})", band.mean, band.min, band.max),
        (None, None) => format!("{over} of {of} runs have ended"),
    };
    let remove = cx.on(Action::Queue(QueueAction::Remove(series.list.clone())));
    let (label, on) = if cx.state.queue.on { ("Pause", false) } else { ("Continue", true) };
    html! {
        <p class="line spread">
            <span><b>{&series.name}</b>{" "}<small>{said}</small></span>
            <span class="line">
                if over < of { <button class="small" onclick={cx.on(Action::Queue(QueueAction::Train(on)))}>{label}</button> }
                <button class="small" onclick={remove} disabled={running.is_some()}>{"Remove"}</button>
            </span>
        </p>
    }
}
