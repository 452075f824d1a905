//! Locks between the tabs of one browser (Web Locks): whoever has one keeps it until it is dropped or the tab is gone.

use futures_channel::oneshot;
use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;

/// A lock that this tab has.
pub struct Lock {
    /// Gives it back; none where the browser knows no locks.
    release: Option<Function>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(release) = &self.release {
            // A promise's own function does not fail.
            drop(release.call0(&JsValue::UNDEFINED));
        }
    }
}

/// Takes a lock; none when another tab has it. A browser without locks gives it to everybody.
pub async fn take(name: &str) -> Option<Lock> {
    let nobody_asks = Some(Lock { release: None });
    let Some(navigator) = web_sys::window().map(|window| window.navigator()) else { return nobody_asks };
    let locks = Reflect::get(&navigator, &"locks".into()).unwrap_or_default();
    let request = Reflect::get(&locks, &"request".into()).unwrap_or_default();
    let Ok(request) = request.dyn_into::<Function>() else { return nobody_asks };
    let (sender, answer) = oneshot::channel();
    let callback = Closure::once_into_js(move |lock: JsValue| -> JsValue {
        if lock.is_null() {
            drop(sender.send(None)); // fails only when nobody waits any more
            return JsValue::UNDEFINED;
        }
        let mut release = None;
        // The lock is held as long as this promise is open.
        let held = Promise::new(&mut |resolve, _| release = Some(resolve));
        drop(sender.send(Some(Lock { release }))); // whoever waits no more drops it, which gives it back
        held.into()
    });
    let options = Object::new();
    // A plain object takes any property.
    drop(Reflect::set(&options, &"ifAvailable".into(), &JsValue::TRUE));
    match request.call3(&locks, &name.into(), &options, &callback) {
        Ok(_) => answer.await.unwrap_or(nobody_asks),
        Err(_) => nobody_asks, // a page without an origin of its own has no locks, and no storage either
    }
}
