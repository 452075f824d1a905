//! The button that opens a drawer, a popover or a menu.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::overlay::view::overlay;
use crate::state::overlay::{Overlay, OverlayAction};

#[derive(Clone, Properties, PartialEq)]
pub struct OpensProps {
    pub cx: Cx,
    pub overlay: Overlay,
    #[prop_or_default]
    pub class: Classes,
    /// The accessible name, if the button shows an icon alone.
    #[prop_or_default]
    pub label: Option<AttrValue>,
    #[prop_or_default]
    pub hint: Option<AttrValue>,
    #[prop_or_default]
    pub testid: Option<AttrValue>,
    /// The parts of `hide=` that hide it.
    #[prop_or_default]
    pub part: Option<AttrValue>,
    pub children: Html,
}

#[component]
pub fn Opens(props: &OpensProps) -> Html {
    let open = props.cx.state.overlay.is_open(props.overlay);
    html! {
        <button type="button" class={props.class.clone()} data-testid={props.testid.clone()} data-opens={props.overlay.name()}
            data-part={props.part.clone()} aria-expanded={open.to_string()} aria-haspopup="dialog" aria-label={props.label.clone()}
            title={props.hint.clone()} onclick={overlay::<MouseEvent>(&props.cx, OverlayAction::Toggle(props.overlay))}>
            {props.children.clone()}
        </button>
    }
}
