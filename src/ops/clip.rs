//! Gradient clipping by the global L2 norm (Pascanu et al. 2013): all gradients times
//! min(1, max_grad_norm / (norm + 1e-6)).

use bytemuck::{Pod, Zeroable};

use super::step::read_step;
use super::{
    CLIP_SCALE, EIGHT_LANES, FINITE, FLAT, FOUR_LANES, REDUCE, REDUCE_LANES, REDUCE_SUBGROUPS, Real, STEP, cpu,
    row_loops,
};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{Kernel, NO_LOOPS};
use crate::gpu::recording::{ALIGNMENT, Recording, Slice, flat_workgroups};
use crate::gpu::variant::Variant;

/// Number of partial sums from which the norm is computed.
pub const PARTIAL_SUMS: usize = 256;

/// Number of consecutive gradients that one workgroup adds before the next workgroup's run; as in clip.wgsl.
const RUN: u32 = 64;

/// Uniform parameters of all three kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Number of gradients, or of partial sums for `grad_norm`.
    pub len: u32,
}

const CLIP_WGSL: &str = wgsl!("../../shaders/clip.wgsl");
const WGSL: &[&str] = &[STEP, FLAT, FINITE, REDUCE, CLIP_SCALE, CLIP_WGSL];

macro_rules! squared_sums {
    ($kernel:ident $name:literal, $doc:literal, $invocations:literal, $entry:ident, [$($reduce:ident),*]) => {
        #[doc = $doc]
        pub static $kernel: Kernel = Kernel {
            name: $name,
            wgsl: &[STEP, FLAT, FINITE, $($reduce,)* CLIP_SCALE, CLIP_WGSL, $entry!($name, "sum_squares")],
            access: &[Read, ReadWrite],
            params_bytes: size_of::<Params>(),
            loops: |params| {
                let runs = bytemuck::pod_read_unaligned::<Params>(params).len.div_ceil(RUN * PARTIAL_SUMS as u32);
                u64::from(runs) * (1 + u64::from(RUN / $invocations)) + 8
            },
            cpu: |call| {
                let params: Params = call.params();
                cpu::update::squared_sums(&call.f32(1)[..params.len as usize], &mut call.f32_mut(2)[..PARTIAL_SUMS]);
            },
        };
    };
}

squared_sums!(SQUARED_SUMS "squared_sums", "grads (P) → sums of squares ([`PARTIAL_SUMS`])", 64, row_entry, [REDUCE]);
squared_sums!(SQUARED_SUMS_LANES "squared_sums_lanes", "The same with subgroups", 8, row_entry, [EIGHT_LANES, REDUCE_LANES]);
squared_sums!(SQUARED_SUMS_FOUR_LANES "squared_sums_four_lanes", "The same with subgroups of four", 4, row_entry, [FOUR_LANES, REDUCE_LANES]);

squared_sums!(
    SQUARED_SUMS_SUBGROUPS "squared_sums_subgroups", "The same with subgroups of any size", 64, subgroup_row_entry, [REDUCE_SUBGROUPS]
);

/// [`SQUARED_SUMS_SUBGROUPS`] in place of [`SQUARED_SUMS`].
pub static SUMS_SUBGROUPS: Variant = Variant::of_subgroups(&SQUARED_SUMS, &SQUARED_SUMS_SUBGROUPS);

/// Subgroup variants of [`SQUARED_SUMS`].
pub static SUMS_LANES: [Variant; 2] = [
    Variant::of_rows(&SQUARED_SUMS, &SQUARED_SUMS_LANES, 8),
    Variant::of_rows(&SQUARED_SUMS, &SQUARED_SUMS_FOUR_LANES, 4),
];

/// step, sums of squares → norm (1), `ring[slot]`; also reads `losses[slot]`. Once a loss or a norm is not finite, so are
/// all later norms until 0 is written: steps submitted after a non-finite one change nothing either.
pub static GRAD_NORM: Kernel = Kernel {
    name: "grad_norm",
    wgsl: WGSL,
    access: &[Read, Read, ReadWrite, ReadWrite, Read],
    params_bytes: size_of::<Params>(),
    loops: |params| row_loops::<64>(bytemuck::pod_read_unaligned::<Params>(params).len, 1),
    cpu: |call| {
        let slot = read_step(&call.u32(1)).slot as usize;
        let n_sums = call.params::<Params>().len as usize;
        let sum = call.f32(2)[..n_sums].iter().sum::<f32>().sqrt();
        let candidates = [call.f32_mut(3)[0], call.f32(5)[slot]];
        let norm = candidates.into_iter().find(|value| !value.is_finite()).unwrap_or(sum);
        call.f32_mut(3)[0] = norm;
        call.f32_mut(4)[slot] = norm;
    },
};

/// step, norm (1), grads (P) in place
pub static CLIP: Kernel = Kernel {
    name: "clip",
    wgsl: WGSL,
    access: &[Read, Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: NO_LOOPS,
    cpu: |call| {
        let params: Params = call.params();
        let grads = &mut call.f32_mut(3)[..params.len as usize];
        cpu::elementwise::scale(grads, clip_scale(call.f32(2)[0], read_step(&call.u32(1)).max_grad_norm));
    },
};

/// Appends the norm of all gradients. `sums` has [`PARTIAL_SUMS`] elements for each piece in which the gradients are
/// bound, `norm` has one; the norm is also written to the step's slot of `ring`. It is not finite where the step's slot
/// of `losses` is not, or where an earlier norm was not. The optimizers clip by this norm themselves.
pub fn grad_norm(recording: &mut Recording, step: Slice, grads: Slice, [sums, norm, ring, losses]: [Slice; 4]) {
    let n_pieces = sums.len / PARTIAL_SUMS;
    let piece = grads.len.div_ceil(n_pieces).next_multiple_of(ALIGNMENT);
    for (index, start) in (0..grads.len).step_by(piece).enumerate() {
        let part = grads.part(start, piece.min(grads.len - start));
        squared_sums(recording, part, sums.part(index * PARTIAL_SUMS, PARTIAL_SUMS));
    }
    let n_sums = Params { len: sums.len as u32 };
    recording.dispatch(&GRAD_NORM, n_sums, &[step, sums, norm, ring, losses], [1, 1, 1]);
}

/// Appends the sums of squares for the norm, [`PARTIAL_SUMS`] of them.
pub(super) fn squared_sums(recording: &mut Recording, grads: Slice, sums: Slice) {
    let len = Params { len: grads.len as u32 };
    recording.dispatch(&SQUARED_SUMS, len, &[grads, sums], [PARTIAL_SUMS as u32, 1, 1]);
}

/// Appends the clipping of gradients whose norm has been computed.
pub fn clip(recording: &mut Recording, step: Slice, grads: Slice, norm: Slice) {
    let len = Params { len: grads.len as u32 };
    recording.dispatch(&CLIP, len, &[step, norm, grads], flat_workgroups(grads.len));
}

/// Factor that clips gradients of this norm.
pub(super) fn clip_scale<T: Real>(norm: T, max_grad_norm: T) -> T {
    T::one().min(max_grad_norm / (norm + T::of(1e-6)))
}

/// grads ← grads · min(1, max_grad_norm / (norm + 1e-6))
pub fn reference<T: Real>(grads: &mut [T], norm: T, max_grad_norm: T) {
    let scale = clip_scale(norm, max_grad_norm);
    grads.iter_mut().for_each(|grad| *grad = *grad * scale);
}
