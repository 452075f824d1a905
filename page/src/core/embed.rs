//! Embedding: reports the page's height to the surrounding page, so that its frame can fit.

use std::rc::Rc;

use gloo_timers::callback::Timeout;
use js_sys::{Object, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{ResizeObserver, Window};

/// The height in CSS pixels that the grid of tiles needs. It fills its frame, so it has no natural height.
const HEIGHT: u32 = 640;

/// Milliseconds after which the height is reported again.
const AGAIN_MS: [u32; 3] = [500, 2_000, 5_000];

/// The height on a phone, and the largest width of one.
const PHONE_HEIGHT: u32 = 860;
const PHONE_WIDTH: f64 = 700.0;

/// Starts reporting the height, for as long as the page is open; does nothing if the page is not embedded.
pub fn tell_height() {
    let Some((window, outer)) = web_sys::window().and_then(|window| Some((window.clone(), outer(&window)?))) else {
        return;
    };
    let Some(content) = window.document().and_then(|document| document.get_element_by_id("app")) else { return };
    let of = content.clone();
    let tell = Rc::new(move || {
        let width = of.get_bounding_client_rect().width();
        let height = if width <= PHONE_WIDTH { PHONE_HEIGHT } else { HEIGHT };
        // The height is not confidential, and the embedding page's origin is unknown.
        drop(outer.post_message(&message(height), "*"));
    });
    // The embedding page may begin to listen after this page has loaded.
    for delay_ms in AGAIN_MS {
        let tell = tell.clone();
        Timeout::new(delay_ms, move || tell()).forget();
    }
    let tell: Closure<dyn Fn()> = Closure::new(move || tell());
    if let Ok(observer) = ResizeObserver::new(tell.as_ref().unchecked_ref()) {
        observer.observe(&content);
        tell.forget(); // lives as long as the page
    }
}

/// The embedding page, if any.
fn outer(window: &Window) -> Option<Window> {
    let outer = window.parent().ok()??;
    (!Object::is(&outer, window)).then_some(outer)
}

/// The message `{ glasshead: { height } }`.
fn message(height: u32) -> JsValue {
    let (message, inner) = (Object::new(), Object::new());
    // Setting a property on a new object cannot fail.
    drop(Reflect::set(&inner, &"height".into(), &height.into()));
    drop(Reflect::set(&message, &"glasshead".into(), &inner));
    message.into()
}
