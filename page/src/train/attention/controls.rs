//! Controls of the large map: colors, values, zoom; and the legend.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::core::preferences;
use crate::draw::colors::ColorMap;
use crate::draw::window::Window;
use crate::shared::segmented::{Choice, Segmented};
use crate::shared::value_of;
use crate::state::Action;
use crate::state::look::{Form, LookAction, Values};
use crate::state::shown::Table;
use crate::train::attention::act;

/// Controls that change what the map shows.
pub fn controls(cx: &Cx) -> Html {
    let look = &cx.state.look;
    html! {
        <div class="controls">
            <label>{"Colors"}{colors(cx)}</label>
            <label>{"Values"}{values(cx)}</label>
            {slider(cx, "gamma", format!("Gamma {:.2}", look.gamma), ["0.2", "2"], look.gamma, LookAction::Gamma)}
            if look.values != Values::Scores || look.form == Form::Lines {
                {slider(cx, "threshold", format!("Hide weights below {:.2}", look.threshold), ["0", "0.5"], look.threshold,
                    LookAction::Threshold)}
            }
            <label class="beside">
                <input type="checkbox" data-testid="hatching" checked={cx.state.mask_shown} onchange={act(cx, Action::ToggleMask)} />
                {"Hatch masked cells (m)"}
            </label>
        </div>
    }
}

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

fn colors(cx: &Cx) -> Html {
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let map = ColorMap::from_name(&value_of(&event));
            preferences::save("colors", map.name());
            cx.act(Action::ColorMap(map));
        })
    };
    let option = |map: ColorMap| {
        html! { <option value={map.name()} selected={cx.state.color_map == map}>{map.name()}</option> }
    };
    html! { <select data-testid="colors" onchange={change}>{for ColorMap::ALL.into_iter().map(option)}</select> }
}

fn values(cx: &Cx) -> Html {
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let name = value_of(&event);
            if let Some(values) = Values::ALL.into_iter().find(|values| values.name() == name) {
                cx.act(Action::Look(LookAction::Values(values)));
            }
        })
    };
    let option = |values: Values| {
        html! { <option value={values.name()} selected={cx.state.look.values == values}>{values.name()}</option> }
    };
    html! { <select data-testid="values" onchange={change}>{for Values::ALL.into_iter().map(option)}</select> }
}

fn slider(
    cx: &Cx,
    name: &'static str,
    label: String,
    [min, max]: [&'static str; 2],
    value: f32,
    action: fn(f32) -> LookAction,
) -> Html {
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: InputEvent| {
            if let Ok(value) = value_of(&event).parse() {
                cx.act(Action::Look(action(value)));
            }
        })
    };
    html! {
        <label>
            {label}
            <input type="range" data-testid={name} {min} {max} step="0.01" value={value.to_string()} oninput={change} />
        </label>
    }
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
                {format!("×{:.1}", 1.0 / window.size)}
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
            <span class="ramp" style={format!("background:{}", legend.scale.gradient())}></span>
            <span>{format!("{} · {}", legend.high, legend.what)}</span>
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
