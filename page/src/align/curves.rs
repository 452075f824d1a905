//! The reward with its band over seeds, and the small charts.

use yew::prelude::*;

use super::chart::{Chart, Line};
use super::{act, on, send};
use crate::core::context::Cx;
use crate::shared::grouped;
use crate::shared::segmented::{Choice, Segmented};
use crate::state::align::AlignAction;
use crate::state::align::curves::{
    Mini, band, minis, of_points, of_scores, percent, same_but_seed, short, smoothed, x_end,
};
use glasshead::types::align::NodeInfo;
use glasshead::wire::align::{AlignCommand, StageStart};

#[component]
pub fn Curves(cx: &Cx) -> Html {
    let align = &cx.state.align;
    let Some(node) = align.current() else { return html! {} };
    let time = align.over_time;
    let along = |label: &'static str, over: bool| Choice {
        label: label.into(),
        title: if over { "Along the seconds of training" } else { "Along the updates" }.into(),
        testid: format!("align-along-{}", label.to_lowercase()).into(),
        on: time == over,
        choose: on(cx, AlignAction::OverTime(over)),
    };
    let title = if has_reward(node) { "Reward" } else { "Right answers" };
    html! {
        <div class="column">
            <section class="tile rewards" aria-labelledby="align-reward">
                <header>
                    <h2 id="align-reward">{title}</h2><span class="grow"></span>
                    <Segmented label="Horizontal axis" choices={vec![along("Updates", false), along("Time", true)]} />
                    {seeds(cx, node)}
                </header>
                {reward(cx, node)}
                {legend(node)}
            </section>
            <section class="tile minis" aria-label="Measurements">
                {for minis(node, time).into_iter().map(|chart| mini(&chart, x_end(node, time)))}
            </section>
        </div>
    }
}

fn has_reward(node: &NodeInfo) -> bool {
    node.points.iter().any(|point| point.reward.is_some())
}

/// The number of seeds, and a button that adds another.
fn seeds(cx: &Cx, node: &NodeInfo) -> Html {
    let same = same_but_seed(&cx.state.align.nodes, node);
    let next = same.iter().filter_map(|node| Some(node.spec.as_ref()?.seed)).max().unwrap_or(0) + 1;
    let (Some(spec), Some((parent, step))) = (node.spec.clone(), node.parent) else { return html! {} };
    let backend = cx.state.draft.backend;
    let add = cx.call(move |cx, _: MouseEvent| {
        let mut spec = Box::new(spec.clone());
        spec.seed = next;
        act(cx, AlignAction::Began);
        send(cx, AlignCommand::Begin { start: StageStart::Node { node: parent, step }, spec, backend });
    });
    let n = same.len();
    let title = "Repeat the stage with another seed. The band is the mean over seeds ± 1.96 standard errors.";
    html! {
        <button class="small" data-testid="align-seed" onclick={add} {title} disabled={cx.state.align.running}>
            {format!("{n} seed{} +", if n == 1 { "" } else { "s" })}
        </button>
    }
}

fn reward(cx: &Cx, node: &NodeInfo) -> Html {
    let (align, time) = (&cx.state.align, cx.state.align.over_time);
    let rewards = of_points(node, time, |point| point.reward);
    let highest = rewards.iter().map(|&(_, reward)| reward).fold(1.0, f64::max);
    let line = |color, curve, class| Line { color, curve, class };
    let mut lines = Vec::new();
    if !rewards.is_empty() {
        lines.push(line(4, smoothed(&of_points(node, time, |point| point.format), 2), "thin"));
        lines.push(line(1, rewards.clone(), "raw"));
        lines.push(line(1, smoothed(&rewards, 4), ""));
    }
    let accuracy = of_points(node, time, |point| point.accuracy);
    if !accuracy.is_empty() {
        lines.push(line(4, accuracy, "thin"));
    }
    if rewards.is_empty() {
        lines.push(line(1, of_scores(node, time, |score| Some(score.greedy)), "dots"));
    }
    lines.push(line(3, of_scores(node, time, |score| Some(score.sampled)), "dots"));
    let same = same_but_seed(&align.nodes, node);
    let end = x_end(node, time);
    let first = node.scores.first().map(|score| f64::from(score.sampled));
    let latest = node
        .scores
        .last()
        .map_or("not evaluated yet".into(), |score| format!("{} right", percent(f64::from(score.sampled))));
    let ticks = [0.0, 0.25, 0.5, 0.75, 1.0].map(|part| {
        let value = part * highest;
        (value, if highest > 1.0 { short(value) } else { percent(value) })
    });
    html! {
        <Chart label={format!("Reward and held-out answers over {}: {latest}", if time { "time" } else { "updates" })} {lines}
            band={if time { Vec::new() } else { band(&same) }} x_end={end} y={[0.0, highest]} ticks={ticks.to_vec()}
            x_label={if time { format!("{end:.0} s") } else { grouped(end as u64) }}
            baseline={first.map(|first| (first, format!("start {}", percent(first))))} />
    }
}

fn legend(node: &NodeInfo) -> Html {
    let entry =
        |color: u8, name: &'static str| html! { <span style={format!("color:var(--s{color})")}><i></i>{name}</span> };
    html! {
        <footer class="legend">
            {entry(3, "Held-out, sampled")}
            if has_reward(node) { {entry(1, "Mean reward")}{entry(4, "Format")} } else { {entry(1, "Held-out, greedy")} }
            if node.points.iter().any(|point| point.accuracy.is_some()) { {entry(4, "Pairs preferred")} }
        </footer>
    }
}

fn mini(chart: &Mini, end: f64) -> Html {
    let [low, high] = chart.range;
    let lines = chart
        .curves
        .iter()
        .map(|(color, curve)| Line { color: *color, curve: curve.clone(), class: "" })
        .collect::<Vec<_>>();
    html! {
        <div class="mini" key={chart.title}>
            <h3 title={chart.help}>{chart.title}<b>{&chart.latest}</b></h3>
            <Chart label={format!("{}: {}. {}.", chart.title, chart.latest, chart.help)} {lines} x_end={end} y={chart.range}
                ticks={vec![(low, short(low)), (high, short(high))]} />
        </div>
    }
}
