//! The open document, over both lists: its text with what the rule objects to, and every measurement.

use yew::prelude::*;

use super::draw::short;
use super::lists::marked;
use super::names;
use super::state::DataViewAction;
use super::top::act;
use super::worker;
use crate::core::context::Cx;
use crate::shared::icon::{Icon, icon};
use crate::units::{file_size, grouped};
use glasshead_filter::fields::of_rule;
use glasshead_filter::wire::{Document, Request};

#[component]
pub fn Reader(cx: &Cx) -> Html {
    let node = use_node_ref();
    let document = cx.state.filters.document.clone();
    {
        let node = node.clone();
        use_effect_with(document.as_ref().map(|document| document.at), move |at| {
            if let Some(element) = node.cast::<web_sys::HtmlElement>().filter(|_| at.is_some()) {
                let _ = element.focus(); // focusing an attached element cannot fail
            }
        });
    }
    let Some(document) = document else { return html! {} };
    let close = cx.call(|cx, _: MouseEvent| act(cx, DataViewAction::CloseDocument));
    let onkeydown = cx.call(|cx, event: KeyboardEvent| {
        if event.key() == "Escape" {
            event.stop_propagation();
            act(cx, DataViewAction::CloseDocument);
        }
    });
    html! {
        <section class="tile data-reader" role="dialog" aria-label="Page" data-testid="data-document" tabindex="-1" ref={node} {onkeydown}>
            <header><h2 class="clip">{&document.url}</h2><span class="grow"></span>
                <button class="square ghost" aria-label="Close" title="Close (Esc)" data-testid="data-close" onclick={close}>{icon(Icon::Close)}</button></header>
            <div class="body" tabindex="0" role="region" aria-label="Text and measurements">
                {verdict(cx, &document)}
                <p class="data-text">{marked(&document.text, &document.spans, "bad")}</p>
                if document.cut.is_some() { <p class="count">{"The rest of the text is not shown."}</p> }
                {measures(&document)}
            </div>
        </section>
    }
}

fn verdict(cx: &Cx, document: &Document) -> Html {
    let about = [
        Some(file_size(document.bytes as u64)),
        document.language.as_ref().map(|language| format!("language {language}")),
        document.label.as_ref().map(|label| format!("labeled {}", label.replace('_', " "))),
    ];
    let about: Vec<String> = about.into_iter().flatten().collect();
    let reason = document.dropped.as_ref().map(|(stage, rule)| {
        let measured = document.measures.iter().find(|(s, r, ..)| s == stage && r == rule);
        let words = measured.map_or(String::new(), |(.., value, limit, _)| {
            let side = if value < limit { "below" } else { "above" };
            format!(": {}, {side} the limit of {}", short(*value), short(*limit))
        });
        format!("{} – {}{words}", names::stage(*stage), names::rule(*stage, rule))
    });
    let instead = document.instead.as_ref().map(|(at, url)| {
        let at = *at;
        let open = cx.call(move |_, _: MouseEvent| worker::send(&Request::Document { at }, &[]));
        html! { <button class="link" onclick={open}>{format!("Kept instead: {url}")}</button> }
    });
    html! {
        <div class="data-verdict">
            if let Some(reason) = reason { <span class="tag bad">{"Dropped"}</span><b data-testid="data-reason">{reason}</b> }
            else { <span class="tag good">{"Kept"}</span> }
            {instead}
            <small>{about.join(" · ")}</small>
        </div>
    }
}

fn measures(document: &Document) -> Html {
    let row = |(stage, rule, value, limit, keeps): &(_, String, f64, f64, bool)| {
        let movable = of_rule(*stage, rule).is_some();
        html! {
            <tr class={classes!((!keeps).then_some("fails"))}>
                <th scope="row">{names::rule(*stage, rule)}<small>{" "}{names::stage(*stage)}</small></th>
                <td>{short(*value)}</td><td>{if movable { short(*limit) } else { String::new() }}</td>
                <td>{if *keeps { "✓" } else { "✕" }}</td>
            </tr>
        }
    };
    html! {
        <div class="table"><table>
            <caption>{format!("{} measurements", grouped(document.measures.len()))}</caption>
            <thead><tr><td></td><th scope="col">{"value"}</th><th scope="col">{"limit"}</th><th scope="col">{"keeps"}</th></tr></thead>
            <tbody>{for document.measures.iter().map(row)}</tbody>
        </table></div>
    }
}
