//! Matrix multiplication in three row-major layouts; the result is (m, n), sums run over k.
//!
//! | kernel | computes | a | b | in training |
//! |---|---|---|---|---|
//! | `matmul_nt` | a·bᵀ | (m, k) | (n, k) | y = x·Wᵀ |
//! | `matmul_nn` | a·b | (m, k) | (k, n) | x_grad = y_grad·W |
//! | `matmul_tn` | aᵀ·b | (k, m) | (k, n) | W_grad = y_gradᵀ·x |
//!
//! Each has a sister that reads four numbers at a time and is used where the sizes are multiples of four. That one has a
//! variant for subgroups of eight or more, in which no two invocations load the same number (see [`super::tuning`]).

use bytemuck::{Pod, Zeroable};

use super::{LANES_TILE, MATMUL_LANES, Real, TILE, cpu, tile_workgroups};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{CpuCall, Kernel};
use crate::gpu::recording::{Recording, Slice};
use crate::gpu::variant::Variant;

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

const NT_LANES: &[&str] = &[LANES_TILE, MATMUL_LANES, include_str!("../../shaders/matmul_nt_lanes.wgsl")];
const NN_LANES: &[&str] = &[LANES_TILE, MATMUL_LANES, include_str!("../../shaders/matmul_nn_lanes.wgsl")];
const TN_LANES: &[&str] = &[LANES_TILE, MATMUL_LANES, include_str!("../../shaders/matmul_tn_lanes.wgsl")];

/// y = a·bᵀ with subgroups, k and n multiples of 4
pub static MATMUL_NT_LANES: Kernel = kernel("matmul_nt_lanes", NT_LANES, |call| run(call, Layout::Nt));
/// y = a·b with subgroups, k and n multiples of 4
pub static MATMUL_NN_LANES: Kernel = kernel("matmul_nn_lanes", NN_LANES, |call| run(call, Layout::Nn));
/// y = aᵀ·b with subgroups, m, n and k multiples of 4
pub static MATMUL_TN_LANES: Kernel = kernel("matmul_tn_lanes", TN_LANES, |call| run(call, Layout::Tn));

static NT_VARIANT: Variant = lanes(&MATMUL_NT_VEC4, &MATMUL_NT_LANES);
static NN_VARIANT: Variant = lanes(&MATMUL_NN_VEC4, &MATMUL_NN_LANES);
static TN_VARIANT: Variant = lanes(&MATMUL_TN_VEC4, &MATMUL_TN_LANES);

/// What stands in for the kernels above where it is right and faster.
pub static VARIANTS: [(Layout, &Variant); 3] =
    [(Layout::Nt, &NT_VARIANT), (Layout::Nn, &NN_VARIANT), (Layout::Tn, &TN_VARIANT)];

const fn lanes(of: &'static Kernel, kernel: &'static Kernel) -> Variant {
    Variant { of, kernel, workgroups: lanes_workgroups, subgroup_size: 8 }
}

/// One workgroup for 32 × 64 results.
fn lanes_workgroups(params: &[u8]) -> Option<[u32; 3]> {
    let Params { m, n, k, .. } = bytemuck::pod_read_unaligned(params);
    (n.is_multiple_of(4) && k.is_multiple_of(4)).then_some([n.div_ceil(64), m.div_ceil(32), 1])
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

/// Appends one multiplication by a variant, as the tests and the tuning need it; [`matmul`] leaves the choice to the
/// device.
///
/// # Panics
/// When the variant cannot compute this shape.
pub fn matmul_variant(
    recording: &mut Recording,
    layout: Layout,
    variant: &'static Variant,
    [a, b, y]: [Slice; 3],
    Shape { m, n, k }: Shape,
    accumulate: bool,
) {
    let params = Params { m: m as u32, n: n as u32, k: k as u32, accumulate: u32::from(accumulate) };
    let workgroups = (variant.workgroups)(bytemuck::bytes_of(&params));
    let Some(workgroups) = workgroups else {
        panic!("{} cannot compute ({m}, {n}, {k}) as {layout:?}", variant.kernel.name)
    };
    recording.dispatch(variant.kernel, params, &[a, b, y], workgroups);
}

/// Operations of a product with these parameters: a multiplication and an addition for each term.
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
    let y = &mut call.f32_mut(3)[..shape.m * shape.n];
    cpu::matmul::matmul(layout, [&call.f32(1), &call.f32(2)], y, shape, params.accumulate == 1);
}
