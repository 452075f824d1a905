//! RMSNorm and the linear layer that reads its output, with the rotation of queries and keys: y = rope(norm(x) · Wᵀ).

use bytemuck::{Pod, Zeroable};

use super::square_tiles;
use crate::gpu::fusion::{Fused, Fusion};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{CpuCall, Kernel};
use crate::gpu::recording::Recording;
use crate::ops::matmul::{self, Layout, MATMUL_NT_GROUP, MATMUL_NT_GROUP_32, MATMUL_NT_VEC4, Shape, terms_iterations};
use crate::ops::rmsnorm::{self, RMSNORM};
use crate::ops::rope::{self, ROPE};
use crate::ops::{ELEMENT_VEC4, FOUR_ROWS, GROUP_TERMS, LAYOUTS, MATMUL_GROUP, MATMUL_GROUP_32, Real, TILE, cpu};

/// Uniform parameters of all kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// N: number of rows.
    pub m: u32,
    /// Width of y.
    pub n: u32,
    /// C: width of x.
    pub k: u32,
    /// ε
    pub eps: f32,
    /// Number of columns of y to rotate, from the first on; 0 without rotation.
    pub rotated: u32,
    /// T: positions of a sequence; 1 without rotation.
    pub context_length: u32,
    /// D: size of a head; 4 without rotation.
    pub d_head: u32,
}

const WGSL: &str = wgsl!("../../../shaders/norm_linear.wgsl");
const ROTATION: &str = wgsl!("../../../shaders/lib/rotation.wgsl");
const NO_ROTATION: &str = wgsl!("../../../shaders/lib/no_rotation.wgsl");

macro_rules! kernel {
    ($kernel:ident $name:literal, $doc:literal, $rotation:ident, $tiles:ident, $access:expr, $cpu:expr) => {
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
                $rotation,
                WGSL,
                entry!($name, "normalize_and_multiply"),
            ],
            access: $access,
            params_bytes: size_of::<Params>(),
            loops: |params| {
                let k = bytemuck::pod_read_unaligned::<Params>(params).k;
                // Eight passes over eighths of rows, in vectors of four, for the squares.
                terms_iterations(k) + 8 * (2 + u64::from(k.div_ceil(32)))
            },
            cpu: $cpu,
        };
    };
}

kernel!(
    NORM_LINEAR_GROUP "norm_linear_group", "x, w, gain → y, norm(x), inv_rms in tiles of 64 × 64",
    NO_ROTATION, MATMUL_GROUP, &[Read, Read, Read, ReadWrite, ReadWrite, ReadWrite], run
);
kernel!(
    NORM_LINEAR_GROUP_32 "norm_linear_group_32", "The same in tiles of 32 × 32",
    NO_ROTATION, MATMUL_GROUP_32, &[Read, Read, Read, ReadWrite, ReadWrite, ReadWrite], run
);
kernel!(
    NORM_ROPE_LINEAR_GROUP "norm_rope_linear_group", "x, w, gain, cos_sin → rotated y, norm(x), inv_rms in tiles of 64 × 64",
    ROTATION, MATMUL_GROUP, &[Read, Read, Read, ReadWrite, ReadWrite, ReadWrite, Read], run_rotated
);
kernel!(
    NORM_ROPE_LINEAR_GROUP_32 "norm_rope_linear_group_32", "The same in tiles of 32 × 32",
    ROTATION, MATMUL_GROUP_32, &[Read, Read, Read, ReadWrite, ReadWrite, ReadWrite, Read], run_rotated
);

/// Replaces [`RMSNORM`] and [`MATMUL_NT_VEC4`].
pub static NORM_LINEAR: [Fusion; 2] = [
    Fusion { key: "norm_linear", kernel: &NORM_LINEAR_GROUP_32, tiles: &MATMUL_NT_GROUP_32, fuse: fuse::<32> },
    Fusion { key: "norm_linear", kernel: &NORM_LINEAR_GROUP, tiles: &MATMUL_NT_GROUP, fuse: fuse::<64> },
];

/// Replaces [`RMSNORM`], [`MATMUL_NT_VEC4`] and [`ROPE`].
pub static NORM_ROPE_LINEAR: [Fusion; 2] = [
    Fusion {
        key: "norm_rope_linear",
        kernel: &NORM_ROPE_LINEAR_GROUP_32,
        tiles: &MATMUL_NT_GROUP_32,
        fuse: fuse_rotated::<32>,
    },
    Fusion {
        key: "norm_rope_linear",
        kernel: &NORM_ROPE_LINEAR_GROUP,
        tiles: &MATMUL_NT_GROUP,
        fuse: fuse_rotated::<64>,
    },
];

fn fuse<const TILE: u32>(recording: &Recording, at: usize) -> Option<Fused> {
    let norm: rmsnorm::Params = recording.params_of(at, &RMSNORM)?;
    let matmul::Params { m, n, k, onto } = recording.params_of(at + 1, &MATMUL_NT_VEC4)?;
    let &[x, gain, values, inv_rms] = recording.dispatches[at].bindings.as_slice() else { return None };
    let &[a, w, _, y] = recording.dispatches[at + 1].bindings.as_slice() else { return None };
    let fits = a == values && onto == 0 && [m, k] == [norm.n_rows, norm.d_model] && m.is_multiple_of(TILE);
    let params = Params { m, n, k, eps: norm.eps, rotated: 0, context_length: 1, d_head: 4 };
    fits.then(|| Fused {
        dispatches: 2,
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings: vec![x, w, gain, y, values, inv_rms],
        workgroups: square_tiles(m, n, TILE),
    })
}

fn fuse_rotated<const TILE: u32>(recording: &Recording, at: usize) -> Option<Fused> {
    let mut fused = fuse::<TILE>(recording, at)?;
    let rope: rope::Params = recording.params_of(at + 2, &ROPE)?;
    let &[cos_sin, rotated] = recording.dispatches[at + 2].bindings.as_slice() else { return None };
    let params: Params = bytemuck::pod_read_unaligned(&fused.params);
    let rope::Params { n_rows, context_length, d_model, stride, d_head, direction } = rope;
    let in_fours = [d_model, d_head, cos_sin.len as u32].iter().all(|size| size.is_multiple_of(4));
    let same = rotated == fused.bindings[3] && [n_rows, stride] == [params.m, params.n];
    let params = Params { rotated: d_model, context_length, d_head, ..params };
    fused.bindings.push(cos_sin);
    (in_fours && same && direction == 1.0).then(|| Fused {
        dispatches: 3,
        params: bytemuck::bytes_of(&params).to_vec(),
        ..fused
    })
}

/// Operations of the matmul with these parameters.
pub(in crate::ops) fn flops(params: &[u8]) -> f64 {
    let Params { m, n, k, .. } = bytemuck::pod_read_unaligned(params);
    [m, n, k].into_iter().map(f64::from).product::<f64>() * 2.0
}

/// values = norm(x), y = rope(values · wᵀ)
pub fn reference<T: Real>([x, w, gain, cos_sin]: [&[T]; 4], [y, values, inv_rms]: [&mut [T]; 3], params: &Params) {
    let Params { m, n, k, eps, rotated, context_length, d_head } = *params;
    let norm = rmsnorm::Params { n_rows: m, d_model: k, eps, accumulate: 0 };
    rmsnorm::reference(x, gain, values, inv_rms, &norm);
    matmul::reference_nt(values, w, y, Shape { m: m as usize, n: n as usize, k: k as usize });
    if rotated > 0 {
        let rope = rope::Params { n_rows: m, context_length, d_model: rotated, stride: n, d_head, direction: 1.0 };
        rope::reference(cos_sin, y, &rope);
    }
}

fn run(call: &CpuCall<'_>) {
    let Params { m, n, k, eps, .. } = call.params();
    let [m, n, k] = [m, n, k].map(|size| size as usize);
    let values = &mut call.f32_mut(5)[..m * k];
    cpu::norm::rmsnorm(&call.f32(1), &call.f32(3), values, &mut call.f32_mut(6), [m, k], eps);
    let y = &mut call.f32_mut(4)[..m * n];
    cpu::matmul::matmul(Layout::Nt, [values, &call.f32(2)], y, Shape { m, n, k }, false);
}

fn run_rotated(call: &CpuCall<'_>) {
    run(call);
    let Params { m, n, rotated, context_length, d_head, .. } = call.params();
    let rope = rope::Params { n_rows: m, context_length, d_model: rotated, stride: n, d_head, direction: 1.0 };
    cpu::rope::rope(&call.f32(7), &mut call.f32_mut(4), rope.on_cpu(), rope.direction);
}
