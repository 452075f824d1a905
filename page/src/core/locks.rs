//! Locks between the tabs of one browser (Web Locks). A lock is held until it is dropped or its tab is closed.

use futures_channel::oneshot;
use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;

/// A lock held by this tab.
pub struct Lock {
    /// Releases the lock; none if the browser does not support locks.
    release: Option<Function>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(release) = &self.release {
            // Calling a promise's own resolve function cannot fail.
            drop(release.call0(&JsValue::UNDEFINED));
        }
    }
}

/// Requests a lock; returns none if another tab holds it. Without browser support, the lock is always granted.
pub async fn take(name: &str) -> Option<Lock> {
    let nobody_asks = Some(Lock { release: None });
    let Some(navigator) = web_sys::window().map(|window| window.navigator()) else { return nobody_asks };
    let locks = Reflect::get(&navigator, &"locks".into()).unwrap_or_default();
    let request = Reflect::get(&locks, &"request".into()).unwrap_or_default();
    let Ok(request) = request.dyn_into::<Function>() else { return nobody_asks };
    let (sender, answer) = oneshot::channel();
    let callback = Closure::once_into_js(move |lock: JsValue| -> JsValue {
        if lock.is_null() {
            drop(sender.send(None)); // fails only if the receiver was dropped
            return JsValue::UNDEFINED;
        }
        let mut release = None;
        // The lock is held until this promise resolves.
        let held = Promise::new(&mut |resolve, _| release = Some(resolve));
        drop(sender.send(Some(Lock { release }))); // if the receiver was dropped, the lock is dropped and released
        held.into()
    });
    let options = Object::new();
    // Setting a property on a plain object cannot fail.
    drop(Reflect::set(&options, &"ifAvailable".into(), &JsValue::TRUE));
    match request.call3(&locks, &name.into(), &options, &callback) {
        Ok(_) => answer.await.unwrap_or(nobody_asks),
        Err(_) => nobody_asks, // opaque origins have neither locks nor storage
    }
}
