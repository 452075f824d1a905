//! Controls of the large map: colors, values, zoom; and the legend.

use yew::prelude::*;

use super::act;
use crate::app::Cx;
use crate::components::value_of;
use crate::draw::colors::ColorMap;
use crate::draw::window::Window;
use crate::preferences;
use crate::state::Action;
use crate::state::look::{Form, LookAction, Values};
use crate::state::shown::Table;

/// Controls that change what the map shows.
pub fn controls(cx: &Cx) -> Html {
    let look = &cx.state.look;
    html! {
        <div class="controls">
            {forms(cx)}
            <label>{"colours"}{colors(cx)}</label>
            <label>{"they show"}{values(cx)}</label>
            {slider(cx, "gamma", format!("gamma {:.2}", look.gamma), ["0.2", "2"], look.gamma, LookAction::Gamma)}
            if look.values != Values::Scores || look.form == Form::Lines {
                {slider(cx, "threshold", format!("fade below {:.2}", look.threshold), ["0", "0.5"], look.threshold,
                    LookAction::Threshold)}
            }
        </div>
    }
}

fn forms(cx: &Cx) -> Html {
    let button = |form: Form, name: &'static str, test: &'static str| {
        let pressed = (cx.state.look.form == form).to_string();
        html! {
            <button data-testid={test} aria-pressed={pressed}
                onclick={act(cx, Action::Look(LookAction::Form(form)))}>{name}</button>
        }
    };
    html! {
        <div class="line" role="group" aria-label="Drawn as">
            {button(Form::Map, "map", "as-map")}
            {button(Form::Lines, "lines", "as-lines")}
        </div>
    }
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
        <div class="line" role="group" aria-label="Zoom">
            <button data-testid="zoom-out" onclick={to(zoomed(0.67))} disabled={window.is_whole()} aria-label="zoom out">
                {"−"}
            </button>
            <button data-testid="zoom-in" onclick={to(zoomed(1.5))} aria-label="zoom in">{"+"}</button>
            <button data-testid="zoom-reset" onclick={to(Window::WHOLE)} disabled={window.is_whole()}>
                {format!("×{:.1}", 1.0 / window.size)}
            </button>
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
                <span>{"masked"}</span>
                <button onclick={act(cx, Action::ToggleMask)} aria-pressed={state.mask_shown.to_string()}>{"hatching"}</button>
            } else {
                <span>{"no causal mask: every token sees all others"}</span>
            }
            <button data-testid="show-table" onclick={act(cx, Action::ToggleTable)}
                aria-pressed={state.table_shown.to_string()}>{"show as table"}</button>
        </div>
    }
}
