//! The page's wasm module.

fn main() {
    #[cfg(target_arch = "wasm32")]
    glasshead_page::start();
}
