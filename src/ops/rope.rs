//! Rotary position embedding (Su et al. 2021): rotates the pair `(x[2i], x[2i+1])` of every head by position · Θ^(−2i/D).
//! In place on the first columns of (B, T, stride): query heads, then key heads.

use bytemuck::{Pod, Zeroable};
use glasshead_cpu::math::{cos, pow, sin};

use super::{FLAT, Real, cpu};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{Kernel, NO_LOOPS};
use crate::gpu::recording::{Recording, Slice, flat_workgroups};

/// Uniform parameters of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// B·T: number of rows.
    pub n_rows: u32,
    /// T: positions of a sequence; the position of a row is row mod T.
    pub context_length: u32,
    /// Number of columns to rotate, from the first on: whole heads.
    pub d_model: u32,
    /// Distance between two rows in elements.
    pub stride: u32,
    /// D: size of a head, even.
    pub d_head: u32,
    /// +1 rotates forward, −1 back: the gradient of a rotation is its inverse.
    pub direction: f32,
}

/// cos_sin (T, D/2, 2), x (B, T, stride) in place
pub static ROPE: Kernel = Kernel {
    name: "rope",
    wgsl: &[FLAT, wgsl!("../../shaders/rope.wgsl")],
    access: &[Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: NO_LOOPS,
    cpu: |call| {
        let params: Params = call.params();
        cpu::rope::rope(&call.f32(1), &mut call.f32_mut(2), params.on_cpu(), params.direction);
    },
};

impl Params {
    pub(super) fn on_cpu(&self) -> cpu::rope::Rows {
        let [n, context_length, width, stride, d_head] =
            [self.n_rows, self.context_length, self.d_model, self.stride, self.d_head].map(|size| size as usize);
        cpu::rope::Rows { n, context_length, width, stride, d_head }
    }
}

/// Appends the rotation of `x`.
pub fn rope(recording: &mut Recording, [cos_sin, x]: [Slice; 2], params: Params) {
    let pairs = params.n_rows as usize * params.d_model as usize / 2;
    recording.dispatch(&ROPE, params, &[cos_sin, x], flat_workgroups(pairs));
}

/// The table (T, D/2, 2) for positions 0 .. T.
pub fn cos_sin_table(context_length: usize, d_head: usize, theta: f64) -> Vec<f32> {
    cos_sin_at((0..context_length).map(|position| position as f64), d_head, theta)
}

/// The table (T, D/2, 2) for T given positions: cosine and sine of position · Θ^(−2i/D). Computed here in f64, because
/// WGSL does not define the precision of its sin and cos.
pub fn cos_sin_at(positions: impl Iterator<Item = f64>, d_head: usize, theta: f64) -> Vec<f32> {
    let entry = |position: f64, i: usize| {
        let angle = position * pow(theta, -2.0 * i as f64 / d_head as f64);
        [cos(angle) as f32, sin(angle) as f32]
    };
    positions.flat_map(|position| (0..d_head / 2).flat_map(move |i| entry(position, i))).collect()
}

/// (x₀, x₁) ← (x₀·cos − x₁·sin, x₀·sin + x₁·cos)
pub fn reference<T: Real>(cos_sin: &[T], x: &mut [T], params: &Params) {
    let (width, half) = (params.d_model as usize, params.d_head as usize / 2);
    for row in 0..params.n_rows as usize {
        let position = row % params.context_length as usize;
        for pair in 0..width / 2 {
            let entry = (position * half + pair % half) * 2;
            let (cosine, sine) = (cos_sin[entry], T::of(f64::from(params.direction)) * cos_sin[entry + 1]);
            let at = row * params.stride as usize + 2 * pair;
            let (x0, x1) = (x[at], x[at + 1]);
            x[at] = x0 * cosine - x1 * sine;
            x[at + 1] = x0 * sine + x1 * cosine;
        }
    }
}
