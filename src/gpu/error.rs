//! Errors of a device.

use thiserror::Error;

/// Errors of a device at run time.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ExecuteError {
    /// A buffer did not fit into memory; contains the device's message.
    #[error("the GPU has no memory left ({0})")]
    OutOfMemory(String),
    /// The device was lost; contains the reason.
    #[error("the GPU was lost ({0}); start a new run, or choose the CPU backend")]
    DeviceLost(String),
    /// The address space of this program has no room for the model.
    #[error("{mib} MiB of memory are missing to train or measure this model here")]
    NoRoom {
        /// Missing memory in MiB.
        mib: u64,
    },
    /// The adapter has no timestamp queries.
    #[error("this adapter has no timestamp queries, so kernels cannot be timed")]
    NoTimestamps,
    /// A kernel needs more workgroups than the device allows in one direction.
    #[error(
        "kernel {kernel} needs {needed} workgroups in one direction for these sizes, and this device allows {limit}; \
         choose smaller sizes, or the CPU backend"
    )]
    TooManyWorkgroups {
        /// Name of the kernel.
        kernel: &'static str,
        /// Required workgroups in one direction.
        needed: u32,
        /// The device's limit.
        limit: u32,
    },
    /// A kernel needs more loop iterations than the device runs; the device would end the loop early, without an error.
    #[error(
        "kernel {kernel} would run up to {iterations} loop iterations for these sizes, and this software adapter stops \
         after {limit}; choose smaller sizes, or the CPU backend"
    )]
    LoopTooLong {
        /// Name of the kernel.
        kernel: &'static str,
        /// Upper bound of the iterations for these sizes.
        iterations: u64,
        /// The device's limit.
        limit: u64,
    },
    /// The device rejected a command, which is a bug in this program.
    #[error("the GPU refused a command: {0}")]
    Refused(String),
}

impl ExecuteError {
    /// Whether the run can continue on another device.
    pub fn needs_another_device(&self) -> bool {
        matches!(self, Self::DeviceLost(_) | Self::OutOfMemory(_))
    }
}
