//! The effect of the filters on a model: paired runs, their losses with intervals, and what the models write.

use yew::prelude::*;

use super::charts::{line, text};
use super::draw::{Axes, ticks};
use super::effect::{Arm, EffectAction, MAX_SEEDS, MAX_STEPS, ladder, title};
use super::helpers;
use super::state::{DataView, DataViewAction};
use super::top::act;
use crate::core::context::Cx;
use crate::shared::entry::Entry;
use crate::shared::icon::{Icon, icon};
use crate::shared::size::use_size;
use crate::shared::value_of;
use glasshead_filter::settings::Stage;
use glasshead_filter::wire::TextOf;

/// The texts before and after the filters, and the clean one of generated pages.
fn both(view: &DataView) -> Vec<TextOf> {
    let clean = view.funnel.as_ref().is_some_and(|funnel| funnel.labels.is_some());
    ladder(|_| false, clean)
}

/// The texts before and after the selected stage.
fn around(view: &DataView) -> Option<Vec<TextOf>> {
    let on = |stage: &Stage| view.enabled(*stage) && !matches!(stage, Stage::Url | Stage::Extract | Stage::Mask);
    let stages: Vec<Stage> = Stage::ALL.into_iter().filter(on).collect();
    let at = stages.iter().position(|stage| *stage == view.stage)?;
    let before = at.checked_sub(1).map_or(TextOf::Before, |at| TextOf::After { stage: stages[at] });
    Some(vec![before, TextOf::After { stage: view.stage }])
}

fn ready(view: &DataView) -> bool {
    !view.busy() && view.funnel.as_ref().is_some_and(|funnel| funnel.compared && funnel.kept > 0)
}

/// The button that trains before and after all filters, or stops it.
pub fn train_button(cx: &Cx) -> Html {
    let view = &cx.state.filters;
    if view.effect.busy() {
        let stop = cx.call(|cx, _: MouseEvent| helpers::stop(cx, None));
        return html! { <button class="large-button" data-testid="data-stop-training" onclick={stop}>{icon(Icon::Pause)}{"Stop training"}</button> };
    }
    let train = cx.call(|cx, _: MouseEvent| helpers::train(cx, both(&cx.state.filters)));
    html! {
        <button class="large-button primary" data-testid="data-train-both" disabled={!ready(view)} onclick={train}
            title="Trains the same small model on the text before and after the filters, with equal tokens and seeds">
            {icon(Icon::Compare)}{"Train on both"}</button>
    }
}

#[component]
pub fn EffectTile(cx: &Cx) -> Html {
    let view = &cx.state.filters;
    let effect = &view.effect;
    let node = use_node_ref();
    let (width, height) = use_size(&node);
    let arms = effect.arms();
    let number = |path: &'static str, label: &'static str, value: u64, action: fn(u64) -> EffectAction, most: u64| {
        let change = cx.call(move |cx, event: Event| {
            if let Ok(value) = value_of(&event).trim().parse() {
                act(cx, DataViewAction::Effect(action(value)));
            }
        });
        html! {
            <label class="beside" title={format!("At most {most}")}>{label}
                <Entry value={value.to_string()} testid={path} onchange={change} inputmode="numeric" /></label>
        }
    };
    let train = |label: String, texts: Option<Vec<TextOf>>, testid: &'static str| {
        let disabled = !ready(view) || effect.busy() || texts.is_none();
        let start = cx.call(move |cx, _: MouseEvent| helpers::train(cx, texts.clone().unwrap_or_default()));
        html! { <button class="small" {disabled} data-testid={testid} onclick={start}>{label}</button> }
    };
    let every = ladder(|stage| view.enabled(stage), view.funnel.as_ref().is_some_and(|funnel| funnel.labels.is_some()));
    html! {
        <section class="tile data-effect" aria-label="Effect on the model">
            <header><h2>{"Effect on the model"}</h2><span class="grow"></span>
                <small class="clip">{"held-out loss, nats per byte"}</small></header>
            <div class="data-effect-setup">
                {number("effect-steps", "Steps", effect.steps, EffectAction::Steps, MAX_STEPS)}
                {number("effect-seeds", "Seeds", effect.seeds, EffectAction::Seeds, MAX_SEEDS)}
                <span class="grow"></span>
                {train("This filter".into(), around(view), "data-train-one")}
                {train("Each filter".into(), Some(every), "data-train-each")}
            </div>
            if effect.busy() {
                <div class="data-running" role="status" data-testid="effect-busy">
                    <progress max="1" value={format!("{:.3}", effect.share())} aria-label="Paired runs"></progress>
                    <small>{running(view)}</small>
                </div>
            }
            if let Some(problem) = &effect.problem { <p class="problem" role="alert">{problem}</p> }
            <div class="plot" ref={node}>
                if arms.is_empty() && !effect.busy() {
                    <p class="empty">{"Train the same small model on the text before and after filtering: equal tokens, equal seeds, the same held-out \
                        clean text."}</p>
                } else if width > 0 && !arms.is_empty() {
                    {losses(&arms, (width.into(), height.into()))}
                }
            </div>
            if !arms.is_empty() { {footer(view, &arms)} }
        </section>
    }
}

fn running(view: &DataView) -> String {
    let effect = &view.effect;
    let one = effect.running.iter().map(|(job, (step, loss))| {
        let loss = if loss.is_finite() { format!(", loss {loss:.2}") } else { String::new() };
        format!("{} (seed {}): step {step}{loss}", title(job.of), job.seed)
    });
    let mut words: Vec<String> = one.collect();
    if words.is_empty() {
        words.push("Preparing the texts".into());
    }
    if !effect.queue.is_empty() {
        words.push(format!("{} to follow", effect.queue.len()));
    }
    words.join(" · ")
}

/// Means with their intervals, one row per text.
fn losses(arms: &[Arm], size: (f64, f64)) -> Html {
    let all = || arms.iter().flat_map(|arm| arm.losses.iter().copied().chain([arm.mean]));
    let (low, high) =
        all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), loss| (low.min(loss), high.max(loss)));
    let room = ((high - low) * 0.15).max(0.01);
    let axes = Axes { x: (low - room, high + room), y: (0.0, 1.0), size, margins: [122.0, 56.0, 6.0, 24.0] };
    let height = ((size.1 - 30.0) / arms.len() as f64).min(42.0);
    let row = |(at, arm): (usize, &Arm)| {
        let y = 6.0 + height * (at as f64 + 0.5);
        let class = match arm.of {
            TextOf::Before => "before",
            TextOf::Clean => "clean",
            _ => "after",
        };
        let half = arm.half_width.unwrap_or(0.0);
        let ends = [arm.mean - half, arm.mean + half].map(|end| axes.at_x(end.clamp(axes.x.0, axes.x.1)));
        html! {
            <g class={class} data-testid={format!("effect-{class}")} data-loss={format!("{:.4}", arm.mean)}>
                {text(112.0, y + 4.0, "end", "ink", &title(arm.of))}
                {line((ends[0], y), (ends[1], y), "interval")}
                {for arm.losses.iter().map(|loss| html! { <circle class="run" cx={format!("{:.1}", axes.at_x(*loss))} cy={format!("{y:.1}")} r="2.5" /> })}
                <circle class="mean" cx={format!("{:.1}", axes.at_x(arm.mean))} cy={format!("{y:.1}")} r="5" />
                {text(size.0 - 10.0, y + 4.0, "end", "ink", &format!("{:.3}", arm.mean))}
            </g>
        }
    };
    let summary: Vec<String> = arms.iter().map(|arm| format!("{} {:.3}", title(arm.of), arm.mean)).collect();
    html! {
        <svg viewBox={format!("0 0 {} {}", size.0, size.1)} role="img" aria-label={summary.join(", ")}>
            {for ticks(axes.x.0, axes.x.1, 4).into_iter().map(|tick| html! { <>
                {line((axes.at_x(tick), 6.0), (axes.at_x(tick), size.1 - 24.0), "grid")}
                {text(axes.at_x(tick), size.1 - 8.0, "middle", "", &format!("{tick:.2}"))}
            </> })}
            {for arms.iter().enumerate().map(row)}
        </svg>
    }
}

fn footer(view: &DataView, arms: &[Arm]) -> Html {
    let recovered = view.effect.recovered();
    let samples = arms.iter().filter(|arm| matches!(arm.of, TextOf::Before | TextOf::Kept | TextOf::Clean));
    html! {
        <div class="data-effect-end">
            if let Some(recovered) = recovered {
                <p data-testid="effect-recovered">{"All filters win back "}<b>{format!("{:.0} %", 100.0 * recovered)}</b>{" of the gap between unfiltered and clean text."}</p>
            }
            if view.effect.outdated(&view.changes) { <p class="count">{"Measured with other settings than the present ones."}</p> }
            <div class="data-samples" tabindex="0" role="region" aria-label="What the models write">
                {for samples.map(|arm| html! { <p><b>{title(arm.of)}</b>{" "}{arm.sample.clone()}</p> })}
            </div>
        </div>
    }
}
