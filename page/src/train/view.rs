//! The tiles of the Train view.

use yew::prelude::*;

use super::attention::{Big, HeadsTile, Sentence};
use super::inspector::detail::Inspector;
use super::loss::Loss;
use super::time::Time;
use super::writing::Writing;
use crate::core::context::Cx;
use crate::state::shell::{Panel, ShellAction};
use crate::state::{Action, View};

/// From this many heads on, the grid of heads gets a wider column.
const MANY_HEADS: usize = 60;

#[component]
pub fn TrainView(cx: &Cx) -> Html {
    let state = &cx.state;
    let shown = state.view == View::Train;
    let many = state.shown_maps().is_some_and(|maps| maps.n_layers * maps.n_heads > MANY_HEADS);
    let (calm, live) = (cx.frozen_unless(shown), if shown { cx.clone() } else { cx.frozen_unless(false) });
    html! {
        <>
            {panel_tabs(cx)}
            <div class={classes!("tiles", "train-tiles", many.then_some("many"))}>
                <Sentence ..live.clone() />
                <HeadsTile ..calm.clone() />
                <Big ..live.clone() />
                <Inspector ..live.clone() />
                <Time ..calm.clone() />
                <div class="side">
                    <Loss ..calm.clone() />
                    <Writing ..calm />
                </div>
            </div>
        </>
    }
}

/// The tabs of a phone, which shows one panel at a time.
fn panel_tabs(cx: &Cx) -> Html {
    let tab = |panel: Panel| {
        let selected = (cx.state.shell.panel == panel).to_string();
        html! {
            <button role="tab" aria-selected={selected} data-testid={format!("panel-{}", panel.name())}
                onclick={cx.on(Action::Shell(ShellAction::Panel(panel)))}>{panel.title()}</button>
        }
    };
    html! { <div class="panel-tabs" role="tablist" aria-label="Panels">{for Panel::ALL.map(tab)}</div> }
}
