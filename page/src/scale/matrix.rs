//! The matrix of runs: budgets as rows, sizes as columns. Before the runs have started, it shows their expected times.

use yew::prelude::*;

use super::geometry::{amount, clock, flops, series, value_text};
use super::state::Scale;
use super::steps::Stage;
use crate::core::context::Cx;
use crate::draw::colors::ColorMap;
use crate::draw::heat::ColorScale;
use crate::state::queue::{Item, ItemState, Queue};
use glasshead::scaling::plan::Plan;
use glasshead::scaling::spec::{Outcome, Purpose, SweepRun};
use glasshead::types::queue::QueueEnd;

/// Relative luminance below which text on a color is white.
const DARK: f64 = 0.18;

#[component]
pub fn Matrix(cx: &Cx) -> Html {
    let (scale, queue) = (&cx.state.scale, &cx.state.queue);
    let Some(plan) = &scale.sweep.plan else { return html! {} };
    let stage = scale.stage();
    let planned = !scale.sweep.tuned;
    let runs: Vec<&SweepRun> =
        if planned { plan.runs.iter().collect() } else { scale.sweep.runs.specs.values().collect() };
    let losses = scale.sweep.runs.results.values().flat_map(|result| result.points.iter().map(|point| point.loss));
    let range = losses.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), loss| (low.min(loss), high.max(loss)));
    let row = |(i, &budget): (usize, &f64)| {
        let of_row = |run: &&&SweepRun| {
            run.purpose != Purpose::Check && run.horizons.iter().any(|horizon| horizon.budget == budget)
        };
        let mut cells: Vec<&SweepRun> = runs.iter().filter(of_row).copied().collect();
        cells.sort_by(|a, b| {
            let rest = |run: &SweepRun| (run.config.train.seed, run.attempt);
            a.value().total_cmp(&b.value()).then(rest(a).cmp(&rest(b)))
        });
        let lowest = cells.iter().filter_map(|run| loss_of(scale, run, budget)).fold(f64::INFINITY, f64::min);
        let cell = |run: &SweepRun| cell(scale, queue, run, (budget, lowest), range);
        html! {
            <div class="run-row" role="row">
                <span role="rowheader"><i class="dot" style={format!("color:{}", series(i).0)}></i>{flops(budget)}</span>
                {for cells.into_iter().map(cell)}
            </div>
        }
    };
    html! {
        <>
            if matches!(stage, Stage::Planned | Stage::Pilot) { {summary(scale, plan)} }
            {pilot(scale, queue)}
            <div class="run-matrix" role="table" aria-label="Runs of the sweep" data-testid="scale-matrix">
                {for plan.budgets.iter().enumerate().map(row)}
                {checks(scale, queue, range)}
            </div>
        </>
    }
}

/// What the plan reserves, and the speeds behind it.
fn summary(scale: &Scale, plan: &Plan) -> Html {
    let speeds = plan.settings.speed.measured().iter();
    let speeds: Vec<String> = speeds.map(|(n, speed)| format!("{} {}/s", amount(*n), amount(*speed))).collect();
    let allowed = plan.allowed_s.map_or(String::new(), |allowed| format!(" of {}", clock(allowed)));
    html! {
        <p class="plan-summary" data-testid="scale-summary">
            {format!("{} runs take about {}, {} of it for the check run; {} are reserved{allowed}. ", plan.runs.len(),
                clock(plan.expected_s()), clock(plan.check_s), clock(plan.reserved_s()))}
            <small title={speeds.join(" · ")}>{format!("Measured: {} to {} tokens/s at {} sizes.",
                amount(speed(plan, true)), amount(speed(plan, false)), plan.settings.speed.measured().len())}</small>
            if scale.sweep.form.lr.is_none() && !scale.sweep.started { <small>{" A pilot finds the learning rate first."}</small> }
        </p>
    }
}

fn speed(plan: &Plan, slowest: bool) -> f64 {
    let speeds = plan.settings.speed.measured().iter().map(|(_, speed)| *speed);
    if slowest { speeds.fold(f64::INFINITY, f64::min) } else { speeds.fold(0.0, f64::max) }
}

/// The learning rates that were tried.
fn pilot(scale: &Scale, queue: &Queue) -> Html {
    let trials = scale.sweep.pilot.trials();
    let running =
        (!scale.sweep.tuned).then(|| queue.running()).flatten().filter(|item| item.run.list == scale.sweep.list());
    if trials.is_empty() && running.is_none() {
        return html! {};
    }
    let lowest = trials.iter().filter_map(|trial| trial.loss).fold(f64::INFINITY, f64::min);
    let tried = trials.iter().map(|trial| {
        let best = trial.loss.is_some_and(|loss| loss <= 1.01 * lowest);
        let loss = trial.loss.map_or("diverged".into(), |loss| format!("{loss:.3}"));
        html! { <span class={classes!("tag", best.then_some("good"))}>{format!("{} → {loss}", trial.lr)}</span> }
    });
    html! {
        <p class="pilot">
            <span>{"Learning rate"}</span>{for tried}
            if let Some(item) = running { <span class="tag accent">{format!("{} · step {}", item.run.config.train.max_lr, item.step())}</span> }
        </p>
    }
}

/// The check runs of predictions.
fn checks(scale: &Scale, queue: &Queue, range: (f64, f64)) -> Html {
    let mut runs = scale.sweep.runs.specs.values().filter(|run| run.purpose == Purpose::Check).peekable();
    if runs.peek().is_none() {
        return html! {};
    }
    let cells = runs.map(|run| {
        let budget = run.horizons.last().map_or(0.0, |last| last.budget);
        cell(scale, queue, run, (budget, f64::NAN), range)
    });
    html! { <div class="run-row checks" role="row"><span role="rowheader">{"Check"}</span>{for cells}</div> }
}

fn loss_of(scale: &Scale, run: &SweepRun, budget: f64) -> Option<f64> {
    let points = &scale.sweep.runs.results.get(&run.id)?.points;
    points.iter().find(|point| point.budget == budget).map(|point| point.loss)
}

fn cell(scale: &Scale, queue: &Queue, run: &SweepRun, (budget, lowest): (f64, f64), range: (f64, f64)) -> Html {
    let id = scale.sweep.queue_id(&run.id);
    let item = queue.find(&id);
    let n = value_text(scale.variable(), run.value());
    let mut notes = vec![format!("learning rate {}", run.config.train.max_lr)];
    let model = &run.config.model;
    notes.push(format!("{} parameters, width {}, {} layers", run.n_params, model.d_model, model.n_layers));
    notes.push(format!("batch of {}, seed {}", run.config.train.batch_size, run.config.train.seed));
    notes.extend((run.purpose == Purpose::Extension).then(|| "extends a censored budget".to_string()));
    notes.extend((run.attempt > 0).then(|| "repeats a run that diverged".to_string()));
    let title = notes.join(" · ");
    let mark = match (run.purpose, run.attempt) {
        (Purpose::Extension, _) => "+",
        (_, 1..) => "↻",
        _ => "",
    };
    if let Some(loss) = loss_of(scale, run, budget) {
        let (low, high) = range;
        let share = ((high - loss) / (high - low).max(1e-9)).clamp(0.0, 1.0);
        let [r, g, b] = ColorScale::weights(ColorMap::Viridis).at(share as f32);
        let ink = if luminance([r, g, b]) < DARK { "#fff" } else { "#000" };
        let style = format!("background:rgb({r},{g},{b});color:{ink}");
        let best = (loss == lowest).then_some("best");
        return html! {
            <span class={classes!("cell", best)} role="cell" {style} {title} data-state="done">
                <b>{format!("{loss:.3}")}</b><small>{format!("{mark}{n}")}</small>
            </span>
        };
    }
    let running = queue.active.as_ref() == Some(&id);
    let (state, said) = said(scale, run, item, running);
    let share = item.map_or(0.0, |item| item.step() as f64 / item.run.total_steps().max(1) as f64);
    html! {
        <span class={classes!("cell", state)} role="cell" {title} data-state={state}>
            {curve(item.filter(|_| running))}
            <b>{said}</b>
            <small>{match item.filter(|_| running) {
                Some(item) => format!("{n} · step {}", item.step()),
                None => format!("{mark}{n}"),
            }}</small>
            if running { <i style={format!("width:{:.0}%", 100.0 * share.clamp(0.0, 1.0))}></i> }
        </span>
    }
}

/// The state of a run without a result.
fn said(scale: &Scale, run: &SweepRun, item: Option<&Item>, running: bool) -> (&'static str, String) {
    let outcome = scale.sweep.runs.results.get(&run.id).map(|result| result.outcome);
    let loss = item.and_then(|item| item.history.validation.last()).map(|point| format!("{:.2}…", point.loss));
    match (outcome, item.map(|item| &item.state)) {
        (Some(Outcome::Diverged), _) => ("bad", "✕ diverged".into()),
        (Some(Outcome::Overtime), _) => ("bad", "✕ overtime".into()),
        (_, Some(ItemState::Ended(QueueEnd::Failed { .. }))) => ("bad", "✕ failed".into()),
        _ if running => ("running", loss.unwrap_or_else(|| "…".into())),
        (_, Some(ItemState::Stopped)) => ("waiting", loss.unwrap_or_else(|| "paused".into())),
        _ => ("waiting", format!("≈ {}", seconds(run.expected_s))),
    }
}

fn seconds(seconds: f64) -> String {
    if seconds < 60.0 { format!("{seconds:.0} s") } else { clock(seconds) }
}

/// The training losses of a run, as a line behind its cell.
fn curve(item: Option<&Item>) -> Html {
    let Some(points) = item.map(|item| &item.history.points).filter(|points| points.len() > 3) else { return html! {} };
    let last = points.last().map_or(1, |point| point.step).max(2) as f64;
    let (low, high) =
        points.iter().fold((f32::INFINITY, 0.0f32), |(low, high), point| (low.min(point.loss), high.max(point.loss)));
    let every = points.len().div_ceil(60);
    let place = |point: &glasshead::types::StepPoint| {
        let x = 100.0 * point.step as f64 / last;
        let y = 38.0 - 36.0 * f64::from((point.loss - low) / (high - low).max(1e-6));
        format!("{x:.1},{y:.1}")
    };
    let line: Vec<String> = points.iter().step_by(every).map(place).collect();
    html! { <svg viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden="true"><polyline points={line.join(" ")} /></svg> }
}

fn luminance(color: [u8; 3]) -> f64 {
    let linear = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.04 { value / 12.9 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(color[0]) + 0.7152 * linear(color[1]) + 0.0722 * linear(color[2])
}
