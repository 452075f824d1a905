//! Downloads: offers files to the user through the browser's own dialog.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, Url};

/// MIME type of binary files.
pub const BYTES: &str = "application/octet-stream";

/// Creates a blob from bytes.
///
/// # Errors
/// When the browser is out of memory.
pub fn blob(bytes: &Uint8Array, kind: &str) -> Result<Blob, JsValue> {
    let properties = BlobPropertyBag::new();
    properties.set_type(kind);
    Blob::new_with_u8_array_sequence_and_options(&Array::of1(bytes), &properties)
}

/// Offers `blob` as a download with this name; returns false if the browser refuses.
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

/// Offers bytes as a download with this name; returns false if the browser refuses.
pub fn offer_bytes(name: &str, bytes: &[u8], kind: &str) -> bool {
    blob(&Uint8Array::from(bytes), kind).is_ok_and(|blob| offer(name, &blob))
}

/// A file name made from any text; characters that file systems may reject become hyphens.
pub fn file_name(text: &str, ending: &str) -> String {
    let plain = |character: char| if character.is_alphanumeric() { character } else { '-' };
    let text: String = text.chars().map(plain).collect();
    let words: Vec<&str> = text.split('-').filter(|word| !word.is_empty()).collect();
    format!("{}.{ending}", words.join("-"))
}
