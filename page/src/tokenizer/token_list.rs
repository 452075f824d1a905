//! A text as colored tokens with their ids below. The pointer and the arrow keys highlight a token and its id together.

use std::rc::Rc;

use wasm_bindgen::JsCast as _;
use web_sys::Element;
use yew::prelude::*;

use crate::shared::grouped;
use crate::state::tokenizer::{Encoding, TOKENS_PER_PAGE};
use crate::tokens::Group;
use crate::tokens::hex;
use crate::tokens::readable;

/// Properties of a token list.
#[derive(Clone, Properties)]
pub struct TokenListProps {
    /// The tokens and their groups.
    pub encoding: Rc<Encoding>,
    /// The page of the list that is shown.
    pub page: usize,
    /// The highlighted token.
    pub lit: Option<usize>,
    /// Highlights a token, or none.
    pub light: Callback<Option<usize>>,
    /// Goes to another page.
    pub turn: Callback<usize>,
    /// Prefix of the element ids.
    pub prefix: AttrValue,
    /// Whether the ids are shown.
    #[prop_or(true)]
    pub ids_shown: bool,
}

impl PartialEq for TokenListProps {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.encoding, &other.encoding) && (self.page, self.lit) == (other.page, other.lit)
    }
}

#[component]
pub fn TokenList(props: &TokenListProps) -> Html {
    let shown = props.encoding.page(props.page);
    let first = shown.first().map_or(0, |group| group.first);
    let last = shown.last().map_or(0, |group| group.first + group.labels.len());
    let id = |prefix: &str, index: usize| format!("{}-{prefix}{index}", props.prefix);
    let over = {
        let light = props.light.clone();
        Callback::from(move |event: MouseEvent| light.emit(token_of(&event)))
    };
    let out = {
        let light = props.light.clone();
        Callback::from(move |_: MouseEvent| light.emit(None))
    };
    let keys = {
        let (light, lit) = (props.light.clone(), props.lit);
        Callback::from(move |event: KeyboardEvent| {
            if let Some(token) = walked(&event.key(), lit, first, last) {
                event.prevent_default();
                light.emit(Some(token));
            }
        })
    };
    let list = |name: &'static str, prefix: &'static str, class: &'static str, content: Html| {
        html! {
            <div {class} role="listbox" tabindex="0" aria-label={name} data-testid={class}
                aria-activedescendant={props.lit.map(|token| id(prefix, token))}
                onmouseover={over.clone()} onmouseleave={out.clone()} onkeydown={keys.clone()}>
                {content}
            </div>
        }
    };
    let tokens = html! { {for shown.iter().map(|group| group_html(props, group))} };
    let ids = (first..last).map(|index| {
        let lit = props.lit == Some(index);
        html! {
            <span role="option" id={id("i", index)} data-token={index.to_string()} aria-selected={lit.to_string()}
                class={classes!("id", lit.then_some("lit"))} title={title(props, index)}>
                {props.encoding.tokens[index].id}
            </span>
        }
    });
    html! {
        <>
            {list("Tokens", "t", "tokens", tokens)}
            <p class="readout" data-testid="token-readout">{readout(props)}</p>
            if props.ids_shown { {list("Ids of the tokens", "i", "ids", html! { {for ids} })} }
            {pager(props)}
        </>
    }
}

fn group_html(props: &TokenListProps, group: &Group) -> Html {
    let tokens = group.labels.iter().enumerate().map(|(offset, label)| {
        let index = group.first + offset;
        let lit = props.lit == Some(index);
        let shade = format!("shade{}", index % 6);
        html! {
            <span role="option" id={format!("{}-t{index}", props.prefix)} data-token={index.to_string()}
                aria-selected={lit.to_string()} class={classes!("token", shade, lit.then_some("lit"))}
                title={title(props, index)}>{label}</span>
        }
    });
    if group.labels.len() == 1 {
        let breaks = group.whole.contains('↵');
        return html! { <>{for tokens} if breaks { <br /> }</> };
    }
    let label = format!("{} in {} tokens", group.whole, group.labels.len());
    html! {
        <span class="linked" role="group" aria-label={label.clone()} title={label}>
            <span class="whole" aria-hidden="true">{&group.whole}</span>
            {for tokens}
        </span>
    }
}

fn title(props: &TokenListProps, index: usize) -> String {
    let token = &props.encoding.tokens[index];
    let n = token.bytes.len();
    format!("id {} · {n} byte{}: {}", token.id, if n == 1 { "" } else { "s" }, hex(&token.bytes))
}

fn readout(props: &TokenListProps) -> String {
    match props.lit.and_then(|index| props.encoding.tokens.get(index).map(|token| (index, token))) {
        Some((index, token)) => {
            format!("token {}: “{}” · {}", grouped(index + 1), readable(&token.bytes), title(props, index))
        }
        None => "Hover a token or an id, or move through them with the arrow keys.".into(),
    }
}

fn pager(props: &TokenListProps) -> Html {
    let (n_pages, n_tokens) = (props.encoding.n_pages(), props.encoding.tokens.len());
    if n_pages == 1 {
        return html! {};
    }
    let turn = |to: Option<usize>| {
        let turn = props.turn.clone();
        Callback::from(move |_: MouseEvent| to.into_iter().for_each(|page| turn.emit(page)))
    };
    let (first, last) = (props.page * TOKENS_PER_PAGE, ((props.page + 1) * TOKENS_PER_PAGE).min(n_tokens));
    html! {
        <p class="pager" data-testid="token-pager">
            <button onclick={turn(props.page.checked_sub(1))} disabled={props.page == 0} aria-label="previous tokens">
                {"‹"}
            </button>
            {format!("tokens {} to {} of {}", grouped(first + 1), grouped(last), grouped(n_tokens))}
            <button onclick={turn(Some(props.page + 1))} disabled={props.page + 1 >= n_pages} aria-label="next tokens">
                {"›"}
            </button>
        </p>
    }
}

/// The index of the token whose element fired an event.
fn token_of(event: &MouseEvent) -> Option<usize> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    target.closest("[data-token]").ok()??.get_attribute("data-token")?.parse().ok()
}

/// The token that a key moves the highlight to, within `first..last`.
fn walked(key: &str, lit: Option<usize>, first: usize, last: usize) -> Option<usize> {
    let most = last.checked_sub(1).filter(|&most| most >= first)?;
    let to = match (key, lit) {
        ("ArrowRight" | "ArrowDown", Some(at)) => at + 1,
        ("ArrowLeft" | "ArrowUp", Some(at)) => at.saturating_sub(1),
        ("ArrowRight" | "ArrowDown" | "ArrowLeft" | "ArrowUp" | "Home", _) => first,
        ("End", _) => most,
        _ => return None,
    };
    Some(to.clamp(first, most))
}
