//! Matrix multiplication in three row-major layouts; the result is (m, n), sums run over k.
//!
//! | kernel | computes | a | b | in training |
//! |---|---|---|---|---|
//! | `matmul_nt` | a·bᵀ | (m, k) | (n, k) | y = x·Wᵀ |
//! | `matmul_nn` | a·b | (m, k) | (k, n) | x_grad = y_grad·W |
//! | `matmul_tn` | aᵀ·b | (k, m) | (k, n) | W_grad = y_gradᵀ·x |
//!
//! Each can add to a base, as the residual stream does. Each has a counterpart that reads vectors of four, used where the
//! sizes are multiples of four; that of `matmul_nt` has variants for specific hardware (see [`super::tuning`]).

use bytemuck::{Pod, Zeroable};

use super::{
    EIGHT_LANES, ELEMENT_F32, ELEMENT_U64, ELEMENT_VEC4, FOUR_LANES, FOUR_ROWS, GROUP_TERMS, LANES, LAYOUTS,
    MATMUL_FOUR_LANES, MATMUL_GROUP, MATMUL_GROUP_32, MATMUL_LANES, MATMUL_ROWS, MATMUL_SCALAR, MATMUL_VEC4, ROWS_OF_A,
    Real, TILE, cpu, tile_workgroups,
};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{CpuCall, Kernel};
use crate::gpu::recording::{Recording, Slice};
use crate::gpu::variant::Variant;

/// Uniform parameters of all kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Rows of the result.
    pub m: u32,
    /// Columns of the result.
    pub n: u32,
    /// Length of the sums.
    pub k: u32,
    /// 1: the result is added to the base; 0: the base is not read.
    pub onto: u32,
}

const PRODUCTS: &str = wgsl!("../../shaders/matmul.wgsl");

macro_rules! kernel {
    ($kernel:ident $name:literal, $function:literal, $layout:ident, $doc:literal, [$($lib:ident),*]) => {
        #[doc = $doc]
        pub static $kernel: Kernel = Kernel {
            name: $name,
            wgsl: &[LAYOUTS, $($lib,)* PRODUCTS, entry!($name, $function)],
            access: &[Read, Read, Read, ReadWrite],
            params_bytes: size_of::<Params>(),
            loops: |params| terms_iterations(bytemuck::pod_read_unaligned::<Params>(params).k),
            cpu: |call| run(call, Layout::$layout),
        };
    };
}

kernel!(MATMUL_NT "matmul_nt", "product_nt", Nt, "y = (base +) a·bᵀ", [ELEMENT_F32, TILE, MATMUL_SCALAR]);
kernel!(MATMUL_NN "matmul_nn", "product_nn", Nn, "y = (base +) a·b", [ELEMENT_F32, TILE, MATMUL_SCALAR]);
kernel!(MATMUL_TN "matmul_tn", "product_tn", Tn, "y = (base +) aᵀ·b", [ELEMENT_F32, TILE, MATMUL_SCALAR]);
kernel!(MATMUL_NT_VEC4 "matmul_nt_vec4", "product_nt", Nt, "As [`MATMUL_NT`], k and n multiples of 4", [ELEMENT_VEC4, TILE, FOUR_ROWS, MATMUL_VEC4]);
kernel!(MATMUL_NN_VEC4 "matmul_nn_vec4", "product_nn", Nn, "As [`MATMUL_NN`], k and n multiples of 4", [ELEMENT_VEC4, TILE, FOUR_ROWS, MATMUL_VEC4]);
kernel!(MATMUL_TN_VEC4 "matmul_tn_vec4", "product_tn", Tn, "As [`MATMUL_TN`], m and n multiples of 4", [ELEMENT_VEC4, TILE, FOUR_ROWS, MATMUL_VEC4]);
kernel!(MATMUL_NT_LANES "matmul_nt_lanes", "product_nt", Nt, "As [`MATMUL_NT_VEC4`], with subgroups", [ELEMENT_U64, EIGHT_LANES, LANES, FOUR_ROWS, MATMUL_LANES]);
kernel!(MATMUL_NT_FOUR_LANES "matmul_nt_four_lanes", "product_nt", Nt, "The same with subgroups of four", [ELEMENT_VEC4, FOUR_LANES, LANES, FOUR_ROWS, MATMUL_FOUR_LANES]);

kernel!(
    MATMUL_NT_GROUP "matmul_nt_group", "product_nt", Nt, "As [`MATMUL_NT_VEC4`], with workgroup memory",
    [ELEMENT_VEC4, TILE, FOUR_ROWS, GROUP_TERMS, ROWS_OF_A, MATMUL_GROUP]
);
kernel!(
    MATMUL_NT_GROUP_32 "matmul_nt_group_32", "product_nt", Nt, "The same with tiles of 32 × 32",
    [ELEMENT_VEC4, TILE, FOUR_ROWS, GROUP_TERMS, ROWS_OF_A, MATMUL_GROUP_32]
);
kernel!(
    MATMUL_NT_ROWS "matmul_nt_rows", "product_nt", Nt, "The same for few rows, each by whole workgroups",
    [ELEMENT_VEC4, MATMUL_ROWS]
);

/// [`MATMUL_NT_GROUP`] in place of [`MATMUL_NT_VEC4`].
pub static NT_GROUP: Variant = Variant { hardware: true, ..tiles::<64, 64>(&MATMUL_NT_GROUP) };

/// [`MATMUL_NT_GROUP_32`] in place of [`MATMUL_NT_VEC4`].
pub static NT_GROUP_32: Variant = Variant { hardware: true, ..tiles::<32, 32>(&MATMUL_NT_GROUP_32) };

/// [`MATMUL_NT_ROWS`] in place of [`MATMUL_NT_VEC4`], for few rows.
pub static NT_ROWS: Variant = Variant {
    workgroups: |params, _| {
        let Params { m, n, .. } = bytemuck::pod_read_unaligned(params);
        (m <= FEW_ROWS).then_some([n / 4, m, 1])
    },
    hardware: true,
    ..tiles::<1, 4>(&MATMUL_NT_ROWS)
};

/// Maximum number of rows treated as generation token by token. Variants with large tiles waste most of each.
pub(super) const FEW_ROWS: u32 = 8;

/// [`MATMUL_NT_LANES`] in place of [`MATMUL_NT_VEC4`].
pub static NT_LANES: Variant = Variant { subgroup_size: 8, int64: true, ..tiles::<32, 64>(&MATMUL_NT_LANES) };

/// [`MATMUL_NT_FOUR_LANES`] in place of [`MATMUL_NT_VEC4`].
pub static NT_FOUR_LANES: Variant = Variant { subgroup_size: 4, ..tiles::<16, 32>(&MATMUL_NT_FOUR_LANES) };

/// A variant whose workgroups compute tiles of this many rows and columns.
const fn tiles<const ROWS: u32, const COLS: u32>(kernel: &'static Kernel) -> Variant {
    let workgroups = |params: &[u8], _| {
        let Params { m, n, .. } = bytemuck::pod_read_unaligned(params);
        Some([n.div_ceil(COLS), m.div_ceil(ROWS), 1])
    };
    Variant { of: &MATMUL_NT_VEC4, kernel, workgroups, subgroup_size: 0, int64: false, hardware: false }
}

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
    /// The kernel for these sizes, and whether it reads vectors of four.
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

/// Sizes of one matmul.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Length of the sums.
    pub k: usize,
}

/// Appends one matmul: y (m, n) = a · b, added to a `base` (m, n) if there is one.
pub fn matmul(recording: &mut Recording, layout: Layout, [a, b, y]: [Slice; 3], shape: Shape, base: Option<Slice>) {
    let Shape { m, n, k } = shape;
    let params = Params { m: m as u32, n: n as u32, k: k as u32, onto: u32::from(base.is_some()) };
    let (kernel, vec4) = layout.kernel(shape);
    let workgroups = if vec4 { [n.div_ceil(128) as u32, m.div_ceil(8) as u32, 1] } else { tile_workgroups(m, n, 1) };
    // A missing base still needs a binding; it is not read.
    recording.dispatch(kernel, params, &[a, b, base.unwrap_or(b), y], workgroups);
}

/// Upper bound of the iterations for sums of `k` terms: at least 16 / 5 terms per iteration in all kernels, and a
/// remainder of three.
pub(super) fn terms_iterations(k: u32) -> u64 {
    u64::from(k) * 5 / 16 + 8
}

/// Operations of a matmul with these parameters: a multiplication and an addition for each term.
pub(super) fn flops(params: &[u8]) -> f64 {
    let Params { m, n, k, .. } = bytemuck::pod_read_unaligned(params);
    [m, n, k].into_iter().map(f64::from).product::<f64>() * 2.0
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
    let y = &mut call.f32_mut(4)[..shape.m * shape.n];
    if params.onto == 1 {
        y.copy_from_slice(&call.f32(3)[..shape.m * shape.n]);
    }
    cpu::matmul::matmul(layout, [&call.f32(1), &call.f32(2)], y, shape, params.onto == 1);
}
