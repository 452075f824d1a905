//! Two timelines: choosing the other one, and their differences, ranked.

use js_sys::Uint8Array;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::format::{milliseconds, percent};
use crate::core::context::Cx;
use crate::core::download::{file_name, offer_bytes};
use crate::core::files::{listed, read};
use crate::state::Action;
use crate::state::profile::SystemsAction;
use glasshead::systems::chrome;
use glasshead::systems::compare::Difference;

/// Larger files are no traces of one step.
const MAX_BYTES: f64 = 64e6;

/// Buttons that choose the timeline to compare with.
pub fn choose(cx: &Cx) -> Html {
    let state = &cx.state.profile;
    let pick = cx.call(|cx, event: Event| {
        let Some(input) = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok()) else { return };
        let file = listed(input.files()).into_iter().next();
        input.set_value("");
        let (cx, Some(file)) = (cx.clone(), file) else { return };
        spawn_local(async move {
            let action = match read_trace(&file).await {
                Ok(trace) => SystemsAction::Compare(Some((file.name(), trace.into()))),
                Err(problem) => SystemsAction::Refused(problem),
            };
            cx.act(Action::Systems(action));
        });
    });
    let none = cx.on(Action::Systems(SystemsAction::Compare(None)));
    let previous = state.previous.clone().map(|trace| {
        let name = format!("step {}", trace.step);
        cx.on(Action::Systems(SystemsAction::Compare(Some((name, trace)))))
    });
    html! {
        <div class="segmented" role="group" aria-label="Compare">
            <button type="button" aria-pressed={state.compare.is_none().to_string()} onclick={none} data-testid="compare-none">{"This step"}</button>
            if let Some(previous) = previous {
                <button type="button" onclick={previous} title="The measurement before this one" data-testid="compare-previous"
                    aria-pressed={state.compare.as_ref().is_some_and(|(name, _)| name.starts_with("step ")).to_string()}>{"The one before"}</button>
            }
            <label class="pick" title="A timeline that was exported as a trace">
                {"Compare with…"}<input type="file" class="sr" accept=".json,application/json" onchange={pick} data-testid="compare-file" />
            </label>
        </div>
    }
}

async fn read_trace(file: &web_sys::File) -> Result<glasshead::systems::trace::Trace, String> {
    if file.size() > MAX_BYTES {
        return Err(format!("{} is too large for the timeline of a step. Choose a trace exported here.", file.name()));
    }
    let bytes: Uint8Array = read(file).await?;
    let text = String::from_utf8(bytes.to_vec())
        .map_err(|_| format!("{} is not text. Choose a trace exported here.", file.name()))?;
    chrome::read(&text).map_err(|error| format!("{}: {error}.", file.name()))
}

/// Offers the timeline as a trace.
pub fn export(cx: &Cx) {
    let state = &cx.state.profile;
    let Some(trace) = &state.trace else { return };
    let json = chrome::write(trace, state.memory.as_deref()).to_string();
    let name = file_name(&format!("{} step {}", cx.state.runs.name, trace.step), "json");
    offer_bytes(&name, json.as_bytes(), "application/json");
}

/// The tile with the differences.
pub fn changes(cx: &Cx) -> Html {
    let state = &cx.state.profile;
    let Some(((name, before), (after, rows))) = state.compare.as_ref().zip(state.trace.as_ref().zip(state.changes()))
    else {
        return html! {};
    };
    let change = after.wall_ns / before.wall_ns.max(1.0) - 1.0;
    let most = rows.first().map_or(1.0, |row| row.change_ns().abs().max(1.0));
    let row = |row: &Difference| {
        let slower = row.change_ns() > 0.0;
        let width = format!(
            "width:{:.1}%;background:var({})",
            100.0 * row.change_ns().abs() / most,
            if slower { "--bad" } else { "--good" }
        );
        html! {
            <tr>
                <th scope="row">{&row.name}</th>
                <td>{milliseconds(row.ns[0])}</td><td>{milliseconds(row.ns[1])}</td>
                <td><span class="share"><span class="room"><i style={width}></i></span>
                    <b>{if slower { "+" } else { "" }}{milliseconds(row.change_ns())}</b></span></td>
            </tr>
        }
    };
    html! {
        <section class="tile changes" aria-labelledby="changes-title">
            <header><h2 id="changes-title">{"Differences"}</h2>
                <small>{format!("{name}: {} before, {} now ({}{})", milliseconds(before.wall_ns), milliseconds(after.wall_ns),
                    if change > 0.0 { "+" } else { "" }, percent(change))}</small></header>
            <div class="table" tabindex="0" role="region" aria-label="Differences, largest first">
                <table data-testid="changes-table">
                    <thead><tr><th scope="col">{"Kernel or idle time"}</th><th scope="col">{"Before"}</th><th scope="col">{"Now"}</th><th scope="col">{"Change"}</th></tr></thead>
                    <tbody>{for rows.iter().map(row)}</tbody>
                </table>
            </div>
        </section>
    }
}
