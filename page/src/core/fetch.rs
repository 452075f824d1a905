//! Downloads on request.

use js_sys::Uint8Array;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

/// GPT-2's vocabulary from the page's own folder; the file name is in the page's head.
///
/// # Errors
/// A message if it is not available.
pub async fn gpt2_vocabulary() -> Result<Uint8Array, String> {
    let missing = "GPT-2's vocabulary could not be fetched; check the connection and choose it again.";
    let window = web_sys::window().ok_or(missing)?;
    let meta = window.document().and_then(|d| d.query_selector("meta[name='gpt2-vocabulary']").ok().flatten());
    let address = meta.and_then(|meta| meta.get_attribute("content"));
    let address = address.ok_or("This copy of the page was built without GPT-2's vocabulary.")?;
    let response = JsFuture::from(window.fetch_with_str(&address)).await.map_err(|_| missing)?;
    let response: Response = response.unchecked_into(); // `fetch` resolves to a `Response`
    if !response.ok() {
        return Err(missing.into());
    }
    let buffer = response.array_buffer().map_err(|_| missing)?;
    JsFuture::from(buffer).await.map(|buffer| Uint8Array::new(&buffer)).map_err(|_| missing.into())
}
