//! Copies rows into a table from a row on that is known only when it runs: new keys and values into their cache.

use bytemuck::{Pod, Zeroable};

use super::FLAT;
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Recording, Slice, flat_workgroups};

/// The uniform.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// How many rows.
    pub n_rows: u32,
    /// Elements of a row.
    pub width: u32,
}

/// first row (1), x (n_rows, width) → table (rows, width)
pub static WRITE_ROWS: Kernel = Kernel {
    name: "write_rows",
    wgsl: &[FLAT, include_str!("../../shaders/write_rows.wgsl")],
    access: &[Read, Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    cpu: |call| {
        let params: Params = call.params();
        let (start, len) = (call.u32(1)[0] * params.width, params.n_rows * params.width);
        call.f32_mut(3)[start as usize..][..len as usize].copy_from_slice(&call.f32(2)[..len as usize]);
    },
};

/// Appends the copy.
pub fn write_rows(recording: &mut Recording, [first_row, x, table]: [Slice; 3], params: Params) {
    let len = params.n_rows as usize * params.width as usize;
    recording.dispatch(&WRITE_ROWS, params, &[first_row, x, table], flat_workgroups(len));
}
