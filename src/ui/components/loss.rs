//! The loss chart: training and held-out loss, what there is to beat, and the value under the pointer.

use web_sys::HtmlCanvasElement;
use yew::prelude::*;

use super::task_score::TaskScore;
use crate::ui::app::Cx;
use crate::ui::draw::chart::nearest;
use crate::ui::draw::chart_canvas::{Picture, paint, step_at};

#[component]
pub fn Loss(cx: &Cx) -> Html {
    let state = &cx.state;
    let canvas = use_node_ref();
    let pointed = use_state(|| None::<f64>);
    let picture = Picture {
        history: state.history.clone(),
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
                pointed.set(Some(step_at(&canvas, &picture, f64::from(event.offset_x()))));
            }
        })
    };
    let out = {
        let pointed = pointed.clone();
        Callback::from(move |_: PointerEvent| pointed.set(None))
    };
    html! {
        <section class="panel loss" aria-labelledby="loss-title">
            <h2 id="loss-title">{"Loss"}<small>{" · nats per token"}</small></h2>
            <canvas ref={canvas} class="chart" data-testid="loss-chart" role="img" aria-label={summary(cx)}
                onpointermove={over} onpointerleave={out}></canvas>
            <p class="readout" data-testid="loss-readout">{readout(cx, *pointed)}</p>
            <TaskScore ..cx.clone() />
        </section>
    }
}

/// The chart in words.
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

fn readout(cx: &Cx, pointed: Option<f64>) -> String {
    let history = &cx.state.history;
    let point = pointed.and_then(|step| nearest(&history.points, step)).map(|index| history.points[index]);
    let Some(point) = point.or(history.points.last().copied()) else {
        return "train: thin line every step, thick line smoothed; dots: held-out text".into();
    };
    let before = history.validation.partition_point(|val| val.step <= point.step);
    let val = before.checked_sub(1).map(|index| history.validation[index]);
    let val = val.map_or(String::new(), |val| format!(" · held-out {:.3} (step {})", val.loss, val.step));
    format!(
        "step {} · loss {:.3}{val} · lr {:.2e} · gradient norm {:.2}",
        point.step, point.loss, point.lr, point.grad_norm
    )
}
