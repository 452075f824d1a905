//! One interface to the GPU and the CPU backend.

use super::clock::now_ns;
use super::context::Context;
pub use super::error::ExecuteError;
use super::execute::{GpuBackend, GpuRead};
use super::interpret::CpuBackend;
use super::profile::{Reading, TimedRun, Timing, profile, time_repeated};
pub use super::program::{Program, Writes};
use super::recording::{Buffers, Recording, Slice};

/// Executes recordings over one table of buffers.
pub enum Backend {
    /// Runs on the GPU through wgpu.
    Gpu(Box<GpuBackend>),
    /// Runs the kernels' CPU functions; the second field holds the prepared recordings.
    Cpu(CpuBackend, Vec<Recording>),
}

/// A read in progress.
pub enum PendingRead {
    /// The GPU copies into a staging buffer, which is mapped on completion.
    Gpu(GpuRead),
    /// The CPU backend has already copied the data.
    Cpu(Vec<u32>),
}

impl Backend {
    /// Allocates the buffers on the GPU of this context.
    ///
    /// # Errors
    /// When the buffers do not fit into GPU memory.
    pub async fn gpu(context: &Context, buffers: &Buffers) -> Result<Self, ExecuteError> {
        Ok(Self::Gpu(Box::new(GpuBackend::new(context, buffers).await?)))
    }

    /// Allocates the buffers in main memory.
    pub fn cpu(buffers: &Buffers) -> Self {
        Self::Cpu(CpuBackend::new(buffers), Vec::new())
    }

    /// Replaces the buffers from index `first` on with those of `table`, filled with zeros. Programs that bind the
    /// replaced buffers can no longer run.
    ///
    /// # Errors
    /// When the buffers do not fit into GPU memory; the backend is then unchanged.
    pub async fn replace_buffers(&mut self, first: usize, table: &Buffers) -> Result<(), ExecuteError> {
        match self {
            Self::Gpu(gpu) => gpu.replace_buffers(first, table).await,
            Self::Cpu(cpu, _) => {
                cpu.replace_buffers(first, table);
                Ok(())
            }
        }
    }

    /// A recording as the device runs it: on a GPU with its fusions. It has fewer dispatches then.
    pub fn fused(&self, recording: Recording) -> Recording {
        match self {
            Self::Gpu(gpu) => gpu.fused(recording),
            Self::Cpu(..) => recording,
        }
    }

    /// Prepares a recording for replay.
    pub fn prepare(&mut self, recording: Recording) -> Program {
        match self {
            Self::Gpu(gpu) => Program(gpu.prepare(&recording)),
            Self::Cpu(_, recordings) => {
                recordings.push(recording);
                Program(recordings.len() - 1)
            }
        }
    }

    /// Waits until the device has compiled the pipelines of all prepared recordings.
    ///
    /// # Errors
    /// When the GPU cannot run one of the kernels, or has failed before.
    pub async fn ready(&self) -> Result<(), ExecuteError> {
        match self {
            Self::Gpu(gpu) => gpu.ready().await,
            Self::Cpu(..) => Ok(()),
        }
    }

    /// Allocates the memory of a prepared recording, which the CPU backend otherwise does on first use.
    ///
    /// # Errors
    /// When there is not enough memory; the backend is then unchanged.
    pub fn make_room(&self, program: Program) -> Result<(), ExecuteError> {
        match self {
            Self::Gpu(_) => Ok(()),
            Self::Cpu(cpu, recordings) => cpu
                .make_room(&recordings[program.0])
                .map_err(|bytes| ExecuteError::NoRoom { mib: bytes.div_ceil(1 << 20) }),
        }
    }

    /// Replays a prepared recording. Returns before the GPU has finished.
    pub fn run(&mut self, program: Program) {
        match self {
            Self::Gpu(gpu) => gpu.run(program.0),
            Self::Cpu(cpu, recordings) => {
                let recording = &recordings[program.0];
                (0..recording.dispatches.len()).for_each(|index| cpu.run_dispatch(recording, index));
            }
        }
    }

    /// Splits the submissions of a program before these dispatches, given in ascending order. No effect on the CPU.
    pub fn split(&mut self, program: Program, before: Vec<usize>) {
        if let Self::Gpu(gpu) = self {
            gpu.split(program.0, before);
        }
    }

    /// Runs one dispatch of a prepared recording.
    pub fn run_dispatch(&mut self, program: Program, index: usize) {
        match self {
            Self::Gpu(gpu) => gpu.run_dispatches(program.0, index..index + 1),
            Self::Cpu(cpu, recordings) => cpu.run_dispatch(&recordings[program.0], index),
        }
    }

    /// Replays prepared recordings in order, each after its writes, on a GPU in a single submission.
    pub fn run_all(&mut self, jobs: &[(Program, Writes)]) {
        match self {
            Self::Gpu(gpu) => gpu.run_all(jobs),
            Self::Cpu(..) => {
                for (program, writes) in jobs {
                    writes.iter().for_each(|(slice, words)| self.write(*slice, words));
                    self.run(*program);
                }
            }
        }
    }

    /// Runs a prepared recording once and returns the time of each dispatch.
    ///
    /// # Errors
    /// When the GPU has no timestamp queries, was lost, or rejected a command.
    pub async fn profile(&mut self, program: Program) -> Result<Vec<Timing>, ExecuteError> {
        Ok(self.timed_run(program).await?.timings)
    }

    /// As [`Backend::profile`], with the host's times.
    ///
    /// # Errors
    /// As [`Backend::profile`].
    pub async fn timed_run(&mut self, program: Program) -> Result<TimedRun, ExecuteError> {
        match self {
            Self::Gpu(gpu) => profile(gpu, program.0).await,
            Self::Cpu(cpu, recordings) => {
                let recording = &recordings[program.0];
                let began = now_ns();
                let mut timings = Vec::with_capacity(recording.dispatches.len());
                for (index, dispatch) in recording.dispatches.iter().enumerate() {
                    let start_ns = now_ns() - began;
                    cpu.run_dispatch(recording, index);
                    timings.push(Timing { kernel: dispatch.kernel.name, start_ns, ns: now_ns() - began - start_ns });
                }
                Ok(TimedRun { timings, submit_ns: 0.0, wall_ns: now_ns() - began })
            }
        }
    }

    /// Bytes that the device was asked for: every buffer, and on a GPU the parameters of the kernels and the buffers for
    /// transfers. Buffers of the CPU backend are allocated on first use.
    pub fn allocated_bytes(&self) -> u64 {
        match self {
            Self::Gpu(gpu) => gpu.allocated_bytes(),
            Self::Cpu(cpu, recordings) => {
                let uniforms: usize = recordings.iter().map(|recording| recording.uniforms.len()).sum();
                cpu.buffer_bytes().iter().sum::<u64>() + uniforms as u64
            }
        }
    }

    /// Bytes of each buffer in the order of the table; 0 for those that the CPU backend has not used.
    pub fn buffer_bytes(&self) -> Vec<u64> {
        match self {
            Self::Gpu(gpu) => gpu.buffer_bytes(),
            Self::Cpu(cpu, _) => cpu.buffer_bytes(),
        }
    }

    /// Runs a prepared recording `repeats` times and returns the total time.
    ///
    /// # Errors
    /// When the GPU was lost or rejected a command.
    pub async fn time_repeated(&mut self, program: Program, repeats: u32) -> Result<Reading, ExecuteError> {
        match self {
            Self::Gpu(gpu) => time_repeated(gpu, program.0, repeats).await,
            Self::Cpu(..) => {
                let began = now_ns();
                (0..repeats).for_each(|_| self.run(program));
                Ok(Reading { stamps_ns: None, wall_ns: now_ns() - began })
            }
        }
    }

    /// Overwrites the beginning of a slice, in order with the runs.
    pub fn write(&self, slice: Slice, words: &[u32]) {
        match self {
            Self::Gpu(gpu) => gpu.write(slice, words),
            Self::Cpu(cpu, _) => cpu.write(slice, words),
        }
    }

    /// Fills a slice with zeros.
    pub fn clear(&self, slice: Slice) {
        match self {
            Self::Gpu(gpu) => gpu.clear(slice),
            Self::Cpu(cpu, _) => cpu.clear(slice),
        }
    }

    /// Overwrites the beginning of a slice with f32 values.
    pub fn write_f32(&self, slice: Slice, numbers: &[f32]) {
        self.write(slice, bytemuck::cast_slice(numbers));
    }

    /// Starts reading slices as they are after all runs so far; further runs may be submitted before the read finishes.
    pub fn start_read(&mut self, slices: &[Slice]) -> PendingRead {
        match self {
            Self::Gpu(gpu) => PendingRead::Gpu(gpu.start_read(slices)),
            Self::Cpu(cpu, _) => PendingRead::Cpu(slices.iter().flat_map(|&slice| cpu.read(slice)).collect()),
        }
    }

    /// Waits for a read and returns the concatenated slices.
    ///
    /// # Errors
    /// When the device was lost or rejected a command.
    pub async fn finish_read(&mut self, read: PendingRead) -> Result<Vec<u32>, ExecuteError> {
        match (self, read) {
            (Self::Gpu(gpu), PendingRead::Gpu(read)) => gpu.finish_read(read).await,
            (_, PendingRead::Cpu(words)) => Ok(words),
            (Self::Cpu(..), PendingRead::Gpu(_)) => Err(ExecuteError::Refused("a read of another device".into())),
        }
    }

    /// Reads one slice and waits for it.
    ///
    /// # Errors
    /// As [`Backend::finish_read`].
    pub async fn read(&mut self, slice: Slice) -> Result<Vec<u32>, ExecuteError> {
        let read = self.start_read(&[slice]);
        self.finish_read(read).await
    }

    /// Reads one slice of f32 values and waits for it.
    ///
    /// # Errors
    /// As [`Backend::finish_read`].
    pub async fn read_f32(&mut self, slice: Slice) -> Result<Vec<f32>, ExecuteError> {
        Ok(self.read(slice).await?.into_iter().map(f32::from_bits).collect())
    }
}
