//! The loss chart: training and held-out loss, baselines, finished runs, and the values under the pointer.

use std::rc::Rc;

use web_sys::HtmlCanvasElement;
use yew::prelude::*;

use crate::core::context::Cx;
use crate::draw::chart::{nearest, short};
use crate::draw::chart_canvas::{Picture, last_place, paint, place_at};
use crate::shared::grouped;
use crate::shared::segmented::{Choice, Segmented};
use crate::shared::size::use_size;
use crate::state::queue::Queue;
use crate::state::runs::{Axis, RunsAction, ShownRun};
use crate::state::{Action, RunState};
use glasshead::config::EVALUATION_TOKENS;

/// The queue, compared by its address.
struct Same(Rc<Queue>);

impl PartialEq for Same {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

#[component]
pub fn Loss(cx: &Cx) -> Html {
    let state = &cx.state;
    let canvas = use_node_ref();
    let size = use_size(&canvas);
    let pointed = use_state(|| None::<f64>);
    let runs: Vec<ShownRun> = state.all_runs().into_iter().filter(|run| run.shown).collect();
    let bands = use_memo(Same(state.queue.clone()), |_| state.seed_series());
    let picture = Picture {
        runs,
        bands,
        axis: state.runs.axis,
        baselines: state.summary.as_ref().map(|summary| summary.baselines),
        linear: state.runs.linear,
        pointed: *pointed,
        diverged: matches!(state.run_state, RunState::Diverged(_)),
        look: (state.resizes + size.0 * 10_000 + size.1, state.theme),
    };
    {
        let canvas = canvas.clone();
        use_effect_with(picture.clone(), move |picture| {
            if let Some(canvas) = canvas.cast::<HtmlCanvasElement>() {
                paint(&canvas, picture);
            }
        });
    }
    let over = {
        let (canvas, pointed, picture) = (canvas.clone(), pointed.clone(), picture.clone());
        Callback::from(move |event: PointerEvent| {
            if let Some(canvas) = canvas.cast::<HtmlCanvasElement>() {
                pointed.set(Some(place_at(&canvas, &picture, f64::from(event.offset_x()))));
            }
        })
    };
    let out = {
        let pointed = pointed.clone();
        Callback::from(move |_: PointerEvent| pointed.set(None))
    };
    let keys = keys(&pointed, last_place(&picture));
    let diverged = matches!(state.run_state, RunState::Diverged(_));
    html! {
        <section class="tile loss" aria-labelledby="loss-title" data-part="loss">
            <header>
                <h2 id="loss-title" title={format!("Nats per token; held-out: over {} tokens", grouped(EVALUATION_TOKENS))}>{"Loss"}</h2>
                <span class="grow"></span>
                {axis(cx)}
                <button class="small" data-testid="log-axis" aria-pressed={(!state.runs.linear).to_string()} title="Logarithmic axis"
                    onclick={cx.on(Action::Runs(RunsAction::ToggleLog))}>{"Log"}</button>
            </header>
            <div class="plot">
                <canvas ref={canvas} class="chart" data-testid="loss-chart" role="img" tabindex="0"
                    aria-label={format!("{}; arrow keys walk along it", summary(cx))}
                    onpointermove={over} onpointerleave={out} onkeydown={keys}></canvas>
            </div>
            <footer class="loss-foot">
                <span class="key" style="color:var(--train)"><i></i>{"Training"}</span>
                <span class="key" style="color:var(--val)"><i></i>{"Held-out"}</span>
                <div class="readout" data-testid="loss-readout" aria-live={if pointed.is_some() { "polite" } else { "off" }}>
                    {readout(&picture, diverged)}
                </div>
            </footer>
        </section>
    }
}

/// ←, →, Home and End move along the chart, up to `last`; Escape leaves it.
fn keys(pointed: &UseStateHandle<Option<f64>>, last: f64) -> Callback<KeyboardEvent> {
    let pointed = pointed.clone();
    Callback::from(move |event: KeyboardEvent| {
        let now = (*pointed).unwrap_or(last);
        let next = match event.key().as_str() {
            "ArrowLeft" => Some((now - last / 100.0).max(0.0)),
            "ArrowRight" => Some((now + last / 100.0).min(last)),
            "Home" => Some(0.0),
            "End" => Some(last),
            "Escape" => None,
            _ => return,
        };
        event.prevent_default();
        pointed.set(next);
    })
}

fn axis(cx: &Cx) -> Html {
    let choice = |axis: Axis| {
        let (label, title) = match axis {
            Axis::Steps => ("Steps", "Over steps"),
            Axis::Tokens => ("Tokens", "Over tokens"),
            Axis::Seconds => ("Time", "Over seconds of training"),
        };
        Choice {
            label: label.into(),
            title: title.into(),
            testid: format!("axis-{}", axis.name()).into(),
            on: cx.state.runs.axis == axis,
            choose: cx.on(Action::Runs(RunsAction::Axis(axis))),
        }
    };
    html! { <Segmented label="Along" choices={Axis::ALL.map(choice).to_vec()} /> }
}

/// The chart in words, for screen readers.
fn summary(cx: &Cx) -> String {
    let history = &cx.state.history;
    match (history.points.first(), history.points.last(), history.validation.last()) {
        (Some(first), Some(last), Some(val)) => format!(
            "training loss from {:.2} at step {} to {:.2} at step {}; held-out loss {:.2} at step {}",
            first.loss, first.step, last.loss, last.step, val.loss, val.step
        ),
        _ => "no losses yet".into(),
    }
}

/// The values of every shown run at the pointer; without one, the learning rate and gradient norm of the latest step.
fn readout(picture: &Picture, diverged: bool) -> Html {
    if picture.pointed.is_none() {
        return latest(picture, diverged);
    }
    let lines = picture.runs.iter().filter_map(|run| run_at(run, picture));
    html! { {for lines.map(|line| html! { <p>{line}</p> })} }
}

/// The latest step. Its losses are in the top bar, so they are for screen readers here.
fn latest(picture: &Picture, diverged: bool) -> Html {
    let present = picture.runs.iter().find(|run| run.id == 0);
    let Some(point) = present.and_then(|run| run.history.points.last()) else {
        return html! { <p>{"Training has not started"}</p> };
    };
    let norm = format!("gradient norm {:.2}", point.grad_norm);
    let rate = format!("Learning rate {}", rounded(f64::from(point.lr)));
    html! {
        <p>
            <span class="hidden">{format!("step {} · loss {:.3} · ", point.step, point.loss)}</span>
            if !diverged { {rate}<span class="norm">{" · "}{norm}</span> } else { {super::attention::capital(&norm)} }
        </p>
    }
}

/// A number with three significant digits, without trailing zeros.
fn rounded(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let digits = (2.0 - value.abs().log10().floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

fn run_at(run: &ShownRun, picture: &Picture) -> Option<String> {
    let (points, tokens_per_step) = (&run.history.points, run.config.tokens_per_step());
    let index = nearest(points, |point| picture.axis.of(point, tokens_per_step), picture.pointed?);
    let point = points[index?];
    let val = run.history.validation_at(point.step);
    let val = val.map_or(String::new(), |val| format!(" · held-out {:.3} (step {})", val.loss, val.step));
    let name = if picture.runs.len() > 1 { format!("{}: ", run.name) } else { String::new() };
    let mut line = format!("{name}step {} · loss {:.3}{val}", point.step, point.loss);
    if run.id == 0 {
        let tokens = short((point.step * tokens_per_step as u64) as f64);
        line.push_str(&format!(
            " · learning rate {} · gradient norm {:.2} · {tokens} tokens · {:.1} s",
            rounded(f64::from(point.lr)),
            point.grad_norm,
            point.seconds
        ));
    }
    Some(line)
}
