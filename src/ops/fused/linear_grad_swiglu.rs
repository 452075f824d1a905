//! The gradients of the linear layer after the gate of SwiGLU, and of the gate: from y_grad to W_grad = y_gradᵀ · hidden, and
//! through hidden_grad = y_grad · W, which is not stored, to the gradients of gate and up.

use super::SIGMOID;
use crate::gpu::fusion::{Fused, Fusion};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{Access, CpuCall, Kernel};
use crate::gpu::recording::{Recording, Slice};
use crate::ops::linear_grad::{
    self, LINEAR_GRAD_GROUP, LINEAR_GRAD_GROUP_32, LINEAR_GRAD_SLICED, LINEAR_GRAD_VEC4, Params,
};
use crate::ops::matmul::{Layout, Shape, terms_iterations};
use crate::ops::swiglu::{self, SWIGLU_GRAD};
use crate::ops::{
    ELEMENT_VEC4, FOUR_ROWS, GROUP_TERMS, LAYOUTS, MATMUL_GROUP, MATMUL_GROUP_32, MATMUL_SLICED, ROWS_OF_A, Real, TILE,
    cpu,
};

const WGSL: &str = wgsl!("../../../shaders/linear_grad_swiglu.wgsl");

macro_rules! kernel {
    ($kernel:ident $name:literal, $doc:literal, $tiles:ident) => {
        #[doc = $doc]
        pub static $kernel: Kernel = Kernel {
            name: $name,
            wgsl: &[
                LAYOUTS,
                ELEMENT_VEC4,
                TILE,
                FOUR_ROWS,
                GROUP_TERMS,
                ROWS_OF_A,
                $tiles,
                SIGMOID,
                WGSL,
                entry!($name, "grads_through_gate"),
            ],
            access: &[Read, Read, Read, Read, ReadWrite, ReadWrite],
            params_bytes: size_of::<Params>(),
            loops: |params| {
                let params: Params = bytemuck::pod_read_unaligned(params);
                terms_iterations(params.n_rows.max(params.d_out))
            },
            cpu: run,
        };
    };
}

kernel!(
    LINEAR_GRAD_SWIGLU_GROUP "linear_grad_swiglu_group",
    "hidden, w, y_grad, gate_up → gate_up_grad, w_grad in tiles of 64 × 64", MATMUL_GROUP
);
kernel!(LINEAR_GRAD_SWIGLU_GROUP_32 "linear_grad_swiglu_group_32", "The same in tiles of 32 × 32", MATMUL_GROUP_32);
kernel!(
    LINEAR_GRAD_SWIGLU_SLICED "linear_grad_swiglu_sliced",
    "The same in tiles of 32 × 32 whose sums are shared by four slices of a workgroup", MATMUL_SLICED
);

/// Replaces [`LINEAR_GRAD_VEC4`] and [`SWIGLU_GRAD`].
pub static LINEAR_GRAD_SWIGLU: [Fusion; 3] = [
    Fusion {
        key: "linear_grad_swiglu",
        kernel: &LINEAR_GRAD_SWIGLU_SLICED,
        tiles: &LINEAR_GRAD_SLICED,
        fuse: fuse::<32>,
    },
    Fusion {
        key: "linear_grad_swiglu",
        kernel: &LINEAR_GRAD_SWIGLU_GROUP_32,
        tiles: &LINEAR_GRAD_GROUP_32,
        fuse: fuse::<32>,
    },
    Fusion {
        key: "linear_grad_swiglu",
        kernel: &LINEAR_GRAD_SWIGLU_GROUP,
        tiles: &LINEAR_GRAD_GROUP,
        fuse: fuse::<64>,
    },
];

fn fuse<const TILE: u32>(recording: &Recording, at: usize) -> Option<Fused> {
    let params: Params = recording.params_of(at, &LINEAR_GRAD_VEC4)?;
    let gate: swiglu::Params = recording.params_of(at + 1, &SWIGLU_GRAD)?;
    let &[x, w, y_grad, x_grad, w_grad] = recording.dispatches[at].bindings.as_slice() else { return None };
    let &[gate_up, hidden_grad, gate_up_grad] = recording.dispatches[at + 1].bindings.as_slice() else { return None };
    let same = x_grad == hidden_grad && [params.n_rows, params.d_in] == [gate.n_rows, gate.d_ff];
    let fits =
        same && params.accumulate & 1 == 0 && params.n_rows.is_multiple_of(4) && is_only_for_gates(recording, x_grad);
    fits.then(|| Fused {
        dispatches: 2,
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings: vec![x, w, y_grad, gate_up, gate_up_grad, w_grad],
        workgroups: [params.d_in.div_ceil(TILE), params.n_rows.div_ceil(TILE) + params.d_out.div_ceil(TILE), 1],
    })
}

/// Whether a buffer is only read by the gradients of gates, each directly after the gradient of a linear layer has overwritten
/// it.
fn is_only_for_gates(recording: &Recording, slice: Slice) -> bool {
    recording.dispatches.iter().enumerate().all(|(index, dispatch)| {
        let bound = || dispatch.bindings.iter().zip(dispatch.kernel.access).filter(|(of, _)| of.buffer == slice.buffer);
        if !bound().any(|(_, access)| *access == Access::Read) {
            return true;
        }
        let before = index.checked_sub(1).and_then(|before| recording.params_of::<Params>(before, &LINEAR_GRAD_VEC4));
        dispatch.kernel.name == SWIGLU_GRAD.name
            && before.is_some_and(|before| before.accumulate & 1 == 0)
            && bound().all(|(of, _)| *of == recording.dispatches[index - 1].bindings[3])
    })
}

/// W_grad = y_gradᵀ · hidden, added to its values when `accumulate` is 2; gate_up_grad from hidden_grad = y_grad · W
pub fn reference<T: Real>(
    [hidden, w, y_grad, gate_up]: [&[T]; 4],
    [gate_up_grad, w_grad]: [&mut [T]; 2],
    params: &Params,
) {
    let mut hidden_grad = vec![T::zero(); hidden.len()];
    linear_grad::reference([hidden, w, y_grad], [&mut hidden_grad, w_grad], params);
    let gate = swiglu::Params { n_rows: params.n_rows, d_ff: params.d_in };
    swiglu::reference_grad(gate_up, &hidden_grad, gate_up_grad, &gate);
}

fn run(call: &CpuCall<'_>) {
    let params: Params = call.params();
    let [n_rows, d_in, d_out] = [params.n_rows, params.d_in, params.d_out].map(|size| size as usize);
    let (x, w, y_grad) = (&*call.f32(1), &*call.f32(2), &*call.f32(3));
    let mut hidden_grad = vec![0.0; n_rows * d_in];
    let of_hidden = Shape { m: n_rows, n: d_in, k: d_out };
    cpu::matmul::matmul(Layout::Nn, [y_grad, w], &mut hidden_grad, of_hidden, false);
    cpu::activation::swiglu_grad(&call.f32(4), &hidden_grad, &mut call.f32_mut(5), d_in);
    let w_grad = &mut call.f32_mut(6)[..d_out * d_in];
    let of_w = Shape { m: d_out, n: d_in, k: n_rows };
    cpu::matmul::matmul(Layout::Tn, [y_grad, x], w_grad, of_w, params.accumulate & 2 == 2);
}
