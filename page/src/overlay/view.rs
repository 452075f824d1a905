//! The frame of drawers, popovers and menus.
//!
//! An element with `data-opens="NAME"` opens the overlay NAME; a popover is placed next to it. Escape closes the overlay
//! and returns the focus to that element; a click elsewhere closes popovers, but not drawers.

use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement};
use yew::prelude::*;

use crate::core::context::{Cx, on_window};
use crate::overlay::icon::icon;
use crate::state::Action;
use crate::state::overlay::{Overlay, OverlayAction};

/// Distance between a popover and the element that opens it, and from the edges of the window, in pixels.
const GAP: f64 = 6.0;

/// A callback that dispatches an overlay action.
pub fn overlay<E>(cx: &Cx, action: OverlayAction) -> Callback<E> {
    let cx = cx.clone();
    Callback::from(move |_| cx.act(Action::Overlay(action.clone())))
}

fn document() -> Option<web_sys::Document> {
    web_sys::window()?.document()
}

fn opener(overlay: Overlay) -> Option<HtmlElement> {
    let all = document()?.query_selector_all(&format!("[data-opens='{}']", overlay.name())).ok()?;
    let mut elements = (0..all.length()).filter_map(|at| all.item(at)?.dyn_into::<HtmlElement>().ok());
    // Of several, for example in the top bar and in a menu of narrow pages, the visible one.
    elements.rfind(|element| element.offset_width() > 0)
}

#[derive(Clone, Properties, PartialEq)]
pub struct Props {
    /// The context.
    pub cx: Cx,
    /// Which overlay this is.
    pub overlay: Overlay,
    /// The accessible name.
    pub label: AttrValue,
    /// Classes in addition to `drawer` or `popover`.
    #[prop_or_default]
    pub class: Classes,
    /// Whether a popover is centered near the top of the window, over a scrim.
    #[prop_or_default]
    pub centered: bool,
    /// The contents.
    pub children: Children,
}

/// A drawer or popover, hidden while it is closed.
#[component]
pub fn Frame(props: &Props) -> Html {
    let Props { cx, overlay: this, label, class, centered, children } = props;
    let (this, centered) = (*this, *centered);
    let open = cx.state.overlay.is_open(this);
    let frame = use_node_ref();
    {
        let (frame, resizes) = (frame.clone(), cx.state.resizes);
        use_effect_with((open, resizes), move |&(open, _)| {
            if let Some(frame) = frame.cast::<HtmlElement>().filter(|_| open && !this.is_drawer() && !centered) {
                place(&frame, this);
            }
        });
    }
    {
        let frame = frame.clone();
        let was_open = use_mut_ref(|| false);
        use_effect_with(open, move |&open| {
            let before = was_open.replace(open);
            match (before, open) {
                (false, true) => focus_first(&frame),
                (true, false) => focus_back(&frame, this),
                _ => (),
            }
        });
    }
    let kind = if this.is_drawer() { "drawer" } else { "popover" };
    // Also from within a field, where other shortcuts are off.
    let onkeydown = {
        let cx = cx.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" {
                event.stop_propagation();
                cx.act(Action::Overlay(OverlayAction::Close));
            }
        })
    };
    html! {
        <>
            if open && centered { <div class="scrim" onclick={overlay(cx, OverlayAction::Close)}></div> }
            <section ref={frame} class={classes!(kind, centered.then_some("centered"), class.clone())} hidden={!open}
                data-overlay={this.name()} role="dialog" aria-label={label.clone()} {onkeydown}>
                {children.clone()}
            </section>
        </>
    }
}

/// Places a popover below the element that opens it, or above where there is no room, within the window.
fn place(frame: &HtmlElement, this: Overlay) {
    let (Some(opener), Some(window)) = (opener(this), web_sys::window()) else { return };
    let size = |value: Result<wasm_bindgen::JsValue, _>| value.ok().and_then(|value| value.as_f64()).unwrap_or(0.0);
    let (width, height) = (size(window.inner_width()), size(window.inner_height()));
    let (from, own) = (opener.get_bounding_client_rect(), frame.get_bounding_client_rect());
    let left = if from.left() + own.width() > width - GAP { from.right() - own.width() } else { from.left() };
    let below = from.bottom() + GAP;
    let top = if below + own.height() > height - GAP { from.top() - GAP - own.height() } else { below };
    let style = frame.style();
    // Setting a valid property cannot fail.
    let _ = style.set_property("left", &format!("{:.0}px", left.max(GAP).min((width - own.width() - GAP).max(GAP))));
    let _ = style.set_property("top", &format!("{:.0}px", top.max(GAP)));
}

/// Focuses the element marked `data-first`, or else the overlay's first control.
fn focus_first(frame: &NodeRef) {
    let Some(frame) = frame.cast::<Element>() else { return };
    let first = ["[data-first]", "button, input, select, a[href]"];
    let found = first.into_iter().find_map(|selector| frame.query_selector(selector).ok().flatten());
    if let Some(element) = found.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        let _ = element.focus(); // focusing an attached element cannot fail
    }
}

/// Returns the focus to the element that opens the overlay, unless it has moved elsewhere.
fn focus_back(frame: &NodeRef, this: Overlay) {
    let active = document().and_then(|document| document.active_element());
    let inside = frame.cast::<Element>().is_some_and(|frame| frame.contains(active.as_deref()));
    let nowhere = active.is_none_or(|element| element.tag_name() == "BODY");
    if let Some(opener) = opener(this).filter(|_| inside || nowhere) {
        let _ = opener.focus(); // focusing an attached element cannot fail
    }
}

/// Closes popovers on a click elsewhere. Mounted once.
#[component]
pub fn Outside(cx: &Cx) -> Html {
    let open = cx.state.overlay.open.filter(|overlay| !overlay.is_drawer());
    let cx = cx.clone();
    use_effect_with(open, move |&open| {
        let stop = open.map(|open| {
            on_window("pointerdown", move |event| {
                let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
                let inside = |selector: &str| {
                    target.as_ref().is_some_and(|target| target.closest(selector).ok().flatten().is_some())
                };
                let opener = format!("[data-opens='{}']", open.name());
                if !inside("[data-overlay]") && !inside(&opener) {
                    cx.act(Action::Overlay(OverlayAction::Close));
                }
            })
        });
        move || stop.into_iter().for_each(|stop| stop())
    });
    html! {}
}

/// The button that closes an overlay.
pub fn close_button(cx: &Cx) -> Html {
    html! {
        <button class="square ghost" aria-label="Close" title="Close (Esc)" onclick={overlay(cx, OverlayAction::Close)}>
            {icon("close")}
        </button>
    }
}
