//! What the model writes: by itself while it learns, and when asked.

use yew::prelude::*;

use super::entry::Entry;
use super::tokens::Tokens;
use super::value_of;
use crate::protocol::{Command, Sampling};
use crate::ui::app::Cx;
use crate::ui::state::Action;

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
                        {format!("{} tokens; point at one, or walk them with the arrow keys, to see what else could \
                                  have been chosen. A darker line under a token: the model was surer.",
                                 state.generated.tokens.len())}
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

/// One number of the sampling: its label, its value, and how an entry is put in.
type Knob = (&'static str, String, fn(&mut Sampling, f64) -> bool);

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
    let Sampling { temperature, top_k, top_p, max_tokens, seed } = &state.sampling;
    let knobs: [Knob; 5] = [
        ("temperature", temperature.to_string(), |s, x| x >= 0.0 && set(&mut s.temperature, x as f32)),
        ("top-k (0: all)", top_k.to_string(), |s, x| x >= 0.0 && set(&mut s.top_k, x as usize)),
        ("top-p", top_p.to_string(), |s, x| x > 0.0 && x <= 1.0 && set(&mut s.top_p, x as f32)),
        ("max tokens", max_tokens.to_string(), |s, x| x >= 1.0 && set(&mut s.max_tokens, x as usize)),
        ("seed", seed.to_string(), |s, x| x >= 0.0 && set(&mut s.seed, x as u64)),
    ];
    let running = state.generated.running;
    html! {
        <div class="ask">
            <label class="wide">
                {"prompt (empty begins a new story)"}
                <textarea data-testid="prompt" rows="2" value={state.prompt.clone()} oninput={input} />
            </label>
            <div class="fields">{for knobs.into_iter().map(|entry| knob(cx, entry))}</div>
            <button data-testid="generate" onclick={toggle} disabled={!state.has_run()}>
                {if running { "stop" } else { "write" }}
            </button>
        </div>
    }
}

fn set<T>(place: &mut T, value: T) -> bool {
    *place = value;
    true
}

fn knob(cx: &Cx, (name, value, put): Knob) -> Html {
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let mut sampling = cx.state.sampling.clone();
            // An entry that cannot be used leaves what was there, and the field shows it again.
            if value_of(&event).trim().parse().is_ok_and(|x: f64| x.is_finite() && put(&mut sampling, x)) {
                cx.act(Action::Sampling(sampling));
            } else {
                cx.act(Action::Sampling(cx.state.sampling.clone()));
            }
        })
    };
    html! { <label><span>{name}</span><Entry {value} onchange={change} /></label> }
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
