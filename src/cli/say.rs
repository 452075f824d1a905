//! Lines on standard output.

use std::fmt::Arguments;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the failure has been reported.
static REPORTED: AtomicBool = AtomicBool::new(false);

/// Writes a line. If standard output fails, for example because a pipe was closed or a disk is full, this is reported
/// once, and the program continues.
pub(super) fn line(text: Arguments<'_>) {
    if let Err(error) = writeln!(io::stdout(), "{text}")
        && !REPORTED.swap(true, Ordering::Relaxed)
    {
        // An error on standard error cannot be reported anywhere.
        let _ = writeln!(io::stderr(), "glasshead: cannot write to standard output ({error}); continuing without it");
    }
}

/// Like `println!`, but does not panic if standard output is closed.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::cli::say::line(format_args!($($text)*))
    };
}
