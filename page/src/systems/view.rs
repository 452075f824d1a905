//! The tabs of the Systems view and their tiles.

use yew::prelude::*;

use super::compare::{changes, choose, export};
use super::format::{amount, mebibytes, milliseconds, percent};
use super::kernels::kernels;
use super::memory::table as peak_table;
use super::parallel::{Lab, calculator, table as strategies};
use super::precision::{Sums, Tensor};
use super::ring::Ring;
use super::roofline::RooflineTile;
use super::timeline::Time;
use crate::core::context::Cx;
use crate::shared::grouped;
use crate::shared::icon::{Icon, icon};
use crate::shared::segmented::{Choice, Segmented};
use crate::state::Action;
use crate::state::profile::{ProfileState, SystemsAction, SystemsTab};
use glasshead::systems::trace::Trace;
use glasshead::types::profile::{Profile, TimedBy};

#[component]
pub fn SystemsView(cx: &Cx) -> Html {
    let state = &cx.state.profile;
    let choice = |tab: SystemsTab| Choice {
        label: tab.title().into(),
        title: "".into(),
        testid: format!("systems-{}", tab.name()).into(),
        on: state.tab == tab,
        choose: cx.on(Action::Systems(SystemsAction::Tab(tab))),
    };
    let choices: Vec<Choice> = SystemsTab::ALL.map(choice).into();
    html! {
        <div class="systems">
            <div class="setup-bar measure-bar" role="group" aria-label="Measurement">
                {measure(cx)}
                <div role="status" aria-live="polite" class="said">
                    if let Some(profile) = &state.profile { {summary(state, profile)} } else {
                        <span>{"The measured step is undone, so your run stays as it is."}</span>
                    }
                </div>
            </div>
            <div class="setup-bar tabs-bar">
                <Segmented label="Parts of the view" {choices} />
                <span class="rule"></span>
                if let Some(profile) = &state.profile { {how(profile)} }
                <span class="grow"></span>
                if state.trace.is_some() { {choose(cx)} }
            </div>
            if let Some(problem) = &state.problem { <p class="banner warn" data-testid="no-profile">{problem}</p> }
            <div class="tiles" data-tab={state.tab.name()} data-compared={(state.compare.is_some() && state.trace.is_some()).to_string()}>{tiles(cx)}</div>
        </div>
    }
}

fn measure(cx: &Cx) -> Html {
    let state = &cx.state.profile;
    let measure = cx.call(|cx, _: MouseEvent| {
        cx.send(&ProfileState::command());
        cx.act(Action::Profile);
    });
    html! {
        <>
            <button data-testid="measure" class="primary" onclick={measure} disabled={state.measuring || !cx.state.has_run()}>
                {if state.measuring { "Measuring…" } else { "Measure a step" }}
            </button>
            <button data-testid="trace" disabled={state.trace.is_none()} onclick={cx.call(|cx, _: MouseEvent| export(cx))}
                title="Save the timeline as Chrome trace JSON, which ui.perfetto.dev opens">{icon(Icon::Save)}{"Trace"}</button>
        </>
    }
}

/// The tiles of the tab.
fn tiles(cx: &Cx) -> Html {
    let state = &cx.state.profile;
    let empty = || {
        html! {
            <section class="tile kernels" aria-label="Kernels">
                <p class="empty">{"Measure a step to see where its time goes."}</p>
            </section>
        }
    };
    let time = |memory_first: bool| match &state.trace {
        Some(trace) => {
            html! { <Time cx={cx.clone()} trace={trace.clone()} memory={state.memory.clone()} {memory_first} /> }
        }
        None => html! {},
    };
    let compared = || {
        if state.compare.is_some() {
            changes(cx)
        } else {
            html! {}
        }
    };
    match (state.tab, &state.profile) {
        (SystemsTab::Parallel, _) => {
            html! { <><Lab cx={cx.clone()} all=true /><Ring ..cx.clone() />{strategies(cx)}{calculator(cx)}</> }
        }
        (SystemsTab::Precision, _) => html! { <><Sums /><Tensor ..cx.clone() /></> },
        (_, None) => empty(),
        (SystemsTab::Overview, Some(profile)) => html! {
            <>
                {time(false)}
                {if state.compare.is_some() { changes(cx) } else { kernels(cx, profile) }}
                <RooflineTile ..cx.clone() /><Lab cx={cx.clone()} all=false />
            </>
        },
        (SystemsTab::Timeline, Some(_)) => html! { <>{time(false)}{state.trace.as_deref().map(idle)}{compared()}</> },
        (SystemsTab::Memory, Some(_)) => html! {
            <>{time(true)}{state.trace.as_deref().zip(state.memory.as_deref()).map(|(trace, memory)| peak_table(trace, memory))}</>
        },
        (SystemsTab::Roofline, Some(profile)) => html! { <><RooflineTile ..cx.clone() />{kernels(cx, profile)}</> },
    }
}

fn summary(state: &ProfileState, profile: &Profile) -> Html {
    let total = profile.total();
    let number = |name: &'static str, value: String| html! { <div><dt>{name}</dt><dd>{value}</dd></div> };
    let step_ns = state.trace.as_ref().map_or(total.ns, |trace| trace.plain_ns);
    let peak = state.memory.as_ref().and_then(|memory| memory.peak());
    html! {
        <dl class="stats" data-testid="profile-numbers">
            {number("One step", milliseconds(step_ns))}
            {number("Dispatches", total.times.to_string())}
            {number("Of the peak", percent(total.share_of_peak()))}
            if let Some(peak) = peak { {number("Peak memory", mebibytes(peak.bytes as f64))} }
        </dl>
    }
}

/// How the step was measured.
fn how(profile: &Profile) -> Html {
    let total = profile.total();
    let how = match profile.timed_by {
        TimedBy::Timestamps => "timed with timestamps on the device",
        TimedBy::Clock => "timed with the clock, on one worker",
    };
    html! {
        <span class="said how" data-testid="profile-summary">
            {format!("Step {}, {how}: {} done. Peaks: {}, {}. The measured step is undone.",
                grouped(profile.step as usize), amount(total.flops, "FLOP"),
                amount(profile.peak_flops_per_s, "FLOP/s"), amount(profile.peak_bytes_per_s, "B/s"))}
            if let Some(step_ns) = profile.coarse_ns() {
                <small data-testid="coarse">
                    {format!(" This browser rounds timestamps to {}, so times of short kernels are rough; Chrome's flag \
                              “WebGPU Developer Features” lifts that.", milliseconds(step_ns))}
                </small>
            }
        </span>
    }
}

/// The tile that says how the step adds up: phases and idle time by cause.
fn idle(trace: &Trace) -> Html {
    let share = |ns: f64| percent(ns / trace.wall_ns.max(1.0));
    let row = |name: String, ns: f64| html! { <tr><th scope="row">{name}</th><td>{milliseconds(ns)}</td><td>{share(ns)}</td></tr> };
    let phases =
        trace.phase_ns().into_iter().filter(|(_, ns)| *ns > 0.0).map(|(phase, ns)| row(phase.name().into(), ns));
    let causes = trace.idle_ns().into_iter().map(|(cause, ns)| row(format!("idle: {}", cause.name()), ns));
    let sum = trace.busy_ns() + trace.idle_ns().iter().map(|(_, ns)| ns).sum::<f64>();
    html! {
        <section class="tile idle" aria-labelledby="idle-title">
            <header><h2 id="idle-title">{"How the step adds up"}</h2></header>
            <div class="table" tabindex="0" role="region" aria-label="Phases and idle time">
                <table data-testid="idle-table">
                    <thead><tr><th scope="col">{"Part"}</th><th scope="col">{"Time"}</th><th scope="col">{"Share"}</th></tr></thead>
                    <tbody>{for phases}{for causes}</tbody>
                    <tfoot>{row("sum".into(), sum)}</tfoot>
                </table>
                <p class="note">{format!("Without profiling, the same step takes {}; profiling changes that by {}.",
                    milliseconds(trace.plain_ns), percent(trace.overhead()))}</p>
            </div>
        </section>
    }
}
