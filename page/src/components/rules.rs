//! When the run stops automatically, and how often it is evaluated.

use yew::prelude::*;

use super::entry::Entry;
use super::value_of;
use crate::app::Cx;
use crate::fields::not_a_number;
use crate::state::Action;
use crate::state::runs::RunsAction;
use glasshead::config::rules::Rules;
use glasshead::protocol::Command;
use glasshead::protocol::runs::RunsCommand;

/// One rule: its name, its description, whether it is an integer, its text, and how to set it. An empty entry disables
/// the rule.
struct Rule {
    name: &'static str,
    help: &'static str,
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
    ($name:ident, $whole:literal, $help:literal) => {
        Rule {
            name: stringify!($name),
            help: $help,
            whole: $whole,
            get: |rules| rules.$name.map_or(String::new(), |value| value.to_string()),
            set: |rules, entry| put(&mut rules.$name, entry),
        }
    };
}

const RULES: [Rule; 5] = [
    rule!(stop_steps, true, "pause after so many steps in all; empty: never"),
    rule!(stop_tokens, true, "pause after so many tokens in all; empty: never"),
    rule!(stop_loss, false, "pause once the held-out loss is at or below this; empty: never"),
    rule!(stop_seconds, false, "pause after so many seconds of training in all; empty: never"),
    rule!(evaluate_every, true, "held-out loss every so many steps; empty: every few seconds"),
];

#[component]
pub fn RulesFields(cx: &Cx) -> Html {
    html! {
        <>
            <h3>{"stops by itself"}<small>{" · empty: never"}</small></h3>
            <div class="fields">{for RULES.iter().map(|rule| field(cx, rule))}</div>
        </>
    }
}

fn field(cx: &Cx, rule: &'static Rule) -> Html {
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
    let refused = cx.state.refused(rule.name).map(|refused| refused.text.clone());
    let value = refused.clone().unwrap_or_else(|| (rule.get)(&cx.state.runs.rules));
    html! {
        <label title={rule.help}>
            <span>{rule.name}</span>
            <Entry name={rule.name} placeholder="–" {value} onchange={change} invalid={refused.is_some()} />
        </label>
    }
}
