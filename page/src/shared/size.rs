//! The size of an element, kept up to date.

use wasm_bindgen::prelude::*;
use web_sys::{Element, ResizeObserver};
use yew::prelude::*;

/// The width and height of the element in whole CSS pixels; (0, 0) until it is laid out, and while it is hidden.
#[hook]
pub fn use_size(node: &NodeRef) -> (u32, u32) {
    let size = use_state_eq(|| (0, 0));
    let (node, set) = (node.clone(), size.clone());
    // The node may be attached in a later render, so it is looked up after each.
    let element = use_mut_ref(|| None::<Element>);
    let observer = use_mut_ref(|| None::<Observed>);
    use_effect(move || {
        let now = node.cast::<Element>();
        if *element.borrow() != now {
            *element.borrow_mut() = now.clone();
            *observer.borrow_mut() = now.and_then(|now| observe(now, set));
        }
    });
    *size
}

/// An observer and the closure that it calls.
struct Observed {
    observer: ResizeObserver,
    _changed: Closure<dyn Fn()>,
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.observer.disconnect();
    }
}

fn observe(element: Element, size: UseStateHandle<(u32, u32)>) -> Option<Observed> {
    let of = element.clone();
    let changed: Closure<dyn Fn()> =
        Closure::new(move || size.set((of.client_width().max(0) as u32, of.client_height().max(0) as u32)));
    let observer = ResizeObserver::new(changed.as_ref().unchecked_ref()).ok()?;
    observer.observe(&element);
    Some(Observed { observer, _changed: changed })
}
