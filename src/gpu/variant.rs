//! Other ways to compute what a kernel computes, for the hardware that they suit. Recordings name the kernel that every
//! device can run; when the GPU backend prepares one, it takes the variants that its context has found to be right and
//! fast (`ops::tuning`).

use std::cell::RefCell;
use std::rc::Rc;

use super::kernel::{Halves, Kernel};
use super::recording::Recording;

/// A kernel with the bindings, the parameters and the CPU twin of another.
pub struct Variant {
    /// What it stands in for.
    pub of: &'static Kernel,
    /// What runs instead.
    pub kernel: &'static Kernel,
    /// How many workgroups it takes for these parameters, where its original takes so many; none where it cannot compute
    /// them.
    pub workgroups: fn(params: &[u8], original: [u32; 3]) -> Option<[u32; 3]>,
    /// How many invocations have to share a subgroup; 0 where it uses none.
    pub subgroup_size: u32,
    /// Whether it needs integers of 64 bits.
    pub int64: bool,
    /// Whether it is made for GPUs, so that to try it where a CPU emulates one would be lost time.
    pub hardware: bool,
}

impl Variant {
    /// A kernel that gives a row to so many invocations of a subgroup instead of a workgroup.
    pub const fn of_rows(of: &'static Kernel, kernel: &'static Kernel, subgroup_size: u32) -> Self {
        Self { of, kernel, workgroups: |_, original| Some(original), subgroup_size, int64: false, hardware: false }
    }

    /// Puts the variant in the place of what it stands in for, wherever it can compute the sizes; how often that was.
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

    /// What runs in place of a dispatch, if this can.
    fn stand_in(
        &self,
        kernel: &Kernel,
        params: &[u8],
        workgroups: [u32; 3],
        halves: Halves,
    ) -> Option<(&'static Kernel, [u32; 3])> {
        let Variant { of, kernel: stand_in, int64, .. } = self.variant;
        // Integers of 64 bits are read in place of two numbers of 32.
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

/// What runs on the device in place of a dispatch.
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
