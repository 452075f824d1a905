//! The loss chart: training and held-out loss, baselines, finished runs, and the values under the pointer.

use web_sys::HtmlCanvasElement;
use yew::prelude::*;

use super::task_score::TaskScore;
use super::{grouped, value_of};
use crate::app::Cx;
use crate::draw::chart::{nearest, short};
use crate::draw::chart_canvas::{Picture, last_place, paint, place_at};
use crate::state::Action;
use crate::state::runs::{Axis, RunsAction, ShownRun};
use glasshead::config::EVALUATION_TOKENS;

#[component]
pub fn Loss(cx: &Cx) -> Html {
    let state = &cx.state;
    let canvas = use_node_ref();
    let pointed = use_state(|| None::<f64>);
    let runs: Vec<ShownRun> = state.all_runs().into_iter().filter(|run| run.shown).collect();
    let picture = Picture {
        runs,
        axis: state.runs.axis,
        baselines: state.summary.as_ref().map(|summary| summary.baselines),
        pointed: *pointed,
        look: (state.resizes, state.theme),
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
    html! {
        <section class="panel loss" aria-labelledby="loss-title">
            <div class="line spread">
                <h2 id="loss-title">{"Loss"}<small>{format!(" · nats per token; held-out: over {} tokens", grouped(EVALUATION_TOKENS))}</small></h2>
                {axis(cx)}
            </div>
            <canvas ref={canvas} class="chart" data-testid="loss-chart" role="img" tabindex="0"
                aria-label={format!("{}; arrow keys walk along it", summary(cx))}
                onpointermove={over} onpointerleave={out} onkeydown={keys}></canvas>
            <div class="readout" data-testid="loss-readout" aria-live={if pointed.is_some() { "polite" } else { "off" }}>
                {readout(&picture)}
            </div>
            <TaskScore ..cx.clone() />
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
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let name = value_of(&event);
            if let Some(axis) = Axis::ALL.into_iter().find(|axis| axis.name() == name) {
                cx.act(Action::Runs(RunsAction::Axis(axis)));
            }
        })
    };
    let option = |axis: Axis| {
        let what = if axis == Axis::Seconds { "seconds of training" } else { axis.name() };
        html! { <option value={axis.name()} selected={cx.state.runs.axis == axis}>{what}</option> }
    };
    html! {
        <label class="beside">
            {"along"}
            <select data-testid="axis" onchange={change}>{for Axis::ALL.into_iter().map(option)}</select>
        </label>
    }
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

/// The values of every shown run at the pointer, else at its end.
fn readout(picture: &Picture) -> Html {
    let mut lines: Vec<String> = picture.runs.iter().filter_map(|run| run_at(run, picture)).collect();
    if lines.is_empty() {
        lines.push("train: thin line every step, thick line smoothed; dots: held-out text".into());
    }
    html! { {for lines.into_iter().map(|line| html! { <p>{line}</p> })} }
}

fn run_at(run: &ShownRun, picture: &Picture) -> Option<String> {
    let (points, tokens_per_step) = (&run.history.points, run.config.tokens_per_step());
    let index = match picture.pointed {
        Some(place) => nearest(points, |point| picture.axis.of(point, tokens_per_step), place),
        None if run.id == 0 => points.len().checked_sub(1),
        None => None,
    };
    let point = points[index?];
    let val = run.history.validation_at(point.step);
    let val = val.map_or(String::new(), |val| format!(" · held-out {:.3} (step {})", val.loss, val.step));
    let name = if picture.runs.len() > 1 { format!("{}: ", run.name) } else { String::new() };
    let mut line = format!("{name}step {} · loss {:.3}{val}", point.step, point.loss);
    if run.id == 0 {
        let tokens = short((point.step * tokens_per_step as u64) as f64);
        line.push_str(&format!(
            " · lr {:.2e} · gradient norm {:.2} · {tokens} tokens · {:.1} s",
            point.lr, point.grad_norm, point.seconds
        ));
    }
    Some(line)
}
