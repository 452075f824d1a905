//! Copies some columns of rows into a table from a row on that is known only when it runs: new keys and values into their cache.

use bytemuck::{Pod, Zeroable};

use super::FLAT;
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{Kernel, NO_LOOPS};
use crate::gpu::recording::{Recording, Slice, flat_workgroups};

/// The uniform.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// How many rows.
    pub n_rows: u32,
    /// Elements of a row of the table.
    pub width: u32,
    /// From one row of x to the next.
    pub stride: u32,
    /// The first column of x that is copied.
    pub first_col: u32,
}

/// first row (1), x (n_rows, stride) → table (rows, width)
pub static WRITE_ROWS: Kernel = Kernel {
    name: "write_rows",
    wgsl: &[FLAT, include_str!("../../shaders/write_rows.wgsl")],
    access: &[Read, Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: NO_LOOPS,
    cpu: |call| {
        let params: Params = call.params();
        let (width, start) = (params.width as usize, (call.u32(1)[0] * params.width) as usize);
        let (x, table) = (call.f32(2), &mut call.f32_mut(3)[start..]);
        let rows = x.chunks(params.stride as usize).take(params.n_rows as usize);
        for (to, from) in table.chunks_exact_mut(width).zip(rows) {
            to.copy_from_slice(&from[params.first_col as usize..][..width]);
        }
    },
};

/// Appends the copy.
pub fn write_rows(recording: &mut Recording, [first_row, x, table]: [Slice; 3], params: Params) {
    let len = params.n_rows as usize * params.width as usize;
    recording.dispatch(&WRITE_ROWS, params, &[first_row, x, table], flat_workgroups(len));
}
