//! All drawers, popovers and menus of the page. Mounted once, above the views.

use yew::prelude::*;

use super::view::Outside;
use crate::core::context::Cx;
use crate::help::view::HelpPopover;
use crate::menus::display::DisplayMenu;
use crate::menus::model::ModelMenu;
use crate::menus::sampling::SamplingPopover;
use crate::menus::save::SaveMenu;
use crate::menus::share::SharePopover;
use crate::menus::text::TextMenu;
use crate::palette::view::Palette;
use crate::runs_drawer::view::RunsDrawer;
use crate::settings::view::SettingsDrawer;
use crate::state::overlay::Overlay;

/// The overlays; at most one is visible.
#[component]
pub fn Overlays(cx: &Cx) -> Html {
    let within = |overlay: Overlay| cx.for_overlay(cx.state.overlay.is_open(overlay));
    html! {
        <>
            <Outside ..cx.clone() />
            <SettingsDrawer ..within(Overlay::Settings) />
            <RunsDrawer ..within(Overlay::Runs) />
            <ModelMenu ..within(Overlay::Model) />
            <TextMenu ..within(Overlay::Text) />
            <DisplayMenu ..within(Overlay::Display) />
            <SaveMenu ..within(Overlay::Save) />
            <SamplingPopover ..within(Overlay::Sampling) />
            <SharePopover ..within(Overlay::Share) />
            <HelpPopover ..within(Overlay::Help) />
            <Palette ..within(Overlay::Palette) />
        </>
    }
}
