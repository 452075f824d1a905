//! The view: setup bar, the two charts, the matrix of runs, and the sealed prediction.

use std::rc::Rc;

use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{DragEvent, File, HtmlInputElement};
use yew::prelude::*;

use super::compare::Compare;
use super::controls::SweepBar;
use super::curves::{BestSize, IsoFlop, Live, law_text};
use super::fits::Fitted;
use super::matrix::Matrix;
use super::seal::{SealTile, exponent, measured};
use super::state::{Method, Quantity, Scale, ScaleAction};
use super::steps::Stage;
use crate::core::context::Cx;
use crate::core::download::offer_bytes;
use crate::shared::icon::{Icon, icon};
use crate::shared::segmented::{Choice, Segmented};
use crate::state::Action;
use crate::state::queue::Queue;
use glasshead::scaling::variable::Variable;

const METHODS: [(Method, &str, &str); 3] = [
    (Method::Lowest, "Lowest run", "The run with the lowest loss of each budget"),
    (Method::Parabola, "Parabola", "A parabola in ln N for each budget"),
    (Method::Parametric, "Parametric", "L = E + A/N^α + B/D^β through all runs"),
];

#[component]
pub fn ScaleView(cx: &Cx) -> Html {
    let scale = &cx.state.scale;
    let runs = scale.fitted_runs();
    let fits = use_memo(runs.clone(), |runs| METHODS.map(|(method, ..)| Rc::new(Fitted::new(runs, method))));
    let at = METHODS.iter().position(|(method, ..)| *method == scale.method).unwrap_or(1);
    let fitted = fits[at].clone();
    let own = scale.foreign.is_none();
    let variable = scale.variable();
    let quantity = if variable == Variable::Size { scale.quantity } else { Quantity::Size };
    let noun = variable.nouns()[0];
    let latest = scale.sweep.history.sealed.last().filter(|_| own).map(|sealed| sealed.prediction.clone());
    let check = scale
        .sweep
        .plan
        .as_ref()
        .filter(|_| own)
        .map(|plan| plan.request.check_factor * plan.budgets.iter().copied().fold(0.0, f64::max));
    let others = (0..3).filter(|&other| other != at).map(|other| (METHODS[other].1.into(), fits[other].clone()));
    let dropped = cx.call(|cx, event: DragEvent| {
        let file = event.data_transfer().and_then(|data| data.files()).and_then(|files| files.get(0));
        if let Some(file) = file.filter(|file| is_table(&file.name())) {
            event.prevent_default();
            event.stop_propagation();
            open(cx, file);
        }
    });
    let bracketed = (fitted.bracketed(), fitted.series.len());
    html! {
        <div class="scale" ondrop={dropped}>
            <SweepBar ..cx.clone() />
            {banner(cx)}
            <div class="tiles">
                <section class="tile iso" aria-labelledby="iso-title">
                    <header>
                        <h2 id="iso-title">{if scale.compared.open { "Small and large model".into() } else { format!("Loss against {noun}, at equal compute") }}</h2>
                        <span class="grow"></span>
                        {tools(cx)}
                    </header>
                    {iso(cx, &fitted, latest.clone())}
                </section>
                <section class="tile best" aria-labelledby="best-title">
                    <header>
                        <h2 id="best-title">{format!("Best {noun} for a budget")}</h2><span class="grow"></span>
                        if variable == Variable::Size { {quantities(cx)} }
                    </header>
                    <BestSize fitted={fitted.clone()} quantity={quantity} {variable} sealed={latest} measured={measured(scale)} {check}
                        others={others.collect::<Vec<_>>()} />
                    {facts(&fitted, variable)}
                </section>
                <section class="tile runs" aria-labelledby="matrix-title">
                    <header>
                        <h2 id="matrix-title">{"Runs of the sweep"}<small>{format!("rows: budgets · columns: {}", variable.nouns()[1])}</small></h2>
                        <span class="grow"></span>
                        <span class="legend"><i class="viridis"></i>{"held-out loss"}</span>
                    </header>
                    <div class="body" tabindex="0" role="region" aria-label="Runs">
                        if scale.sweep.plan.is_some() { <Matrix ..cx.clone() /> } else {
                            <p class="empty">{"Planned runs appear here with their expected times."}</p>
                        }
                        {for scale.not_added.iter().map(|reason| html! { <p class="tiny muted">{format!("{reason}.")}</p> })}
                    </div>
                </section>
                <SealTile cx={cx.clone()} {bracketed} />
            </div>
        </div>
    }
}

fn iso(cx: &Cx, fitted: &Rc<Fitted>, latest: Option<glasshead::scaling::sealed::Prediction>) -> Html {
    let scale = &cx.state.scale;
    if scale.compared.open {
        return html! { <Compare ..cx.clone() /> };
    }
    if fitted.series.is_empty() {
        return html! {
            <p class="empty">
                <b>{"Which model size is best for a compute budget?"}</b>
                {"Train several sizes with the same number of FLOPs, find the best one of each budget, extrapolate, and check."}
                <small>{"Plan a sweep for this device, or drop a table of runs here: CSV or JSON with parameters, tokens or FLOPs, and loss."}</small>
            </p>
        };
    }
    html! { <IsoFlop fitted={fitted.clone()} live={live(scale, &cx.state.queue)} variable={scale.variable()} sealed={latest} /> }
}

/// The run that is being trained, once it has a held-out loss.
fn live(scale: &Scale, queue: &Queue) -> Option<Live> {
    // Its losses are per token until it ends.
    let shown = scale.foreign.is_none() && scale.variable() != Variable::Vocabulary;
    let item = queue.running().filter(|_| shown)?;
    let spec = scale.sweep.spec_of(&item.run.id)?;
    let loss = f64::from(item.history.validation.last()?.loss);
    Some(Live { c: spec.horizons.last()?.budget, n: spec.value(), loss })
}

fn banner(cx: &Cx) -> Html {
    let scale = &cx.state.scale;
    let queue = &cx.state.queue;
    if let Some(problem) = scale.problem.as_ref().or(queue.problem.as_ref()) {
        return html! { <div class="banner warn" role="alert" data-testid="scale-problem">{icon(Icon::Warning)}<p>{problem}</p></div> };
    }
    if queue.elsewhere {
        return html! { <div class="banner">{icon(Icon::Info)}<p>{"Another tab of this browser works on the queue of runs. Close it to train here."}</p></div> };
    }
    match &scale.foreign {
        Some(foreign) => html! {
            <div class="banner" data-testid="foreign">
                {icon(Icon::Info)}
                <p><b>{&foreign.name}</b>{format!(": {} runs", foreign.runs.len())}
                    if foreign.skipped > 0 { {format!(", {} rows without usable numbers", foreign.skipped)} }</p>
                <button class="small" onclick={cx.on(Action::Scale(ScaleAction::CloseForeign))}>{"Close the table"}</button>
            </div>
        },
        None => html! {},
    }
}

fn tools(cx: &Cx) -> Html {
    let scale = &cx.state.scale;
    let choice = |(method, label, title): (Method, &'static str, &'static str)| Choice {
        label: label.into(),
        title: title.into(),
        testid: format!("method-{}", label.split(' ').next().unwrap_or_default().to_lowercase()).into(),
        on: scale.method == method,
        choose: cx.on(Action::Scale(ScaleAction::Method(method))),
    };
    let picked = cx.call(|cx, event: Event| {
        let input: Option<HtmlInputElement> = event.target_dyn_into();
        if let Some(file) = input.and_then(|input| input.files()).and_then(|files| files.get(0)) {
            open(cx, file);
        }
    });
    let can_compare = scale.foreign.is_none() && matches!(scale.stage(), Stage::Complete | Stage::Sealed | Stage::Runs);
    html! {
        <>
            <Segmented label="Fit" choices={METHODS.map(choice).to_vec()} />
            <button class="small" data-testid="compare" disabled={!can_compare && !scale.compared.open} aria-pressed={scale.compared.open.to_string()}
                title="Attention of the smallest and the largest model of one budget"
                onclick={cx.on(Action::Scale(ScaleAction::Compare(!scale.compared.open)))}>{icon(Icon::Compare)}{"Heads"}</button>
            <label class="button small file" title="A table of runs: CSV or JSON with parameters, tokens or FLOPs, and loss">
                {"Open…"}<input type="file" class="hidden" accept=".csv,.json,.jsonl,.tsv" data-testid="scale-open" onchange={picked} />
            </label>
            <button class="small" data-testid="sweep-csv" title="Runs as CSV" onclick={cx.call(|cx, _: MouseEvent| export(cx, false))}>{"CSV"}</button>
            <button class="small" data-testid="export-json" title="Plan, runs and predictions as JSON" onclick={cx.call(|cx, _: MouseEvent| export(cx, true))}>{"JSON"}</button>
        </>
    }
}

fn quantities(cx: &Cx) -> Html {
    let choice = |(quantity, label): (Quantity, &'static str)| Choice {
        label: label.into(),
        title: format!("{label} over compute").into(),
        testid: format!("best-{}", label.to_lowercase()).into(),
        on: cx.state.scale.quantity == quantity,
        choose: cx.on(Action::Scale(ScaleAction::Quantity(quantity))),
    };
    let all = [(Quantity::Size, "Size"), (Quantity::Tokens, "Tokens"), (Quantity::Loss, "Loss")];
    html! { <Segmented label="Quantity" choices={all.map(choice).to_vec()} /> }
}

/// Intervals, errors, and what the fit does not support.
fn facts(fitted: &Fitted, variable: Variable) -> Html {
    if fitted.series.is_empty() {
        return html! {};
    }
    html! {
        <div class="facts" data-testid="fit-facts" tabindex="0" role="region" aria-label="The fit">
            if let Some(exponent) = exponent(fitted) { <p class="hidden">{exponent}</p> }
            <p class="mono">{law_text(&fitted.law, variable)}</p>
            {for fitted.facts.iter().map(|fact| html! { <p>{variable.worded(fact)}{"."}</p> })}
            {for fitted.limits.iter().map(|limit| html! { <p class="limit">{variable.worded(limit)}</p> })}
        </div>
    }
}

fn is_table(name: &str) -> bool {
    let name = name.to_lowercase();
    [".csv", ".tsv", ".json", ".jsonl"].iter().any(|ending| name.ends_with(ending))
}

fn open(cx: &Cx, file: File) {
    let cx = cx.clone();
    spawn_local(async move {
        if let Ok(buffer) = JsFuture::from(file.array_buffer()).await {
            let bytes = js_sys::Uint8Array::new(&buffer).to_vec();
            cx.act(Action::Scale(ScaleAction::Open(file.name(), bytes)));
        }
    });
}

fn export(cx: &Cx, json: bool) {
    let scale = &cx.state.scale;
    let (name, text, kind) = match json {
        true => ("sweep.json", serde_json::to_string_pretty(&scale.sweep).unwrap_or_default(), "application/json"),
        false => ("runs.csv", scale.to_csv(), "text/csv"),
    };
    offer_bytes(name, text.as_bytes(), kind);
}
