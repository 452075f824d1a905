//! A recording: buffers and a list of dispatches as pure data, built once and replayed by either backend.

use bytemuck::Pod;

use super::kernel::{Access, Kernel};

/// Slices of a buffer start at multiples of this many bytes: the least storage-buffer offset alignment that every
/// device has, and the one for uniform slots as well.
pub const ALIGNMENT_BYTES: usize = 256;

/// Elements (4 bytes each) in [`ALIGNMENT_BYTES`].
pub const ALIGNMENT: usize = ALIGNMENT_BYTES / 4;

/// One of the buffers in a [`Buffers`] table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BufferId(pub usize);

/// What is to be allocated under a [`BufferId`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferSpec {
    /// For error messages and debuggers.
    pub name: String,
    /// Size in elements of 4 bytes (f32 or u32).
    pub len: usize,
    /// Whether mostly a small first part is used. Main memory then holds only what was used so far.
    pub grows: bool,
}

impl BufferSpec {
    /// Size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.len as u64 * 4
    }
}

/// The table of all buffers that the recordings of one run share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buffers {
    /// By [`BufferId`].
    pub specs: Vec<BufferSpec>,
}

impl Buffers {
    /// Plans a buffer of `len` elements and returns all of it.
    pub fn add(&mut self, name: impl Into<String>, len: usize) -> Slice {
        let id = BufferId(self.specs.len());
        self.specs.push(BufferSpec { name: name.into(), len, grows: false });
        Slice { buffer: id, start: 0, len }
    }

    /// What those take that do not grow, in bytes.
    pub fn fixed_bytes(&self) -> u64 {
        self.specs.iter().filter(|spec| !spec.grows).map(BufferSpec::size_bytes).sum()
    }

    /// What all buffers take together, in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.specs.iter().map(BufferSpec::size_bytes).sum()
    }
}

/// A part of a buffer, in elements of 4 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Which buffer.
    pub buffer: BufferId,
    /// The first element; a multiple of [`ALIGNMENT`].
    pub start: usize,
    /// How many elements.
    pub len: usize,
}

impl Slice {
    /// The part from `start` (relative to this slice) with `len` elements.
    ///
    /// # Panics
    /// When it does not lie within this slice.
    pub fn part(self, start: usize, len: usize) -> Self {
        assert!(start + len <= self.len, "part {start}+{len} of a slice of {}", self.len);
        Self { buffer: self.buffer, start: self.start + start, len }
    }
}

/// One kernel, once.
pub struct Dispatch {
    /// What runs.
    pub kernel: &'static Kernel,
    /// Where its parameters start in [`Recording::uniforms`].
    pub params_start: usize,
    /// Storage bindings 1, 2, …
    pub bindings: Vec<Slice>,
    /// How many workgroups in x, y and z.
    pub workgroups: [u32; 3],
}

/// A list of dispatches in the order of execution.
pub struct Recording {
    /// For debuggers and error messages.
    pub name: &'static str,
    /// What runs, in order.
    pub dispatches: Vec<Dispatch>,
    /// The parameters of all dispatches, one slot of [`ALIGNMENT_BYTES`] each.
    pub uniforms: Vec<u8>,
}

impl Recording {
    /// An empty recording.
    pub fn new(name: &'static str) -> Self {
        Self { name, dispatches: Vec::new(), uniforms: Vec::new() }
    }

    /// Appends one dispatch.
    ///
    /// # Panics
    /// When the arguments do not fit the kernel: the number of bindings, the size of the parameters, a misaligned
    /// slice, or a buffer that is written and bound a second time. These are mistakes of the program, not of its
    /// user.
    pub fn dispatch<P: Pod>(
        &mut self,
        kernel: &'static Kernel,
        params: P,
        bindings: &[Slice],
        workgroups: [u32; 3],
    ) -> &mut Self {
        let name = kernel.name;
        assert_eq!(bindings.len(), kernel.access.len(), "{name}: number of bindings");
        assert_eq!(size_of::<P>(), kernel.params_bytes, "{name}: size of Params");
        assert!(size_of::<P>() <= ALIGNMENT_BYTES, "{name}: Params do not fit one slot");
        for (i, slice) in bindings.iter().enumerate() {
            assert!(slice.start.is_multiple_of(ALIGNMENT), "{name}: binding {} starts off alignment", i + 1);
            assert!(slice.len > 0, "{name}: binding {} is empty", i + 1);
            let again = bindings[..i].iter().position(|other| other.buffer == slice.buffer);
            if let Some(j) = again {
                let written = kernel.access[i] == Access::ReadWrite || kernel.access[j] == Access::ReadWrite;
                assert!(!written, "{name}: bindings {} and {} share a buffer that is written", j + 1, i + 1);
            }
        }
        let params_start = self.uniforms.len();
        self.uniforms.extend_from_slice(bytemuck::bytes_of(&params));
        self.uniforms.resize(params_start + ALIGNMENT_BYTES, 0);
        self.dispatches.push(Dispatch { kernel, params_start, bindings: bindings.to_vec(), workgroups });
        self
    }

    /// The parameter bytes of dispatch `index`.
    pub fn params(&self, index: usize) -> &[u8] {
        let dispatch = &self.dispatches[index];
        &self.uniforms[dispatch.params_start..dispatch.params_start + dispatch.kernel.params_bytes]
    }
}

/// Invocations per workgroup of every kernel that walks a flat list of elements.
pub const FLAT_WORKGROUP: usize = 64;

/// Workgroups for one invocation per element. WebGPU allows 65,535 in x, so long lists go on in y; the shader's
/// `flat_index()` undoes this, and its caller compares the result with the length.
pub fn flat_workgroups(n_elements: usize) -> [u32; 3] {
    row_workgroups(n_elements.div_ceil(FLAT_WORKGROUP))
}

/// Workgroups for one workgroup per row, folded into y where there are too many; the shader's `flat_workgroup()`
/// undoes this.
pub fn row_workgroups(n_rows: usize) -> [u32; 3] {
    const MOST_IN_X: usize = 32_768;
    let x = n_rows.min(MOST_IN_X);
    [x as u32, n_rows.div_ceil(x.max(1)) as u32, 1]
}
