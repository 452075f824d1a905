//! Comparison of runs: their differences, names, and log files.

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::entry::Entry;
use crate::app::Cx;
use crate::download;
use crate::draw::chart::short;
use crate::draw::chart_canvas::look_of;
use crate::state::Action;
use crate::state::compare::compare;
use crate::state::runs::{RunsAction, ShownRun};

#[component]
pub fn RunsTable(cx: &Cx) -> Html {
    let runs = cx.state.all_runs();
    let comparison = compare(&runs);
    let head = |name: &String| html! { <th scope="col">{name}</th> };
    html! {
        <div class="runs">
            <h3>{"Runs"}</h3>
            <div class="table" tabindex="0" role="region" aria-label="table of runs">
                <table data-testid="runs">
                    <thead><tr>
                        <th scope="col">{"in the chart"}</th>
                        <th scope="col">{"name"}</th>
                        <th scope="col">{"step"}</th>
                        <th scope="col">{"tokens"}</th>
                        <th scope="col">{"time"}</th>
                        <th scope="col">{"loss"}</th>
                        <th scope="col">{"held-out"}</th>
                        {for comparison.columns.iter().map(head)}
                        <th scope="col">{"log"}</th>
                        <th scope="col"><span class="hidden">{"remove"}</span></th>
                    </tr></thead>
                    <tbody>{for runs.iter().zip(&comparison.rows).map(|(run, cells)| row(cx, run, cells))}</tbody>
                </table>
            </div>
            <p class="count">
                {if runs.len() < 2 {
                    "Runs that you reset stay here, up to eight, and show what differs between them."
                } else if comparison.vocabularies_differ {
                    "Columns of settings: only what differs. These runs cut text into different tokens: a nat per token \
                     is not the same for all."
                } else {
                    "Columns of settings: only what differs."
                }}
            </p>
        </div>
    }
}

fn row(cx: &Cx, run: &ShownRun, cells: &[String]) -> Html {
    let id = run.id;
    let act = |action: RunsAction| {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.act(Action::Runs(action.clone())))
    };
    let toggle = {
        let cx = cx.clone();
        Callback::from(move |_: Event| cx.act(Action::Runs(RunsAction::Toggle(id))))
    };
    let rename = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let input = event.target_dyn_into::<HtmlInputElement>();
            let name = input.map(|input| input.value()).unwrap_or_default();
            cx.act(Action::Runs(RunsAction::Name(id, name)));
        })
    };
    let last = run.history.points.last();
    let step = last.map_or(0, |point| point.step);
    let number = |loss: Option<f32>| loss.map_or("–".to_string(), |loss| format!("{loss:.3}"));
    html! {
        <tr data-testid="run" key={id}>
            <td>
                <label class="mark">
                    <input type="checkbox" checked={run.shown} disabled={id == 0} onchange={toggle}
                        aria-label={format!("show {} in the chart", run.name)} />
                    {mark(id)}
                </label>
            </td>
            <th scope="row">
                <Entry value={run.name.clone()} inputmode="text" onchange={rename} label={format!("name of {}", run.name)} />
            </th>
            <td>{step}</td>
            <td>{short((step * run.config.tokens_per_step() as u64) as f64)}</td>
            <td>{format!("{:.1} s", run.history.seconds())}</td>
            <td>{number(last.map(|point| point.loss))}</td>
            <td>{number(run.history.validation.last().map(|val| val.loss))}</td>
            {for cells.iter().map(|cell| html! { <td>{cell}</td> })}
            <td class="line">
                {export(run, "CSV", "csv", |run| run.history.to_csv(run.config.tokens_per_step()))}
                {export(run, "JSON", "json", |run| run.history.to_json(&run.name, &run.corpus, &run.config))}
            </td>
            <td>
                if id > 0 {
                    <button onclick={act(RunsAction::Remove(id))} aria-label={format!("remove {}", run.name)}>{"×"}</button>
                }
            </td>
        </tr>
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
        <svg width="30" height="8" aria-hidden="true">
            <line x1="0" y1="4" x2="30" y2="4" stroke-width="2" stroke-dasharray={dashes} style={format!("stroke:{color}")} />
        </svg>
    }
}

fn export(run: &ShownRun, label: &'static str, ending: &'static str, write: fn(&ShownRun) -> String) -> Html {
    let click = {
        let run = run.clone();
        Callback::from(move |_: MouseEvent| {
            let name = download::file_name(&format!("glasshead {} log", run.name), ending);
            download::offer_bytes(
                &name,
                write(&run).as_bytes(),
                if ending == "csv" { "text/csv" } else { "application/json" },
            );
        })
    };
    html! {
        <button onclick={click} disabled={run.history.points.is_empty()} data-testid={format!("export-{ending}")}
            aria-label={format!("download the log of {} as {label}", run.name)}>{label}</button>
    }
}
