//! One field of the drawer: label, input with its unit, help ending in the code name, or what is wrong with the entry.

use yew::prelude::*;

use super::state::{choice_label, help};
use crate::core::context::Cx;
use crate::shared::entry::Entry;
use crate::shared::value_of;
use crate::state::Action;
use glasshead::config::fields::Field;
use glasshead::config::table::Kind;

/// The parts of a field around its control.
pub struct Row<'a> {
    /// The name in configurations, links and on the command line.
    pub name: &'static str,
    /// The label.
    pub label: &'a str,
    /// The help line.
    pub help: &'a str,
    /// Whether a change applies at once.
    pub live: bool,
    /// What is wrong with the entry.
    pub problem: Option<String>,
    /// Whether the run has another value.
    pub changed: bool,
}

/// A field with its control. While an entry is refused, the reason replaces the help.
pub fn row(Row { name, label, help, live, problem, changed }: Row<'_>, control: Html, after: Html) -> Html {
    html! {
        <label class={classes!("field", problem.is_some().then_some("refused"), changed.then_some("changed"))} title={help.to_string()}
            data-setting={name}>
            <span class="label">
                {label}
                if live { <i class="live" title="Applies at once, also while training"></i> }
            </span>
            {control}
            if let Some(problem) = problem {
                <span class="help problem">{problem}</span>
            } else {
                <span class="help">
                    if !help.is_empty() { {help}{" · "} }
                    <code>{name}</code>
                </span>
            }
            {after}
        </label>
    }
}

/// A field of the configuration.
pub fn field(cx: &Cx, field: &'static Field) -> Html {
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| cx.change_settings(Action::Enter(field.name, value_of(&event))))
    };
    let now = cx.state.field_text(field.name);
    let refused = cx.state.refused(field.name);
    let control = match &field.kind {
        Kind::Choice { names, .. } => {
            let option = |name: &'static str| {
                html! { <option value={name} selected={name == now}>{choice_label(name)}</option> }
            };
            html! {
                <span class="input">
                    <select name={field.name} onchange={change}>{for names().into_iter().map(option)}</select>
                </span>
            }
        }
        Kind::Count { .. } | Kind::Number { .. } => html! {
            <span class="input">
                <Entry name={field.name} value={now} onchange={change} invalid={refused.is_some()} />
                if !field.unit.is_empty() { <i class="unit">{field.unit}</i> }
            </span>
        },
    };
    let parts = Row {
        name: field.name,
        label: field.label,
        help: &help(field),
        live: field.is_live(),
        problem: refused.map(|refused| refused.problem.clone()),
        changed: cx.state.mark(field.name).is_some_and(|mark| mark.pending),
    };
    row(parts, control, marked(cx, field.name))
}

/// The run's value of a field, if it differs from the one shown.
fn marked(cx: &Cx, name: &str) -> Html {
    let Some(mark) = cx.state.mark(name) else { return html! {} };
    let title = if mark.pending { "This run has another value." } else { "The value that this run came to have." };
    html! {
        <small class={classes!("mark", mark.pending.then_some("differs"))} {title} data-testid={format!("mark-{name}")}>
            {format!("run: {}", mark.of_run)}
        </small>
    }
}
