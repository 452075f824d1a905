//! Runs one recording on both backends in parallel and finds the first dispatch whose results differ.

use std::fmt;

use super::backend::ExecuteError;
use super::context::Context;
use super::execute::GpuBackend;
use super::interpret::CpuBackend;
use super::kernel::Access;
use super::recording::{Buffers, Dispatch, Recording, Slice};

/// The same buffers on the GPU and on the CPU.
pub struct SideBySide {
    gpu: GpuBackend,
    cpu: CpuBackend,
}

/// The first difference between the backends.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Index of the dispatch in the recording.
    pub dispatch: usize,
    /// Name of the kernel.
    pub kernel: &'static str,
    /// Number of the storage binding, from 1.
    pub binding: usize,
    /// Index of the element in the bound slice.
    pub element: usize,
    /// Value on the GPU.
    pub gpu: f32,
    /// Value on the CPU.
    pub cpu: f32,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dispatch, kernel, binding, element, gpu, cpu } = self;
        write!(f, "dispatch {dispatch} ({kernel}), binding {binding}, element {element}: GPU {gpu}, CPU {cpu}")
    }
}

impl SideBySide {
    /// Allocates the buffers on both backends.
    ///
    /// # Errors
    /// When the buffers do not fit into GPU memory.
    pub async fn new(context: &Context, buffers: &Buffers) -> Result<Self, ExecuteError> {
        Ok(Self { gpu: GpuBackend::new(context, buffers).await?, cpu: CpuBackend::new(buffers) })
    }

    /// Overwrites the beginning of a slice on both backends.
    pub fn write(&self, slice: Slice, words: &[u32]) {
        self.gpu.write(slice, words);
        self.cpu.write(slice, words);
    }

    /// Reads a slice from the CPU backend.
    pub fn read_cpu(&self, slice: Slice) -> Vec<u32> {
        self.cpu.read(slice)
    }

    /// Reads a slice from the GPU backend.
    ///
    /// # Errors
    /// When the device was lost or rejected a command.
    pub async fn read_gpu(&mut self, slice: Slice) -> Result<Vec<u32>, ExecuteError> {
        let read = self.gpu.start_read(&[slice]);
        self.gpu.finish_read(read).await
    }

    /// Runs the recording on the CPU, and each of its dispatches on the GPU from the CPU's inputs; returns the first
    /// difference of more than `tolerance` × the largest magnitude of the tensor. Errors do not accumulate, so the
    /// tolerance can be tight, and small tensors are checked as strictly as large ones.
    ///
    /// # Errors
    /// When the device was lost, rejected a command, or cannot run one of the kernels.
    pub async fn first_wrong(
        &mut self,
        recording: &Recording,
        tolerance: f32,
    ) -> Result<Option<Difference>, ExecuteError> {
        let program = self.gpu.prepare(recording);
        self.gpu.ready().await?;
        let mut reads = Vec::new();
        for (index, dispatch) in recording.dispatches.iter().enumerate() {
            dispatch.bindings.iter().for_each(|&slice| self.gpu.write(slice, &self.cpu.read(slice)));
            self.gpu.run_dispatches(program, index..index + 1);
            self.cpu.run_dispatch(recording, index);
            for (binding, slice) in written(dispatch) {
                reads.push((index, binding, self.cpu.read(slice), self.gpu.start_read(&[slice])));
            }
        }
        let mut first = None;
        for (index, binding, cpu, read) in reads {
            let gpu = self.gpu.finish_read(read).await?;
            let cpu: &[f32] = bytemuck::cast_slice(&cpu);
            let largest =
                cpu.iter().filter(|value| value.is_finite()).fold(0f32, |largest, value| largest.max(value.abs()));
            let right = |gpu: f32, cpu: f32| (gpu - cpu).abs() <= tolerance * largest; // false for NaN
            let wrong = |(&gpu, cpu): (&u32, &f32)| gpu != cpu.to_bits() && !right(f32::from_bits(gpu), *cpu);
            if let Some(element) = gpu.iter().zip(cpu).position(wrong).filter(|_| first.is_none()) {
                let kernel = recording.dispatches[index].kernel.name;
                let (gpu, cpu) = (f32::from_bits(gpu[element]), cpu[element]);
                first = Some(Difference { dispatch: index, kernel, binding, element, gpu, cpu });
            }
        }
        Ok(first)
    }

    /// Runs the recording dispatch by dispatch on both backends and returns the first difference: two elements that are
    /// not bit-identical and differ by more than `tolerance` × (1 + |CPU|). Each dispatch starts from its own backend's
    /// earlier results, so the tolerance has to allow for accumulated rounding.
    ///
    /// # Errors
    /// When the device was lost or rejected a command.
    pub async fn first_difference(
        &mut self,
        recording: &Recording,
        tolerance: f32,
    ) -> Result<Option<Difference>, ExecuteError> {
        let program = self.gpu.prepare(recording);
        self.gpu.ready().await?;
        for (index, dispatch) in recording.dispatches.iter().enumerate() {
            self.gpu.run_dispatches(program, index..index + 1);
            self.cpu.run_dispatch(recording, index);
            for (binding, slice) in written(dispatch) {
                let (gpu, cpu) = (self.read_gpu(slice).await?, self.cpu.read(slice));
                let differs =
                    |(&a, &b): (&u32, &u32)| a != b && !close(f32::from_bits(a), f32::from_bits(b), tolerance);
                if let Some(element) = gpu.iter().zip(&cpu).position(differs) {
                    return Ok(Some(Difference {
                        dispatch: index,
                        kernel: dispatch.kernel.name,
                        binding,
                        element,
                        gpu: f32::from_bits(gpu[element]),
                        cpu: f32::from_bits(cpu[element]),
                    }));
                }
            }
        }
        Ok(None)
    }
}

/// The storage bindings that a dispatch writes, from 1.
fn written(dispatch: &Dispatch) -> impl Iterator<Item = (usize, Slice)> + '_ {
    let with_access = dispatch.bindings.iter().zip(dispatch.kernel.access).enumerate();
    with_access.filter(|(_, (_, access))| **access == Access::ReadWrite).map(|(i, (slice, _))| (i + 1, *slice))
}

/// Whether two results agree; NaN agrees with nothing.
fn close(gpu: f32, cpu: f32, tolerance: f32) -> bool {
    (gpu - cpu).abs() <= tolerance * (1.0 + cpu.abs())
}
