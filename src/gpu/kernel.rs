//! A kernel: one WGSL entry point and its CPU counterpart, with the bindings that both share.

use std::cell::{Ref, RefCell, RefMut};
use std::ops::Range;

use bytemuck::Pod;

/// How a kernel uses a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`
    ReadWrite,
}

/// Subgroup functions that kernels call; a source with one of them enables subgroups.
const SUBGROUP_BUILTINS: [&str; 4] = ["subgroupAdd(", "subgroupMax(", "subgroupBroadcast(", "subgroupShuffle("];

/// Browsers require this line; naga rejects it. Their uniformity analysis does not detect that all invocations of a
/// workgroup leave a loop together when its end was computed from a value that differs between them.
const ENABLE_SUBGROUPS: &str = "enable subgroups;\ndiagnostic(off, subgroup_uniformity);\n";

/// Which storage bindings hold f16 values: bit 0 is binding 1, and so on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Halves(pub u8);

impl Halves {
    /// Whether binding `number` (from 1, as in WGSL) holds f16.
    pub fn has(self, number: usize) -> bool {
        self.0 >> (number - 1) & 1 == 1
    }

    /// Whether no binding holds f16.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// One WGSL entry point and the function that computes the same on the CPU.
///
/// In group 0, binding 0 is the uniform `Params`, bindings 1, 2, … are storage buffers in the order of `access`.
pub struct Kernel {
    /// Name of the entry point; also the label of the pipeline and of the profiler's row.
    pub name: &'static str,
    /// The WGSL source: files of `shaders/lib/`, then the operation's file.
    pub wgsl: &'static [&'static str],
    /// How storage bindings 1, 2, … are used.
    pub access: &'static [Access],
    /// `size_of` the operation's `Params`.
    pub params_bytes: usize,
    /// Upper bound of the total loop iterations of one invocation for these parameters.
    pub loops: fn(params: &[u8]) -> u64,
    /// The same computation on the CPU.
    pub cpu: fn(&CpuCall<'_>),
}

impl Kernel {
    /// The whole WGSL module for this entry point. The bindings in `halves` are f16; only those whose types use
    /// `Number1`, `Number2`, … can be.
    pub fn source(&self, halves: Halves) -> String {
        let source = self.wgsl.join("\n");
        let with_subgroups = cfg!(target_arch = "wasm32") && SUBGROUP_BUILTINS.iter().any(|name| source.contains(name));
        let mut prelude = String::new();
        if with_subgroups {
            prelude.push_str(ENABLE_SUBGROUPS);
        }
        if !halves.is_none() {
            prelude.push_str("enable f16;\n");
        }
        for number in (1..=MAX_BINDINGS).filter(|number| source.contains(&format!("Number{number}"))) {
            let number_type = if halves.has(number) { "f16" } else { "f32" };
            prelude.push_str(&format!("alias Number{number} = {number_type};\n"));
        }
        prelude + &source
    }
}

/// [`Kernel::loops`] of a kernel without loops.
pub const NO_LOOPS: fn(&[u8]) -> u64 = |_| 0;

/// Number of storage bindings that every device supports.
const MAX_BINDINGS: usize = 8;

/// Memory of the CPU backend: 4-byte elements, as on the GPU. The cell panics when a kernel reads and writes one buffer
/// at the same time, which WebGPU forbids too.
pub type CpuBuffer = RefCell<Vec<u32>>;

/// Arguments of a kernel's CPU function: its parameters and its bindings, numbered as in WGSL.
pub struct CpuCall<'a> {
    /// The bytes of `Params`.
    pub params: &'a [u8],
    /// Buffer and range of elements for bindings 1, 2, …
    pub bindings: Vec<(&'a CpuBuffer, Range<usize>)>,
}

impl CpuCall<'_> {
    /// The parameters of this dispatch.
    pub fn params<P: Pod>(&self) -> P {
        bytemuck::pod_read_unaligned(self.params)
    }

    /// Binding `number` (from 1, as in WGSL) as f32 values to read.
    pub fn f32(&self, number: usize) -> Ref<'_, [f32]> {
        Ref::map(self.u32(number), |words| bytemuck::cast_slice(words))
    }

    /// Binding `number` (from 1, as in WGSL) as integers to read.
    pub fn u32(&self, number: usize) -> Ref<'_, [u32]> {
        let (buffer, range) = &self.bindings[number - 1];
        Ref::map(buffer.borrow(), |words| &words[range.clone()])
    }

    /// Binding `number` (from 1, as in WGSL) as f32 values to write.
    pub fn f32_mut(&self, number: usize) -> RefMut<'_, [f32]> {
        RefMut::map(self.u32_mut(number), |words| bytemuck::cast_slice_mut(words))
    }

    /// Binding `number` (from 1, as in WGSL) as integers to write.
    pub fn u32_mut(&self, number: usize) -> RefMut<'_, [u32]> {
        let (buffer, range) = &self.bindings[number - 1];
        RefMut::map(buffer.borrow_mut(), |words| &mut words[range.clone()])
    }
}
