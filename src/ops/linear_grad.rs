//! The backward pass of a linear layer y = x·Wᵀ in one dispatch: x_grad = y_grad·W and W_grad = y_gradᵀ·x, where x is (N,
//! in), W (out, in) and y (N, out). Both are matmuls as in [`super::matmul`], with the layouts `nn` and `tn`.

use bytemuck::{Pod, Zeroable};

use super::matmul::{Layout, Shape, reference_nn, reference_tn, terms_iterations};
use super::{
    EIGHT_LANES, ELEMENT_F32, ELEMENT_U64, ELEMENT_VEC4, FOUR_LANES, FOUR_ROWS, GROUP_TERMS, LANES, LAYOUTS,
    MATMUL_FOUR_LANES, MATMUL_GROUP, MATMUL_GROUP_32, MATMUL_LANES, MATMUL_SCALAR, MATMUL_SLICED, MATMUL_VEC4,
    ROWS_OF_A, Real, TILE, cpu,
};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{CpuCall, Kernel};
use crate::gpu::recording::{Recording, Slice};
use crate::gpu::variant::Variant;

/// Uniform parameters of all kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// N: number of rows.
    pub n_rows: u32,
    /// Columns of x.
    pub d_in: u32,
    /// Columns of y.
    pub d_out: u32,
    /// 1 adds to the values of `x_grad`, 2 to those of `w_grad`, 3 to both.
    pub accumulate: u32,
}

impl Params {
    /// Workgroup counts for tiles of this many rows and columns: first those of x_grad, then those of w_grad.
    fn workgroups(&self, rows: u32, cols: u32) -> [u32; 3] {
        [self.d_in.div_ceil(cols), self.n_rows.div_ceil(rows) + self.d_out.div_ceil(rows), 1]
    }
}

const GRADS: &str = wgsl!("../../shaders/linear_grad.wgsl");

macro_rules! kernel {
    ($kernel:ident $name:literal, $doc:literal, [$($lib:ident),*]) => {
        #[doc = $doc]
        pub static $kernel: Kernel = Kernel {
            name: $name,
            wgsl: &[LAYOUTS, $($lib,)* GRADS, entry!($name, "both_grads")],
            access: &[Read, Read, Read, ReadWrite, ReadWrite],
            params_bytes: size_of::<Params>(),
            loops: |params| {
                let params: Params = bytemuck::pod_read_unaligned(params);
                terms_iterations(params.n_rows.max(params.d_out))
            },
            cpu: run,
        };
    };
}

kernel!(LINEAR_GRAD "linear_grad", "x, w, y_grad → x_grad, w_grad", [ELEMENT_F32, TILE, MATMUL_SCALAR]);
kernel!(LINEAR_GRAD_VEC4 "linear_grad_vec4", "The same for widths that are multiples of 4", [ELEMENT_VEC4, TILE, FOUR_ROWS, MATMUL_VEC4]);
kernel!(LINEAR_GRAD_LANES "linear_grad_lanes", "The same with subgroups, N a multiple of 4 too", [ELEMENT_U64, EIGHT_LANES, LANES, FOUR_ROWS, MATMUL_LANES]);
kernel!(LINEAR_GRAD_FOUR_LANES "linear_grad_four_lanes", "The same with subgroups of four", [ELEMENT_VEC4, FOUR_LANES, LANES, FOUR_ROWS, MATMUL_FOUR_LANES]);

kernel!(
    LINEAR_GRAD_GROUP "linear_grad_group", "The same with workgroup memory, N a multiple of 4 too",
    [ELEMENT_VEC4, TILE, FOUR_ROWS, GROUP_TERMS, ROWS_OF_A, MATMUL_GROUP]
);
kernel!(
    LINEAR_GRAD_GROUP_32 "linear_grad_group_32", "The same with tiles of 32 × 32",
    [ELEMENT_VEC4, TILE, FOUR_ROWS, GROUP_TERMS, ROWS_OF_A, MATMUL_GROUP_32]
);

kernel!(
    LINEAR_GRAD_SLICED "linear_grad_sliced", "The same with tiles of 32 × 32 whose sums are shared by four slices of a workgroup",
    [ELEMENT_VEC4, TILE, FOUR_ROWS, GROUP_TERMS, ROWS_OF_A, MATMUL_SLICED]
);

/// [`LINEAR_GRAD_SLICED`] in place of [`LINEAR_GRAD_VEC4`].
pub static GRAD_SLICED: Variant = Variant { hardware: true, ..tiles::<32, 32>(&LINEAR_GRAD_SLICED) };

/// Whether the gradient of the weights has so few tiles that they do not fill a GPU.
pub(super) fn few_tiles(params: &[u8]) -> bool {
    let Params { d_in, d_out, .. } = bytemuck::pod_read_unaligned(params);
    d_in.div_ceil(64) * d_out.div_ceil(64) <= FEW_TILES
}

/// A large GPU has about as many cores.
const FEW_TILES: u32 = 64;

/// [`LINEAR_GRAD_GROUP`] in place of [`LINEAR_GRAD_VEC4`].
pub static GRAD_GROUP: Variant = Variant { hardware: true, ..tiles::<64, 64>(&LINEAR_GRAD_GROUP) };

/// [`LINEAR_GRAD_GROUP_32`] in place of [`LINEAR_GRAD_VEC4`].
pub static GRAD_GROUP_32: Variant = Variant { hardware: true, ..tiles::<32, 32>(&LINEAR_GRAD_GROUP_32) };

/// [`LINEAR_GRAD_LANES`] in place of [`LINEAR_GRAD_VEC4`].
pub static GRAD_LANES: Variant = Variant { subgroup_size: 8, int64: true, ..tiles::<32, 64>(&LINEAR_GRAD_LANES) };

/// [`LINEAR_GRAD_FOUR_LANES`] in place of [`LINEAR_GRAD_VEC4`].
pub static GRAD_FOUR_LANES: Variant = Variant { subgroup_size: 4, ..tiles::<16, 32>(&LINEAR_GRAD_FOUR_LANES) };

/// A variant whose workgroups compute tiles of this many rows and columns.
const fn tiles<const ROWS: u32, const COLS: u32>(kernel: &'static Kernel) -> Variant {
    let workgroups = |params: &[u8], _| {
        let params: Params = bytemuck::pod_read_unaligned(params);
        params.n_rows.is_multiple_of(4).then(|| params.workgroups(ROWS, COLS))
    };
    Variant { of: &LINEAR_GRAD_VEC4, kernel, workgroups, subgroup_size: 0, int64: false, hardware: false }
}

/// Appends both matmuls over `n_rows` rows: x, w, y_grad → x_grad (added to its values when `accumulate`), w_grad.
pub fn linear_grad(recording: &mut Recording, bindings: [Slice; 5], n_rows: usize, accumulate: bool) {
    linear_grad_onto(recording, bindings, n_rows, [accumulate, false]);
}

/// As [`linear_grad`], adding to the values of x_grad and w_grad where `onto` is true.
pub fn linear_grad_onto(recording: &mut Recording, bindings: [Slice; 5], n_rows: usize, onto: [bool; 2]) {
    let [_, _, y_grad, x_grad, _] = bindings;
    let [d_in, d_out] = [x_grad, y_grad].map(|slice| (slice.len / n_rows) as u32);
    let accumulate = u32::from(onto[0]) | u32::from(onto[1]) << 1;
    let params = Params { n_rows: n_rows as u32, d_in, d_out, accumulate };
    let (kernel, workgroups) = match d_in.is_multiple_of(4) && d_out.is_multiple_of(4) {
        true => (&LINEAR_GRAD_VEC4, params.workgroups(8, 128)),
        false => (&LINEAR_GRAD, params.workgroups(32, 32)),
    };
    recording.dispatch(kernel, params, &bindings, workgroups);
}

/// x_grad = y_grad·W and W_grad = y_gradᵀ·x, added to their values as `accumulate` specifies
pub fn reference<T: Real>([x, w, y_grad]: [&[T]; 3], [x_grad, w_grad]: [&mut [T]; 2], params: &Params) {
    let [n_rows, d_in, d_out] = [params.n_rows, params.d_in, params.d_out].map(|size| size as usize);
    let before = [x_grad.to_vec(), w_grad.to_vec()];
    reference_nn(y_grad, w, x_grad, Shape { m: n_rows, n: d_in, k: d_out });
    reference_tn(y_grad, x, w_grad, Shape { m: d_out, n: d_in, k: n_rows });
    for (bit, (grads, before)) in [x_grad, w_grad].into_iter().zip(before).enumerate() {
        if params.accumulate >> bit & 1 == 1 {
            grads.iter_mut().zip(before).for_each(|(grad, before)| *grad += before);
        }
    }
}

/// Operations of both matmuls: a multiplication and an addition for each term.
pub(super) fn flops(params: &[u8]) -> f64 {
    let Params { n_rows, d_in, d_out, .. } = bytemuck::pod_read_unaligned(params);
    [n_rows, d_in, d_out].into_iter().map(f64::from).product::<f64>() * 4.0
}

fn run(call: &CpuCall<'_>) {
    let params: Params = call.params();
    let [n_rows, d_in, d_out] = [params.n_rows, params.d_in, params.d_out].map(|size| size as usize);
    let (x, w, y_grad) = (&*call.f32(1), &*call.f32(2), &*call.f32(3));
    let x_grad = &mut call.f32_mut(4)[..n_rows * d_in];
    let of_x = Shape { m: n_rows, n: d_in, k: d_out };
    cpu::matmul::matmul(Layout::Nn, [y_grad, w], x_grad, of_x, params.accumulate & 1 == 1);
    let w_grad = &mut call.f32_mut(5)[..d_out * d_in];
    cpu::matmul::matmul(
        Layout::Tn,
        [y_grad, x],
        w_grad,
        Shape { m: d_out, n: d_in, k: n_rows },
        params.accumulate & 2 == 2,
    );
}
