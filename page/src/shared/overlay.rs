//! Drawers and popovers. Their content stays mounted while they are closed, and is not rendered again until they open: its
//! context is frozen ([`Cx::frozen_unless`]).

use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement};
use yew::prelude::*;

use super::icon::{Icon, icon};
use crate::core::context::Cx;
use crate::state::Action;
use crate::state::shell::{Drawer, Popover, ShellAction};

/// Moves the focus into an overlay when it opens, and back when it closes.
#[hook]
fn use_focus(node: &NodeRef, open: bool) {
    let (node, before) = (node.clone(), use_mut_ref(|| None::<HtmlElement>));
    use_effect_with(open, move |&open| {
        let active = || web_sys::window()?.document()?.active_element()?.dyn_into::<HtmlElement>().ok();
        let inside = |element: &HtmlElement| node.cast::<Element>().is_some_and(|node| node.contains(Some(element)));
        if open {
            *before.borrow_mut() = active().filter(|element| !inside(element));
            if let Some(element) = node.cast::<HtmlElement>() {
                drop(element.focus()); // focusing an attached element cannot fail
            }
        } else if let Some(element) = before.borrow_mut().take()
            && active().is_none_or(|active| inside(&active) || active.tag_name() == "BODY")
        {
            drop(element.focus());
        }
    });
}

/// Closes on Escape, also from within a field.
fn escape(cx: &Cx) -> Callback<KeyboardEvent> {
    cx.call(|cx, event: KeyboardEvent| {
        if event.key() == "Escape" {
            event.stop_propagation();
            cx.act(Action::Shell(ShellAction::Close));
        }
    })
}

#[derive(Clone, Properties, PartialEq)]
pub struct DrawerProps {
    pub cx: Cx,
    pub drawer: Drawer,
    pub title: AttrValue,
    /// The parts of `hide=` that hide it.
    pub part: AttrValue,
    #[prop_or_default]
    pub footer: Html,
    pub children: Html,
}

/// A drawer at the side of the view. The page behind it stays live.
#[component]
pub fn SideDrawer(props: &DrawerProps) -> Html {
    let DrawerProps { cx, drawer, .. } = props;
    let open = cx.state.shell.drawer == Some(*drawer);
    let node = use_node_ref();
    use_focus(&node, open);
    let left = (*drawer == Drawer::Settings).then_some("left");
    html! {
        <section ref={node} class={classes!("drawer", left)} data-overlay={drawer.name()} data-part={props.part.clone()}
            hidden={!open} tabindex="-1" aria-label={props.title.clone()} onkeydown={escape(cx)}>
            <header>
                <h2>{&props.title}</h2>
                <span class="grow"></span>
                <button class="ghost square" aria-label="Close" title="Close (Esc)"
                    onclick={cx.on(Action::Shell(ShellAction::Drawer(*drawer)))}>{icon(Icon::Close)}</button>
            </header>
            // Long content scrolls, so it must be focusable from the keyboard.
            <div class="scroll" tabindex="0" role="region" aria-label={props.title.clone()}>{props.children.clone()}</div>
            if props.footer != Html::default() { <footer>{props.footer.clone()}</footer> }
        </section>
    }
}

#[derive(Clone, Properties, PartialEq)]
pub struct PopoverProps {
    pub cx: Cx,
    pub popover: Popover,
    /// The accessible name of the popover.
    pub title: AttrValue,
    /// The content of the button.
    pub button: Html,
    /// The classes of the button.
    #[prop_or_default]
    pub class: Classes,
    /// The accessible name of the button, if it shows an icon alone.
    #[prop_or_default]
    pub label: Option<AttrValue>,
    /// The button's tooltip.
    #[prop_or_default]
    pub hint: Option<AttrValue>,
    #[prop_or_default]
    pub testid: Option<AttrValue>,
    /// The classes of the popover: where it opens.
    #[prop_or_default]
    pub place: Classes,
    pub children: Html,
}

/// A button and the popover that it opens.
#[component]
pub fn PopoverButton(props: &PopoverProps) -> Html {
    let PopoverProps { cx, popover, .. } = props;
    let open = cx.state.shell.popover == Some(*popover);
    let node = use_node_ref();
    use_focus(&node, open);
    html! {
        <span class="anchor">
            <button type="button" class={props.class.clone()} data-testid={props.testid.clone()} data-opens={popover.name()}
                aria-expanded={open.to_string()} aria-haspopup="dialog" aria-label={props.label.clone()} title={props.hint.clone()}
                onclick={cx.on(Action::Shell(ShellAction::Popover(*popover)))}>{props.button.clone()}</button>
            <div ref={node} class={classes!("popover", props.place.clone())} data-overlay={popover.name()} role="dialog" hidden={!open}
                tabindex="-1" aria-label={props.title.clone()} onkeydown={escape(cx)}>{props.children.clone()}</div>
        </span>
    }
}
