//! What the model writes: samples during training, those requested by the user, and the score of a task.

use yew::prelude::*;

use super::task_score::TaskScore;
use crate::core::context::Cx;
use crate::core::navigation;
use crate::experiments::draw::Thumbnail;
use crate::experiments::run::link;
use crate::shared::entry::Entry;
use crate::shared::icon::{Icon, icon};
use crate::shared::opens::Opens;
use crate::shared::segmented::{Choice, Segmented};
use crate::shared::tokens::Tokens;
use crate::shared::{counted, grouped, value_of};
use crate::state::experiments::catalogue::Experiment;
use crate::state::experiments::find;
use crate::state::overlay::Overlay;
use crate::state::shell::ShellAction;
use crate::state::typed::TypedField;
use crate::state::{Action, RunState, Sample, View};
use glasshead::types::CorpusChoice;
use glasshead::wire::Command;

/// The experiments that are offered before the first text.
const STARTS: [&str; 4] = ["induction", "no-mask", "two-layers", "learning-rate"];

#[component]
pub fn Writing(cx: &Cx) -> Html {
    let state = &cx.state;
    let on_task = state.started.as_ref().is_some_and(|setup| matches!(setup.corpus, CorpusChoice::Task(_)));
    let task = on_task && state.shell.task_open;
    let problems = state.typed_problems(&TypedField::SAMPLING);
    html! {
        <section class="tile text-tile writing" aria-labelledby="writing-title" data-part="writing">
            <header>
                <h2 id="writing-title" class={classes!(on_task.then_some("hidden"))}>{"What the model writes"}</h2>
                if on_task { {tabs(cx)} }
                <span class="grow"></span>
                <Opens cx={cx.clone()} overlay={Overlay::Sampling} class="ghost small" testid="sampling"
                    hint="Temperature, top-k, top-p, length, seed">{icon(Icon::Sliders)}{"Sampling"}</Opens>
            </header>
            <div class="body" tabindex="0">
                if task { <TaskScore ..cx.clone() /> } else { {texts(cx)} }
            </div>
            <div role="alert">{for problems.iter().map(|problem| html! { <p class="problem">{problem}</p> })}</div>
            {prompt(cx, !problems.is_empty())}
        </section>
    }
}

fn tabs(cx: &Cx) -> Html {
    let open = cx.state.shell.task_open;
    let choice = |label: &'static str, testid: &'static str, task: bool| Choice {
        label: label.into(),
        title: label.into(),
        testid: testid.into(),
        on: open == task,
        choose: cx.on(Action::Shell(ShellAction::Task(task))),
    };
    let choices = vec![choice("What the model writes", "tab-texts", false), choice("Task", "tab-task", true)];
    html! { <Segmented label="Texts or the task's score" {choices} /> }
}

/// The requested text, then the samples, newest first.
fn texts(cx: &Cx) -> Html {
    let state = &cx.state;
    let generated = &state.generated;
    let sample = |(at, sample): (usize, &Sample)| {
        let writing = sample.text.is_none() && state.run_state == RunState::Training;
        html! { <SampleText key={sample.step} sample={sample.clone()} newest={at == 0} {writing} /> }
    };
    html! {
        <>
            if generated.request > 0 && (generated.running || !generated.text.is_empty() || generated.problem.is_some()) {
                <div class="generated" data-testid="generated">
                    <div class="words">
                        <span class="prompt">{&generated.prompt}</span>
                        <Tokens tokens={generated.tokens.clone()} sampling={generated.sampling.clone()} />
                        if generated.running { <span class="caret">{"▍"}</span> }
                    </div>
                    if let Some(problem) = &generated.problem { <span class="problem">{problem}</span> }
                </div>
                <p class="count" role="status">
                    if !generated.running {
                        {format!("{}. Point at one, or walk them with the arrow keys, to see the alternatives. Underline: how sure the \
                                  model was.", counted(generated.tokens.len(), "token"))}
                    }
                </p>
            }
            if state.samples.is_empty() && generated.request == 0 {
                {nothing_yet(cx)}
            }
            <ol class="samples">{for state.samples.iter().enumerate().map(sample)}</ol>
        </>
    }
}

#[derive(Properties, PartialEq)]
struct SampleProps {
    sample: Sample,
    /// Whether it is the latest one.
    newest: bool,
    /// Whether the model is still writing it.
    writing: bool,
}

/// A sample during training; the underlines of the newest show how sure the model was of each token.
#[component]
fn SampleText(props: &SampleProps) -> Html {
    let SampleProps { sample: Sample { step, tokens, text }, newest, writing } = props;
    // A story begins with the line breaks after the end of the one before.
    let blank = tokens.iter().take_while(|(text, _)| text.trim().is_empty()).count();
    let token = |(text, p): &(String, f32)| html! { <span class="sure" style={format!("--p:{p:.2}")}>{text}</span> };
    html! {
        <li class={classes!("sample", newest.then_some("newest"))} data-testid="sample">
            <div class="sample-head"><span>{format!("Step {}", grouped(*step))}</span>
                if *writing { <span class="tag good">{"Writing"}</span> }
                if *newest && !tokens.is_empty() { <span class="grow"></span><span>{"Underline: how sure it was"}</span> }
            </div>
            <p>
                if *newest && !tokens.is_empty() { {for tokens[blank..].iter().map(token)} } else {
                    {text.clone().unwrap_or_else(|| tokens.iter().map(|(text, _)| text.as_str()).collect()).trim_start()}
                }
                if *writing { <span class="caret">{"▍"}</span> }
            </p>
        </li>
    }
}

/// What a first visitor sees: where the text will be, and four experiments.
fn nothing_yet(cx: &Cx) -> Html {
    let state = &cx.state;
    if state.experiments.running.is_some() || state.run_state == RunState::Training {
        return html! { <p class="count">{"The model's first text appears soon."}</p> };
    }
    let look = (state.theme, state.resizes);
    let start = |experiment: &'static Experiment| {
        html! {
            <a href={link(experiment)} key={experiment.name}>
                <i><Thumbnail picture={experiment.picture} {look} /></i>
                <b>{experiment.title}</b>
                <small class="about">{experiment.text}</small>
                <small>{state.experiments.time_text(experiment).trim_start_matches("about ").to_string()}</small>
            </a>
        }
    };
    html! {
        <div class="first-texts">
            <p class="count">{"The model's first text appears soon after you press Train. Or start from an experiment:"}</p>
            {for STARTS.iter().filter_map(|name| find(name)).map(start)}
            <a class="all" href={navigation::link_to(View::Experiments)}>{"All experiments →"}</a>
        </div>
    }
}

fn prompt(cx: &Cx, refused: bool) -> Html {
    let state = &cx.state;
    let input = cx.call(|cx, event: InputEvent| cx.act(Action::Prompt(value_of(&event))));
    let running = state.generated.running;
    let blocked = !running && (!state.has_run() || refused);
    // Enter writes; Shift-Enter begins a new line.
    let keys = cx.call(move |cx, event: KeyboardEvent| {
        if event.key() == "Enter" && !event.shift_key() {
            event.prevent_default();
            if !blocked {
                generate_or_stop(cx);
            }
        }
    });
    html! {
        <div class="write">
            <textarea data-testid="prompt" rows="1" placeholder="Begin a story, or leave empty" aria-label="Prompt"
                value={state.prompt.clone()} oninput={input} onkeydown={keys} />
            <button data-testid="generate" class={classes!((!running).then_some("primary"))} disabled={blocked}
                onclick={cx.call(|cx, _: MouseEvent| generate_or_stop(cx))}>{if running { "Stop" } else { "Write" }}</button>
        </div>
    }
}

/// A labeled field that keeps refused text until it is changed.
pub fn typed(cx: &Cx, field: TypedField, testid: Option<&'static str>) -> Html {
    let change = cx.call(move |cx, event: Event| cx.act(Action::Type(field, value_of(&event))));
    let invalid = cx.state.refused(field.key()).is_some();
    html! {
        <label>
            <span>{field.label()}</span>
            <Entry {testid} value={cx.state.typed_text(field)} onchange={change} {invalid} />
        </label>
    }
}

fn generate_or_stop(cx: &Cx) {
    if cx.state.generated.running {
        cx.send(&Command::StopGenerating);
        return;
    }
    cx.send(&Command::Generate {
        request: cx.state.generated.request + 1,
        prompt: cx.state.prompt.clone(),
        sampling: cx.state.sampling.clone(),
    });
    cx.act(Action::Generate);
}
