//! The learning rate finder: one click, a curve, a suggestion.

use std::rc::Rc;

use web_sys::HtmlCanvasElement;
use yew::prelude::*;

use crate::core::context::Cx;
use crate::draw::chart::Scale;
use crate::draw::chart_canvas::{line, sharp, text};
use crate::state::Action;
use crate::state::Theme;
use crate::state::runs::{Finder, RunsAction};
use glasshead::types::runs::LrPoint;
use glasshead::wire::Command;
use glasshead::wire::runs::RunsCommand;

#[component]
pub fn LrFind(cx: &Cx) -> Html {
    let send = |command: RunsCommand, action: Option<RunsAction>| {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| {
            cx.send(&Command::Runs { command: command.clone() });
            action.iter().for_each(|action| cx.act(Action::Runs(action.clone())));
        })
    };
    let running = cx.state.runs.finder.as_ref().is_some_and(|finder| finder.running);
    html! {
        <div class="lr-find">
            if running {
                <button data-testid="lr-stop" onclick={send(RunsCommand::StopFinding, None)}>{"stop looking"}</button>
            } else {
                <button data-testid="lr-find" disabled={!cx.state.has_run()}
                    onclick={send(RunsCommand::FindLr, Some(RunsAction::Finding))}
                    title="a short run from fresh weights whose learning rate grows; the present run waits and is left as it is">
                    {"find max_lr"}
                </button>
            }
            if let Some(finder) = &cx.state.runs.finder { {found(cx, finder)} }
        </div>
    }
}

fn found(cx: &Cx, finder: &Finder) -> Html {
    let take = finder.suggestion.map(|suggestion| {
        let cx = cx.clone();
        let click = Callback::from(move |_: MouseEvent| {
            let mut config = (*cx.state.draft.config).clone();
            config.train.min_lr *= suggestion / config.train.max_lr;
            config.train.max_lr = suggestion;
            cx.change_settings(Action::Config(config));
        });
        html! { <button data-testid="lr-use" onclick={click}>{"use it"}</button> }
    });
    let close = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.act(Action::Runs(RunsAction::CloseFinder)))
    };
    html! {
        <div class="pending" data-testid="lr-result">
            <Curve points={finder.points.clone()} suggestion={finder.suggestion}
                look={(cx.state.resizes, cx.state.theme)} />
            <p role="status">
                {match (finder.running, finder.suggestion) {
                    (true, _) => format!("step {} of at most {} …", finder.points.len(), finder.of.max(1)),
                    (false, Some(lr)) => format!(
                        "max_lr {lr}: a tenth of the learning rate at which the smoothed loss was lowest, before it rose."
                    ),
                    (false, None) => "The loss has not fallen far enough to suggest anything.".into(),
                }}
            </p>
            if !finder.running {
                <div class="line">{take}<button onclick={close}>{"close"}</button></div>
            }
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct CurveProps {
    points: Rc<Vec<LrPoint>>,
    suggestion: Option<f64>,
    look: (u32, Theme),
}

#[component]
fn Curve(props: &CurveProps) -> Html {
    let canvas = use_node_ref();
    {
        let canvas = canvas.clone();
        let drawn = (props.points.clone(), props.suggestion, props.look);
        use_effect_with(drawn, move |(points, suggestion, _)| {
            if let Some(canvas) = canvas.cast::<HtmlCanvasElement>() {
                paint(&canvas, points, *suggestion);
            }
        });
    }
    let label = match props.points.last() {
        Some(last) => format!("smoothed loss over the learning rate, now {:.2} at {:.1e}", last.smoothed, last.lr),
        None => "smoothed loss over the learning rate".into(),
    };
    html! { <canvas ref={canvas} class="curve" role="img" aria-label={label}></canvas> }
}

/// Plots the loss over the logarithm of the learning rate: a thin line per step, a thick smoothed line, and the
/// suggestion dashed.
fn paint(canvas: &HtmlCanvasElement, points: &[LrPoint], suggestion: Option<f64>) {
    let style = web_sys::window().and_then(|window| window.get_computed_style(canvas).ok().flatten());
    let (Some((context, width, height)), Some(style)) = (sharp(canvas), style) else { return };
    let color = |name: &str| style.get_property_value(name).unwrap_or_default();
    let (muted, grid, train) = (color("--muted"), color("--line"), color("--train"));
    let losses = points.iter().map(|point| f64::from(point.smoothed));
    let (low, high) =
        losses.fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), loss| (low.min(loss), high.max(loss)));
    let low = if low.is_finite() { low } else { 0.0 };
    let last = points.last().map_or(1e-5, |point| point.lr.max(1e-5));
    let x = Scale { low: -6.0, high: last.log10(), from: 30.0, to: width - 8.0 };
    let y = Scale { low: low - 0.2, high: high + 0.2, from: height - 18.0, to: 6.0 };
    context.set_fill_style_str(&muted);
    context.set_stroke_style_str(&grid);
    context.set_text_align("center");
    for power in -6..=(x.high.floor() as i32) {
        let at = x.pixel(f64::from(power));
        line(&context, [(at, y.to), (at, y.from)].into_iter());
        text(&context, &format!("1e{power}"), at, height - 4.0);
    }
    context.set_text_align("right");
    for tick in y.ticks(4) {
        text(&context, &format!("{tick:.1}"), x.from - 4.0, y.pixel(tick) + 4.0);
    }
    context.set_stroke_style_str(&train);
    let place = |point: &LrPoint, loss: f32| (x.pixel(point.lr.log10()), y.pixel(f64::from(loss)).max(0.0));
    context.set_global_alpha(0.35);
    line(&context, points.iter().map(|point| place(point, point.loss)));
    context.set_global_alpha(1.0);
    context.set_line_width(2.0);
    line(&context, points.iter().map(|point| place(point, point.smoothed)));
    if let Some(lr) = suggestion {
        context.set_line_width(1.0);
        context.set_stroke_style_str(&muted);
        line(&context, [(x.pixel(lr.log10()), y.to), (x.pixel(lr.log10()), y.from)].into_iter());
    }
}
