//! Waits for a device. Firefox checks for finished work every 100 ms, and whenever something is submitted.

use std::future::Future;

/// Waits for the future; natively the device has already been polled.
#[cfg(not(target_arch = "wasm32"))]
pub(super) async fn keep_polled<T>(_: &wgpu::Queue, wait: impl Future<Output = T>) -> T {
    wait.await
}

/// Waits for the future. In Firefox, submits empty work every few milliseconds meanwhile, so that the browser notices
/// completion.
#[cfg(target_arch = "wasm32")]
pub(super) async fn keep_polled<T>(queue: &wgpu::Queue, wait: impl Future<Output = T>) -> T {
    let _ticks = super::limits::browser().contains("Firefox").then(|| ticks::Ticks::start(queue.clone()));
    wait.await
}

#[cfg(target_arch = "wasm32")]
mod ticks {
    use wasm_bindgen::JsCast;
    use wasm_bindgen::closure::Closure;
    use web_sys::WorkerGlobalScope;

    const EVERY_MS: i32 = 4;

    /// Submits empty work periodically until it is dropped.
    pub struct Ticks {
        scope: WorkerGlobalScope,
        id: Option<i32>,
        _submit: Closure<dyn FnMut()>,
    }

    impl Ticks {
        pub fn start(queue: wgpu::Queue) -> Self {
            let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
            let submit = Closure::<dyn FnMut()>::new(move || {
                queue.submit([]);
            });
            let callback = submit.as_ref().unchecked_ref();
            let id = scope.set_interval_with_callback_and_timeout_and_arguments_0(callback, EVERY_MS).ok();
            Self { scope, id, _submit: submit }
        }
    }

    impl Drop for Ticks {
        fn drop(&mut self) {
            self.id.into_iter().for_each(|id| self.scope.clear_interval_with_handle(id));
        }
    }
}
