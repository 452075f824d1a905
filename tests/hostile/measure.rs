//! Measures the memory of a piece of work with a counting allocator, per thread, because tests run in parallel.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Counts allocations and forwards them to the system allocator.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that is ending no longer has its counters, and they are no longer read.
    let now = NOW.try_with(|now| {
        now.set(now.get() + bytes);
        now.get()
    });
    if let Ok(now) = now {
        PEAK.try_with(|peak| peak.set(peak.get().max(now))).ok();
    }
}

// SAFETY: every call is forwarded unchanged to the system allocator; the counters are plain numbers that allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size as isize - layout.size() as isize);
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(block, layout) }
    }
}

/// Returns the result of `work`, its peak memory on this thread in bytes above the initial level, and its time.
pub fn measured<T>(work: impl FnOnce() -> T) -> (T, usize, Duration) {
    let (before, start) = (NOW.get(), Instant::now());
    PEAK.set(before);
    let result = work();
    (result, usize::try_from(PEAK.get() - before).unwrap_or(0), start.elapsed())
}

#[test]
fn what_is_asked_for_counts_whether_or_not_it_is_used() {
    let ((), peak, _) = measured(|| drop(Vec::<u8>::with_capacity(3 << 20)));
    assert!((3 << 20..4 << 20).contains(&peak), "{peak}");
    let (kept, peak, _) = measured(|| vec![1u8; 1 << 20]);
    assert!(kept.len() <= peak && peak < 2 << 20, "{peak}");
}
