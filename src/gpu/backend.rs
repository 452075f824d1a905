//! One interface to the GPU and the CPU backend.

use thiserror::Error;

use super::clock::now_ns;
use super::context::Context;
use super::execute::{GpuBackend, GpuRead};
use super::interpret::CpuBackend;
use super::profile::{Reading, Timing, profile, time_repeated};
use super::recording::{Buffers, Recording, Slice};

/// Executes recordings over one table of buffers.
pub enum Backend {
    /// Through wgpu.
    Gpu(Box<GpuBackend>),
    /// With the kernels' CPU functions, and the recordings that were prepared.
    Cpu(CpuBackend, Vec<Recording>),
}

/// A recording that a backend has prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program(pub(super) usize);

/// What changes before a program runs: the beginnings of slices, and what they are overwritten with.
pub type Writes = Vec<(Slice, Vec<u32>)>;

/// A read that is under way.
pub enum PendingRead {
    /// The GPU copies into a staging buffer.
    Gpu(GpuRead),
    /// The CPU has it already.
    Cpu(Vec<u32>),
}

/// What can go wrong on a device while it works.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ExecuteError {
    /// There was no memory for a buffer; the device's own words.
    #[error("the GPU has no memory left ({0})")]
    OutOfMemory(String),
    /// The device went away.
    #[error("the GPU was lost ({0}); start a new run, or choose the CPU backend")]
    DeviceLost(String),
    /// This program cannot address more memory.
    #[error("{mib} MiB of memory are missing to train or measure this model here")]
    NoRoom {
        /// How much.
        mib: u64,
    },
    /// Kernels cannot be timed one by one.
    #[error("this adapter has no timestamp queries, so kernels cannot be timed")]
    NoTimestamps,
    /// The device has fewer workgroups than a kernel needs.
    #[error(
        "kernel {kernel} needs {needed} workgroups in one direction for these sizes, and this device allows {limit}; \
         choose smaller sizes, or the CPU backend"
    )]
    TooManyWorkgroups {
        /// The kernel.
        kernel: &'static str,
        /// Workgroups in one direction.
        needed: u32,
        /// The device's limit.
        limit: u32,
    },
    /// The device would end a loop early, without an error.
    #[error(
        "kernel {kernel} would run up to {iterations} loop iterations for these sizes, and this software adapter stops \
         after {limit}; choose smaller sizes, or the CPU backend"
    )]
    LoopTooLong {
        /// The kernel.
        kernel: &'static str,
        /// An upper bound for these sizes.
        iterations: u64,
        /// The device's limit.
        limit: u64,
    },
    /// The device refused a command: a mistake of this program.
    #[error("the GPU refused a command: {0}")]
    Refused(String),
}

impl ExecuteError {
    /// Whether another device can take up what this one was doing.
    pub fn needs_another_device(&self) -> bool {
        matches!(self, Self::DeviceLost(_) | Self::OutOfMemory(_))
    }
}

impl Backend {
    /// Allocates the buffers on the GPU of this context.
    ///
    /// # Errors
    /// When there is no room for them.
    pub async fn gpu(context: &Context, buffers: &Buffers) -> Result<Self, ExecuteError> {
        Ok(Self::Gpu(Box::new(GpuBackend::new(context, buffers).await?)))
    }

    /// Allocates the buffers in main memory.
    pub fn cpu(buffers: &Buffers) -> Self {
        Self::Cpu(CpuBackend::new(buffers), Vec::new())
    }

    /// Replaces the buffers from number `first` on by those of `table`, filled with zeros. Programs that bind the old ones
    /// can no longer run.
    ///
    /// # Errors
    /// When a GPU has no room for them; then nothing has changed.
    pub async fn replace_buffers(&mut self, first: usize, table: &Buffers) -> Result<(), ExecuteError> {
        match self {
            Self::Gpu(gpu) => gpu.replace_buffers(first, table).await,
            Self::Cpu(cpu, _) => {
                cpu.replace_buffers(first, table);
                Ok(())
            }
        }
    }

    /// Makes a recording ready to be replayed.
    pub fn prepare(&mut self, recording: Recording) -> Program {
        match self {
            Self::Gpu(gpu) => Program(gpu.prepare(&recording)),
            Self::Cpu(_, recordings) => {
                recordings.push(recording);
                Program(recordings.len() - 1)
            }
        }
    }

    /// Waits until the device has compiled what the prepared recordings need.
    ///
    /// # Errors
    /// When a GPU cannot run one of the kernels, or has failed before.
    pub async fn ready(&self) -> Result<(), ExecuteError> {
        match self {
            Self::Gpu(gpu) => gpu.ready().await,
            Self::Cpu(..) => Ok(()),
        }
    }

    /// Gives a prepared recording its memory, which on the CPU comes with the first use.
    ///
    /// # Errors
    /// When there is not enough; then nothing has changed.
    pub fn make_room(&self, program: Program) -> Result<(), ExecuteError> {
        match self {
            Self::Gpu(_) => Ok(()),
            Self::Cpu(cpu, recordings) => cpu
                .make_room(&recordings[program.0])
                .map_err(|bytes| ExecuteError::NoRoom { mib: bytes.div_ceil(1 << 20) }),
        }
    }

    /// Replays a prepared recording. The GPU works on after this returns.
    pub fn run(&mut self, program: Program) {
        match self {
            Self::Gpu(gpu) => gpu.run(program.0),
            Self::Cpu(cpu, recordings) => {
                let recording = &recordings[program.0];
                (0..recording.dispatches.len()).for_each(|index| cpu.run_dispatch(recording, index));
            }
        }
    }

    /// Cuts the submissions of a program before these dispatches, in ascending order. The CPU has none.
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

    /// Replays prepared recordings in order, each after its writes. A GPU gets all of it as one submission.
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

    /// Runs a prepared recording once and tells how long each of its dispatches took.
    ///
    /// # Errors
    /// When a GPU has no timestamp queries, was lost, or refused a command.
    pub async fn profile(&mut self, program: Program) -> Result<Vec<Timing>, ExecuteError> {
        match self {
            Self::Gpu(gpu) => profile(gpu, program.0).await,
            Self::Cpu(cpu, recordings) => {
                let recording = &recordings[program.0];
                let time = |index: usize| {
                    let began = now_ns();
                    cpu.run_dispatch(recording, index);
                    Timing { kernel: recording.dispatches[index].kernel.name, ns: now_ns() - began }
                };
                Ok((0..recording.dispatches.len()).map(time).collect())
            }
        }
    }

    /// Runs a prepared recording so many times and reports how long that took.
    ///
    /// # Errors
    /// When a GPU was lost or refused a command.
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

    /// Overwrites the beginning of a slice with numbers.
    pub fn write_f32(&self, slice: Slice, numbers: &[f32]) {
        self.write(slice, bytemuck::cast_slice(numbers));
    }

    /// Begins to read slices as they are after the runs so far; more runs can follow before it ends.
    pub fn start_read(&mut self, slices: &[Slice]) -> PendingRead {
        match self {
            Self::Gpu(gpu) => PendingRead::Gpu(gpu.start_read(slices)),
            Self::Cpu(cpu, _) => PendingRead::Cpu(slices.iter().flat_map(|&slice| cpu.read(slice)).collect()),
        }
    }

    /// Waits for a read and returns the slices one after the other.
    ///
    /// # Errors
    /// When the device was lost or had refused a command.
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

    /// Reads one slice of numbers and waits for it.
    ///
    /// # Errors
    /// As [`Backend::finish_read`].
    pub async fn read_f32(&mut self, slice: Slice) -> Result<Vec<f32>, ExecuteError> {
        Ok(self.read(slice).await?.into_iter().map(f32::from_bits).collect())
    }
}
