//! The state of the run in sentences, and the help.

use yew::prelude::*;

use crate::app::Cx;
use crate::state::runs::RunsAction;
use crate::state::{Action, RunState};
use crate::checkpoints;
use glasshead::types::Phase;
use glasshead::wire::Command;
use glasshead::wire::runs::RunsCommand;

#[component]
pub fn Banners(cx: &Cx) -> Html {
    let state = &cx.state;
    let notices = state.notices.iter().map(|notice| html! { <p class="banner" data-testid="banner">{notice}</p> });
    html! {
        <div class="banners" role="status">
            {for notices}
            if let Some(reason) = &state.runs.stopped {
                <p class="banner" data-testid="stopped">
                    {format!("Paused by a stop rule: {reason}. Change or clear the rule to train on.")}
                </p>
            }
            {offer(cx)}
            {match &state.run_state {
                RunState::Loading(phase) => phases(*phase),
                RunState::Ready => ready(cx),
                RunState::Diverged(message) => problem(cx, "The training diverged", message, true),
                RunState::Failed(message) => problem(cx, "This run cannot go on", message, false),
                RunState::Training | RunState::Paused => html! {},
            }}
        </div>
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Device => "asking for the GPU",
        Phase::Corpus => "writing stories",
        Phase::Tokenizer => "learning a vocabulary",
        Phase::Encoding => "encoding the text",
        Phase::Model => "building the model",
    }
}

fn phases(now: Option<Phase>) -> Html {
    let item = |phase: Phase| {
        let (mark, class) = match now {
            Some(now) if phase < now => ("✓", "done"),
            Some(now) if phase == now => ("…", "now"),
            _ => ("·", "later"),
        };
        html! { <li {class}>{format!("{mark} {}", phase_name(phase))}</li> }
    };
    html! { <ol class="phases" data-testid="phase-list">{for Phase::ALL.into_iter().map(item)}</ol> }
}

fn ready(cx: &Cx) -> Html {
    let uniform = cx.state.summary.as_ref().map_or(0.0, |summary| summary.baselines.uniform);
    if cx.state.runs.from_file {
        return html! { <p class="banner" data-testid="banner">{"Ready, with the weights of its file."}</p> };
    }
    html! {
        <p class="banner" data-testid="banner">
            {format!("Ready, with random weights: every token is about equally likely, so expect a loss near ln V = \
                      {uniform:.2}. Press ▶ train and watch the heads change.")}
        </p>
    }
}

/// Offers to resume an autosave from before the page was closed, reloaded or crashed.
fn offer(cx: &Cx) -> Html {
    let Some(kept) = cx.state.offered_run() else { return html! {} };
    let resume = {
        let (cx, kept) = (cx.clone(), kept.clone());
        Callback::from(move |_: MouseEvent| checkpoints::resume(&cx, &kept))
    };
    let decline = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.act(Action::Runs(RunsAction::Decline)))
    };
    let about = &kept.about;
    html! {
        <div class="banner" data-testid="offer">
            <p>{format!("{} was kept by itself at step {}, {}.", about.name, about.step, kept.saved)}</p>
            <button data-testid="resume-offer" onclick={resume}>{"go on with it"}</button>
            <button onclick={decline}>{"not now"}</button>
        </div>
    }
}

fn problem(cx: &Cx, title: &'static str, message: &str, can_go_on: bool) -> Html {
    let retry = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.restart())
    };
    let slower = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.send(&Command::Runs { command: RunsCommand::GoOnSlower }))
    };
    html! {
        <div class="banner problem" data-testid="banner" role="alert">
            <p><strong>{title}{": "}</strong>{message}</p>
            if can_go_on {
                <button onclick={slower} data-testid="go-on-slower"
                    title="from the last copy of the model that was kept while its loss was sane">
                    {"go on with half the learning rate"}
                </button>
            }
            <button onclick={retry} disabled={cx.state.problem().is_some()}>{"start a new run"}</button>
            if !can_go_on {
                <button data-testid="reload" onclick={Callback::from(|_: MouseEvent| reload())}>{"Reload the page"}</button>
            }
        </div>
    }
}

fn reload() {
    // Fails only while the page is unloading.
    let _ = web_sys::window().map(|window| window.location().reload());
}
