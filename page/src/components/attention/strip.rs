//! The tokens of the sentence. Their backgrounds show what the current rows attend to, or what attends to them.

use wasm_bindgen::JsCast as _;
use web_sys::{Element, PointerEvent};
use yew::prelude::*;

use super::act;
use crate::app::Cx;
use crate::components::visible;
use crate::maps::Direction;
use crate::state::Action;
use crate::state::look::LookAction;

#[component]
pub fn Strip(cx: &Cx) -> Html {
    let state = &cx.state;
    let Some(maps) = state.shown_maps() else { return html! {} };
    let rows = state.rows();
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
            {direction(cx)}
            <div class="chips" role="group" aria-label="Tokens of your sentence" onclick={click(cx)} onpointerover={over}
                onpointerleave={out}>
                {for maps.tokens.iter().enumerate().map(chip)}
                if maps.tokens_cut > 0 {
                    <span class="problem">{format!("{} more did not fit the context", maps.tokens_cut)}</span>
                }
            </div>
            {pins(cx)}
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
    let button = |direction: Direction, name: &'static str, test: &'static str| {
        let pressed = (cx.state.look.direction == direction).to_string();
        html! {
            <button data-testid={test} aria-pressed={pressed}
                onclick={act(cx, Action::Look(LookAction::Direction(direction)))}>{name}</button>
        }
    };
    html! {
        <div class="line strip-direction" role="group" aria-label="What the tokens' colours show">
            <span class="count">{"a token"}</span>
            {button(Direction::LooksAt, "looks at", "looks-at")}
            {button(Direction::LookedAtBy, "is looked at by", "looked-at-by")}
        </div>
    }
}

/// The pinned rows, each with an unpin button.
fn pins(cx: &Cx) -> Html {
    let state = &cx.state;
    let held: Vec<usize> = state.rows().into_iter().filter(|&row| state.holds(row)).collect();
    let Some(maps) = state.shown_maps() else { return html! {} };
    let pin = |&row: &usize| {
        let name = format!("“{}” ({row})", visible(&maps.tokens[row].text));
        html! {
            <button class="pin" data-testid="pin" aria-label={format!("unpin {name}")}
                onclick={act(cx, Action::Look(LookAction::Drop(row)))}>{format!("{name} ✕")}</button>
        }
    };
    html! {
        <div class="line pins" data-testid="pins">
            if held.is_empty() {
                <span class="count">{"Click a token or a row to pin it; Shift and click to add more and see their mean."}</span>
            } else {
                <span class="count">{if held.len() == 1 { "pinned:" } else { "mean of pinned:" }}</span>
                {for held.iter().map(pin)}
                <button data-testid="unpin" onclick={act(cx, Action::Escape)} title="Esc">{"unpin"}</button>
            }
        </div>
    }
}
