//! Controls of the large map: colors, values, zoom; and the legend.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::draw::window::Window;
use crate::shared::segmented::{Choice, Segmented};
use crate::state::Action;
use crate::state::look::{Form, LookAction, Values};
use crate::state::shown::Table;
use crate::train::attention::act;
use crate::train::attention::canvas::page_is_dark;

/// Map, lines or table.
pub fn forms(cx: &Cx) -> Html {
    let (form, table) = (cx.state.look.form, cx.state.table_shown);
    let choice = |label: &'static str, title: &'static str, testid: &'static str, on: bool, action: Action| Choice {
        label: label.into(),
        title: title.into(),
        testid: testid.into(),
        on,
        choose: act(cx, action),
    };
    let choices = vec![
        choice(
            "Map",
            "Rows are queries, columns are keys",
            "as-map",
            !table && form == Form::Map,
            Action::Form(Form::Map),
        ),
        choice(
            "Lines",
            "Lines from queries to keys",
            "as-lines",
            !table && form == Form::Lines,
            Action::Form(Form::Lines),
        ),
        choice("Table", "The numbers (t)", "show-table", table, Action::ToggleTable),
    ];
    html! { <Segmented label="Show as" class="forms" {choices} /> }
}

/// Zoom controls.
pub fn zoom(cx: &Cx) -> Html {
    let Some(maps) = cx.state.shown_maps() else { return html! {} };
    let window = cx.state.look.window;
    let to = |window: Window| act(cx, Action::Look(LookAction::Window(window)));
    let zoomed = |factor: f64| window.zoomed(factor, [0.5, 0.5], maps.n());
    html! {
        <div class="row zoom" role="group" aria-label="Zoom">
            <button class="ghost small square" data-testid="zoom-out" onclick={to(zoomed(0.67))} disabled={window.is_whole()} aria-label="Zoom out">
                {"−"}
            </button>
            <button class="ghost small" data-testid="zoom-reset" onclick={to(Window::WHOLE)} disabled={window.is_whole()} title="Fit (0)">
                {format!("×{:.1}", 1.0 / window.size).trim_end_matches(".0").to_string()}
            </button>
            <button class="ghost small square" data-testid="zoom-in" onclick={to(zoomed(1.5))} aria-label="Zoom in">{"+"}</button>
        </div>
    }
}

/// The legend: the numbers that the colors represent.
pub fn legend(cx: &Cx) -> Html {
    let state = &cx.state;
    let Some(table) = state.table() else { return html! {} };
    let legend = state.legend_of(&table, [255; 3]);
    let weights_instead = state.look.values == Values::Scores && matches!(table, Table::Weights(..));
    html! {
        <div class="legend" data-testid="legend">
            <span>{&legend.low}</span>
            <span class="ramp" style={format!("background:{}", legend.scale.on_page(page_is_dark()).gradient())}></span>
            <span>{&legend.high}</span>
            <span>{legend.what}</span>
            if !legend.notes().is_empty() { <span>{format!("· {}", legend.notes())}</span> }
            if weights_instead && state.remember.earlier.is_some() {
                <span>{"scores are of the model as it is; this earlier moment has its weights"}</span>
            }
            if table.causal() {
                <span class="swatch hatched"></span>
                <span>{"masked (future)"}</span>
            } else {
                <span>{"no causal mask: every token sees all others"}</span>
            }
        </div>
    }
}
