//! The setup bar of a sweep, and its transport and key numbers in the top bar.

use yew::prelude::*;

use super::geometry::{clock, flops};
use super::state::{Scale, ScaleAction};
use super::steps::Stage;
use crate::core::context::Cx;
use crate::shared::icon::{Icon, icon};
use crate::shared::pill::NumberPill;
use crate::shared::value_of;
use crate::state::queue::QueueAction;
use crate::state::{Action, State};
use glasshead::config::Schedule;
use glasshead::scaling::isoflop::Minimum;
use glasshead::scaling::table::Budget;
use glasshead::scaling::variable::Variable;
use glasshead::wire::Command;
use glasshead::wire::queue::QueueCommand;

/// What the sweep is, in a few words.
pub fn about(scale: &Scale) -> String {
    if let Some(foreign) = &scale.foreign {
        return format!("{} · {} runs", foreign.name, foreign.runs.len());
    }
    match &scale.sweep.plan {
        None => "Choose a model size for a compute budget, and check the prediction".into(),
        Some(plan) => {
            let (budgets, values) = (plan.budgets.len(), plan.request.n_sizes);
            let many = plan.request.variable.nouns()[1];
            format!("Sweep {} · {budgets} budgets × {values} {many}", scale.sweep.number)
        }
    }
}

/// Plans, starts and pauses the sweep; its key numbers.
#[component]
pub fn Transport(cx: &Cx) -> Html {
    let state = &cx.state;
    let (stage, on) = (state.scale.stage(), state.queue.on && state.scale.sweep.started);
    let plan = cx.call(|cx, _: MouseEvent| {
        cx.send(&Command::Pause);
        cx.act(Action::Scale(ScaleAction::Plan));
    });
    let start = cx.call(|cx, _: MouseEvent| {
        cx.send(&Command::Pause);
        cx.act(Action::Scale(ScaleAction::Start));
    });
    let pause = cx.on(Action::Queue(QueueAction::Train(false)));
    let cancel = cx.call(|cx, _: MouseEvent| {
        cx.send(&Command::Queue(QueueCommand::Stop));
        cx.act(Action::Scale(ScaleAction::New));
    });
    let fresh = matches!(stage, Stage::Empty | Stage::Measuring);
    let working = matches!(stage, Stage::Pilot | Stage::Runs | Stage::Checking);
    html! {
        <>
            <div class="transport" role="group" aria-label="Sweep">
                if fresh || stage == Stage::Planned {
                    <button data-testid="scale-plan" class={classes!("large-button", fresh.then_some("primary"))} onclick={plan}
                        disabled={stage == Stage::Measuring || !state.has_run() || state.queue.elsewhere}
                        title="Measures the speed of some sizes for a few seconds, then chooses budgets and sizes">
                        if stage == Stage::Measuring { <span class="spin"></span>{"Measuring…"} } else {
                            {if fresh { "Plan a sweep" } else { "Plan again" }}
                        }
                    </button>
                } else {
                    <button data-testid="scale-new" class="large-button" onclick={cancel} disabled={on && working}
                        title="Removes the runs of this sweep; its predictions stay in the history">
                        {icon(Icon::Restart)}<span class="only-wide">{"New sweep"}</span>
                    </button>
                }
                if on && working {
                    <button data-testid="scale-pause" class="large-button primary" onclick={pause}>{icon(Icon::Pause)}{"Pause"}</button>
                } else if stage == Stage::Planned || working {
                    <button data-testid="scale-start" class="large-button primary" onclick={start} disabled={state.queue.elsewhere}>
                        {icon(Icon::Play)}{if stage == Stage::Planned { "Start the runs" } else { "Continue" }}
                    </button>
                }
            </div>
            <span class="rule"></span>
            {numbers(state)}
        </>
    }
}

fn numbers(state: &State) -> Html {
    let scale = &state.scale;
    let (specs, results) = (&scale.sweep.runs.specs, &scale.sweep.runs.results);
    let planned = scale.sweep.plan.as_ref().map_or(0, |plan| plan.runs.len());
    let ledger = scale.ledger();
    let time = ledger.map_or("–".to_string(), |ledger| clock(ledger.charged_s));
    let of = ledger.map(|ledger| ledger.allowed_s.unwrap_or(ledger.charged_s + ledger.reserved_s));
    let runs = scale.fitted_runs();
    let budgets = Budget::group(&runs);
    let inside = budgets.iter().filter(|budget| budget.minimum(Minimum::Lowest).is_ok()).count();
    html! {
        <dl class="numbers">
            <div><dt>{"Runs"}</dt><dd data-testid="scale-runs">{results.len()}<small>{format!(" / {}", specs.len().max(planned))}</small></dd></div>
            <div title="Seconds of finished runs, and the time for everything"><dt>{"Device time"}</dt>
                <dd>{time}<small>{of.map(|seconds| format!(" / {}", clock(seconds)))}</small></dd></div>
            <div title="Budgets whose lowest run is neither the smallest nor the largest size"><dt>{"Minima inside"}</dt>
                <dd data-testid="scale-bracketed">{inside}<small>{format!(" / {}", budgets.len())}</small></dd></div>
        </dl>
    }
}

/// Fields of the setup bar: code name, label, help.
const FIELDS: [(&str, &str, &str); 7] = [
    ("minutes", "Minutes", "Time for all runs and the check run on this device"),
    ("flops", "or FLOPs", "FLOPs of the largest budget, instead of a time"),
    ("budgets", "Budgets", "Number of compute budgets"),
    ("sizes", "Per budget", "Number of sizes, or of other values, for each budget"),
    ("seeds", "Seeds", "Each run is repeated with this number of seeds"),
    (
        "lr",
        "Learning rate",
        "Of the smallest size; empty finds it with a few short runs. Other sizes: proportional to N^-0.5",
    ),
    ("batch_size", "Batch size", "Sequences per step"),
];

fn value(scale: &Scale, field: &str) -> String {
    if let Some((_, text, _)) = scale.refused.as_ref().filter(|(name, ..)| *name == field) {
        return text.clone();
    }
    let form = &scale.form;
    match field {
        "minutes" if form.flops.is_some() => "–".into(),
        "minutes" => form.minutes.to_string(),
        "flops" => form.flops.map_or("–".into(), flops),
        "budgets" => form.budgets.to_string(),
        "sizes" => form.sizes.to_string(),
        "seeds" => form.seeds.to_string(),
        "lr" => form.lr.map_or("found".into(), |lr| lr.to_string()),
        _ => form.batch_size.to_string(),
    }
}

/// The settings of the next sweep.
#[component]
pub fn SweepBar(cx: &Cx) -> Html {
    let scale = &cx.state.scale;
    let planned = scale.sweep.plan.is_some();
    let pill = |(name, label, help): (&'static str, &'static str, &'static str)| {
        let refused = scale.refused.as_ref().is_some_and(|(refused, ..)| *refused == name);
        let enter = cx.call(move |cx, text: String| cx.act(Action::Scale(ScaleAction::Enter(name, text))));
        html! {
            <NumberPill {name} {label} hint={format!("{name} · {help}")} value={value(scale, name)} live={false}
                factor={matches!(name, "minutes" | "lr" | "flops")} changed={false} {refused} onenter={enter} />
        }
    };
    let schedule = cx.call(|cx, event: Event| {
        let schedule = if value_of(&event) == "wsd" { Schedule::Wsd } else { Schedule::Cosine };
        cx.act(Action::Scale(ScaleAction::Schedule(schedule)));
    });
    let vary = cx.call(|cx, event: Event| {
        let chosen = Variable::ALL.into_iter().find(|variable| variable.nouns()[0] == value_of(&event));
        chosen.into_iter().for_each(|variable| cx.act(Action::Scale(ScaleAction::Variable(variable))));
    });
    let variables = Variable::ALL.map(|variable| {
        let noun = variable.nouns()[0];
        html! { <option value={noun} selected={scale.form.variable == variable}>{noun}</option> }
    });
    let wsd = scale.form.schedule == Schedule::Wsd;
    html! {
        <div class="setup-bar" role="group" aria-label="Sweep setup">
            <label class="pill" title="law · What is varied at equal compute; all but sizes use one size per budget">
                <span>{"Vary"}</span><select onchange={vary} data-testid="scale-variable">{for variables}</select>
            </label>
            {for FIELDS.into_iter().map(pill)}
            <label class="pill" title="schedule · With WSD, one run serves all budgets of its size">
                <span>{"Schedule"}</span>
                <select onchange={schedule} data-testid="scale-schedule">
                    <option value="cosine" selected={!wsd}>{"cosine to 10 %"}</option>
                    <option value="wsd" selected={wsd}>{"WSD"}</option>
                </select>
            </label>
            if planned && scale.form != scale.sweep.form { <span class="tag warn">{"Applies to the next plan"}</span> }
            if let Some((.., problem)) = &scale.refused { <span class="tag bad" role="alert">{problem}</span> }
        </div>
    }
}
