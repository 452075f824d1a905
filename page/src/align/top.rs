//! The transport and the key numbers of the present stage, in the top bar.

use yew::prelude::*;

use super::sends;
use crate::core::context::Cx;
use crate::shared::grouped;
use crate::shared::icon::{Icon, icon};
use crate::state::align::AlignState;
use crate::state::align::curves::percent;
use glasshead::types::align::{NodeInfo, StagePoint};
use glasshead::wire::align::AlignCommand;

#[component]
pub fn AlignTop(cx: &Cx) -> Html {
    let align = &cx.state.align;
    let stage = align.current().filter(|node| node.spec.is_some());
    let (image, label, command) = match align.running {
        true => (Icon::Pause, "Pause", AlignCommand::Pause),
        false => (Icon::Play, "Train", AlignCommand::Train),
    };
    let before = stage.and_then(|node| node.kept.iter().rev().find(|&&step| step < node.step).copied());
    let rewind = AlignCommand::Rewind { step: before.unwrap_or(0) };
    let hint = before.map_or("There is no earlier update".into(), |step| format!("Back to update {step}"));
    html! {
        <>
            <div class="view-title align-title"><b>{stage.map_or("Align", |node| node.name.as_str())}</b><small>{about(align)}</small></div>
            <span class="rule"></span>
            <div class="transport" role="group" aria-label="Stage">
                <button class="large-button" data-testid="align-rewind" disabled={before.is_none()} onclick={sends(cx, rewind)} title={hint.clone()}
                    aria-label="Rewind">{icon(Icon::Restart)}</button>
                <button class="large-button primary" data-testid="align-train" disabled={!align.running && stage.is_none_or(done)}
                    onclick={sends(cx, command)} title={format!("{label} (Space)")}>{icon(image)}<span>{label}</span></button>
                <button class="large-button" data-testid="align-step" disabled={stage.is_none_or(done)} onclick={sends(cx, AlignCommand::Step)}
                    title="One update (.)" aria-label="One update">{icon(Icon::Step)}</button>
            </div>
            <span class="rule"></span>
            {stage.map(numbers)}
        </>
    }
}

fn done(node: &NodeInfo) -> bool {
    node.spec.as_ref().is_some_and(|spec| node.step >= spec.steps)
}

/// The task of the present stage, and its speed.
fn about(align: &AlignState) -> String {
    let Some(spec) = align.current().and_then(|node| node.spec.as_ref()) else {
        return "Teach a model by examples, by a judge or by preferences".into();
    };
    let task = spec.task.clone().unwrap_or_else(|| "your rows".into());
    match align.running && align.updates_per_s > 0.0 {
        true => format!("{task} · {:.1} updates/s", align.updates_per_s),
        false => task,
    }
}

fn numbers(node: &NodeInfo) -> Html {
    let steps = node.spec.as_ref().map_or(0, |spec| spec.steps);
    let latest = |of: fn(&StagePoint) -> Option<f32>| node.points.iter().rev().find_map(of).map(f64::from);
    let number = |name: &'static str, value: Option<String>| {
        let shown = value.unwrap_or_else(|| "–".into());
        html! { <div><dt>{name}</dt><dd>{shown}</dd></div> }
    };
    let reward = latest(|point| point.reward);
    let exact = node.scores.last().map(|score| percent(f64::from(score.sampled)));
    html! {
        <dl class="numbers">
            <div class="steps-number"><dt>{"Update"}</dt><dd data-testid="align-update">{grouped(node.step)}<small>{format!(" / {}", grouped(steps))}</small></dd></div>
            {match reward {
                Some(reward) => number("Mean reward", Some(format!("{reward:.2}"))),
                None => number("Loss", latest(|point| Some(point.loss)).map(|loss| format!("{loss:.3}"))),
            }}
            {number("Held-out exact", exact)}
            if let Some(length) = latest(|point| point.length) { {number("Answer length", Some(format!("{length:.1}")))} }
        </dl>
    }
}
