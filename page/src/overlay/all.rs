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

/// The overlays; at most one is visible.
#[component]
pub fn Overlays(cx: &Cx) -> Html {
    html! {
        <>
            <Outside ..cx.clone() />
            <SettingsDrawer ..cx.clone() />
            <RunsDrawer ..cx.clone() />
            <ModelMenu ..cx.clone() />
            <TextMenu ..cx.clone() />
            <DisplayMenu ..cx.clone() />
            <SaveMenu ..cx.clone() />
            <SamplingPopover ..cx.clone() />
            <SharePopover ..cx.clone() />
            <HelpPopover ..cx.clone() />
            <Palette ..cx.clone() />
        </>
    }
}
