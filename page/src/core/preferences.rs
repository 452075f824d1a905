//! Preferences, stored in local storage between visits. Without storage, nothing is stored.

fn storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok()?
}

/// Loads a value.
pub fn load(key: &str) -> Option<String> {
    storage()?.get_item(&format!("glasshead.{key}")).ok()?
}

/// Stores a value.
pub fn save(key: &str, value: &str) {
    if let Some(storage) = storage() {
        // If storage is full or forbidden, the value is not stored.
        drop(storage.set_item(&format!("glasshead.{key}"), value));
    }
}
