//! The rules that pause a run, and the evaluation interval.

use yew::prelude::*;

use super::field::{Row, row};
use crate::core::context::Cx;
use crate::fields::not_a_number;
use crate::shared::entry::Entry;
use crate::shared::value_of;
use crate::state::Action;
use crate::state::runs::RunsAction;
use glasshead::config::rules::Rules;
use glasshead::wire::Command;
use glasshead::wire::runs::RunsCommand;

/// One rule. An empty entry disables it.
pub struct Rule {
    /// The name of the field.
    pub name: &'static str,
    label: &'static str,
    help: &'static str,
    unit: &'static str,
    whole: bool,
    get: fn(&Rules) -> String,
    set: fn(&mut Rules, &str) -> bool,
}

/// Parses an entry into `place`; returns false if it is not a number of the right kind.
fn put<T: std::str::FromStr>(place: &mut Option<T>, entry: &str) -> bool {
    let entry = entry.trim().replace(['_', ' '], "");
    let value = entry.parse().ok();
    let ok = entry.is_empty() || value.is_some();
    if ok {
        *place = value;
    }
    ok
}

macro_rules! rule {
    ($name:ident, $label:literal, $unit:literal, $whole:literal, $help:literal) => {
        Rule {
            name: stringify!($name),
            label: $label,
            help: $help,
            unit: $unit,
            whole: $whole,
            get: |rules| rules.$name.map_or(String::new(), |value| value.to_string()),
            set: |rules, entry| put(&mut rules.$name, entry),
        }
    };
}

const STOP: [Rule; 4] = [
    rule!(stop_steps, "Steps", "steps", true, "Pause after this many steps in total; empty: never"),
    rule!(stop_tokens, "Tokens", "tokens", true, "Pause after this many tokens in total; empty: never"),
    rule!(stop_loss, "Held-out loss is below", "nats", false, "Pause at or below this held-out loss; empty: never"),
    rule!(stop_seconds, "Time", "s", false, "Pause after this many seconds of training in total; empty: never"),
];

/// The interval between evaluations.
pub const EVALUATE: Rule =
    rule!(evaluate_every, "Evaluate every", "steps", true, "Steps between held-out losses; empty: every few seconds");

/// The stop rules.
pub fn rules(cx: &Cx) -> Html {
    html! { {for STOP.iter().map(|rule| field(cx, rule))} }
}

/// The field of a rule.
pub fn field(cx: &Cx, rule: &'static Rule) -> Html {
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let (entry, mut rules) = (value_of(&event), cx.state.runs.rules);
            if !(rule.set)(&mut rules, &entry) {
                let problem = format!("{}, or nothing for never", not_a_number(rule.name, &entry, rule.whole));
                return cx.act(Action::Refuse(rule.name, entry, problem));
            }
            if let Err(problem) = rules.validate() {
                return cx.act(Action::Refuse(rule.name, entry, problem.to_string()));
            }
            cx.send(&Command::Runs { command: RunsCommand::Rules(rules) });
            cx.act(Action::Runs(RunsAction::Rules(rules)));
        })
    };
    let refused = cx.state.refused(rule.name);
    let value = refused.map_or_else(|| (rule.get)(&cx.state.runs.rules), |refused| refused.text.clone());
    let control = html! {
        <span class="input">
            <Entry name={rule.name} placeholder="–" {value} onchange={change} invalid={refused.is_some()} />
            <i class="unit">{rule.unit}</i>
        </span>
    };
    let problem = refused.map(|refused| refused.problem.clone());
    let parts = Row { name: rule.name, label: rule.label, help: rule.help, live: true, problem, changed: false };
    row(parts, control, html! {})
}
