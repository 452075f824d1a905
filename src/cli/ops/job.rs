//! A recording that runs once, which implements every tensor operation.

use super::Server;
use super::request::OpError;
use crate::gpu::backend::Backend;
use crate::gpu::context::DeviceLimits;
use crate::gpu::recording::{ALIGNMENT, Buffers, Recording, Slice};

/// The maximum device memory of one request: 4 GiB.
const MAX_BYTES: u64 = 1 << 32;

/// WebGPU's limit per dimension.
const MAX_WORKGROUPS: u32 = 65_535;

/// Buffers, their initial contents, and the recording that uses them.
pub(super) struct Job {
    buffers: Buffers,
    inputs: Vec<(Slice, Vec<u32>)>,
    /// The dispatches.
    pub(super) recording: Recording,
}

/// Tensors of equal length in one buffer, each aligned so that it can be bound separately.
#[derive(Clone, Copy)]
pub(super) struct Stack {
    /// All tensors including padding.
    pub(super) whole: Slice,
    each: usize,
}

impl Stack {
    fn stride(self) -> usize {
        self.each.next_multiple_of(ALIGNMENT)
    }

    /// The slice of one tensor.
    pub(super) fn part(self, index: usize) -> Slice {
        self.whole.part(index * self.stride(), self.each)
    }

    /// Removes the padding from data that was read from `whole`.
    pub(super) fn unpack(self, values: &[f32]) -> Vec<f32> {
        values.chunks(self.stride()).flat_map(|part| &part[..self.each]).copied().collect()
    }
}

impl Job {
    /// An empty job.
    pub(super) fn new() -> Self {
        Self::over(Buffers::default(), Recording::new("op"))
    }

    /// A job for an existing recording.
    pub(super) fn over(buffers: Buffers, recording: Recording) -> Self {
        Self { buffers, inputs: Vec::new(), recording }
    }

    /// Writes a slice before the run.
    pub(super) fn write(&mut self, slice: Slice, words: Vec<u32>) {
        self.inputs.push((slice, words));
    }

    /// Adds a buffer with these words.
    pub(super) fn words(&mut self, words: Vec<u32>) -> Slice {
        let slice = self.buffers.add("input", words.len());
        self.write(slice, words);
        slice
    }

    /// Adds a buffer with these numbers.
    pub(super) fn input(&mut self, values: &[f32]) -> Slice {
        self.words(bytemuck::cast_slice(values).to_vec())
    }

    /// Adds a buffer of zeros.
    pub(super) fn output(&mut self, len: usize) -> Slice {
        self.buffers.add("output", len)
    }

    /// Adds `n` tensors of `each` elements, all zeros.
    pub(super) fn stack(&mut self, n: usize, each: usize) -> Stack {
        let whole = self.output(n * each.next_multiple_of(ALIGNMENT));
        Stack { whole, each }
    }

    /// Adds the tensors that are concatenated in `words`.
    pub(super) fn stack_of(&mut self, words: &[u32], each: usize) -> Stack {
        let stack = self.stack(words.len() / each, each);
        let mut padded = vec![0; stack.whole.len];
        for (to, from) in padded.chunks_mut(stack.stride()).zip(words.chunks(each)) {
            to[..each].copy_from_slice(from);
        }
        self.write(stack.whole, padded);
        stack
    }

    /// Runs the recording on the server's device and returns the contents of `outputs`.
    ///
    /// # Errors
    /// When the buffers exceed the device's limits, or the device fails.
    pub(super) fn run(self, server: &Server<'_>, outputs: &[Slice]) -> Result<Vec<Vec<f32>>, OpError> {
        let limits = server.context.map_or(DeviceLimits::CPU, |context| context.adapter.limits);
        self.check(limits)?;
        pollster::block_on(async {
            let mut backend = match server.context {
                Some(context) => Backend::gpu(context, &self.buffers).await?,
                None => Backend::cpu(&self.buffers),
            };
            for (slice, words) in &self.inputs {
                backend.write(*slice, words);
            }
            if let Some(context) = server.context {
                let names = (0..self.recording.dispatches.len()).map(|at| context.runs(&self.recording, at).name);
                server.kernels.borrow_mut().extend(names);
            }
            let program = backend.prepare(self.recording);
            backend.run(program);
            let read = backend.start_read(outputs);
            let words = backend.finish_read(read).await?;
            let mut rest: &[f32] = bytemuck::cast_slice(&words);
            let mut results = Vec::with_capacity(outputs.len());
            for output in outputs {
                let (result, others) = rest.split_at(output.len);
                results.push(result.to_vec());
                rest = others;
            }
            Ok(results)
        })
    }

    fn check(&self, limits: DeviceLimits) -> Result<(), OpError> {
        let mib = |bytes: u64| format!("{} MiB", bytes.div_ceil(1 << 20));
        let too_large = |what: String, needed, most| Err(OpError::TooLarge { what, needed, most });
        let most = limits.buffer_bytes.min(limits.binding_bytes);
        if let Some(spec) = self.buffers.specs.iter().find(|spec| spec.size_bytes() > most) {
            return too_large(format!("a buffer ({})", spec.name), mib(spec.size_bytes()), mib(most));
        }
        if self.buffers.total_bytes() > MAX_BYTES {
            return too_large("this request".into(), mib(self.buffers.total_bytes()), mib(MAX_BYTES));
        }
        let most = |workgroups: [u32; 3]| workgroups.into_iter().max().unwrap_or(0);
        match self.recording.dispatches.iter().find(|dispatch| most(dispatch.workgroups) > MAX_WORKGROUPS) {
            None => Ok(()),
            Some(dispatch) => too_large(
                format!("kernel {}", dispatch.kernel.name),
                format!("{} workgroups", most(dispatch.workgroups)),
                MAX_WORKGROUPS.to_string(),
            ),
        }
    }
}
