//! Training time: the roles of heads over the steps, with a playhead on the snapshots of the sentence.

use std::rc::Rc;

use gloo_timers::callback::Interval;
use web_sys::Element;
use yew::prelude::*;

use crate::core::context::Cx;
use crate::draw::chart::Scale;
use crate::shared::icon::{Icon, icon};
use crate::shared::size::use_size;
use crate::shared::{grouped, value_of};
use crate::state::ask::ScoreHistory;
use crate::state::remember::{RememberAction, SPEEDS};
use crate::state::snapshots::Snapshots;
use crate::state::{Action, RunState};
use glasshead::types::inspect::ScoreKind;

/// The kinds of heads in the order of the legend.
const ORDER: [ScoreKind; 4] = [ScoreKind::Induction, ScoreKind::PreviousToken, ScoreKind::Sink, ScoreKind::SameToken];

/// The name of a role on the page.
pub fn role_name(kind: ScoreKind) -> &'static str {
    match kind {
        ScoreKind::PreviousToken => "Previous token",
        ScoreKind::Sink => "Sink",
        ScoreKind::SameToken => "Same token",
        ScoreKind::Induction => "Induction",
    }
}

/// The class that gives a role its color.
pub fn role_class(kind: ScoreKind) -> String {
    format!("role{}", kind as usize)
}

#[component]
pub fn Time(cx: &Cx) -> Html {
    let remember = &cx.state.remember;
    {
        let cx = cx.clone();
        use_effect_with((remember.playing, remember.speed), move |&(playing, speed)| {
            let walk = move || cx.act(Action::Remember(RememberAction::Walk(1)));
            let film = playing.then(|| Interval::new(1000 / speed.max(1), walk));
            move || drop(film)
        });
    }
    html! {
        <section class="tile time" aria-label="Training time" data-part="attention">
            {controls(cx, remember.moments.as_deref())}
            <Lanes ..cx.clone() />
        </section>
    }
}

fn act(cx: &Cx, action: RememberAction) -> Callback<MouseEvent> {
    cx.on(Action::Remember(action))
}

fn controls(cx: &Cx, moments: Option<&Snapshots>) -> Html {
    let remember = &cx.state.remember;
    let (place, last) = moments.map_or((0, 0), |moments| (remember.place(), moments.len() - 1));
    let speed = cx.call(|cx, event: Event| {
        if let Ok(speed) = value_of(&event).parse() {
            cx.act(Action::Remember(RememberAction::Speed(speed)));
        }
    });
    let option = |speed: u32| {
        html! { <option value={speed.to_string()} selected={remember.speed == speed}>{format!("{speed}/s")}</option> }
    };
    let (play, image, label) =
        if remember.playing { (false, Icon::Pause, "Stop the film") } else { (true, Icon::Play, "Play the training") };
    let shown = remember.earlier.as_ref().map(|maps| maps.step);
    let training = cx.state.run_state == RunState::Training;
    html! {
        <div class="time-controls">
            <div class="row">
                <button class="small square" onclick={act(cx, RememberAction::Walk(-1))} disabled={place == 0} data-testid="moment-back"
                    title="Earlier snapshot (<)" aria-label="Earlier snapshot">{icon(Icon::Left)}</button>
                <button class="small square" onclick={act(cx, RememberAction::Play(play))} disabled={last == 0} data-testid="film"
                    title={label} aria-label={label}>{icon(image)}</button>
                <button class="small square" onclick={act(cx, RememberAction::Walk(1))} disabled={shown.is_none()} data-testid="moment-on"
                    title="Later snapshot (>)" aria-label="Later snapshot">{icon(Icon::Right)}</button>
                if let Some(step) = shown {
                    <span data-testid="moment" class="hidden">{format!("step {step}, not live")}</span>
                    <button class="tag warn" onclick={act(cx, RememberAction::Live)} data-testid="live" title="Back to live (L)">
                        {format!("Step {}", grouped(step))}
                    </button>
                } else {
                    <span class={classes!("tag", training.then_some("good"))} data-testid="moment" title={moments.map(kept)}>
                        <i class="dot"></i>{if cx.state.has_run() { "Live" } else { "No run yet" }}
                    </span>
                }
            </div>
            <div class="row second">
                <button class="small ghost" onclick={act(cx, RememberAction::Hold)} data-testid="hold" disabled={moments.is_none()}
                    title="Keep this moment as A and compare later ones, or another run, with it">{icon(Icon::Compare)}{"Keep as A"}</button>
                <select onchange={speed} aria-label="Snapshots per second of the film">{for SPEEDS.into_iter().map(option)}</select>
            </div>
        </div>
    }
}

fn kept(moments: &Snapshots) -> String {
    let mebibytes = moments.bytes() as f64 / f64::from(1 << 20);
    let stride = match moments.stride() {
        1 => "every snapshot".to_string(),
        stride => format!("one of {stride} snapshots"),
    };
    let first = moments.steps().next().unwrap_or(0);
    let noun = if moments.len() == 1 { "snapshot" } else { "snapshots" };
    format!("{} {noun} of this sentence since step {first}: {stride}, {mebibytes:.1} MiB.", moments.len())
}

/// The index of the snapshot whose step is nearest to `step`.
pub fn nearest(history: &ScoreHistory, step: f64) -> Option<usize> {
    let apart = |&index: &usize| (history.snapshots[index].0 as f64 - step).abs();
    (0..history.snapshots.len()).min_by(|a, b| apart(a).total_cmp(&apart(b)))
}

/// The index of the snapshot of the sentence whose step is nearest to `step`.
fn nearest_moment(moments: &Snapshots, step: f64) -> usize {
    let apart = |at: &u64| (*at as f64 - step).abs();
    let steps: Vec<u64> = moments.steps().collect();
    (0..steps.len()).min_by(|&a, &b| apart(&steps[a]).total_cmp(&apart(&steps[b]))).unwrap_or(0)
}

/// The lanes, a slider over the snapshots, and the best head of each role.
#[component]
fn Lanes(cx: &Cx) -> Html {
    let node = use_node_ref();
    let (width, height) = use_size(&node);
    let pointed = use_state_eq(|| None::<u64>);
    let history = &cx.state.ask.scores;
    let remember = &cx.state.remember;
    let last = history.snapshots.last().map_or(0, |&(step, _)| step).max(cx.state.step).max(1);
    let x = Scale { low: 0.0, high: last as f64, from: 12.0, to: f64::from(width.max(40)) - 12.0 };
    let shown_step = remember.earlier.as_ref().map(|maps| maps.step);
    let at = (*pointed).or(shown_step).and_then(|step| nearest(history, step as f64));
    let shown = at.and_then(|index| history.snapshots.get(index)).or(history.snapshots.last());
    let best = |kind: ScoreKind| {
        let (_, scores) = shown?;
        let ((layer, head), score) = history.best(kind, scores);
        let select = cx.on(Action::Select(layer, head));
        Some(html! {
            <li class={role_class(kind)} onclick={select}>
                <i></i><span>{role_name(kind)}</span><span class="hidden">{": "}</span><b>{format!("L{} H{} {score:.2}", layer + 1, head + 1)}</b>
            </li>
        })
    };
    let slide = cx.call(|cx, event: InputEvent| {
        // A slider's value always parses as a number.
        cx.act(Action::Remember(RememberAction::Show(value_of(&event).parse().unwrap_or(0))));
    });
    let place = remember.place();
    let moments = remember.moments.clone();
    let n_moments = moments.as_ref().map_or(1, |moments| moments.len());
    let step = shown_step.unwrap_or(cx.state.step);
    let spoken = if shown_step.is_some() { format!("step {step}") } else { format!("step {step}, live") };
    let (over, scrub) = pointer(cx, &node, &pointed, x, moments);
    let out = {
        let pointed = pointed.clone();
        Callback::from(move |_: PointerEvent| pointed.set(None))
    };
    html! {
        <>
            <div class="lanes" ref={node}>
                <svg class="scores-chart" data-testid="scores-chart" role="img" tabindex="0" onpointermove={over} onpointerdown={scrub}
                    onpointerleave={out} onkeydown={keys(&pointed, history)}
                    aria-label={format!("Best score of each role from step 0 to {last}; arrow keys walk along it")}>
                    {drawing(history, x, f64::from(height.max(40)), step, at.map(|index| history.snapshots[index].0))}
                </svg>
                <input class="scrub" type="range" min="0" max={(n_moments - 1).to_string()} value={place.to_string()} oninput={slide}
                    disabled={n_moments < 2} data-testid="scrubber" aria-label="Snapshot of the training" aria-valuetext={spoken} />
                <span class="hidden" data-testid="scores-step" aria-live={if pointed.is_some() { "polite" } else { "off" }}>
                    {shown.map(|(step, _)| format!("at step {step}:"))}
                </span>
            </div>
            <ul class="roles" data-testid="best-heads">{for ORDER.into_iter().filter_map(best)}</ul>
        </>
    }
}

type Pointed = UseStateHandle<Option<u64>>;

/// Handlers of the pointer: it marks the nearest measurement, and pressed it shows the nearest snapshot.
fn pointer(
    cx: &Cx,
    node: &NodeRef,
    pointed: &Pointed,
    x: Scale,
    moments: Option<Rc<Snapshots>>,
) -> (Callback<PointerEvent>, Callback<PointerEvent>) {
    let step_at = {
        let node = node.clone();
        move |event: &PointerEvent| {
            let area = node.cast::<Element>()?.get_bounding_client_rect();
            Some(x.value(f64::from(event.client_x()) - area.left()))
        }
    };
    let show = {
        let (cx, step_at) = (cx.clone(), step_at.clone());
        move |event: &PointerEvent| {
            if let Some((step, moments)) = step_at(event).zip(moments.as_ref()) {
                let at = nearest_moment(moments, step);
                let live = at + 1 == moments.len();
                cx.act(Action::Remember(if live { RememberAction::Live } else { RememberAction::Show(at) }));
            }
        }
    };
    let over = {
        let (history, pointed, show) = (cx.state.ask.scores.clone(), pointed.clone(), show.clone());
        Callback::from(move |event: PointerEvent| {
            let near = step_at(&event).and_then(|step| nearest(&history, step));
            pointed.set(near.map(|index| history.snapshots[index].0));
            if event.buttons() == 1 {
                show(&event);
            }
        })
    };
    (over, Callback::from(move |event: PointerEvent| show(&event)))
}

/// ←, →, Home and End walk along the measurements.
fn keys(pointed: &Pointed, history: &Rc<ScoreHistory>) -> Callback<KeyboardEvent> {
    let (history, pointed) = (history.clone(), pointed.clone());
    Callback::from(move |event: KeyboardEvent| {
        let last = history.snapshots.len().saturating_sub(1);
        let now = (*pointed).and_then(|step| nearest(&history, step as f64)).unwrap_or(last);
        let next = match event.key().as_str() {
            "ArrowLeft" => now.saturating_sub(1),
            "ArrowRight" => (now + 1).min(last),
            "Home" => 0,
            "End" => last,
            _ => return,
        };
        event.prevent_default();
        pointed.set(history.snapshots.get(next).map(|&(step, _)| step));
    })
}

fn drawing(history: &ScoreHistory, x: Scale, height: f64, step: u64, pointed: Option<u64>) -> Html {
    let (top, bottom) = (8.0, height - 18.0);
    let y = Scale { low: 0.0, high: 1.0, from: bottom, to: top };
    let number = |value: f64| format!("{value:.1}");
    let line = |kind: ScoreKind| {
        let place = |(step, scores): &(u64, Vec<_>)| {
            let (_, score) = history.best(kind, scores);
            format!("{:.1},{:.1}", x.pixel(*step as f64), y.pixel(f64::from(score)))
        };
        let points: Vec<String> = history.snapshots.iter().map(place).collect();
        html! { <polyline class={role_class(kind)} points={points.join(" ")} /> }
    };
    let upright = |class: String, step: u64| {
        let at = number(x.pixel(step as f64));
        html! { <line {class} x1={at.clone()} x2={at} y1={number(top)} y2={number(bottom)} /> }
    };
    let event = |(kind, step): (ScoreKind, u64)| {
        let label = (kind == ScoreKind::Induction && height > 70.0).then(|| {
            let left = x.pixel(step as f64) > (x.from + x.to) / 2.0;
            let (at, anchor) = if left { (-6.0, "end") } else { (6.0, "start") };
            html! {
                <text class="ink" x={number(x.pixel(step as f64) + at)} y={number(y.pixel(0.62))} text-anchor={anchor}>
                    {"Induction head forms"}
                </text>
            }
        });
        html! { <>{upright(format!("event {}", role_class(kind)), step)}{label}</> }
    };
    let ticks = x.ticks(if x.to - x.from > 420.0 { 6 } else { 3 });
    let tick = |value: f64| {
        html! { <text x={number(x.pixel(value))} y={number(bottom + 13.0)} text-anchor="middle">{grouped(value as u64)}</text> }
    };
    html! {
        <>
            <line class="base" x1={number(x.from)} x2={number(x.to)} y1={number(bottom)} y2={number(bottom)} />
            {for ticks.into_iter().filter(|value| value.fract() == 0.0).map(tick)}
            if history.snapshots.len() < 2 {
                <text class="ink" x="16" y={number(height / 2.0)}>
                    {history.reason.clone().unwrap_or_else(|| "The roles of the heads appear here while training.".into())}
                </text>
            }
            {for ORDER.map(line)}
            {for history.milestones.iter().map(|milestone| event((milestone.kind, milestone.step)))}
            if let Some(step) = pointed { {upright("pointed".into(), step)} }
            <g class="playhead">
                {upright(String::new(), step)}
                <circle cx={number(x.pixel(step as f64))} cy={number(bottom)} r="4.5" />
            </g>
        </>
    }
}
