//! The setup: preset, data, numbers, backend.

use yew::prelude::*;

use super::data::DataPanel;
use super::entry::Entry;
use super::lr_find::LrFind;
use super::rules::RulesFields;
use super::workers::Workers;
use super::{grouped, value_of};
use crate::config::{Preset, RunConfig};
use crate::protocol::{BackendChoice, Command};
use crate::ui::app::Cx;
use crate::ui::fields::{FIELDS, Field, RARE, SWITCHES, Switch};
use crate::ui::state::Action;
use crate::ui::state::runs::RunsAction;

#[component]
pub fn SetupPanel(cx: &Cx) -> Html {
    let state = &cx.state;
    let problem = state.problem();
    let restart = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.restart())
    };
    let numbers = |live: bool, rare: bool| {
        FIELDS.iter().filter(move |field| field.live == live && RARE.contains(&field.name) == rare)
    };
    let switches = |live: bool| SWITCHES.iter().filter(move |switch| switch.live == live);
    html! {
        <section class="panel setup" aria-labelledby="setup-title">
            <h2 id="setup-title">{"Setup"}</h2>
            {preset(cx)}
            <DataPanel ..cx.clone() />
            <h3>{"needs a reset ↺"}</h3>
            <div class="fields">{for numbers(false, false).map(|field| number(cx, field))}</div>
            <details data-testid="architecture">
                <summary>{"architecture and optimizer"}</summary>
                <div class="fields">
                    {for switches(false).map(|field| switch(cx, field))}
                    {for numbers(false, true).map(|field| number(cx, field))}
                </div>
            </details>
            {backend(cx)}
            <h3>{"applies while it trains"}</h3>
            <div class="fields">
                <Workers ..cx.clone() />
                {for numbers(true, false).map(|field| number(cx, field))}
                {for switches(true).map(|field| switch(cx, field))}
            </div>
            <details>
                <summary>{"moments"}</summary>
                <div class="fields">{for numbers(true, true).map(|field| number(cx, field))}</div>
            </details>
            <LrFind ..cx.clone() />
            <RulesFields ..cx.clone() />
            <p class="count">
                {format!("{} parameters", grouped(state.draft.config.model.n_params()))}
                if let Some(summary) = &state.summary {
                    {format!(" · {} MiB of buffers", summary.memory_bytes >> 20)}
                }
            </p>
            if let Some(problem) = &problem { <p class="problem" role="alert">{problem}</p> }
            if state.needs_restart() && problem.is_none() {
                <p class="pending">
                    {"The setup has changed. "}<button onclick={restart}>{"reset to apply"}</button>
                </p>
            }
        </section>
    }
}

fn preset(cx: &Cx) -> Html {
    let draft = &cx.state.draft.config.model;
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            if let Some(preset) = Preset::from_name(&value_of(&event)) {
                cx.act(Action::Preset(preset));
            }
        })
    };
    let now = Preset::ALL.into_iter().find(|preset| preset.config().model == *draft);
    let option = |preset: Preset| {
        let label = format!("{} · {} parameters", preset.name(), grouped(preset.config().model.n_params()));
        html! { <option value={preset.name()} selected={now == Some(preset)}>{label}</option> }
    };
    html! {
        <label class="wide">
            {"preset"}
            <select data-testid="preset" onchange={change}>
                if now.is_none() { <option value="" selected=true>{"your own"}</option> }
                {for Preset::ALL.into_iter().map(option)}
            </select>
        </label>
    }
}

fn number(cx: &Cx, field: &'static Field) -> Html {
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let (entry, mut config) = (value_of(&event), cx.state.draft.config.clone());
            if !(field.set)(&mut config, &entry) {
                return cx.act(Action::EntryProblem(format!("{} cannot be “{entry}”; enter a number", field.name)));
            }
            if field.live && config.validate().is_ok() {
                tune(&cx, &config);
            }
            cx.act(Action::Config(config));
        })
    };
    let value = (field.get)(&cx.state.draft.config);
    html! {
        <label title={field.help}>
            <span>{field.name}</span>
            <Entry name={field.name} {value} onchange={change} />
        </label>
    }
}

/// Tells the worker what applies while it trains.
fn tune(cx: &Cx, config: &RunConfig) {
    cx.send(&Command::Tune { train: config.train.clone() });
    cx.act(Action::Runs(RunsAction::Tuned(config.train.clone())));
}

fn switch(cx: &Cx, field: &'static Switch) -> Html {
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let mut config = cx.state.draft.config.clone();
            if let Err(problem) = config.set(field.name, &value_of(&event)) {
                return cx.act(Action::EntryProblem(problem.to_string()));
            }
            if field.live && config.validate().is_ok() {
                tune(&cx, &config);
            }
            cx.act(Action::Config(config));
        })
    };
    let now = (field.get)(&cx.state.draft.config);
    let option = |name: &'static str| {
        let shown = match name {
            "true" => "yes",
            "false" => "no",
            other => other,
        };
        html! { <option value={name} selected={name == now}>{shown}</option> }
    };
    html! {
        <label title={field.help}>
            <span>{field.name}</span>
            <select name={field.name} onchange={change}>{for (field.positions)().into_iter().map(option)}</select>
        </label>
    }
}

fn backend(cx: &Cx) -> Html {
    const CHOICES: [(&str, BackendChoice); 3] =
        [("GPU, else CPU", BackendChoice::Auto), ("GPU only", BackendChoice::Gpu), ("CPU only", BackendChoice::Cpu)];
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let value = value_of(&event);
            if let Some((_, choice)) = CHOICES.iter().find(|(name, _)| *name == value) {
                cx.act(Action::Backend(*choice));
            }
        })
    };
    let option = |(name, choice): &(&'static str, BackendChoice)| {
        html! { <option value={*name} selected={cx.state.draft.backend == *choice}>{*name}</option> }
    };
    html! {
        <label class="wide">
            {"computed by"}
            <select data-testid="backend" onchange={change}>{for CHOICES.iter().map(option)}</select>
        </label>
    }
}
