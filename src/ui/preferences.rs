//! What the page remembers between visits, in local storage. Without storage it remembers nothing.

fn storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok()?
}

/// A remembered value.
pub fn load(key: &str) -> Option<String> {
    storage()?.get_item(&format!("glasshead.{key}")).ok()?
}

/// Remembers a value.
pub fn save(key: &str, value: &str) {
    if let Some(storage) = storage() {
        // A full or forbidden storage only means that nothing is remembered.
        drop(storage.set_item(&format!("glasshead.{key}"), value));
    }
}
