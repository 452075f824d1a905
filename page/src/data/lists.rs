//! Dropped and kept documents, as lists of which only the visible rows exist.

use web_sys::HtmlElement;
use yew::prelude::*;

use super::draw::short;
use super::names;
use super::state::DataViewAction;
use super::top::act;
use super::worker;
use crate::core::context::Cx;
use crate::shared::{grouped, value_of};
use glasshead_filter::wire::{Request, Row};

/// The height of a row in pixels, as in the style sheet.
const ROW: f64 = 86.0;

/// Rows that are requested at once.
pub const ROWS: usize = 24;

/// The tallest list that browsers lay out exactly, in pixels.
const MAX_HEIGHT: f64 = 8_000_000.0;

/// A text with marked parts.
pub fn marked(text: &str, spans: &[(usize, usize)], class: &'static str) -> Html {
    let (mut at, mut parts) = (0, Vec::new());
    for &(start, end) in spans {
        let start = start.max(at);
        // Spans come from the worker, so they are checked.
        let (Some(before), Some(inside)) = (text.get(at..start), text.get(start..end.max(start))) else { continue };
        if !inside.is_empty() {
            parts.push(html! { <>{before}<mark {class}>{inside}</mark></> });
            at = end;
        }
    }
    html! { <>{for parts}{text.get(at..).unwrap_or_default()}</> }
}

#[derive(Properties, PartialEq)]
pub struct ListProps {
    pub cx: Cx,
    /// The kept documents, else the dropped ones.
    pub kept: bool,
}

#[component]
pub fn DocumentList(props: &ListProps) -> Html {
    let (cx, at) = (&props.cx, usize::from(props.kept));
    let view = &cx.state.filters;
    let (listed, list) = (&view.lists[at], view.list(at));
    let start = use_state_eq(|| 0usize);
    let node = use_node_ref();
    {
        let key = (view.decided, list.clone(), *start);
        use_effect_with(key, |(_, list, start)| {
            worker::send(&Request::Rows { list: list.clone(), start: *start, n: ROWS }, &[]);
        });
    }
    {
        // Another list begins at its top.
        let (node, start) = (node.clone(), start.clone());
        use_effect_with(list.clone(), move |_| {
            start.set(0);
            if let Some(element) = node.cast::<HtmlElement>() {
                element.set_scroll_top(0);
            }
        });
    }
    let onscroll = {
        let (node, start) = (node.clone(), start.clone());
        Callback::from(move |_: Event| {
            if let Some(element) = node.cast::<HtmlElement>() {
                let first = (f64::from(element.scroll_top()) / ROW) as usize;
                // In steps, so that not every pixel is a request.
                start.set(first.saturating_sub(4) / 6 * 6);
            }
        })
    };
    let (word, class) = if props.kept { ("Kept", "good") } else { ("Dropped", "bad") };
    let all = view.all_dropped;
    let of_all = cx.call(move |cx, _: MouseEvent| act(cx, DataViewAction::AllDropped(!all)));
    let height = (listed.total as f64 * ROW).min(MAX_HEIGHT);
    html! {
        <div class="data-list">
            <header>
                <span class={classes!("tag", class)}>{word}</span>
                <small data-testid={format!("data-total-{at}")}>{grouped(listed.total)}{if props.kept || all { "" } else { " by this rule" }}</small>
                <span class="grow"></span>
                if !props.kept {
                    <button class="small ghost" aria-pressed={all.to_string()} data-testid="data-all" onclick={of_all}>{"All rules"}</button>
                }
            </header>
            <div class="rows" ref={node} {onscroll} tabindex="0" role="region" aria-label={format!("{word} pages")} data-testid={format!("data-list-{at}")}>
                <div class="room" style={format!("height:{height:.0}px")}>
                    {for listed.rows.iter().enumerate().map(|(i, row)| row_of(cx, row, listed.start + i, props.kept))}
                </div>
                if listed.total == 0 { <p class="count none">{if view.search.is_empty() { "None." } else { "No page has this text." }}</p> }
            </div>
        </div>
    }
}

fn row_of(cx: &Cx, row: &Row, index: usize, kept: bool) -> Html {
    let at = row.at;
    let open = cx.call(move |_, _: MouseEvent| worker::send(&Request::Document { at }, &[]));
    let value = row.value.map(|value| format!(" · {}", short(value)));
    let rule = row
        .dropped
        .as_ref()
        .filter(|_| cx.state.filters.all_dropped)
        .map(|(stage, rule)| format!("{}: {} · ", names::stage(*stage), names::rule(*stage, rule).to_lowercase()));
    let url = row.url.split_once("://").map_or(row.url.as_str(), |(_, rest)| rest);
    html! {
        <button class="data-row" key={index} style={format!("top:{:.0}px", index as f64 * ROW)} onclick={open} data-testid="data-row">
            <small class="mono">{rule}{url}{value}</small>
            <span>{marked(&row.text, &row.spans, if kept { "soft" } else { "bad" })}</span>
        </button>
    }
}

/// The field for the search in both lists.
#[component]
pub fn SearchField(cx: &Cx) -> Html {
    let input = cx.call(|cx, event: InputEvent| act(cx, DataViewAction::Search(value_of(&event))));
    html! {
        <input type="search" class="data-search" placeholder="Search kept and dropped pages" aria-label="Search kept and dropped pages"
            data-testid="data-search" value={cx.state.filters.search.clone()} oninput={input} />
    }
}
