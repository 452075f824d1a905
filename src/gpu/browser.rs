//! Access to the browser, in a worker as on a page.

/// A property of a JS value; undefined where it does not exist.
pub(super) fn get(object: &wasm_bindgen::JsValue, key: &str) -> wasm_bindgen::JsValue {
    js_sys::Reflect::get(object, &key.into()).unwrap_or_default()
}
