//! The gate of SwiGLU and the linear layer that reads its output: y = base + hidden · Wᵀ, hidden = SiLU(gate) ⊙ up.

use super::{SIGMOID, square_tiles};
use crate::gpu::fusion::{Fused, Fusion};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{CpuCall, Kernel};
use crate::gpu::recording::Recording;
use crate::ops::matmul::{
    self, Layout, MATMUL_NT_GROUP, MATMUL_NT_GROUP_32, MATMUL_NT_VEC4, Params, Shape, terms_iterations,
};
use crate::ops::swiglu::{self, SWIGLU};
use crate::ops::{ELEMENT_VEC4, FOUR_ROWS, GROUP_TERMS, LAYOUTS, MATMUL_GROUP, MATMUL_GROUP_32, Real, TILE, cpu};

const WGSL: &str = wgsl!("../../../shaders/swiglu_linear.wgsl");

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
                $tiles,
                SIGMOID,
                WGSL,
                entry!($name, "gate_and_multiply"),
            ],
            access: &[Read, Read, Read, ReadWrite, ReadWrite],
            params_bytes: size_of::<Params>(),
            loops: |params| terms_iterations(bytemuck::pod_read_unaligned::<Params>(params).k),
            cpu: run,
        };
    };
}

kernel!(SWIGLU_LINEAR_GROUP "swiglu_linear_group", "gate_up, w, base → y, hidden in tiles of 64 × 64", MATMUL_GROUP);
kernel!(SWIGLU_LINEAR_GROUP_32 "swiglu_linear_group_32", "The same in tiles of 32 × 32", MATMUL_GROUP_32);

/// Replaces [`SWIGLU`] and [`MATMUL_NT_VEC4`].
pub static SWIGLU_LINEAR: [Fusion; 2] = [
    Fusion { key: "swiglu_linear", kernel: &SWIGLU_LINEAR_GROUP_32, tiles: &MATMUL_NT_GROUP_32, fuse: fuse::<32> },
    Fusion { key: "swiglu_linear", kernel: &SWIGLU_LINEAR_GROUP, tiles: &MATMUL_NT_GROUP, fuse: fuse::<64> },
];

fn fuse<const TILE: u32>(recording: &Recording, at: usize) -> Option<Fused> {
    let gate: swiglu::Params = recording.params_of(at, &SWIGLU)?;
    let product: Params = recording.params_of(at + 1, &MATMUL_NT_VEC4)?;
    let &[gate_up, hidden] = recording.dispatches[at].bindings.as_slice() else { return None };
    let &[a, w, base, y] = recording.dispatches[at + 1].bindings.as_slice() else { return None };
    let fits = a == hidden && [product.m, product.k] == [gate.n_rows, gate.d_ff] && product.m.is_multiple_of(TILE);
    fits.then(|| Fused {
        dispatches: 2,
        params: bytemuck::bytes_of(&product).to_vec(),
        bindings: vec![gate_up, w, base, y, hidden],
        workgroups: square_tiles(product.m, product.n, TILE),
    })
}

/// hidden = SiLU(gate) ⊙ up, y = hidden · wᵀ, added to `base` when `onto` is 1
pub fn reference<T: Real>([gate_up, w, base]: [&[T]; 3], [y, hidden]: [&mut [T]; 2], params: &Params) {
    let Params { m, n, k, onto } = *params;
    swiglu::reference(gate_up, hidden, &swiglu::Params { n_rows: m, d_ff: k });
    matmul::reference_nt(hidden, w, y, Shape { m: m as usize, n: n as usize, k: k as usize });
    if onto == 1 {
        y.iter_mut().zip(base).for_each(|(y, &base)| *y += base);
    }
}

fn run(call: &CpuCall<'_>) {
    let Params { m, n, k, onto } = call.params();
    let shape = Shape { m: m as usize, n: n as usize, k: k as usize };
    let hidden = &mut call.f32_mut(5)[..shape.m * shape.k];
    cpu::activation::swiglu(&call.f32(1), hidden, shape.k);
    let y = &mut call.f32_mut(4)[..shape.m * shape.n];
    if onto == 1 {
        y.copy_from_slice(&call.f32(3)[..shape.m * shape.n]);
    }
    cpu::matmul::matmul(Layout::Nt, [hidden, &call.f32(2)], y, shape, onto == 1);
}
