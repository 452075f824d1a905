//! The inspector: six tabs, and the explanation of a term in place.

use yew::prelude::*;

use super::arithmetic::arithmetic_card;
use super::{Asked, Tabs, ask, tab_id};
use crate::core::context::Cx;
use crate::glossary::find;
use crate::maps::Plane;
use crate::shared::icon::{Icon, icon};
use crate::state::Action;
use crate::state::ask::{AskAction, Section};
use crate::train::attention::Bars;

#[component]
pub fn Inspector(cx: &Cx) -> Html {
    let section = cx.state.ask.section;
    html! {
        <section class="tile inspector detail" aria-label="Inspector" data-part="detail">
            <h2 class="hidden">{"Inspector"}</h2>
            <Tabs ..cx.clone() />
            <div class="body" id="detail-section" role="tabpanel" aria-labelledby={tab_id(section)} tabindex="0">
                if cx.state.ask.wide {
                    <div class="empty"><b>{section.title()}</b><span>{"is in the large tile"}</span>
                        <button class="link" onclick={ask(cx, AskAction::Wide(false))}>{"← Back to the inspector"}</button></div>
                } else {
                    {section_of(cx)}
                    if section != Section::Row {
                        <button class="link wide-button" data-testid="open-wide" title="In place of the map"
                            onclick={ask(cx, AskAction::Wide(true))}>{"Open wide →"}</button>
                    }
                }
            </div>
            {explained(cx)}
        </section>
    }
}

/// The open section.
fn section_of(cx: &Cx) -> Html {
    html! {
        <>
            if cx.state.ask.section == Section::Row {
                <Bars ..cx.clone() />
                {arithmetic_card(cx)}
                {without_head(cx)}
            }
            <Asked ..cx.clone() />
        </>
    }
}

/// The open section in the large tile, until Escape or its button gives the tile back to the map.
pub fn wide(cx: &Cx) -> Html {
    html! {
        <section class="tile big wide" aria-label={cx.state.ask.section.title()} data-part="attention" data-testid="wide">
            <header>
                <h2>{cx.state.ask.section.title()}</h2>
                <span class="grow"></span>
                <button class="small" title="Back to the map (Esc)" onclick={ask(cx, AskAction::Wide(false))}>{icon(Icon::Close)}{"Back to the map"}</button>
            </header>
            <div class="body" tabindex="0">{section_of(cx)}</div>
        </section>
    }
}

/// What the selected head is worth: a button that switches it off, and the result.
fn without_head(cx: &Cx) -> Html {
    let state = &cx.state;
    let Plane::Head(layer, head) = state.plane() else { return html! {} };
    if state.maps.is_none() {
        return html! {};
    }
    let off = state.ask.off.contains(&(layer, head));
    let alone = state
        .ask
        .comparison
        .as_ref()
        .filter(|shown| shown.change.off == [(layer, head)] && shown.change.value.is_none());
    let switch = cx.call(move |cx, _: MouseEvent| {
        if !cx.state.ask.off.contains(&(layer, head)) {
            cx.act(Action::Ask(AskAction::ToggleHead(layer, head)));
        }
        cx.act(Action::Ask(AskAction::Open(Section::WhatIf)));
    });
    html! {
        <div class="box">
            <h3>{"Without this head"}</h3>
            if let Some(comparison) = alone {
                <div class="equation">
                    <span>{"Held-out loss"}</span><span>{format!("{:+.3}", comparison.losses[1] - comparison.losses[0])}</span>
                </div>
            }
            <div class="row">
                <button class="small" onclick={switch}>{if off { "Head is off" } else { "Switch head off" }}</button>
                <button class="link" onclick={ask(cx, AskAction::Open(Section::WhatIf))}>{"More in What if →"}</button>
            </div>
        </div>
    }
}

/// The glossary entry of the term whose “?” was pressed.
fn explained(cx: &Cx) -> Html {
    let Some(entry) = cx.state.ask.explained.filter(|_| cx.state.ask.explained_here).and_then(|(name, _)| find(name))
    else {
        return html! {};
    };
    html! {
        <div class="explained" data-testid="explained" role="status">
            <div class="line spread">
                <h3>{entry.name}</h3>
                <button class="ghost small square" aria-label="Close" onclick={ask(cx, AskAction::CloseExplained)}>{icon(Icon::Close)}</button>
            </div>
            <p>{entry.what}</p>
            <small>{entry.measured}</small>
        </div>
    }
}
