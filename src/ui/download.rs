//! Files for the user: the browser's own way of saving them.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, Url};

/// The kind of files that are for programs alone.
pub const BYTES: &str = "application/octet-stream";

/// A blob of bytes.
///
/// # Errors
/// When the browser has no memory for it.
pub fn blob(bytes: &Uint8Array, kind: &str) -> Result<Blob, JsValue> {
    let properties = BlobPropertyBag::new();
    properties.set_type(kind);
    Blob::new_with_u8_array_sequence_and_options(&Array::of1(bytes), &properties)
}

/// Offers `blob` under this name; false where the browser refuses.
pub fn offer(name: &str, blob: &Blob) -> bool {
    let click = || -> Result<(), JsValue> {
        let url = Url::create_object_url_with_blob(blob)?;
        let document = web_sys::window().and_then(|window| window.document()).ok_or(JsValue::NULL)?;
        let link: HtmlAnchorElement = document.create_element("a")?.unchecked_into();
        link.set_href(&url);
        link.set_download(name);
        link.click();
        Url::revoke_object_url(&url)
    };
    click().is_ok()
}

/// Offers bytes under this name; false where the browser refuses.
pub fn offer_bytes(name: &str, bytes: &[u8], kind: &str) -> bool {
    blob(&Uint8Array::from(bytes), kind).is_ok_and(|blob| offer(name, &blob))
}

/// A name for a file, from any text: what a file system may not like becomes a hyphen.
pub fn file_name(text: &str, ending: &str) -> String {
    let plain = |character: char| if character.is_alphanumeric() { character } else { '-' };
    let text: String = text.chars().map(plain).collect();
    let words: Vec<&str> = text.split('-').filter(|word| !word.is_empty()).collect();
    format!("{}.{ending}", words.join("-"))
}
