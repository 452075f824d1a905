//! Generated texts: samples during training, and those requested by the user.

use yew::prelude::*;

use super::entry::Entry;
use super::tokens::Tokens;
use super::{counted, value_of};
use crate::app::Cx;
use crate::state::Action;
use crate::state::typed::TypedField;
use glasshead::wire::Command;

#[component]
pub fn Writing(cx: &Cx) -> Html {
    let state = &cx.state;
    let sample = |(step, text): &(u64, String)| {
        html! { <li data-testid="sample"><small>{format!("step {step}")}</small><p>{text}</p></li> }
    };
    html! {
        <section class="panel writing" aria-labelledby="writing-title">
            <h2 id="writing-title">{"The model writes"}</h2>
            {prompt(cx)}
            if state.generated.request > 0 && (state.generated.running || !state.generated.text.is_empty()
                || state.generated.problem.is_some()) {
                <div class="generated" data-testid="generated">
                    <span class="prompt">{&state.generated.prompt}</span>
                    <Tokens tokens={state.generated.tokens.clone()} sampling={state.generated.sampling.clone()} />
                    if state.generated.running { <span class="caret">{"▍"}</span> }
                    if let Some(problem) = &state.generated.problem { <span class="problem">{problem}</span> }
                </div>
                <p class="count" role="status">
                    if !state.generated.running {
                        {format!("{}; point at one, or walk them with the arrow keys, to see what else could \
                                  have been chosen. A darker line under a token: the model was surer.",
                                 counted(state.generated.tokens.len(), "token"))}
                    }
                </p>
            }
            <h3>{"by itself, while it learns"}</h3>
            if state.samples.is_empty() {
                <p class="count">{"The first text comes soon after training starts."}</p>
            }
            <ol class="samples">{for state.samples.iter().map(sample)}</ol>
        </section>
    }
}

fn prompt(cx: &Cx) -> Html {
    let state = &cx.state;
    let input = {
        let cx = cx.clone();
        Callback::from(move |event: InputEvent| cx.act(Action::Prompt(value_of(&event))))
    };
    let toggle = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| generate_or_stop(&cx))
    };
    let problems = state.typed_problems(&TypedField::SAMPLING);
    let running = state.generated.running;
    html! {
        <div class="ask">
            <label class="wide">
                {"prompt (empty begins a new story)"}
                <textarea data-testid="prompt" rows="2" value={state.prompt.clone()} oninput={input} />
            </label>
            <div class="fields">{for TypedField::SAMPLING.map(|field| typed(cx, field, None))}</div>
            <div role="alert">{for problems.iter().map(|problem| html! { <p class="problem">{problem}</p> })}</div>
            <button data-testid="generate" onclick={toggle}
                disabled={!running && (!state.has_run() || !problems.is_empty())}>
                {if running { "stop" } else { "write" }}
            </button>
        </div>
    }
}

/// A labeled field that keeps refused text until it is changed.
pub fn typed(cx: &Cx, field: TypedField, testid: Option<&'static str>) -> Html {
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| cx.act(Action::Type(field, value_of(&event))))
    };
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
