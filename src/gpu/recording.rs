//! A recording: buffers and a list of dispatches as pure data, built once and replayed by either backend.

use bytemuck::Pod;

use super::kernel::{Access, Halves, Kernel};
pub use crate::config::Storage;

/// Slices of a buffer start at multiples of this many bytes: the smallest storage-buffer offset alignment that every
/// device supports, also used for uniform slots.
pub const ALIGNMENT_BYTES: usize = 256;

/// [`ALIGNMENT_BYTES`] in elements of 32-bit buffers. f16 buffers are bound whole.
pub const ALIGNMENT: usize = ALIGNMENT_BYTES / 4;

/// One of the buffers in a [`Buffers`] table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BufferId(pub usize);

/// What the data in a buffer is for. Reports of memory and of divergence group buffers by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Weights.
    Parameters,
    /// Gradients of the weights.
    Gradients,
    /// Moments of the optimizer.
    OptimizerState,
    /// Results of the forward pass of a training batch.
    Activations,
    /// Gradients of those results, shared by all layers.
    ActivationGradients,
    /// Logits of a training batch, replaced by their gradients.
    Logits,
    /// Token ids and positions of sequences.
    Tokens,
    /// Maps, and the pass that computes them.
    Inspection,
    /// Key/value cache, and the passes that fill and use it.
    Generation,
    /// Small tables, losses and norms; everything in recordings without a model.
    #[default]
    Other,
}

/// What to allocate for a [`BufferId`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BufferSpec {
    /// Name of the tensor for error messages and debuggers.
    pub name: String,
    /// What the tensor is for.
    pub role: Role,
    /// The layer that it belongs to, from 0. None for tensors outside of layers or shared by them.
    pub layer: Option<usize>,
    /// Size in elements.
    pub len: usize,
    /// Whether usually only a small first part is used. The CPU backend allocates only what was used so far.
    pub grows: bool,
    /// Storage format of the elements.
    pub storage: Storage,
    /// Whether dispatches bind only parts of the buffer, so that it may be larger than a binding.
    pub in_parts: bool,
}

impl BufferSpec {
    /// Name of the tensor with its layer; layers count from 1, as on the maps.
    pub fn label(&self) -> String {
        self.layer.map_or_else(|| self.name.clone(), |layer| format!("{} of layer {}", self.name, layer + 1))
    }

    /// Size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.storage.size_bytes(self.len)
    }
}

/// The table of all buffers that the recordings of a run share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buffers {
    /// Specifications, indexed by [`BufferId`].
    pub specs: Vec<BufferSpec>,
}

impl Buffers {
    /// Plans a buffer of `len` elements and returns all of it.
    pub fn add(&mut self, name: impl Into<String>, len: usize) -> Slice {
        self.push(BufferSpec { name: name.into(), len, ..BufferSpec::default() })
    }

    /// Plans the buffer that `spec` describes and returns all of it.
    pub fn push(&mut self, spec: BufferSpec) -> Slice {
        let slice = Slice { buffer: BufferId(self.specs.len()), start: 0, len: spec.len };
        self.specs.push(spec);
        slice
    }

    /// The storage format of a slice's elements.
    pub fn storage(&self, slice: Slice) -> Storage {
        self.specs[slice.buffer.0].storage
    }

    /// Which bindings of a dispatch are stored in f16.
    pub fn halves(&self, dispatch: &Dispatch) -> Halves {
        let halves = dispatch.bindings.iter().map(|&slice| self.storage(slice) == Storage::F16);
        Halves(halves.enumerate().map(|(i, half)| u8::from(half) << i).sum())
    }

    /// Total size of the buffers that do not grow, in bytes.
    pub fn fixed_bytes(&self) -> u64 {
        self.specs.iter().filter(|spec| !spec.grows).map(BufferSpec::size_bytes).sum()
    }

    /// Total size of all buffers, in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.specs.iter().map(BufferSpec::size_bytes).sum()
    }
}

/// A part of a buffer, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The buffer.
    pub buffer: BufferId,
    /// The first element; a multiple of [`ALIGNMENT`].
    pub start: usize,
    /// Number of elements.
    pub len: usize,
}

impl Slice {
    /// The part of `len` elements that begins at `start`, relative to this slice.
    ///
    /// # Panics
    /// When the part exceeds this slice.
    pub fn part(self, start: usize, len: usize) -> Self {
        assert!(start + len <= self.len, "part {start}+{len} of a slice of {}", self.len);
        Self { buffer: self.buffer, start: self.start + start, len }
    }
}

/// One run of a kernel.
pub struct Dispatch {
    /// The kernel.
    pub kernel: &'static Kernel,
    /// Byte offset of its parameters in [`Recording::uniforms`].
    pub params_start: usize,
    /// Slices of storage bindings 1, 2, …
    pub bindings: Vec<Slice>,
    /// Number of workgroups in x, y and z.
    pub workgroups: [u32; 3],
}

/// A list of dispatches in the order of execution.
pub struct Recording {
    /// Name for debuggers and error messages.
    pub name: &'static str,
    /// The dispatches in order.
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
    /// When the arguments do not fit the kernel: the number of bindings, the size of the parameters, a misaligned slice,
    /// or a buffer that is written and bound a second time. These are bugs in the program, not user errors.
    pub fn dispatch<P: Pod>(
        &mut self,
        kernel: &'static Kernel,
        params: P,
        bindings: &[Slice],
        workgroups: [u32; 3],
    ) -> &mut Self {
        self.dispatch_bytes(kernel, bytemuck::bytes_of(&params), bindings, workgroups)
    }

    /// As [`Recording::dispatch`], with the bytes of the parameters.
    ///
    /// # Panics
    /// As [`Recording::dispatch`].
    pub fn dispatch_bytes(
        &mut self,
        kernel: &'static Kernel,
        params: &[u8],
        bindings: &[Slice],
        workgroups: [u32; 3],
    ) -> &mut Self {
        let name = kernel.name;
        assert_eq!(bindings.len(), kernel.access.len(), "{name}: number of bindings");
        assert_eq!(params.len(), kernel.params_bytes, "{name}: size of Params");
        assert!(params.len() <= ALIGNMENT_BYTES, "{name}: Params do not fit one slot");
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
        self.uniforms.extend_from_slice(params);
        self.uniforms.resize(params_start + ALIGNMENT_BYTES, 0);
        self.dispatches.push(Dispatch { kernel, params_start, bindings: bindings.to_vec(), workgroups });
        self
    }

    /// The parameters of dispatch `index`, if there is one and it runs `kernel`.
    pub fn params_of<P: Pod>(&self, index: usize, kernel: &Kernel) -> Option<P> {
        let runs = self.dispatches.get(index).is_some_and(|dispatch| dispatch.kernel.name == kernel.name);
        runs.then(|| bytemuck::pod_read_unaligned(self.params(index)))
    }

    /// The parameter bytes of dispatch `index`.
    pub fn params(&self, index: usize) -> &[u8] {
        let dispatch = &self.dispatches[index];
        &self.uniforms[dispatch.params_start..dispatch.params_start + dispatch.kernel.params_bytes]
    }
}

/// Invocations per workgroup of every kernel that processes a flat list of elements.
pub const FLAT_WORKGROUP: usize = 64;

/// Workgroup counts for one invocation per element. WebGPU allows 65,535 in x, so long lists continue in y; the shader's
/// `flat_index()` undoes this, and its caller compares the result with the length.
pub fn flat_workgroups(n_elements: usize) -> [u32; 3] {
    row_workgroups(n_elements.div_ceil(FLAT_WORKGROUP))
}

/// Workgroup counts for one workgroup per row, folded into y where x is too small; the shader's `flat_workgroup()` undoes
/// this.
pub fn row_workgroups(n_rows: usize) -> [u32; 3] {
    const MAX_IN_X: usize = 32_768;
    let x = n_rows.min(MAX_IN_X);
    [x as u32, n_rows.div_ceil(x.max(1)) as u32, 1]
}
