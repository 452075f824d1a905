//! The GPU backend: pipelines and bind groups are made once per recording, then replayed.

use futures_channel::oneshot;

use super::backend::{ExecuteError, Program, Writes};
use super::context::Context;
use super::fault::Fault;
use super::kernel::Kernel;
use super::pipeline::{Compiled, PipelineKey, Pipelines};
use super::recording::{BufferSpec, Buffers, Recording, Slice, Storage};
use super::variant::{Variants, choose};

/// The buffers of a run on the GPU, and the recordings prepared for it.
pub struct GpuBackend {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    buffers: Vec<wgpu::Buffer>,
    table: Buffers,
    pipelines: Pipelines,
    variants: Variants,
    pub(super) programs: Vec<GpuProgram>,
    /// Staging buffers that no read uses now.
    idle_staging: Vec<wgpu::Buffer>,
    /// Where writes wait that come between runs of one submission.
    uploads: Option<wgpu::Buffer>,
    /// The parameters of each program.
    uniforms: Vec<wgpu::Buffer>,
    /// Of the device.
    fault: Fault,
    /// What the prepared recordings run.
    used: Vec<PipelineKey>,
    /// What the device cannot run of the prepared recordings.
    impossible: Option<ExecuteError>,
    loop_limit: Option<u64>,
}

impl Drop for GpuBackend {
    /// Gives the memory back at once. In a browser dropping a buffer only leaves it to the garbage collector, which does not
    /// know how much memory a small object stands for.
    fn drop(&mut self) {
        let staging = self.idle_staging.iter().chain(&self.uploads);
        self.buffers.iter().chain(&self.uniforms).chain(staging).for_each(wgpu::Buffer::destroy);
    }
}

pub(super) struct GpuProgram {
    name: &'static str,
    pub(super) dispatches: Vec<GpuDispatch>,
}

pub(super) struct GpuDispatch {
    pub(super) kernel: &'static str,
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    workgroups: [u32; 3],
}

impl GpuDispatch {
    /// Puts the dispatch into a pass.
    pub(super) fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        let [x, y, z] = self.workgroups;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// A copy into a staging buffer that is under way.
pub struct GpuRead {
    staging: wgpu::Buffer,
    /// How what was read is stored, and how many elements of it there are.
    parts: Vec<(Storage, usize)>,
    submission: wgpu::SubmissionIndex,
    mapped: oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>,
}

impl GpuBackend {
    /// Allocates every buffer of the table, filled with zeros.
    ///
    /// # Errors
    /// When the device has no room for them.
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

    /// Replaces the buffers of the table from number `first` on by those of `table`, filled with zeros. Recordings that bind
    /// the old ones can no longer run.
    ///
    /// # Errors
    /// When the device has no room for them; then nothing has changed.
    pub async fn replace_buffers(&mut self, first: usize, table: &Buffers) -> Result<(), ExecuteError> {
        let new = allocate(&self.device, &table.specs[first..]).await?;
        let old = self.buffers.splice(first.., new);
        old.for_each(|buffer| buffer.destroy());
        self.table = table.clone();
        Ok(())
    }

    /// Makes pipelines and bind groups for a recording and returns its number.
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
        self.programs.push(GpuProgram { name: recording.name, dispatches });
        self.programs.len() - 1
    }

    /// Remembers the first dispatch that the device would compute wrongly or refuse.
    fn check_limits(&mut self, kernel: &'static Kernel, params: &[u8], workgroups: [u32; 3]) {
        let limit = self.device.limits().max_compute_workgroups_per_dimension;
        let most = workgroups.into_iter().max().unwrap_or_default();
        let iterations = (kernel.loops)(params);
        let problem = if most > limit {
            Some(ExecuteError::TooManyWorkgroups { kernel: kernel.name, needed: most, limit })
        } else {
            let exceeded = self.loop_limit.filter(|&limit| iterations > limit);
            exceeded.map(|limit| ExecuteError::LoopTooLong { kernel: kernel.name, iterations, limit })
        };
        self.impossible = self.impossible.take().or(problem);
    }

    /// Waits until the device has compiled what the prepared recordings need.
    ///
    /// # Errors
    /// When it cannot run one of the kernels, or has failed before.
    pub async fn ready(&self) -> Result<(), ExecuteError> {
        self.pipelines.confirm(&self.fault).await;
        self.check()
    }

    /// Submits all dispatches of a prepared recording, unless the device cannot run one of them.
    pub fn run(&self, program: usize) {
        self.run_dispatches(program, 0..self.programs[program].dispatches.len());
    }

    /// Submits some dispatches of a prepared recording.
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
        let mut start = 0;
        for (program, writes) in jobs {
            for (slice, elements) in writes {
                let (target, storage) = (&self.buffers[slice.buffer.0], self.table.storage(*slice));
                let len = storage.size_bytes(elements.len());
                encoder.copy_buffer_to_buffer(&uploads, start, target, storage.offset_bytes(slice.start), len);
                start += len;
            }
            let program = &self.programs[program.0];
            let mut pass = encoder
                .begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some(program.name), timestamp_writes: None });
            program.dispatches.iter().for_each(|dispatch| dispatch.record(&mut pass));
        }
        self.queue.submit([encoder.finish()]);
    }

    /// A buffer to copy from with so much room. A write to it waits for the submissions before, so one serves all.
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

    /// Copies slices, one after the other, into a staging buffer behind all runs so far.
    pub fn start_read(&mut self, slices: &[Slice]) -> GpuRead {
        let parts: Vec<_> = slices.iter().map(|&slice| (self.table.storage(slice), slice.len)).collect();
        let size_bytes = parts.iter().map(|(storage, len)| storage.size_bytes(*len)).sum();
        let staging = self.staging(size_bytes);
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("read") });
        let mut end = 0;
        for (slice, (storage, len)) in slices.iter().zip(&parts) {
            let (start, len) = (storage.offset_bytes(slice.start), storage.size_bytes(*len));
            encoder.copy_buffer_to_buffer(&self.buffers[slice.buffer.0], start, &staging, end, len);
            end += len;
        }
        self.submit_read(encoder, staging, parts)
    }

    /// Copies all of a buffer of another kind into a staging buffer at the end of `encoder`, submits it, and waits.
    pub(super) async fn read_after(
        &mut self,
        encoder: wgpu::CommandEncoder,
        source: &wgpu::Buffer,
    ) -> Result<Vec<u32>, ExecuteError> {
        self.read_part_after(encoder, source, source.size()).await
    }

    /// Submits what was encoded and waits until it is done.
    pub(super) async fn wait_after(&mut self, encoder: wgpu::CommandEncoder) -> Result<(), ExecuteError> {
        let source = self.uploads(4);
        self.read_part_after(encoder, &source, 4).await.map(drop)
    }

    async fn read_part_after(
        &mut self,
        mut encoder: wgpu::CommandEncoder,
        source: &wgpu::Buffer,
        size_bytes: u64,
    ) -> Result<Vec<u32>, ExecuteError> {
        let staging = self.staging(size_bytes);
        encoder.copy_buffer_to_buffer(source, 0, &staging, 0, size_bytes);
        let read = self.submit_read(encoder, staging, vec![(Storage::F32, size_bytes as usize / 4)]);
        self.finish_read(read).await
    }

    fn submit_read(
        &self,
        encoder: wgpu::CommandEncoder,
        staging: wgpu::Buffer,
        parts: Vec<(Storage, usize)>,
    ) -> GpuRead {
        let submission = self.queue.submit([encoder.finish()]);
        let (sender, mapped) = oneshot::channel();
        // A reader that is gone makes the send fail, and then nobody is waiting for it.
        staging.map_async(wgpu::MapMode::Read, 0..staging.size(), move |result| drop(sender.send(result)));
        GpuRead { staging, parts, submission, mapped }
    }

    /// Waits for a read.
    ///
    /// # Errors
    /// When the device was lost or had refused a command.
    pub async fn finish_read(&mut self, read: GpuRead) -> Result<Vec<u32>, ExecuteError> {
        // Natively this drives the callbacks; in a browser it does nothing and the await below waits.
        let wait = wgpu::PollType::Wait { submission_index: Some(read.submission), timeout: None };
        self.pipelines.confirm(&self.fault).await;
        let polled = self.device.poll(wait).map_err(|error| ExecuteError::DeviceLost(error.to_string()));
        if polled.is_err() {
            // A device that is gone has refused what to wait for, and says that it is gone once it has nothing to do.
            drop(self.device.poll(wgpu::PollType::Wait { submission_index: None, timeout: None }));
        }
        self.check()?;
        polled?;
        let mapped = read.mapped.await.map_err(|_| ExecuteError::DeviceLost("a read was dropped".into()))?;
        self.check()?;
        mapped.map_err(|error| ExecuteError::DeviceLost(error.to_string()))?;
        let mut words: Vec<u32> = {
            let view = read
                .staging
                .get_mapped_range(0..read.staging.size())
                .map_err(|error| ExecuteError::Refused(error.to_string()))?;
            bytemuck::pod_collect_to_vec(&view)
        };
        read.staging.unmap();
        self.idle_staging.push(read.staging);
        if read.parts.iter().any(|(storage, _)| *storage == Storage::F16) {
            words = unpack(&words, &read.parts);
        }
        Ok(words)
    }

    fn check(&self) -> Result<(), ExecuteError> {
        match self.fault.check() {
            Err(error) if error.needs_another_device() => Err(error),
            other => self.cannot_run().map_or(other, Err),
        }
    }

    /// Why the prepared recordings cannot run on this device, if they cannot.
    fn cannot_run(&self) -> Option<ExecuteError> {
        self.impossible.clone().or_else(|| self.pipelines.refused(&self.used).map(ExecuteError::Refused))
    }

    /// An idle staging buffer of exactly this size, or a new one. Reads repeat in a few sizes, so the pool stays
    /// small.
    fn staging(&mut self, size_bytes: u64) -> wgpu::Buffer {
        if let Some(index) = self.idle_staging.iter().position(|buffer| buffer.size() == size_bytes) {
            return self.idle_staging.swap_remove(index);
        }
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size: size_bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }
}

/// Creates a buffer for each of `specs`, filled with zeros.
async fn allocate(device: &wgpu::Device, specs: &[BufferSpec]) -> Result<Vec<wgpu::Buffer>, ExecuteError> {
    let scope = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let create = |spec: &BufferSpec| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(&spec.name),
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

/// The elements of several parts that lie one after the other.
fn unpack(mut words: &[u32], parts: &[(Storage, usize)]) -> Vec<u32> {
    let mut elements = Vec::new();
    for &(storage, len) in parts {
        let (part, rest) = words.split_at(storage.size_bytes(len) as usize / 4);
        elements.extend(storage.unpack(part, len));
        words = rest;
    }
    elements
}
