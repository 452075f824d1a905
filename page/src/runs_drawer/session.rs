//! The runs of this session: a short list, or a wide table with the settings in which they differ.

use yew::prelude::*;

use super::seeds::Seeds;
use crate::core::context::Cx;
use crate::core::download;
use crate::draw::chart::short;
use crate::draw::chart_canvas::look_of;
use crate::overlay::icon::icon;
use crate::overlay::view::overlay;
use crate::shared::entry::Entry;
use crate::shared::value_of;
use crate::state::Action;
use crate::state::compare::{Comparison, compare};
use crate::state::overlay::OverlayAction;
use crate::state::runs::{RunsAction, ShownRun};
use crate::units::grouped;

/// The runs of this session.
#[component]
pub fn Session(cx: &Cx) -> Html {
    let runs = cx.state.all_runs();
    let wide = cx.state.overlay.runs_wide;
    let comparison = compare(&runs);
    html! {
        <section class="session" aria-labelledby="session-title">
            <h3 id="session-title">{"This session"}<small>{"Ticked runs are drawn in the loss chart"}</small></h3>
            <div class="table" tabindex="0" role="region" aria-label="Table of runs">
                {if wide { wide_table(cx, &runs, &comparison) } else { short_table(cx, &runs, &comparison) }}
            </div>
            <div class="line">
                <button class="small" data-testid="compare-settings" aria-pressed={wide.to_string()}
                    onclick={overlay(cx, OverlayAction::RunsWide(!wide))}>
                    {if wide { "Short list" } else { "Compare settings" }}
                </button>
            </div>
            <p class="count">{note(&runs, &comparison, wide)}</p>
            <Seeds ..cx.clone() />
        </section>
    }
}

fn note(runs: &[ShownRun], comparison: &Comparison, wide: bool) -> &'static str {
    if runs.len() < 2 {
        "A restart keeps the run before it here, up to eight."
    } else if comparison.vocabularies_differ {
        "These runs cut text into different tokens, so a nat per token is not the same for all."
    } else if wide {
        "Columns of settings: only those that differ."
    } else {
        ""
    }
}

fn toggle(cx: &Cx, run: &ShownRun) -> Html {
    let id = run.id;
    let toggle = {
        let cx = cx.clone();
        Callback::from(move |_: Event| cx.act(Action::Runs(RunsAction::Toggle(id))))
    };
    html! {
        <label class="mark">
            <input type="checkbox" checked={run.shown} disabled={id == 0} onchange={toggle}
                aria-label={format!("Show {} in the chart", run.name)} />
            {mark(id)}
        </label>
    }
}

fn name(cx: &Cx, run: &ShownRun) -> Html {
    let id = run.id;
    let rename = {
        let cx = cx.clone();
        Callback::from(move |event: Event| cx.act(Action::Runs(RunsAction::Name(id, value_of(&event)))))
    };
    html! { <Entry value={run.name.clone()} inputmode="text" onchange={rename} label={format!("Name of {}", run.name)} /> }
}

fn remove(cx: &Cx, run: &ShownRun) -> Html {
    let (id, cx) = (run.id, cx.clone());
    if id == 0 {
        return html! {};
    }
    let remove = Callback::from(move |_: MouseEvent| cx.act(Action::Runs(RunsAction::Remove(id))));
    html! {
        <button class="small square ghost" onclick={remove} aria-label={format!("Remove {}", run.name)} title="Remove">
            {icon("close")}
        </button>
    }
}

fn logs(run: &ShownRun) -> Html {
    html! {
        <span class="line">
            {export(run, "CSV", "csv", |run| run.history.to_csv(run.config.tokens_per_step()))}
            {export(run, "JSON", "json", |run| run.history.to_json(&run.name, &run.corpus, &run.config))}
        </span>
    }
}

fn loss_text(loss: Option<f32>) -> String {
    loss.map_or("–".to_string(), |loss| format!("{loss:.3}"))
}

fn short_table(cx: &Cx, runs: &[ShownRun], comparison: &Comparison) -> Html {
    let row = |(run, cells): (&ShownRun, &Vec<String>)| {
        let last = run.history.points.last();
        let held_out = loss_text(run.history.validation.last().map(|val| val.loss));
        let differing = comparison.columns.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
        let detail: Vec<String> = differing.map(|(name, cell)| format!("{name} {cell}")).collect();
        let detail = if detail.is_empty() { run.corpus.clone() } else { detail.join(" · ") };
        html! {
            <tr data-testid="run" key={run.id} class={(run.id == 0).then_some("now")}>
                <td>{toggle(cx, run)}</td>
                <th scope="row">
                    {name(cx, run)}
                    <small title={detail.clone()}>
                        if run.id == 0 { <span class="tag good">{"now"}</span>{" "} }
                        {detail}
                    </small>
                </th>
                <td class="r">{grouped(last.map_or(0, |point| point.step))}</td>
                <td class="r">{held_out}</td>
                <td>
                    <details class="more">
                        <summary aria-label={format!("Log and removal of {}", run.name)}>{icon("more")}</summary>
                        <div>{logs(run)}{remove(cx, run)}</div>
                    </details>
                </td>
            </tr>
        }
    };
    html! {
        <table class="t" data-testid="runs">
            <thead><tr>
                <td></td>
                <th scope="col">{"Run"}</th><th scope="col" class="r">{"Step"}</th>
                <th scope="col" class="r">{"Held-out loss"}</th><td></td>
            </tr></thead>
            <tbody>{for runs.iter().zip(&comparison.rows).map(row)}</tbody>
        </table>
    }
}

fn wide_table(cx: &Cx, runs: &[ShownRun], comparison: &Comparison) -> Html {
    let head = |name: &String| html! { <th scope="col">{name}</th> };
    let row = |(run, cells): (&ShownRun, &Vec<String>)| {
        let last = run.history.points.last();
        let step = last.map_or(0, |point| point.step);
        html! {
            <tr data-testid="run" key={run.id} class={(run.id == 0).then_some("now")}>
                <td>{toggle(cx, run)}</td>
                <th scope="row">{name(cx, run)}</th>
                <td class="r">{step}</td>
                <td class="r">{short((step * run.config.tokens_per_step() as u64) as f64)}</td>
                <td class="r">{format!("{:.1} s", run.history.seconds())}</td>
                <td class="r">{loss_text(last.map(|point| point.loss))}</td>
                <td class="r">{loss_text(run.history.validation.last().map(|val| val.loss))}</td>
                {for cells.iter().map(|cell| html! { <td>{cell}</td> })}
                <td>{logs(run)}</td>
                <td>{remove(cx, run)}</td>
            </tr>
        }
    };
    html! {
        <table class="t" data-testid="runs">
            <thead><tr>
                <th scope="col">{"Chart"}</th>
                <th scope="col">{"Run"}</th>
                {for ["Step", "Tokens", "Time", "Loss", "Held-out loss"].map(|name| html! { <th scope="col" class="r">{name}</th> })}
                {for comparison.columns.iter().map(head)}
                <th scope="col">{"Log"}</th>
                <th scope="col"><span class="sr">{"Remove"}</span></th>
            </tr></thead>
            <tbody>{for runs.iter().zip(&comparison.rows).map(row)}</tbody>
        </table>
    }
}

/// A sample of the run's line style in the chart.
fn mark(id: u32) -> Html {
    let (color, dashes) = look_of(id);
    let (color, dashes) = match id {
        0 => ("var(--train)".to_string(), String::new()),
        _ => (format!("var({color})"), dashes.iter().map(|length| format!("{length} ")).collect()),
    };
    html! {
        <svg width="22" height="8" aria-hidden="true">
            <line x1="0" y1="4" x2="22" y2="4" stroke-width="3" stroke-dasharray={dashes} style={format!("stroke:{color}")} />
        </svg>
    }
}

fn export(run: &ShownRun, label: &'static str, ending: &'static str, write: fn(&ShownRun) -> String) -> Html {
    let click = {
        let run = run.clone();
        Callback::from(move |_: MouseEvent| {
            let name = download::file_name(&format!("glasshead {} log", run.name), ending);
            let kind = if ending == "csv" { "text/csv" } else { "application/json" };
            download::offer_bytes(&name, write(&run).as_bytes(), kind);
        })
    };
    html! {
        <button class="small" onclick={click} disabled={run.history.points.is_empty()}
            data-testid={format!("export-{ending}")} aria-label={format!("Download the log of {} as {label}", run.name)}>
            {label}
        </button>
    }
}
