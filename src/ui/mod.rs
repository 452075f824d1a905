//! The page. Knows `config` and `protocol` alone.

/// Mounts the page.
#[cfg(target_arch = "wasm32")]
pub fn start() {}
