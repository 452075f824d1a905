//! The capabilities of a device that decide whether a run is possible there.

use serde::{Deserialize, Serialize};

/// The limits and features that decide whether a model fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceLimits {
    /// Whether activations can be stored in f16.
    pub f16: bool,
    /// The largest buffer, in bytes.
    pub buffer_bytes: u64,
    /// The largest part of a buffer that a kernel can bind, in bytes.
    pub binding_bytes: u64,
    /// The limit for all buffers together, in bytes, where it is known; else `u64::MAX`.
    pub total_bytes: u64,
}

impl DeviceLimits {
    /// What the CPU backend can hold: wasm addresses 4 GiB in total. One buffer may take half of it, and all buffers
    /// together leave a quarter for everything else.
    pub const CPU: Self =
        Self { f16: true, buffer_bytes: 1 << 31, binding_bytes: 1 << 31, total_bytes: usize::MAX as u64 / 4 * 3 };
}
