//! All settings of the next stage, from the worker's table of fields.

use yew::prelude::*;

use super::{act, on};
use crate::core::context::Cx;
use crate::shared::entry::Entry;
use crate::shared::icon::{Icon, icon};
use crate::shared::value_of;
use crate::state::align::AlignAction;
use crate::state::align::draft::{OWN_FIELDS, STAGES};

/// Fields that a kind of stage does not use.
const UNUSED: [&[&str]; 4] = [
    &[
        "method",
        "prompts",
        "group_size",
        "temperature",
        "baseline",
        "normalizer",
        "eps",
        "weights",
        "cliprange",
        "kl",
        "updates",
        "epochs",
        "pairs",
        "beta",
        "nll",
    ],
    &["method", "baseline", "normalizer", "eps", "weights", "cliprange", "kl", "updates", "pairs", "beta", "nll"],
    &["rows", "epochs", "pairs", "beta", "nll"],
    &[
        "method",
        "prompts",
        "baseline",
        "normalizer",
        "eps",
        "weights",
        "cliprange",
        "kl",
        "aggregation",
        "constant",
        "updates",
        "epochs",
    ],
];

#[component]
pub fn Drawer(cx: &Cx) -> Html {
    let align = &cx.state.align;
    let unused = UNUSED[align.draft.stage];
    let judges = ("judges".to_string(), "Judges".to_string(), "exact, partial, format, length:N, regex:PATTERN or word:WORD, each with an optional weight as in 0.5*exact; separated by spaces".to_string());
    let own =
        OWN_FIELDS.iter().map(|(name, label, help)| ((*name).to_string(), (*label).to_string(), (*help).to_string()));
    let rest = align.fields.iter().filter(|field| !unused.contains(&field.name.as_str()));
    let rest =
        rest.map(|field| (field.name.clone(), titled(&field.name), format!("{}; {}", field.help, field.expected)));
    let all = std::iter::once(judges).chain(own).chain(rest).map(|(name, label, help)| field(cx, name, &label, &help));
    let close = cx.call(|cx, event: KeyboardEvent| {
        if event.key() == "Escape" {
            act(cx, AlignAction::Settings(false));
        }
    });
    html! {
        <aside class="drawer left align-drawer" aria-label={format!("All settings of the next {}", STAGES[align.draft.stage].1)} data-testid="align-drawer" onkeydown={close}>
            <header role="none">
                <h2>{format!("Next stage: {}", STAGES[align.draft.stage].1)}</h2><span class="grow"></span>
                <button class="square ghost" onclick={on(cx, AlignAction::Settings(false))} aria-label="Close" title="Close (Esc)">{icon(Icon::Close)}</button>
            </header>
            <div class="scroll" tabindex="0" role="region" aria-label="Settings"><div class="fields">{for all}</div></div>
        </aside>
    }
}

/// A field's name as a label: `group_size` becomes "Group size".
fn titled(name: &str) -> String {
    let known = match name {
        "max_lr" => "Learning rate",
        "kl" => "KL penalty",
        "nll" => "NLL of chosen answers",
        "cliprange" => "Clip range",
        "max_grad_norm" => "Gradient clipping",
        "eps" => "ε",
        "beta" => "β",
        _ => "",
    };
    if !known.is_empty() {
        return known.into();
    }
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn field(cx: &Cx, name: String, label: &str, help: &str) -> Html {
    let align = &cx.state.align;
    let refused = align.refused.as_ref().filter(|(refused, ..)| *refused == name);
    let value = refused.map_or_else(|| align.draft.value(&name, &align.fields), |(_, text, _)| text.clone());
    let enter = {
        let name = name.clone();
        cx.call(move |cx, event: Event| act(cx, AlignAction::Enter(name.clone(), value_of(&event))))
    };
    html! {
        <label class={classes!("field", refused.map(|_| "refused"))} key={name.clone()}>
            <span class="label">{label.to_string()}</span>
            <Entry {value} onchange={enter} inputmode="text" invalid={refused.is_some()} testid={format!("align-field-{name}")} />
            <small class="help">{refused.map_or_else(|| help.to_string(), |(.., problem)| problem.clone())}{" "}<code>{name}</code></small>
        </label>
    }
}
