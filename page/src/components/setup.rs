//! The setup panel: preset, data, hyper-parameters, backend.

use yew::prelude::*;

use super::data::DataPanel;
use super::entry::Entry;
use super::lr_find::LrFind;
use super::rules::RulesFields;
use super::workers::Workers;
use super::{counted, value_of};
use crate::app::Cx;
use crate::state::{Action, State, Vocabulary};
use glasshead::config::Preset;
use glasshead::config::fields::Field;
use glasshead::config::table::{FIELDS, Kind};
use glasshead::protocol::BackendChoice;

#[component]
pub fn SetupPanel(cx: &Cx) -> Html {
    let fields = |live: bool, advanced: bool| {
        FIELDS.iter().filter(move |field| field.is_live() == live && field.advanced == advanced)
    };
    html! {
        <section class="panel setup" aria-labelledby="setup-title">
            <h2 id="setup-title">{"Setup"}</h2>
            {preset(cx)}
            <DataPanel ..cx.clone() />
            <h3>{"needs a reset ↺"}</h3>
            <div class="fields">{for fields(false, false).map(|field| input(cx, field))}</div>
            <details data-testid="architecture">
                <summary>{"architecture and optimizer"}</summary>
                <div class="fields">
                    {for fields(false, true).map(|field| input(cx, field))}
                </div>
            </details>
            {backend(cx)}
            <h3>{"applies while it trains"}</h3>
            <div class="fields">
                <Workers ..cx.clone() />
                {for fields(true, false).map(|field| input(cx, field))}
            </div>
            <details>
                <summary>{"moments"}</summary>
                <div class="fields">{for fields(true, true).map(|field| input(cx, field))}</div>
            </details>
            <LrFind ..cx.clone() />
            <RulesFields ..cx.clone() />
            {counts(cx)}
            {problems(cx)}
            {pending(cx)}
        </section>
    }
}

/// The run's parameter count, and the draft's if that is a different model.
fn counts(cx: &Cx) -> Html {
    let state = &cx.state;
    let (config, of_run) = state.accounted();
    let parameters = counted(config.model.n_params(), "parameter");
    let memory = state.summary.as_ref().map(|summary| format!("{} MiB of buffers", summary.memory_bytes >> 20));
    html! {
        <p class="count" data-testid="parameters">
            if of_run {
                {format!("This run: {parameters}")}{memory.map(|memory| format!(" · {memory}"))}
            } else {
                {format!("Next run: {parameters}")}{smaller_vocabulary(state)}
            }
        </p>
    }
}

/// A note for counts of a run whose vocabulary is still to be trained.
pub fn smaller_vocabulary(state: &State) -> &'static str {
    match state.draft.vocabulary {
        Vocabulary::OfTheText => ", fewer where the text gives a smaller vocabulary",
        Vocabulary::Chosen { .. } => "",
    }
}

/// What is wrong with refused entries, and a button to restore the values in force.
fn problems(cx: &Cx) -> Html {
    let state = &cx.state;
    if state.refused.is_empty() {
        return html! {};
    }
    let discard = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.act(Action::Discard))
    };
    let of_setup = state.refused.iter().filter(|refused| !refused.name.contains(' ') && refused.name != "save_every");
    let lines: Vec<Html> = of_setup.map(|refused| html! { <p class="problem">{&refused.problem}</p> }).collect();
    html! {
        <div role="alert" data-testid="setup-problems">
            {for lines}
            if state.problem().is_some() {
                <button data-testid="discard" onclick={discard}>{"Discard refused entries"}</button>
            }
        </div>
    }
}

/// The settings that differ from the run's, and buttons to apply them.
fn pending(cx: &Cx) -> Html {
    let (names, live) = (cx.state.pending(), cx.state.pending_live());
    if names.is_empty() || cx.state.problem().is_some() {
        return html! {};
    }
    let restart = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.restart())
    };
    let apply = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.change_settings(Action::ApplyToRun))
    };
    html! {
        <p class="pending" data-testid="pending">
            {format!("Not applied to this run yet: {}. ", names.join(", "))}
            <button data-testid="reset-to-apply" onclick={restart}>{"Reset to apply"}</button>
            if !live.is_empty() {
                {" "}
                <button data-testid="apply-to-run" onclick={apply} title={live.join(", ")}>
                    {if live.len() == names.len() { "Apply to this run" } else { "Apply to this run what needs no reset" }}
                </button>
            }
        </p>
    }
}

/// The run's value of a field, if it differs from the one shown.
fn marked(cx: &Cx, name: &str) -> Html {
    let Some(mark) = cx.state.mark(name) else { return html! {} };
    let title = if mark.pending { "this run has another value" } else { "what this run came to have" };
    html! {
        <small class={classes!("mark", mark.pending.then_some("differs"))} {title} data-testid={format!("mark-{name}")}>
            {format!("run: {}", mark.of_run)}
        </small>
    }
}

fn preset(cx: &Cx) -> Html {
    let draft = &cx.state.draft.config.model;
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            if let Some(preset) = Preset::from_name(&value_of(&event)) {
                cx.change_settings(Action::Preset(preset));
            }
        })
    };
    let now = Preset::ALL.into_iter().find(|preset| preset.config().model == *draft);
    let option = |preset: Preset| {
        let label = format!("{} · {}", preset.name(), counted(preset.config().model.n_params(), "parameter"));
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

fn input(cx: &Cx, field: &'static Field) -> Html {
    match &field.kind {
        Kind::Choice { names, .. } => select(cx, field, names()),
        Kind::Count { .. } | Kind::Number { .. } => number(cx, field),
    }
}

fn number(cx: &Cx, field: &'static Field) -> Html {
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| cx.change_settings(Action::Enter(field.name, value_of(&event))))
    };
    let invalid = cx.state.refused(field.name).is_some();
    html! {
        <label title={field.help} class={classes!(invalid.then_some("refused"))}>
            <span>{field.name}</span>
            <Entry name={field.name} value={cx.state.field_text(field.name)} onchange={change} {invalid} />
            {marked(cx, field.name)}
        </label>
    }
}

fn select(cx: &Cx, field: &'static Field, names: Vec<&'static str>) -> Html {
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| cx.change_settings(Action::Enter(field.name, value_of(&event))))
    };
    let now = cx.state.field_text(field.name);
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
            <select name={field.name} onchange={change}>{for names.into_iter().map(option)}</select>
            {marked(cx, field.name)}
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
