//! How long each dispatch of a recording takes on the GPU, by timestamp queries.

use super::backend::ExecuteError;
use super::execute::GpuBackend;

/// One dispatch and its time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// The kernel.
    pub kernel: &'static str,
    /// Nanoseconds on the device.
    pub ns: f64,
}

/// Queries of one set that every device allows.
const MOST_QUERIES: usize = 4096;

/// Runs a prepared recording once, each dispatch in a compute pass of its own between two timestamps.
///
/// # Errors
/// When the device has no timestamp queries, was lost, or refused a command.
pub async fn profile(gpu: &mut GpuBackend, program: usize) -> Result<Vec<Timing>, ExecuteError> {
    if !gpu.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
        return Err(ExecuteError::Refused("this adapter has no timestamp queries, so kernels cannot be timed".into()));
    }
    let n = gpu.programs[program].dispatches.len();
    let mut timings = Vec::with_capacity(n);
    for start in (0..n).step_by(MOST_QUERIES / 2) {
        let end = n.min(start + MOST_QUERIES / 2);
        timings.extend(profile_range(gpu, program, start..end).await?);
    }
    Ok(timings)
}

async fn profile_range(
    gpu: &mut GpuBackend,
    program: usize,
    range: std::ops::Range<usize>,
) -> Result<Vec<Timing>, ExecuteError> {
    let n_queries = 2 * range.len() as u32;
    let query_set = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
        label: Some("profile"),
        ty: wgpu::QueryType::Timestamp,
        count: n_queries,
    });
    let resolved = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("profile"),
        size: u64::from(n_queries) * 8,
        usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("profile") });
    let dispatches = &gpu.programs[program].dispatches[range];
    for (dispatch, query) in dispatches.iter().zip((0u32..).step_by(2)) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("profile"),
            timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                query_set: &query_set,
                beginning_of_pass_write_index: Some(query),
                end_of_pass_write_index: Some(query + 1),
            }),
        });
        dispatch.record(&mut pass);
    }
    encoder.resolve_query_set(&query_set, 0..n_queries, &resolved, 0);
    let kernels: Vec<&'static str> = dispatches.iter().map(|dispatch| dispatch.kernel).collect();
    let words = gpu.read_after(encoder, &resolved).await?;
    let ticks: Vec<u64> = words.chunks_exact(2).map(|word| u64::from(word[0]) | u64::from(word[1]) << 32).collect();
    let period_ns = f64::from(gpu.queue.get_timestamp_period());
    let ns = ticks.chunks_exact(2).map(|pair| pair[1].saturating_sub(pair[0]) as f64 * period_ns);
    Ok(kernels.into_iter().zip(ns).map(|(kernel, ns)| Timing { kernel, ns }).collect())
}
