//! The setup: preset, data, numbers, backend.

use yew::prelude::*;

use super::data::DataPanel;
use super::{grouped, value_of};
use crate::config::Preset;
use crate::protocol::{BackendChoice, Command};
use crate::ui::app::Cx;
use crate::ui::fields::{FIELDS, Field};
use crate::ui::state::Action;

#[component]
pub fn SetupPanel(cx: &Cx) -> Html {
    let state = &cx.state;
    let problem = state.problem();
    let restart = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.restart())
    };
    let (live, fixed): (Vec<&Field>, Vec<&Field>) = FIELDS.iter().partition(|field| field.live);
    html! {
        <section class="panel setup" aria-labelledby="setup-title">
            <h2 id="setup-title">{"Setup"}</h2>
            {preset(cx)}
            <DataPanel ..cx.clone() />
            <h3>{"needs a reset ↺"}</h3>
            <div class="fields">{for fixed.into_iter().map(|field| number(cx, field))}</div>
            {backend(cx)}
            <h3>{"applies while it trains"}</h3>
            <div class="fields">{for live.into_iter().map(|field| number(cx, field))}</div>
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
                cx.send(&Command::Tune { train: config.train.clone() });
            }
            cx.act(Action::Config(config));
        })
    };
    let value = (field.get)(&cx.state.draft.config);
    html! {
        <label title={field.help}>
            <span>{field.name}</span>
            <input name={field.name} inputmode="decimal" autocomplete="off" {value} onchange={change} />
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
