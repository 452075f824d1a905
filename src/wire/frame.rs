//! How a command or an event is posted between a page and its workers: an array `[json]`, or `[json, bytes]` with the bytes
//! transferred.

use js_sys::{Array, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast as _, JsValue};

/// A frame that is ready to be posted.
pub struct Frame {
    /// The array to post.
    pub message: Array,
    /// What is transferred with it, not copied.
    pub transfer: Array,
}

/// Builds the frame of a message; `None` for one that cannot be serialized, unlike commands and events.
pub fn encode(message: &impl Serialize, bytes: Option<&Uint8Array>) -> Option<Frame> {
    let json = serde_json::to_string(message).ok()?;
    let (message, transfer) = (Array::of1(&json.into()), Array::new());
    if let Some(bytes) = bytes {
        transfer.push(&bytes.buffer());
        message.push(bytes);
    }
    Some(Frame { message, transfer })
}

/// Parses a frame that was received.
///
/// # Errors
/// If it is not a frame with a message of this type.
pub fn decode<M: DeserializeOwned>(data: JsValue) -> serde_json::Result<(M, Option<Uint8Array>)> {
    let parts: Array = data.dyn_into().unwrap_or_default();
    let message = serde_json::from_str(&parts.get(0).as_string().unwrap_or_default())?;
    Ok((message, parts.get(1).dyn_into().ok()))
}
