//! Alternative implementations of kernels for specific hardware. Recordings name the kernel that every device can run;
//! when the GPU backend prepares one, it substitutes the variants that are correct and fast on this device
//! (`ops::tuning`).

use std::cell::RefCell;
use std::rc::Rc;

use super::kernel::{Halves, Kernel};
use super::recording::Recording;

/// A kernel with the bindings, the parameters and the CPU counterpart of another.
pub struct Variant {
    /// The kernel that it replaces.
    pub of: &'static Kernel,
    /// The kernel that runs instead.
    pub kernel: &'static Kernel,
    /// Its workgroup counts for these parameters, given those of the original; `None` where it does not support the
    /// parameters.
    pub workgroups: fn(params: &[u8], original: [u32; 3]) -> Option<[u32; 3]>,
    /// Required number of invocations in a subgroup; 0 where it uses none, 1 where any number will do.
    pub subgroup_size: u32,
    /// Whether it needs 64-bit integers.
    pub int64: bool,
    /// Whether it is made for GPUs and not worth trying where a CPU emulates one.
    pub hardware: bool,
}

impl Variant {
    /// A kernel that assigns a row to `subgroup_size` invocations of a subgroup instead of a workgroup.
    pub const fn of_rows(of: &'static Kernel, kernel: &'static Kernel, subgroup_size: u32) -> Self {
        Self { of, kernel, workgroups: |_, original| Some(original), subgroup_size, int64: false, hardware: false }
    }

    /// A kernel for GPUs that reduces within subgroups of any size.
    pub const fn of_subgroups(of: &'static Kernel, kernel: &'static Kernel) -> Self {
        Self { hardware: true, ..Self::of_rows(of, kernel, 1) }
    }

    /// Substitutes the variant wherever it supports the sizes; returns the number of substitutions.
    pub fn stand_in(&self, recording: &mut Recording) -> usize {
        let mut times = 0;
        for index in 0..recording.dispatches.len() {
            if recording.dispatches[index].kernel.name != self.of.name {
                continue;
            }
            let original = recording.dispatches[index].workgroups;
            if let Some(workgroups) = (self.workgroups)(recording.params(index), original) {
                let dispatch = &mut recording.dispatches[index];
                (dispatch.kernel, dispatch.workgroups) = (self.kernel, workgroups);
                times += 1;
            }
        }
        times
    }
}

/// A variant that a device uses, and where.
pub(super) struct Used {
    pub(super) variant: &'static Variant,
    /// What it was chosen for: a kernel, or a class of its shapes.
    pub(super) key: &'static str,
    holds: fn(params: &[u8]) -> bool,
    /// Iterations after which the device ends a loop.
    loop_limit: Option<u64>,
}

impl Used {
    pub(super) fn new(
        variant: &'static Variant,
        key: &'static str,
        holds: fn(params: &[u8]) -> bool,
        loop_limit: Option<u64>,
    ) -> Self {
        Self { variant, key, holds, loop_limit }
    }

    /// The kernel and workgroup counts that replace a dispatch, if this variant can.
    fn stand_in(
        &self,
        kernel: &Kernel,
        params: &[u8],
        workgroups: [u32; 3],
        halves: Halves,
    ) -> Option<(&'static Kernel, [u32; 3])> {
        let Variant { of, kernel: stand_in, int64, .. } = self.variant;
        // 64-bit integers are read in place of two 32-bit values.
        if of.name != kernel.name || !(self.holds)(params) || (*int64 && !halves.is_none()) {
            return None;
        }
        if self.loop_limit.is_some_and(|limit| (stand_in.loops)(params) > limit) {
            return None;
        }
        Some((*stand_in, (self.variant.workgroups)(params, workgroups)?))
    }
}

/// The variants that a device uses.
pub(super) type Variants = Rc<RefCell<Vec<Used>>>;

/// The kernel and workgroup counts that run on the device in place of a dispatch.
pub(super) fn choose(
    variants: &Variants,
    kernel: &'static Kernel,
    params: &[u8],
    workgroups: [u32; 3],
    halves: Halves,
) -> (&'static Kernel, [u32; 3]) {
    let variants = variants.borrow();
    let chosen = variants.iter().find_map(|used| used.stand_in(kernel, params, workgroups, halves));
    chosen.unwrap_or((kernel, workgroups))
}
