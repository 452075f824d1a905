//! Lines on standard output.

use std::fmt::Arguments;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether it was told that nobody listens.
static TOLD: AtomicBool = AtomicBool::new(false);

/// Writes a line. Where standard output takes none any more, as when the program behind a pipe has ended or a disk is full,
/// that is told once, and the work goes on.
pub(super) fn line(text: Arguments<'_>) {
    if let Err(error) = writeln!(io::stdout(), "{text}")
        && !TOLD.swap(true, Ordering::Relaxed)
    {
        // There is nowhere else to tell that this one takes nothing either.
        drop(writeln!(io::stderr(), "glasshead: standard output takes nothing any more ({error}); the work goes on"));
    }
}

/// As `println!`, which panics where standard output is closed.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::cli::say::line(format_args!($($text)*))
    };
}
