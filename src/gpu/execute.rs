//! The GPU backend: creates pipelines and bind groups once per recording, then replays them.

use super::context::Context;
use super::error::ExecuteError;
use super::fault::Fault;
use super::fusion::{Fusion, fuse};
use super::kernel::Kernel;
use super::pipeline::{Compiled, PipelineKey, Pipelines};
use super::program::{Program, Writes};
use super::recording::{BufferSpec, Buffers, Recording, Slice, Storage};
use super::variant::{Variants, choose};

mod read;

pub use read::GpuRead;

/// The buffers of a run on the GPU, and its prepared recordings.
pub struct GpuBackend {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    buffers: Vec<wgpu::Buffer>,
    table: Buffers,
    pipelines: Pipelines,
    variants: Variants,
    /// Those of the context when this backend was created.
    fusions: Vec<&'static Fusion>,
    pub(super) programs: Vec<GpuProgram>,
    /// Staging buffers that no read is using.
    idle_staging: Vec<wgpu::Buffer>,
    /// Holds the writes between the runs of one submission.
    uploads: Option<wgpu::Buffer>,
    /// The uniform buffer of each program.
    uniforms: Vec<wgpu::Buffer>,
    /// Shared with the context.
    fault: Fault,
    /// Pipelines used by the prepared recordings.
    used: Vec<PipelineKey>,
    /// Why the device cannot run one of the prepared recordings.
    impossible: Option<ExecuteError>,
    loop_limit: Option<u64>,
}

impl Drop for GpuBackend {
    /// Frees the memory at once. In a browser, dropping a buffer only leaves it to the garbage collector, which does not
    /// account for the GPU memory of a small object.
    fn drop(&mut self) {
        let staging = self.idle_staging.iter().chain(&self.uploads);
        self.buffers.iter().chain(&self.uniforms).chain(staging).for_each(wgpu::Buffer::destroy);
    }
}

pub(super) struct GpuProgram {
    name: &'static str,
    pub(super) dispatches: Vec<GpuDispatch>,
    /// Dispatches before which a submission ends.
    splits: Vec<usize>,
}

pub(super) struct GpuDispatch {
    pub(super) kernel: &'static str,
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    workgroups: [u32; 3],
}

impl GpuDispatch {
    /// Records the dispatch into a pass.
    pub(super) fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        let [x, y, z] = self.workgroups;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

impl GpuBackend {
    /// Allocates every buffer of the table, filled with zeros.
    ///
    /// # Errors
    /// When the buffers do not fit into GPU memory.
    pub async fn new(context: &Context, table: &Buffers) -> Result<Self, ExecuteError> {
        let (device, queue) = (context.device.clone(), context.queue.clone());
        let buffers = allocate(&device, &table.specs).await?;
        let (pipelines, variants, programs) = (context.pipelines.clone(), context.variants.clone(), Vec::new());
        Ok(Self {
            device,
            queue,
            buffers,
            table: table.clone(),
            pipelines,
            variants,
            fusions: context.fusions.borrow().clone(),
            programs,
            idle_staging: Vec::new(),
            uploads: None,
            uniforms: Vec::new(),
            fault: context.fault.clone(),
            used: Vec::new(),
            impossible: None,
            loop_limit: context.loop_limit(),
        })
    }

    /// Replaces the buffers of the table from index `first` on with those of `table`, filled with zeros. Recordings that
    /// bind the replaced buffers can no longer run.
    ///
    /// # Errors
    /// When the buffers do not fit into GPU memory; the backend is then unchanged.
    pub async fn replace_buffers(&mut self, first: usize, table: &Buffers) -> Result<(), ExecuteError> {
        let new = allocate(&self.device, &table.specs[first..]).await?;
        let old = self.buffers.splice(first.., new);
        old.for_each(|buffer| buffer.destroy());
        self.table = table.clone();
        Ok(())
    }

    /// A recording with the fusions of this device.
    pub fn fused(&self, recording: Recording) -> Recording {
        fuse(recording, &self.fusions)
    }

    /// Creates the pipelines and bind groups of a recording and returns its index.
    pub fn prepare(&mut self, recording: &Recording) -> usize {
        let uniforms = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(recording.name),
            size: recording.uniforms.len() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.queue.write_buffer(&uniforms, 0, &recording.uniforms);
        let mut dispatches = Vec::with_capacity(recording.dispatches.len());
        for (index, dispatch) in recording.dispatches.iter().enumerate() {
            let (params, halves) = (recording.params(index), self.table.halves(dispatch));
            let (kernel, workgroups) = choose(&self.variants, dispatch.kernel, params, dispatch.workgroups, halves);
            self.check_limits(kernel, params, workgroups);
            let Compiled { pipeline, layout } = self.pipelines.get(&self.device, kernel, halves);
            if !self.used.contains(&(kernel.name, halves)) {
                self.used.push((kernel.name, halves));
            }
            let params = wgpu::BufferBinding {
                buffer: &uniforms,
                offset: dispatch.params_start as u64,
                size: wgpu::BufferSize::new(dispatch.kernel.params_bytes as u64),
            };
            let storage = dispatch.bindings.iter().map(|slice| wgpu::BufferBinding {
                buffer: &self.buffers[slice.buffer.0],
                offset: self.table.storage(*slice).offset_bytes(slice.start),
                size: wgpu::BufferSize::new(self.table.storage(*slice).size_bytes(slice.len)),
            });
            let entries: Vec<_> = std::iter::once(params)
                .chain(storage)
                .zip(0..)
                .map(|(buffer, binding)| wgpu::BindGroupEntry {
                    binding,
                    resource: wgpu::BindingResource::Buffer(buffer),
                })
                .collect();
            let bind_group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(kernel.name),
                layout: &layout,
                entries: &entries,
            });
            dispatches.push(GpuDispatch { kernel: kernel.name, pipeline, bind_group, workgroups });
        }
        self.uniforms.push(uniforms);
        self.programs.push(GpuProgram { name: recording.name, dispatches, splits: Vec::new() });
        self.programs.len() - 1
    }

    /// Records the first dispatch that the device would compute wrongly or reject.
    fn check_limits(&mut self, kernel: &'static Kernel, params: &[u8], workgroups: [u32; 3]) {
        let limit = self.device.limits().max_compute_workgroups_per_dimension;
        let most = workgroups.into_iter().max().unwrap_or_default();
        let iterations = (kernel.loops)(params);
        let problem = match self.loop_limit {
            _ if most > limit => Some(ExecuteError::TooManyWorkgroups { kernel: kernel.name, needed: most, limit }),
            Some(limit) if iterations > limit => {
                Some(ExecuteError::LoopTooLong { kernel: kernel.name, iterations, limit })
            }
            _ => None,
        };
        self.impossible = self.impossible.take().or(problem);
    }

    /// Waits until the device has compiled the pipelines of all prepared recordings.
    ///
    /// # Errors
    /// When the device cannot run one of the kernels, or has failed before.
    pub async fn ready(&self) -> Result<(), ExecuteError> {
        self.pipelines.confirm(&self.fault).await;
        self.check()
    }

    /// Submits all dispatches of a prepared recording, unless the device cannot run one of them.
    pub fn run(&self, program: usize) {
        self.run_dispatches(program, 0..self.programs[program].dispatches.len());
    }

    /// Submits a range of dispatches of a prepared recording.
    pub fn run_dispatches(&self, program: usize, range: std::ops::Range<usize>) {
        if self.cannot_run().is_some() {
            return; // the next read reports it
        }
        let program = &self.programs[program];
        let mut encoder =
            self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(program.name) });
        {
            let mut pass = encoder
                .begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some(program.name), timestamp_writes: None });
            program.dispatches[range].iter().for_each(|dispatch| dispatch.record(&mut pass));
        }
        self.queue.submit([encoder.finish()]);
    }

    /// Splits the submissions of a program before these dispatches.
    pub fn split(&mut self, program: usize, before: Vec<usize>) {
        self.programs[program].splits = before;
    }

    /// Submits several prepared recordings at once, each after its writes.
    pub fn run_all(&mut self, jobs: &[(Program, Writes)]) {
        if self.cannot_run().is_some() {
            return; // the next read reports it
        }
        let writes = jobs.iter().flat_map(|(_, writes)| writes);
        let words: Vec<u32> = writes.flat_map(|(slice, elements)| self.table.storage(*slice).pack(elements)).collect();
        let uploads = self.uploads(words.len() as u64 * 4);
        self.queue.write_buffer(&uploads, 0, bytemuck::cast_slice(&words));
        let label = Some("several runs");
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
        let mut upload_start = 0;
        for (program, writes) in jobs {
            for (slice, elements) in writes {
                let (target, storage) = (&self.buffers[slice.buffer.0], self.table.storage(*slice));
                let len = storage.size_bytes(elements.len());
                encoder.copy_buffer_to_buffer(&uploads, upload_start, target, storage.offset_bytes(slice.start), len);
                upload_start += len;
            }
            let program = &self.programs[program.0];
            let mut start = 0;
            for end in program.splits.iter().copied().chain([program.dispatches.len()]) {
                if start > 0 {
                    let next = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
                    self.queue.submit([std::mem::replace(&mut encoder, next).finish()]);
                }
                let label = Some(program.name);
                let mut pass =
                    encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label, timestamp_writes: None });
                program.dispatches[start..end].iter().for_each(|dispatch| dispatch.record(&mut pass));
                start = end;
            }
        }
        self.queue.submit([encoder.finish()]);
    }

    /// A buffer of at least `size_bytes` to copy from. A write to it is ordered after earlier submissions, so one buffer
    /// is enough.
    fn uploads(&mut self, size_bytes: u64) -> wgpu::Buffer {
        if let Some(buffer) = self.uploads.as_ref().filter(|buffer| buffer.size() >= size_bytes) {
            return buffer.clone();
        }
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("uploads"),
            size: size_bytes,
            usage: wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.uploads.insert(buffer).clone()
    }

    /// Overwrites the beginning of a slice before the next run.
    pub fn write(&self, slice: Slice, elements: &[u32]) {
        let elements = &elements[..elements.len().min(slice.len)];
        let (buffer, storage) = (&self.buffers[slice.buffer.0], self.table.storage(slice));
        let offset = storage.offset_bytes(slice.start);
        match storage {
            Storage::F32 => self.queue.write_buffer(buffer, offset, bytemuck::cast_slice(elements)),
            Storage::F16 => self.queue.write_buffer(buffer, offset, bytemuck::cast_slice(&storage.pack(elements))),
        }
    }

    /// Fills a slice with zeros before the next run.
    pub fn clear(&self, slice: Slice) {
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("clear") });
        let storage = self.table.storage(slice);
        let (start, len) = (storage.offset_bytes(slice.start), storage.size_bytes(slice.len));
        encoder.clear_buffer(&self.buffers[slice.buffer.0], start, Some(len));
        self.queue.submit([encoder.finish()]);
    }

    /// Bytes of each buffer of the table.
    pub fn buffer_bytes(&self) -> Vec<u64> {
        self.buffers.iter().map(wgpu::Buffer::size).collect()
    }

    /// Bytes of all buffers that were created on the device.
    pub fn allocated_bytes(&self) -> u64 {
        let others = self.uniforms.iter().chain(&self.idle_staging).chain(&self.uploads);
        self.buffers.iter().chain(others).map(wgpu::Buffer::size).sum()
    }

    fn check(&self) -> Result<(), ExecuteError> {
        match self.fault.check() {
            Err(error) if error.needs_another_device() => Err(error),
            other => self.cannot_run().map_or(other, Err),
        }
    }

    /// Why the prepared recordings cannot run on this device, if so.
    fn cannot_run(&self) -> Option<ExecuteError> {
        self.impossible.clone().or_else(|| self.pipelines.refused(&self.used).map(ExecuteError::Refused))
    }
}

/// Creates a buffer for each of `specs`, filled with zeros.
async fn allocate(device: &wgpu::Device, specs: &[BufferSpec]) -> Result<Vec<wgpu::Buffer>, ExecuteError> {
    let scope = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let create = |spec: &BufferSpec| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(&spec.label()),
            size: spec.size_bytes(),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        })
    };
    let buffers = specs.iter().map(create).collect();
    if let Some(error) = scope.pop().await {
        let mib = specs.iter().map(BufferSpec::size_bytes).sum::<u64>() >> 20;
        return Err(ExecuteError::OutOfMemory(format!("{mib} MiB of buffers were requested: {error}")));
    }
    Ok(buffers)
}
