//! The tile of the large map, with labeled axes, its controls, its legend and its numbers.

use yew::prelude::*;

use super::cells::Cells;
use super::labels::Axis;
use super::lines::Lines;
use super::tooltip::{pointed, sentence};
use super::{act, controls, nothing};
use crate::core::context::Cx;
use crate::maps::Plane;
use crate::shared::icon::{Icon, icon};
use crate::shared::opens::Opens;
use crate::shared::size::use_size;
use crate::state::look::Form;
use crate::state::overlay::Overlay;
use crate::state::{Action, Maps};
use crate::train::compare::Compare;
use crate::train::inspector::detail::wide;
use glasshead::types::inspect::ScoreKind;

/// The tile of the large map: one table as a map, as lines or as numbers, or two snapshots beside each other.
#[component]
pub fn Big(cx: &Cx) -> Html {
    let state = &cx.state;
    if state.ask.wide {
        return wide(cx);
    }
    let shown = state.shown_maps().filter(|maps| !maps.tokens.is_empty()).zip(state.table());
    let (lines, numbers) = (state.look.form == Form::Lines, state.table_shown);
    let comparing = state.remember.held.is_some();
    let name = shown
        .as_ref()
        .map_or_else(|| state.plane().name(), |(_, table)| if lines { state.plane().name() } else { table.title() });
    let step = shown.as_ref().map(|(maps, table)| if lines { maps.step } else { table.step() });
    html! {
        <section class="tile big large" aria-label="Attention of one head" data-part="attention">
            <header>
                <button class="ghost small square" title="Previous head ([)" aria-label="Previous head"
                    onclick={act(cx, Action::Walk { layers: 0, heads: -1 })}>{icon(Icon::Left)}</button>
                <h2 title={step.map(|step| format!("Step {step}"))}>
                    <span class="long-name">{capital(&name)}</span><span class="short-name" aria-hidden="true">{state.plane().short()}</span>
                </h2>
                <button class="ghost small square" title="Next head (])" aria-label="Next head"
                    onclick={act(cx, Action::Walk { layers: 0, heads: 1 })}>{icon(Icon::Right)}</button>
                {role(cx)}
                <span class="grow"></span>
                {controls::forms(cx)}
                <Opens cx={cx.clone()} overlay={Overlay::Display} class="ghost small square" testid="display" label="Display options"
                    hint="Colors, values, contrast, fading, mask">{icon(Icon::Sliders)}</Opens>
                <Opens cx={cx.clone()} overlay={Overlay::Save} class="ghost small square" testid="save-figure" label="Save this figure"
                    hint="Save as PNG, SVG, CSV, JSON, GIF or video">{icon(Icon::Save)}</Opens>
            </header>
            <p class="hidden" data-testid="readout" aria-live="polite">{shown.as_ref().map(|(maps, _)| readout(cx, maps))}</p>
            if let Some((maps, _)) = &shown {
                if numbers {
                    <div class="scrolling">{super::table::table(cx, maps)}</div>
                } else if lines {
                    <div class="scrolling"><Lines ..cx.clone() /></div>
                } else if comparing {
                    <Compare ..cx.clone() />
                } else {
                    <div class="plot"><Framed ..cx.clone() /></div>
                }
                if !lines {
                    <footer class="legend-row">
                        {controls::legend(cx)}
                        if !numbers && !comparing { {controls::zoom(cx)} }
                    </footer>
                }
            } else {
                {nothing(cx, "Attention of your sentence")}
            }
        </section>
    }
}

/// The text with a capital first letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The known kind of head that the shown head is, with its score.
fn role(cx: &Cx) -> Html {
    let state = &cx.state;
    let history = &state.ask.scores;
    let Plane::Head(layer, head) = state.plane() else { return html! {} };
    let latest = history.snapshots.last().and_then(|(_, scores)| scores.get(layer * history.n_heads + head));
    let best = latest.and_then(|scores| {
        ScoreKind::ALL.into_iter().map(|kind| (kind, scores[kind as usize])).max_by(|(_, a), (_, b)| a.total_cmp(b))
    });
    match best.filter(|(_, score)| *score >= ScoreKind::THRESHOLD) {
        Some((kind, score)) => html! {
            <span class="tag accent role" title="Score on random tokens that come twice">
                {format!("{} {score:.2}", crate::train::time::role_name(kind))}
            </span>
        },
        None => html! {},
    }
}

fn readout(cx: &Cx, maps: &Maps) -> String {
    match pointed(cx, maps) {
        Some(cell) => sentence(cx, maps, cell),
        None => "Point at a cell for its weight; click to pin its row.".into(),
    }
}

/// With more tokens than this, labels carry positions and get more room.
const LONG: usize = 60;

/// The map with its axes.
#[component]
fn Framed(cx: &Cx) -> Html {
    let state = &cx.state;
    let frame = use_node_ref();
    let side = f64::from(use_size(&frame).0);
    let Some(maps) = state.shown_maps() else { return html! {} };
    let (window, cell) = (state.look.window, pointed(cx, &maps));
    let held: Vec<usize> = (0..maps.n()).filter(|&row| state.holds(row)).collect();
    html! {
        <div class={classes!("axes", (maps.n() > LONG).then_some("long"))}>
            <span class="corner" aria-hidden="true">{"key →"}<br />{"query ↓"}</span>
            <Axis maps={maps.clone()} {window} pixels={side} pointed={cell.map(|(_, key)| key)} held={Vec::new()}
                keys=true />
            <Axis maps={maps.clone()} {window} pixels={side} pointed={cell.map(|(query, _)| query)} {held} />
            <div ref={frame}><Cells ..cx.clone() /></div>
        </div>
    }
}
