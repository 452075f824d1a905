//! Scores of known kinds of heads: current values and history.

use std::rc::Rc;

use web_sys::Element;
use yew::prelude::*;

use super::explain;
use crate::app::Cx;
use crate::draw::chart::Scale;
use crate::state::Action;
use crate::state::ask::ScoreHistory;
use glasshead::types::inspect::ScoreKind;

/// Width and height of the chart in SVG units.
const CHART: (f64, f64) = (300.0, 120.0);

#[component]
pub fn HeadScores(cx: &Cx) -> Html {
    let history = &cx.state.ask.scores;
    if let Some(reason) = &history.reason {
        return html! { <p class="count" data-testid="no-scores">{reason}</p> };
    }
    // An earlier snapshot shows the scores measured nearest to its step.
    let moment = cx.state.remember.earlier.as_ref().map(|maps| maps.step);
    let measured = moment.and_then(|step| nearest(history, step as f64)).and_then(|at| history.snapshots.get(at));
    let Some((step, scores)) = measured.or(history.snapshots.last()) else {
        return html! { <p class="count" role="status">{"The first scores come with the first maps."}</p> };
    };
    let row = |at: usize| {
        let (layer, head) = (at / history.n_heads.max(1), at % history.n_heads.max(1));
        let select = {
            let cx = cx.clone();
            Callback::from(move |_: MouseEvent| cx.act(Action::Select(layer, head)))
        };
        let cell =
            |score: f32| html! { <td class="scored" style={format!("--p:{score:.3}")}>{format!("{score:.2}")}</td> };
        html! {
            <tr>
                <th scope="row"><button onclick={select}>{format!("L{} H{}", layer + 1, head + 1)}</button></th>
                {for scores[at].map(cell)}
            </tr>
        }
    };
    let name = |kind: ScoreKind| html! { <th scope="col">{kind.short()}</th> };
    html! {
        <div data-testid="head-scores">
            <p>
                {format!("On random tokens that come twice, at step {step}")}
                if let Some(moment) = moment { {format!(", the nearest to the moment on show, {moment}")} }
                {explain(cx, "measuring sequence")}
            </p>
            <div class="line">
                {"previous"}{explain(cx, "previous-token head")}{"sink"}{explain(cx, "attention sink")}
                {"same"}{explain(cx, "same-token head")}{"induction"}{explain(cx, "induction head")}
            </div>
            <div class="table" tabindex="0" role="region" aria-label="scores of all heads">
                <table>
                    <thead><tr><td></td>{for ScoreKind::ALL.map(name)}</tr></thead>
                    <tbody>{for (0..scores.len()).map(row)}</tbody>
                </table>
            </div>
            <h3>{"Best head of each, over time"}</h3>
            <Chart history={history.clone()} {moment} />
            <ul class="appeared">
                {for history.milestones.iter().map(|milestone| html! { <li>{milestone.sentence()}</li> })}
            </ul>
        </div>
    }
}

#[derive(Properties)]
struct ChartProps {
    history: Rc<ScoreHistory>,
    /// The step of the earlier snapshot, if one is shown.
    moment: Option<u64>,
}

impl PartialEq for ChartProps {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.history, &other.history) && self.moment == other.moment
    }
}

/// The index of the snapshot whose step is nearest to `step`.
fn nearest(history: &ScoreHistory, step: f64) -> Option<usize> {
    let apart = |&index: &usize| (history.snapshots[index].0 as f64 - step).abs();
    (0..history.snapshots.len()).min_by(|a, b| apart(a).total_cmp(&apart(b)))
}

/// Handlers for choosing a snapshot with the pointer or the arrow keys.
fn choosers(
    chart: &NodeRef,
    history: &Rc<ScoreHistory>,
    pointed: &UseStateHandle<Option<u64>>,
    x: Scale,
) -> (Callback<PointerEvent>, Callback<KeyboardEvent>) {
    let over = {
        let (history, pointed, chart) = (history.clone(), pointed.clone(), chart.clone());
        Callback::from(move |event: PointerEvent| {
            let Some(chart) = chart.cast::<Element>() else { return };
            let area = chart.get_bounding_client_rect();
            let place = (f64::from(event.client_x()) - area.left()) / area.width().max(1.0) * CHART.0;
            pointed.set(nearest(&history, x.value(place)).map(|index| history.snapshots[index].0));
        })
    };
    let keys = {
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
    };
    (over, keys)
}

#[component]
fn Chart(props: &ChartProps) -> Html {
    let history = &props.history;
    let (width, height) = CHART;
    let (pointed, chart) = (use_state(|| None::<u64>), use_node_ref());
    let last = history.snapshots.last().map_or(1, |&(step, _)| step.max(1)) as f64;
    let x = Scale { low: 0.0, high: last, from: 22.0, to: width - 4.0 };
    let (over, keys) = choosers(&chart, history, &pointed, x);
    let out = {
        let pointed = pointed.clone();
        Callback::from(move |_: PointerEvent| pointed.set(None))
    };
    let at = (*pointed).or(props.moment).and_then(|step| nearest(history, step as f64));
    let shown = at.and_then(|index| history.snapshots.get(index)).or(history.snapshots.last());
    let y = Scale { low: 0.0, high: 1.0, from: height - 14.0, to: 4.0 };
    let line = |kind: ScoreKind| {
        let place = |(step, scores): &(u64, Vec<_>)| {
            let (_, score) = history.best(kind, scores);
            format!("{:.1},{:.1}", x.pixel(*step as f64), y.pixel(f64::from(score)))
        };
        let points: Vec<String> = history.snapshots.iter().map(place).collect();
        html! { <polyline class={format!("kind{}", kind as usize)} points={points.join(" ")} /> }
    };
    let mark = |kind: ScoreKind, step: u64| {
        let at = format!("{:.1}", x.pixel(step as f64));
        html! {
            <line class={format!("kind{}", kind as usize)} x1={at.clone()} x2={at} y1={y.to.to_string()} y2={y.from.to_string()} />
        }
    };
    let tick = |value: f64| {
        html! { <text x="18" y={format!("{:.0}", y.pixel(value) + 4.0)} text-anchor="end">{format!("{value:.1}")}</text> }
    };
    let best = |kind: ScoreKind| {
        let (_, scores) = shown?;
        let ((layer, head), score) = history.best(kind, scores);
        Some(html! {
            <li>
                <i class={format!("key kind{}", kind as usize)}></i>
                {format!("{}: L{} H{} {score:.2}", kind.short(), layer + 1, head + 1)}
            </li>
        })
    };
    html! {
        <>
            <svg ref={chart} class="scores-chart" viewBox={format!("0 0 {width} {height}")} role="img" tabindex="0"
                data-testid="scores-chart" onpointermove={over} onpointerleave={out} onkeydown={keys}
                aria-label={format!("best score of each kind from step 0 to {last}; arrow keys walk along it")}>
                if let Some(step) = at.map(|index| history.snapshots[index].0) {
                    <line class="pointed" x1={format!("{:.1}", x.pixel(step as f64))} x2={format!("{:.1}", x.pixel(step as f64))}
                        y1={y.to.to_string()} y2={y.from.to_string()} />
                }
                {for [0.0, 0.5, 1.0].map(tick)}
                {for ScoreKind::ALL.map(line)}
                {for history.milestones.iter().map(|milestone| mark(milestone.kind, milestone.step))}
                <text x={(width - 4.0).to_string()} y={(height - 2.0).to_string()} text-anchor="end">{format!("step {last}")}</text>
            </svg>
            <p class="count" data-testid="scores-step" aria-live={if at.is_some() { "polite" } else { "off" }}>
                {shown.map(|(step, _)| format!("at step {step}:"))}
            </p>
            <ul class="keys-of-chart" data-testid="best-heads">{for ScoreKind::ALL.into_iter().filter_map(best)}</ul>
        </>
    }
}
