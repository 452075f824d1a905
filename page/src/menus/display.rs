//! Display options of the large map.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::core::preferences;
use crate::draw::colors::ColorMap;
use crate::overlay::view::Frame;
use crate::settings::state::sentence_case;
use crate::shared::value_of;
use crate::state::Action;
use crate::state::look::{Form, LookAction, Values};
use crate::state::overlay::Overlay;

#[component]
pub fn DisplayMenu(cx: &Cx) -> Html {
    let look = &cx.state.look;
    let hatch = {
        let cx = cx.clone();
        Callback::from(move |_: Event| cx.act(Action::ToggleMask))
    };
    html! {
        <Frame cx={cx.clone()} overlay={Overlay::Display} label="Display" class="menu display">
            <label class="field"><span class="label">{"Colors"}</span><span class="input">{colors(cx)}</span></label>
            <label class="field"><span class="label">{"Values"}</span><span class="input">{values(cx)}</span></label>
            {slider(cx, "gamma", "Gamma", ["0.2", "2"], look.gamma, LookAction::Gamma)}
            if look.values != Values::Scores || look.form == Form::Lines {
                {slider(cx, "threshold", "Hide weights below", ["0", "0.5"], look.threshold, LookAction::Threshold)}
            }
            <label class="beside">
                <input type="checkbox" checked={cx.state.mask_shown} onchange={hatch} data-testid="hatch" />
                {"Hatch the masked cells"}<span class="grow"></span><kbd>{"M"}</kbd>
            </label>
        </Frame>
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
        html! { <option value={map.name()} selected={cx.state.color_map == map}>{sentence_case(map.name())}</option> }
    };
    html! { <select data-testid="colors" onchange={change}>{for ColorMap::ALL.into_iter().map(option)}</select> }
}

fn title(values: Values) -> &'static str {
    match values {
        Values::Weights => "Weights, 0 to 1",
        Values::EachRow => "Each row up to its largest",
        Values::Scores => "Scores before the softmax",
    }
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
        html! { <option value={values.name()} selected={cx.state.look.values == values}>{title(values)}</option> }
    };
    html! { <select data-testid="values" onchange={change}>{for Values::ALL.into_iter().map(option)}</select> }
}

fn slider(
    cx: &Cx,
    name: &'static str,
    label: &'static str,
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
        <label class="slide">
            <span>{label}</span><b>{format!("{value:.2}")}</b>
            <input type="range" data-testid={name} {min} {max} step="0.01" value={value.to_string()} oninput={change} />
        </label>
    }
}
