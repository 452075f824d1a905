//! The Model menu: presets, own settings, models from files.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::overlay::icon::icon;
use crate::overlay::view::{Frame, overlay};
use crate::runs_drawer::export::{MODEL_FILES, open_picked};
use crate::settings::state::Group;
use crate::settings::text::{current_preset, preset_title};
use crate::state::Action;
use crate::state::overlay::{Overlay, OverlayAction};
use glasshead::config::Preset;

#[component]
pub fn ModelMenu(cx: &Cx) -> Html {
    let now = current_preset(&cx.state);
    let item = |preset: Preset| {
        let choose = {
            let cx = cx.clone();
            Callback::from(move |_: MouseEvent| {
                cx.change_settings(Action::Preset(preset));
                cx.act(Action::Overlay(OverlayAction::Close));
            })
        };
        let chosen = now == Some(preset);
        let model = preset.config().model;
        html! {
            <button class="item" aria-pressed={chosen.to_string()} data-testid={format!("model-{}", preset.name())} onclick={choose}>
                <span class="mark">if chosen { {icon("check")} }</span>
                <b>{preset_title(preset)}</b>
                <small>{format!("{} layers · width {}", model.n_layers, model.d_model)}</small>
            </button>
        }
    };
    let pick = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            open_picked(&cx, &event);
            cx.act(Action::Overlay(OverlayAction::Close));
        })
    };
    let own = overlay(cx, OverlayAction::Setting(Group::Model.name(), "n_layers"));
    html! {
        <Frame cx={cx.clone()} overlay={Overlay::Model} label="Model" class="menu">
            {for Preset::ALL.into_iter().map(item)}
            <h3>{"Other"}</h3>
            <button class="item" onclick={own}>
                <span class="mark">if now.is_none() { {icon("check")} }</span>
                <b>{"Your own"}</b><small>{"set in All settings"}</small>
            </button>
            <label class="item file">
                <span class="mark">{icon("upload")}</span>
                <b>{"Open a Hugging Face model…"}</b>
                <input type="file" class="sr" multiple=true accept={MODEL_FILES} onchange={pick} />
            </label>
        </Frame>
    }
}
