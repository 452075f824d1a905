//! The time that a driver measures.

use std::rc::Rc;

/// A clock that only moves forward.
pub trait Clock {
    /// Seconds since an arbitrary start.
    fn now(&self) -> f64;
}

impl<F: Fn() -> f64 + ?Sized> Clock for F {
    fn now(&self) -> f64 {
        self()
    }
}

/// A clock that a driver shares with its observer.
pub type SharedClock = Rc<dyn Clock>;

/// The system's monotonic clock, from the time of the call on.
#[cfg(not(target_arch = "wasm32"))]
pub fn system_clock() -> SharedClock {
    let began = std::time::Instant::now();
    Rc::new(move || began.elapsed().as_secs_f64())
}
