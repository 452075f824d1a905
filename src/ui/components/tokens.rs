//! A text that the model wrote, token by token: what else could have been chosen is one hover or one key away.

use std::rc::Rc;

use wasm_bindgen::JsCast as _;
use web_sys::HtmlElement;
use yew::prelude::*;

use super::visible;
use crate::protocol::Sampling;
use crate::protocol::writing::{Choice, WrittenToken};
use crate::ui::tokens::flowing;

#[derive(Properties, PartialEq)]
pub struct Props {
    /// What was written. The same list is the same object, or nothing is drawn again for nothing.
    pub tokens: Rc<Vec<WrittenToken>>,
    /// How they were chosen.
    pub sampling: Sampling,
}

/// Which token is looked at, and where its box goes: below the token, in pixels of the text.
#[derive(Clone, Copy, PartialEq)]
struct Place {
    index: usize,
    left: i32,
    top: i32,
}

#[component]
pub fn Tokens(props: &Props) -> Html {
    let hovered = use_state(|| None::<Place>);
    let focused = use_state(|| None::<Place>);
    let tab_stop = use_state(|| 0);
    let n = props.tokens.len();
    let onkeydown = {
        let focused = focused.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" {
                focused.set(None);
            } else {
                walk(&event, n);
            }
        })
    };
    let span = |(index, token): (usize, &WrittenToken)| {
        let place = move |event: Option<web_sys::EventTarget>| {
            let element = event?.dyn_into::<HtmlElement>().ok()?;
            let top = element.offset_top() + element.offset_height();
            Some(Place { index, left: element.offset_left(), top })
        };
        let onpointerover = {
            let hovered = hovered.clone();
            Callback::from(move |event: PointerEvent| hovered.set(place(event.target())))
        };
        let onfocus = {
            let (focused, tab_stop) = (focused.clone(), tab_stop.clone());
            Callback::from(move |event: FocusEvent| {
                focused.set(place(event.target()));
                tab_stop.set(index);
            })
        };
        let onblur = {
            let focused = focused.clone();
            Callback::from(move |_: FocusEvent| focused.set(None))
        };
        let tabindex = if index == (*tab_stop).min(n.saturating_sub(1)) { "0" } else { "-1" };
        html! {
            <span class="written" role="button" {tabindex} key={index} {onpointerover} {onfocus} {onblur}
                aria-label={in_words(token)} style={format!("--p:{:.3}", probability(token))}>{shown(token)}</span>
        }
    };
    let out = {
        let hovered = hovered.clone();
        Callback::from(move |_: PointerEvent| hovered.set(None))
    };
    let place = hovered.or(*focused).filter(|place| place.index < n);
    html! {
        <span class="tokens" role="group" aria-label="written tokens; arrow keys walk them" {onkeydown}
            onpointerleave={out}>
            {for props.tokens.iter().enumerate().map(span)}
            if let Some(place) = place { {choices(place, &props.tokens[place.index], &props.sampling)} }
        </span>
    }
}

/// Moves the focus with the arrow keys.
fn walk(event: &KeyboardEvent, n: usize) {
    let Some(here) = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok()) else { return };
    let next = match event.key().as_str() {
        "ArrowRight" | "ArrowDown" => here.next_element_sibling(),
        "ArrowLeft" | "ArrowUp" => here.previous_element_sibling(),
        "Home" => here.parent_element().and_then(|list| list.first_element_child()),
        "End" => here.parent_element().and_then(|list| list.children().item(n.saturating_sub(1) as u32)),
        _ => return,
    };
    event.prevent_default();
    if let Some(next) =
        next.and_then(|next| next.dyn_into::<HtmlElement>().ok()).filter(|next| next.has_attribute("role"))
    {
        drop(next.focus()); // an element in the page always takes it
    }
}

fn shown(token: &WrittenToken) -> String {
    match (token.text.as_str(), chosen(token)) {
        ("", Some(choice)) if choice.text.starts_with("<|") => "∎".into(),
        ("", _) => "◌".into(), // a part of a character
        (text, _) => flowing(text),
    }
}

fn chosen(token: &WrittenToken) -> Option<&Choice> {
    token.choices.iter().find(|choice| choice.id == token.id)
}

/// Of the chosen token at the asked temperature.
fn probability(token: &WrittenToken) -> f32 {
    chosen(token).map_or(0.0, |choice| choice.tempered)
}

fn in_words(token: &WrittenToken) -> String {
    let choice = |choice: &Choice| format!("{} {}", visible(&choice.text), percent(choice.tempered));
    let choices: Vec<String> = token.choices.iter().map(choice).collect();
    let text = chosen(token).map_or(String::new(), choice);
    format!("chosen {text}; likeliest: {}", choices.join(", "))
}

fn percent(probability: f32) -> String {
    format!("{:.1} %", 100.0 * probability)
}

/// The box with the alternatives.
fn choices(place: Place, token: &WrittenToken, sampling: &Sampling) -> Html {
    let row = |choice: &Choice| {
        let cut = match choice.rank {
            rank if rank >= token.kept_by_k && sampling.temperature > 0.0 => "cut by top-k",
            rank if rank >= token.kept_by_p && sampling.temperature > 0.0 => "cut by top-p",
            _ if choice.id == token.id => "chosen",
            _ => "",
        };
        let class = classes!((choice.id == token.id).then_some("chosen"), cut.starts_with("cut").then_some("cut"));
        html! {
            <tr {class}>
                <td class="count">{choice.rank + 1}</td>
                <th scope="row">{visible(&choice.text)}</th>
                <td>{percent(choice.plain)}</td>
                <td>{percent(choice.tempered)}</td>
                <td class="count">{cut}</td>
            </tr>
        }
    };
    let left = match token.kept_by_p {
        1 => "1 token was left to choose from".to_string(),
        n => format!("{n} tokens were left to choose from"),
    };
    html! {
        <span class="choices" role="tooltip" data-testid="choices"
            style={format!("left:max(0px, min({}px, 100% - 310px));top:{}px", place.left, place.top + 2)}>
            <table>
                <caption class="hidden">{"the likeliest tokens at this place"}</caption>
                <thead><tr>
                    <td></td>
                    <th scope="col">{"token"}</th>
                    <th scope="col">{"T = 1"}</th>
                    <th scope="col">{format!("T = {}", sampling.temperature)}</th>
                    <td></td>
                </tr></thead>
                <tbody>{for token.choices.iter().map(row)}</tbody>
            </table>
            <small>{left}</small>
        </span>
    }
}
