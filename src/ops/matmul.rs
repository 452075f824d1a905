//! Matrix multiplication in three row-major layouts; the result is (m, n), sums run over k.
//!
//! | kernel | computes | a | b | in training |
//! |---|---|---|---|---|
//! | `matmul_nt` | a·bᵀ | (m, k) | (n, k) | y = x·Wᵀ |
//! | `matmul_nn` | a·b | (m, k) | (k, n) | x_grad = y_grad·W |
//! | `matmul_tn` | aᵀ·b | (k, m) | (k, n) | W_grad = y_gradᵀ·x |
//!
//! Each has a variant that reads four numbers at a time and is used where the sizes are multiples of four.

use bytemuck::{Pod, Zeroable};

use super::{Real, TILE, cpu, tile_workgroups};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{CpuCall, Kernel};
use crate::gpu::recording::{Recording, Slice};

/// The uniform of all three kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Rows of the result.
    pub m: u32,
    /// Columns of the result.
    pub n: u32,
    /// Length of the sums.
    pub k: u32,
    /// 1 adds to what the result holds already.
    pub accumulate: u32,
}

const WGSL: &[&str] = &[TILE, include_str!("../../shaders/matmul.wgsl")];
const VEC4: &[&str] = &[TILE, include_str!("../../shaders/matmul_vec4.wgsl")];

const fn kernel(name: &'static str, wgsl: &'static [&'static str], cpu: fn(&CpuCall<'_>)) -> Kernel {
    Kernel { name, wgsl, access: &[Read, Read, ReadWrite], params_bytes: size_of::<Params>(), cpu }
}

/// y = a·bᵀ
pub static MATMUL_NT: Kernel = kernel("matmul_nt", WGSL, |call| run(call, Layout::Nt));
/// y = a·b
pub static MATMUL_NN: Kernel = kernel("matmul_nn", WGSL, |call| run(call, Layout::Nn));
/// y = aᵀ·b
pub static MATMUL_TN: Kernel = kernel("matmul_tn", WGSL, |call| run(call, Layout::Tn));
/// y = a·bᵀ, k and n multiples of 4
pub static MATMUL_NT_VEC4: Kernel = kernel("matmul_nt_vec4", VEC4, |call| run(call, Layout::Nt));
/// y = a·b, k and n multiples of 4
pub static MATMUL_NN_VEC4: Kernel = kernel("matmul_nn_vec4", VEC4, |call| run(call, Layout::Nn));
/// y = aᵀ·b, m and n multiples of 4
pub static MATMUL_TN_VEC4: Kernel = kernel("matmul_tn_vec4", VEC4, |call| run(call, Layout::Tn));

/// Which of a and b is transposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// a·bᵀ
    Nt,
    /// a·b
    Nn,
    /// aᵀ·b
    Tn,
}

impl Layout {
    /// The kernel for these sizes, and whether it is one of the variants.
    fn kernel(self, Shape { m, n, k }: Shape) -> (&'static Kernel, bool) {
        let fours = |sizes: [usize; 2]| sizes.iter().all(|size| size.is_multiple_of(4));
        match self {
            Self::Nt if fours([k, n]) => (&MATMUL_NT_VEC4, true),
            Self::Nn if fours([k, n]) => (&MATMUL_NN_VEC4, true),
            Self::Tn if fours([m, n]) => (&MATMUL_TN_VEC4, true),
            Self::Nt => (&MATMUL_NT, false),
            Self::Nn => (&MATMUL_NN, false),
            Self::Tn => (&MATMUL_TN, false),
        }
    }
}

/// Sizes of one multiplication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Length of the sums.
    pub k: usize,
}

/// Appends one multiplication; `accumulate` adds to what `y` (m, n) holds already.
pub fn matmul(recording: &mut Recording, layout: Layout, [a, b, y]: [Slice; 3], shape: Shape, accumulate: bool) {
    let Shape { m, n, k } = shape;
    let params = Params { m: m as u32, n: n as u32, k: k as u32, accumulate: u32::from(accumulate) };
    let (kernel, vec4) = layout.kernel(shape);
    let workgroups = if vec4 { [n.div_ceil(128) as u32, m.div_ceil(8) as u32, 1] } else { tile_workgroups(m, n, 1) };
    recording.dispatch(kernel, params, &[a, b, y], workgroups);
}

/// y (m, n) = a (m, k) · b (n, k)ᵀ
pub fn reference_nt<T: Real>(a: &[T], b: &[T], y: &mut [T], Shape { m, n, k }: Shape) {
    for i in 0..m {
        for j in 0..n {
            y[i * n + j] = (0..k).map(|l| a[i * k + l] * b[j * k + l]).sum();
        }
    }
}

/// y (m, n) = a (m, k) · b (k, n)
pub fn reference_nn<T: Real>(a: &[T], b: &[T], y: &mut [T], Shape { m, n, k }: Shape) {
    for i in 0..m {
        for j in 0..n {
            y[i * n + j] = (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
        }
    }
}

/// y (m, n) = a (k, m)ᵀ · b (k, n)
pub fn reference_tn<T: Real>(a: &[T], b: &[T], y: &mut [T], Shape { m, n, k }: Shape) {
    for i in 0..m {
        for j in 0..n {
            y[i * n + j] = (0..k).map(|l| a[l * m + i] * b[l * n + j]).sum();
        }
    }
}

fn run(call: &CpuCall<'_>, layout: Layout) {
    let params: Params = call.params();
    let shape = Shape { m: params.m as usize, n: params.n as usize, k: params.k as usize };
    let y = &mut call.f32_mut(3)[..shape.m * shape.n];
    cpu::matmul::matmul(layout, [&call.f32(1), &call.f32(2)], y, shape, params.accumulate == 1);
}
