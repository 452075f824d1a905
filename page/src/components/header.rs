//! The title and the transport controls: reset, train, step, and the run's progress.

use yew::prelude::*;

use super::grouped;
use crate::app::Cx;
use crate::overlay::view::overlay;
use crate::state::overlay::{Overlay, OverlayAction};
use crate::state::{Action, RunState, View};
use crate::{navigation, preferences};
use glasshead::config::EVALUATION_TOKENS;

#[component]
pub fn Header(cx: &Cx) -> Html {
    let theme = cx.state.theme;
    let next_theme = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| {
            let next = cx.state.theme.next();
            preferences::save("theme", next.name());
            cx.act(Action::Theme(next));
        })
    };
    let help = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.act(Action::ToggleHelp))
    };
    let link = |view: View| {
        let current = (view == cx.state.view).then_some("page");
        html! {
            <a href={navigation::link_to(view)} aria-current={current}
                data-testid={format!("view-{}", view.name())}>{view.title()}</a>
        }
    };
    html! {
        <header class="title">
            <h1>{"Glasshead"}</h1>
            <nav class="views" aria-label="Views">{for View::ALL.into_iter().map(link)}</nav>
            <p>{"A Transformer learns to write in this tab; look into every attention head while it does."}</p>
            <span class="spacer"></span>
            {for [("settings", "All settings", Overlay::Settings), ("runs", "Runs", Overlay::Runs), ("share", "Share", Overlay::Share), ("palette", "Search", Overlay::Palette), ("model", "Model", Overlay::Model), ("text", "Text", Overlay::Text), ("display", "Display", Overlay::Display), ("save", "Save figure", Overlay::Save), ("sampling", "Sampling", Overlay::Sampling)].map(|(name, label, which)| html! { <button data-opens={name} data-testid={(name == "share").then_some("share")} onclick={overlay::<MouseEvent>(cx, OverlayAction::Toggle(which))}>{label}</button> })}
            <button data-testid="theme" onclick={next_theme} title="auto follows the system">
                {format!("theme: {}", theme.name())}
            </button>
            <button data-testid="help" onclick={help} data-opens="help">
                {"? keys"}
            </button>
        </header>
    }
}

#[component]
pub fn Transport(cx: &Cx) -> Html {
    let state = &cx.state;
    let reset = callback(cx, Cx::restart);
    let train = callback(cx, Cx::toggle_training);
    let step = callback(cx, Cx::step);
    let training = state.run_state == RunState::Training;
    let label = if training { "pause" } else { "▶ train" };
    let blocked = state.problem().is_some();
    html! {
        <section class="transport" aria-label="Training">
            <button data-testid="reset" onclick={reset} disabled={blocked} title="a new run from random weights">
                {"↺ reset"}
            </button>
            <button data-testid="train" class="primary" onclick={train} disabled={!state.can_train()}
                title="Space">{label}</button>
            <button data-testid="step" onclick={step} disabled={!state.can_train() || training} title="one step: .">
                {"step"}
            </button>
            <Numbers ..cx.clone() />
            <span class="spacer"></span>
            <Adapter ..cx.clone() />
        </section>
    }
}

#[component]
fn Numbers(cx: &Cx) -> Html {
    let state = &cx.state;
    let loss = state.history.points.last().map(|point| point.loss);
    let val = state.history.validation.last().map(|point| point.loss);
    let number = |value: Option<f32>| value.map_or("–".to_string(), |value| format!("{value:.3}"));
    let speed = if state.tokens_per_s > 0.0 { grouped(state.tokens_per_s as usize) } else { "–".into() };
    html! {
        <dl class="numbers">
            <div><dt>{"step"}</dt><dd data-testid="step-count">{grouped(state.step)}</dd></div>
            <div title="mean cross-entropy of the latest batch, in nats per token">
                <dt>{"loss"}</dt><dd data-testid="loss">{number(loss)}</dd>
            </div>
            <div title={format!("mean cross-entropy over {} held-out tokens, always the same, which the model is never trained on; \
                                 in nats per token", grouped(EVALUATION_TOKENS))}>
                <dt>{"held-out"}</dt><dd data-testid="val-loss">{number(val)}</dd>
            </div>
            <div><dt>{"tokens/s"}</dt><dd data-testid="tokens-per-s">{speed}</dd></div>
        </dl>
    }
}

#[component]
fn Adapter(cx: &Cx) -> Html {
    let Some(device) = &cx.state.device else {
        return html! { <span data-testid="adapter" class="adapter">{"looking for a GPU …"}</span> };
    };
    let why = "This adapter is emulated on the processor: everything works, many times slower than on a graphics card.";
    html! {
        <span data-testid="adapter" class="adapter" title={device.backend.clone()}>
            {&device.name}
            if device.backend != device.name { <small>{format!(" · {}", device.backend)}</small> }
            if cx.state.on_cpu() && cx.state.workers.computing > 1 {
                <small>{format!(" · {} workers", cx.state.workers.computing)}</small>
            }
            if device.software { <span class="badge" tabindex="0" title={why}>{"software"}</span> }
        </span>
    }
}

fn callback(cx: &Cx, run: fn(&Cx)) -> Callback<MouseEvent> {
    let cx = cx.clone();
    Callback::from(move |_| run(&cx))
}
