//! Schedules painting in animation frames: jobs wait for the next frame, and a frame that runs out of time leaves the
//! rest to the following one.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use wasm_bindgen::prelude::*;

/// Time budget of a frame in milliseconds.
const BUDGET_MS: f64 = 10.0;

type Job = Box<dyn FnOnce()>;

thread_local! {
    static JOBS: RefCell<VecDeque<(usize, Job)>> = const { RefCell::new(VecDeque::new()) };
    static LAST_KEY: Cell<usize> = const { Cell::new(0) };
    static PAINT: Closure<dyn FnMut()> = Closure::new(paint);
}

/// A unique key for [`soon`].
pub fn new_key() -> usize {
    LAST_KEY.set(LAST_KEY.get() + 1);
    LAST_KEY.get()
}

/// Runs a job in the next frame, before all others if it is `urgent`. A newer job with the same key replaces an older
/// one.
pub fn soon(key: usize, urgent: bool, job: impl FnOnce() + 'static) {
    let first = JOBS.with_borrow_mut(|jobs| {
        let first = jobs.is_empty();
        jobs.retain(|(other, _)| *other != key);
        let job: (usize, Job) = (key, Box::new(job));
        if urgent {
            jobs.push_front(job)
        } else {
            jobs.push_back(job)
        }
        first
    });
    if first {
        ask();
    }
}

fn ask() {
    if let Some(window) = web_sys::window() {
        // Fails only if the argument is not a function.
        drop(PAINT.with(|paint| window.request_animation_frame(paint.as_ref().unchecked_ref())));
    }
}

fn paint() {
    let now = || web_sys::window().and_then(|window| window.performance()).map_or(0.0, |clock| clock.now());
    let began = now();
    // The queue is not borrowed while a job runs, because the job may schedule others.
    while let Some((_, job)) = JOBS.with_borrow_mut(VecDeque::pop_front) {
        job();
        if now() - began > BUDGET_MS {
            break;
        }
    }
    if JOBS.with_borrow(|jobs| !jobs.is_empty()) {
        ask();
    }
}
