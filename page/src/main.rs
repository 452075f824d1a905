//! The wasm module of the page and of its workers: only the page has a window.

fn main() {
    #[cfg(target_arch = "wasm32")]
    if web_sys::window().is_some() {
        glasshead_page::start();
    } else {
        glasshead::worker::start();
    }
}
