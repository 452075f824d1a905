//! Copies columns of the rows of several sequences into their tables, each starting at a row that is only known when the
//! recording runs: new keys and values into the cache.

use bytemuck::{Pod, Zeroable};

use super::FLAT;
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{Kernel, NO_LOOPS};
use crate::gpu::recording::{Recording, Slice, flat_workgroups};

/// Uniform parameters of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// B·W: rows of x.
    pub n_rows: u32,
    /// W: rows of x per sequence.
    pub rows_per_sequence: u32,
    /// T: rows of each sequence's table.
    pub table_rows: u32,
    /// Elements of a row of a table.
    pub width: u32,
    /// Distance between two rows of x in elements.
    pub stride: u32,
    /// First column of x to copy.
    pub first_col: u32,
}

/// first row (B), x (B, W, stride) → tables (B, T, width)
pub static WRITE_ROWS: Kernel = Kernel {
    name: "write_rows",
    wgsl: &[FLAT, wgsl!("../../shaders/write_rows.wgsl")],
    access: &[Read, Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: NO_LOOPS,
    cpu: |call| reference(&call.u32(1), &call.f32(2), &mut call.f32_mut(3), &call.params()),
};

/// Appends the copy. The caller ensures `first_row[b] + W` ≤ T.
pub fn write_rows(recording: &mut Recording, [first_row, x, table]: [Slice; 3], params: Params) {
    let len = params.n_rows as usize * params.width as usize;
    recording.dispatch(&WRITE_ROWS, params, &[first_row, x, table], flat_workgroups(len));
}

/// `table[b, first_row[b] + r, c] = x[b, r, first_col + c]`
pub fn reference<T: Copy>(first_row: &[u32], x: &[T], table: &mut [T], params: &Params) {
    let (width, per_sequence) = (params.width as usize, params.rows_per_sequence as usize);
    let rows = x.chunks(params.stride as usize).take(params.n_rows as usize);
    for (row, from) in rows.enumerate() {
        let (sequence, offset) = (row / per_sequence, row % per_sequence);
        let to = sequence * params.table_rows as usize + first_row[sequence] as usize + offset;
        table[to * width..][..width].copy_from_slice(&from[params.first_col as usize..][..width]);
    }
}
