//! The banner: at most one, the most severe first. And the help.

use wasm_bindgen::JsCast as _;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::core::context::Cx;
use crate::core::{files, preferences};
use crate::runs::checkpoints;
use crate::shared::grouped;
use crate::shared::icon::{Icon, icon};
use crate::state::runs::{KeptCheckpoint, NeededFile, RunsAction};
use crate::state::shell::ShellAction;
use crate::state::{Action, RunState};
use glasshead::types::Phase;
use glasshead::wire::Command;
use glasshead::wire::runs::RunsCommand;

/// The key of the latest dismissed notices in the preferences: the notice on a device is shown once.
const DISMISSED: &str = "dismissed_notices";

#[component]
pub fn Banner(cx: &Cx) -> Html {
    let state = &cx.state;
    let dismissed = use_state(|| preferences::load(DISMISSED).unwrap_or_default());
    match &state.run_state {
        RunState::Diverged(message) => return diverged(cx, message),
        RunState::Failed(message) => {
            return problem(cx, html! { <><strong>{"This run cannot continue: "}</strong>{message}</> }, html! {});
        }
        _ => (),
    }
    if let Some(needed) = &state.runs.needs_file {
        return needs_file(cx, needed);
    }
    let stopped = state.runs.stopped.as_ref().map(|reason| {
        html! { <p data-testid="stopped"><strong>{"Paused by a stop rule: "}</strong>{format!("{reason}. Change or clear the rule to train on.")}</p> }
    });
    if let Some(offer) = offer(cx).filter(|_| stopped.is_none()) {
        return offer;
    }
    // The device chip repeats what training on the CPU means, so that a reason to pause comes before it.
    let seen = |notice: &str| {
        dismissed.split('\n').any(|text| text == notice) || stopped.is_some() && notice.starts_with(ON_CPU)
    };
    let notices: Vec<&String> = state.notices.iter().filter(|notice| !seen(notice)).collect();
    if !notices.is_empty() {
        let (text, all) = (state.notices.join("\n"), dismissed.clone());
        let close = cx.call(move |cx, _: MouseEvent| {
            preferences::save(DISMISSED, &text);
            all.set(text.clone());
            cx.act(Action::DismissNotices);
        });
        // A stop rule does not hide what was refused meanwhile.
        let lines = notices.iter().map(|notice| html! { <p>{bold_first(notice)}</p> }).chain(stopped);
        return note("banner", html! { <div class="grow">{for lines}</div> }, dismiss(close));
    }
    if let Some(stopped) = stopped {
        return note("banner", stopped, html! {});
    }
    match &state.run_state {
        RunState::Loading(phase) => phases(*phase),
        RunState::Ready if !state.shell.ready_dismissed => ready(cx),
        _ => html! {},
    }
}

/// How the notice on a missing graphics adapter begins.
const ON_CPU: &str = "Training on the CPU";

/// A notice with its first clause in bold.
fn bold_first(notice: &str) -> Html {
    let end = [": ", "; ", ". "].into_iter().filter_map(|stop| notice.find(stop)).min();
    match end {
        Some(end) => html! { <><strong>{&notice[..=end]}</strong>{&notice[end + 1..]}</> },
        None => html! { {notice} },
    }
}

fn note(testid: &'static str, text: Html, actions: Html) -> Html {
    html! { <div class="banner" role="status" data-testid={testid}>{icon(Icon::Info)}{text}{actions}</div> }
}

fn dismiss(close: Callback<MouseEvent>) -> Html {
    html! {
        <button class="ghost small square" aria-label="Dismiss" title="Dismiss" onclick={close}>{icon(Icon::Close)}</button>
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Device => "Getting the GPU",
        Phase::Corpus => "Writing stories",
        Phase::Tokenizer => "Learning the vocabulary",
        Phase::Encoding => "Encoding the text",
        Phase::Model => "Building the model",
    }
}

fn phases(now: Option<Phase>) -> Html {
    let item = |(at, phase): (usize, Phase)| match now {
        Some(now) if phase < now => html! { <li class="done">{icon(Icon::Check)}{phase_name(phase)}</li> },
        Some(now) if phase == now => {
            html! { <li class="now">{format!("{}, {} of {}", phase_name(phase), at + 1, Phase::ALL.len())}</li> }
        }
        None if at == 0 => html! { <li class="now">{phase_name(phase)}</li> },
        _ => html! { <li>{phase_name(phase)}</li> },
    };
    html! {
        <div class="banner" role="status">
            <span class="spin"></span>
            <ol class="phases" data-testid="phase-list">{for Phase::ALL.into_iter().enumerate().map(item)}</ol>
        </div>
    }
}

fn ready(cx: &Cx) -> Html {
    let summary = cx.state.summary.as_ref();
    let close = dismiss(cx.on(Action::Shell(ShellAction::DismissReady)));
    if cx.state.runs.from_file {
        return note("banner", html! { <p><strong>{"Ready, with the weights of its file."}</strong></p> }, close);
    }
    let (uniform, size) =
        summary.map_or((0.0, 0), |summary| (summary.baselines.uniform, summary.config.model.vocab_size));
    let text = html! {
        <p>
            <strong>{"Ready, with random weights. "}</strong>
            {format!("Every token is about equally likely, so the loss starts near ln {size} = {uniform:.2}. Press Train and watch the \
                      heads change.")}
        </p>
    };
    note("banner", text, close)
}

/// Offers to resume an autosave from before the page was closed, reloaded or crashed.
fn offer(cx: &Cx) -> Option<Html> {
    let kept = cx.state.offered_run()?.clone();
    let text = saved_automatically(&kept);
    let resume = cx.call(move |cx, _: MouseEvent| checkpoints::resume(cx, &kept));
    let actions = html! {
        <>
            <button class="primary" data-testid="resume-offer" onclick={resume}>{"Continue"}</button>
            <button onclick={cx.on(Action::Runs(RunsAction::Decline))}>{"Not now"}</button>
        </>
    };
    Some(note("offer", html! { <p>{text}</p> }, actions))
}

/// Requests the file that a saved run was trained on.
fn needs_file(cx: &Cx, NeededFile { name, problem, .. }: &NeededFile) -> Html {
    let picked = cx.call(|cx, event: Event| {
        let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
        if let Some(input) = input {
            cx.open_files(files::listed(input.files()));
            input.set_value(""); // allows choosing the same file again
        }
    });
    let forget = cx.call(|cx, _: MouseEvent| {
        cx.send(&Command::Runs { command: RunsCommand::ForgetResume });
        cx.act(Action::Runs(RunsAction::ForgetFile));
    });
    html! {
        <div class="banner warn" data-testid="needs-file" role="alert">
            {icon(Icon::Warning)}
            <label>
                if let Some(problem) = problem { <p>{problem}</p> }
                <span>{"This run was trained on your file "}<strong>{name}</strong>{". Choose it again to continue the run."}</span>
                <input type="file" data-testid="asked-file" onchange={picked} />
            </label>
            <button onclick={forget}>{"Cancel"}</button>
        </div>
    }
}

fn saved_automatically(kept: &KeptCheckpoint) -> String {
    format!("{} was saved automatically at step {}, {}.", kept.about.name, kept.about.step, kept.saved)
}

/// The run diverged: the likely cause, the way on, and the whole report.
fn diverged(cx: &Cx, message: &str) -> Html {
    let slower = cx.call(|cx, _: MouseEvent| cx.send(&Command::Runs { command: RunsCommand::GoOnSlower }));
    let short = |rate: f64| {
        let text = format!("{rate:.6}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
    };
    let rate = cx.state.run_config().map(|config| config.train.max_lr);
    let cause = rate.map_or(String::new(), |rate| {
        format!(" A learning rate of {} is probably too high for this model.", short(rate))
    });
    let half = rate.map_or(String::new(), |rate| format!(" ({})", short(rate / 2.0)));
    let text = html! {
        <>
            <strong>{format!("Training diverged at step {}.", grouped(cx.state.step + 1))}</strong>
            {format!(" The loss or a gradient is not finite.{cause}")}
            <details><summary>{"Details"}</summary>{message}</details>
        </>
    };
    let actions = html! {
        <button class="primary" onclick={slower} data-testid="go-on-slower" title="Goes back to the last snapshot whose loss was finite">
            {format!("Continue at half the learning rate{half}")}
        </button>
    };
    problem(cx, text, actions)
}

fn problem(cx: &Cx, text: Html, actions: Html) -> Html {
    let failed = matches!(cx.state.run_state, RunState::Failed(_));
    html! {
        <div class="banner bad" data-testid="banner" role="alert">
            {icon(Icon::Warning)}
            <div class="grow">
                {text}
                if let Some(kept) = cx.state.offered_run() { {" "}<span data-testid="offer">{saved_automatically(kept)}</span> }
            </div>
            if let Some(kept) = cx.state.offered_run().cloned() {
                <button class="primary" data-testid="resume-offer" onclick={cx.call(move |cx, _: MouseEvent| checkpoints::resume(cx, &kept))}>
                    {"Continue from there"}
                </button>
            }
            {actions}
            <button onclick={cx.call(|cx, _: MouseEvent| cx.restart())} disabled={cx.state.problem().is_some()}>{"Restart"}</button>
            if failed {
                <button data-testid="reload" onclick={Callback::from(|_: MouseEvent| reload())}>{"Reload the page"}</button>
            }
        </div>
    }
}

fn reload() {
    // Fails only while the page is unloading.
    let _ = web_sys::window().map(|window| window.location().reload());
}
