//! Reads buffers: copies them into staging buffers, which are mapped once the device has finished the earlier work.

use futures_channel::oneshot;

use super::super::poll::keep_polled;
use super::{ExecuteError, GpuBackend, Slice, Storage};

/// A copy into a staging buffer in progress.
pub struct GpuRead {
    staging: wgpu::Buffer,
    /// Storage format and number of elements of each part.
    parts: Vec<(Storage, usize)>,
    submission: wgpu::SubmissionIndex,
    mapped: oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>,
}

impl GpuBackend {
    /// Copies the slices one after the other into a staging buffer, after all runs so far.
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

    /// Copies a whole buffer of another kind into a staging buffer at the end of `encoder`, and submits it.
    pub(in crate::gpu) fn start_read_after(&mut self, encoder: wgpu::CommandEncoder, source: &wgpu::Buffer) -> GpuRead {
        self.read_part_after(encoder, source, source.size())
    }

    /// Submits the encoder and waits until the work is done.
    pub(in crate::gpu) async fn wait_after(&mut self, encoder: wgpu::CommandEncoder) -> Result<(), ExecuteError> {
        let source = self.uploads(4);
        let read = self.read_part_after(encoder, &source, 4);
        self.finish_read(read).await.map(drop)
    }

    fn read_part_after(
        &mut self,
        mut encoder: wgpu::CommandEncoder,
        source: &wgpu::Buffer,
        size_bytes: u64,
    ) -> GpuRead {
        let staging = self.staging(size_bytes);
        encoder.copy_buffer_to_buffer(source, 0, &staging, 0, size_bytes);
        self.submit_read(encoder, staging, vec![(Storage::F32, size_bytes as usize / 4)])
    }

    fn submit_read(
        &self,
        encoder: wgpu::CommandEncoder,
        staging: wgpu::Buffer,
        parts: Vec<(Storage, usize)>,
    ) -> GpuRead {
        let submission = self.queue.submit([encoder.finish()]);
        let (sender, mapped) = oneshot::channel();
        // The send fails when the reader was dropped; then no result is needed.
        staging.map_async(wgpu::MapMode::Read, 0..staging.size(), move |result| drop(sender.send(result)));
        GpuRead { staging, parts, submission, mapped }
    }

    /// Waits for a read.
    ///
    /// # Errors
    /// When the device was lost or rejected a command.
    pub async fn finish_read(&mut self, read: GpuRead) -> Result<Vec<u32>, ExecuteError> {
        // Natively this drives the callbacks; in a browser it does nothing, and the await below waits.
        let wait = wgpu::PollType::Wait { submission_index: Some(read.submission), timeout: None };
        self.pipelines.confirm(&self.fault).await;
        let polled = self.device.poll(wait).map_err(|error| ExecuteError::DeviceLost(error.to_string()));
        if polled.is_err() {
            // A lost device rejects the wait, and reports the loss once it is idle.
            drop(self.device.poll(wgpu::PollType::Wait { submission_index: None, timeout: None }));
        }
        self.check()?;
        polled?;
        let mapped = keep_polled(&self.queue, read.mapped)
            .await
            .map_err(|_| ExecuteError::DeviceLost("a read was dropped".into()))?;
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

    /// An idle staging buffer of exactly this size, or a new one. Reads repeat in a few sizes, so the pool stays small.
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

/// The elements of several consecutive parts.
fn unpack(mut words: &[u32], parts: &[(Storage, usize)]) -> Vec<u32> {
    let mut elements = Vec::new();
    for &(storage, len) in parts {
        let (part, rest) = words.split_at(storage.size_bytes(len) as usize / 4);
        elements.extend(storage.unpack(part, len));
        words = rest;
    }
    elements
}
