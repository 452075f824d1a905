//! Pills of the setup bar: a muted label and a value that is edited in place.

use yew::prelude::*;

use super::entry::Entry;
use super::value_of;

#[derive(Properties, PartialEq)]
pub struct NumberPillProps {
    /// The field's code name.
    pub name: &'static str,
    pub label: &'static str,
    pub hint: AttrValue,
    pub value: AttrValue,
    /// Whether it applies at once.
    pub live: bool,
    /// Whether ↑ and ↓ change it by a tenth instead of by one.
    pub factor: bool,
    /// Whether it waits for a restart.
    pub changed: bool,
    /// Whether the text shown was refused.
    pub refused: bool,
    /// Called with the text when an entry is finished.
    pub onenter: Callback<String>,
}

#[component]
pub fn NumberPill(props: &NumberPillProps) -> Html {
    let enter = props.onenter.clone();
    let onchange = Callback::from(move |event: Event| enter.emit(value_of(&event)));
    let (enter, factor) = (props.onenter.clone(), props.factor);
    let onkeydown = Callback::from(move |event: KeyboardEvent| {
        let up = match event.key().as_str() {
            "ArrowUp" => true,
            "ArrowDown" => false,
            _ => return,
        };
        event.prevent_default();
        if let Some(text) = stepped(&value_of(&event), up, factor) {
            enter.emit(text);
        }
    });
    let state = if props.refused { Some("refused") } else { props.changed.then_some("changed") };
    html! {
        <label class={classes!("pill", state)} title={props.hint.clone()} {onkeydown}>
            <span>{props.label}</span>
            <Entry testid={format!("bar-{}", props.name)} value={props.value.clone()} {onchange} invalid={props.refused} />
            if props.live { <i class="at-once" title="Applies at once, also while training"></i> }
        </label>
    }
}

/// The number one step up or down: by a tenth of it with three digits, or by one, but not below one.
fn stepped(text: &str, up: bool, factor: bool) -> Option<String> {
    if factor {
        let value: f64 = text.trim().parse().ok()?;
        let next = if up { value * 1.1 } else { value / 1.1 };
        let digits = (2.0 - next.abs().max(1e-12).log10().floor()).max(0.0) as usize;
        let fixed = format!("{next:.digits$}");
        return Some(if fixed.contains('.') {
            fixed.trim_end_matches('0').trim_end_matches('.').into()
        } else {
            fixed
        });
    }
    let value: u64 = text.trim().parse().ok()?;
    Some(if up { value.saturating_add(1) } else { value.saturating_sub(1).max(1) }.to_string())
}
