//! A monotonic clock, natively and in a worker.

/// Nanoseconds since an arbitrary start.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn now_ns() -> f64 {
    use std::sync::LazyLock;
    use std::time::Instant;
    static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGINNING.elapsed().as_secs_f64() * 1e9
}

/// Nanoseconds since an arbitrary start, at the resolution that the browser provides.
#[cfg(target_arch = "wasm32")]
pub(crate) fn now_ns() -> f64 {
    use wasm_bindgen::JsCast;
    let scope: web_sys::WorkerGlobalScope = js_sys::global().unchecked_into();
    scope.performance().map_or_else(js_sys::Date::now, |performance| performance.now()) * 1e6
}
