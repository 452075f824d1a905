//! The tokens of the sentence. Their backgrounds show what the current rows attend to, or what attends to them.

use wasm_bindgen::JsCast as _;
use web_sys::{Element, PointerEvent};
use yew::prelude::*;

use super::act;
use crate::core::context::Cx;
use crate::maps::Direction;
use crate::shared::icon::{Icon, icon};
use crate::shared::segmented::{Choice, Segmented};
use crate::shared::{value_of, visible};
use crate::state::look::LookAction;
use crate::state::{Action, DEFAULT_PROBE};
use glasshead::wire::Command;

/// Sentences that show something, with what to look for.
const EXAMPLES: [(&str, &str); 4] = [
    ("A ball comes back", DEFAULT_PROBE),
    ("The same words twice", "The cat sat on the mat. The cat sat on the mat."),
    ("Two names", "Tom and Lily went to the park. Tom gave Lily a red flower, and Lily thanked Tom."),
    ("A list", "One dog, two dogs, three dogs, four dogs, five dogs."),
];

/// The sentence and its tokens.
#[component]
pub fn Sentence(cx: &Cx) -> Html {
    let input = cx.call(|cx, event: InputEvent| probe(cx, value_of(&event)));
    let example = cx.call(|cx, event: Event| {
        let name = value_of(&event);
        EXAMPLES.iter().filter(|(title, _)| *title == name).for_each(|(_, text)| probe(cx, (*text).into()));
    });
    html! {
        <section class="tile sentence" aria-label="Your sentence" data-part="attention">
            <div class="row">
                <label class="sentence-field"><span>{"Your sentence"}</span>
                    <input data-testid="probe-input" autocomplete="off" spellcheck="false" value={cx.state.probe.clone()} oninput={input} />
                </label>
                <span class="examples" title="Sentences that show something">
                    <button type="button" class="ghost small" tabindex="-1" aria-hidden="true">{"Examples"}{icon(Icon::Down)}</button>
                    <select aria-label="Examples" data-testid="examples" onchange={example}>
                        <option value="" selected=true>{"Examples"}</option>
                        {for EXAMPLES.iter().map(|(title, _)| html! { <option value={*title}>{*title}</option> })}
                    </select>
                </span>
                {direction(cx)}
            </div>
            <Strip ..cx.clone() />
        </section>
    }
}

/// Sets the sentence.
fn probe(cx: &Cx, text: String) {
    cx.send(&Command::Probe { text: text.clone() });
    cx.act(Action::Probe(text));
}

#[component]
fn Strip(cx: &Cx) -> Html {
    let state = &cx.state;
    let Some(maps) = state.shown_maps() else {
        return html! { <p class="chips muted">{"The tokens appear when the vocabulary is ready."}</p> };
    };
    if maps.tokens.is_empty() {
        return html! { <p class="chips muted">{"Type a sentence to see where each token looks."}</p> };
    }
    let rows = state.inspected_rows();
    let seen = (!rows.is_empty()).then(|| state.seen(&rows, state.look.direction));
    let chip = |(at, token): (usize, &glasshead::types::Token)| {
        let weight = seen.as_ref().map(|seen| seen[at]);
        let style = weight.flatten().map_or(String::new(), |weight| format!("--weight:{weight:.3}"));
        let held = state.holds(at);
        let class = classes!(
            "chip",
            rows.contains(&at).then_some("query"),
            held.then_some("pinned"),
            (weight == Some(None)).then_some("masked")
        );
        let title = format!("position {at}, id {}", token.id);
        html! {
            <button data-testid="token-chip" data-at={at.to_string()} {class} {style} {title}
                aria-pressed={held.to_string()}>{visible(&token.text)}</button>
        }
    };
    let over = {
        let cx = cx.clone();
        Callback::from(move |event: PointerEvent| {
            let cell = at_of(&event).map(|at| (at, at));
            if event.pointer_type() != "touch" && cell != cx.state.hovered {
                cx.act(Action::Hover(cell));
            }
        })
    };
    let out = {
        let cx = cx.clone();
        Callback::from(move |event: PointerEvent| {
            if event.pointer_type() != "touch" {
                cx.act(Action::Hover(None));
            }
        })
    };
    html! {
        <>
            <div class="chips" role="group" aria-label="Tokens of your sentence" onclick={click(cx)} onpointerover={over}
                onpointerleave={out}>
                {for maps.tokens.iter().enumerate().map(chip)}
                if maps.tokens_cut > 0 {
                    <span class="tag warn">{format!("{} more did not fit the context", maps.tokens_cut)}</span>
                }
            </div>
        </>
    }
}

/// A click pins a token; Shift-click adds it. On touch, the first tap hovers it and the second pins it.
pub fn click(cx: &Cx) -> Callback<MouseEvent> {
    let cx = cx.clone();
    Callback::from(move |event: MouseEvent| {
        let Some(at) = at_of(&event) else { return };
        let touch = event.dyn_ref::<PointerEvent>().is_some_and(|event| event.pointer_type() == "touch");
        cx.act(match () {
            () if event.shift_key() => Action::Look(LookAction::Add(at)),
            () if touch && cx.state.hovered != Some((at, at)) && !cx.state.holds(at) => Action::Hover(Some((at, at))),
            () => Action::Pin(at),
        });
    })
}

/// The index of the token under the pointer.
pub fn at_of(event: &MouseEvent) -> Option<usize> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    target.closest("[data-at]").ok()??.get_attribute("data-at")?.parse().ok()
}

fn direction(cx: &Cx) -> Html {
    let choice = |direction: Direction, label: &'static str, title: &'static str, testid: &'static str| Choice {
        label: label.into(),
        title: title.into(),
        testid: testid.into(),
        on: cx.state.look.direction == direction,
        choose: act(cx, Action::Look(LookAction::Direction(direction))),
    };
    let choices = vec![
        choice(Direction::LooksAt, "Looks at", "What the token looks at", "looks-at"),
        choice(Direction::LookedAtBy, "Looked at by", "Which tokens look at it", "looked-at-by"),
    ];
    html! { <Segmented label="What the tokens' colors show" {choices} /> }
}

/// The pinned rows, each with an unpin button.
pub fn pins(cx: &Cx) -> Html {
    let state = &cx.state;
    let Some(maps) = state.shown_maps() else { return html! {} };
    let held: Vec<usize> = state.rows().into_iter().filter(|&row| state.holds(row)).collect();
    let alone = held.len() == 1;
    let pin = |&row: &usize| {
        let token = visible(&maps.tokens[row].text);
        html! {
            <button class="tag pinned" data-testid="pin" aria-label={format!("Unpin “{token}” ({row})")} title="Unpin (Esc)"
                onclick={act(cx, Action::Look(LookAction::Drop(row)))}>
                if alone { {icon(Icon::Pin)}{"Pinned ×"} } else { {format!("{token} ({row}) ×")} }
            </button>
        }
    };
    html! {
        <span class={classes!("line", "pins", (!alone).then_some("several"))} data-testid="pins">
            {for held.iter().map(pin)}
            if held.len() > 1 {
                <button class="link" data-testid="unpin" onclick={act(cx, Action::Unpin)} title="Unpin all (Esc)">{"Unpin all"}</button>
            }
        </span>
    }
}
