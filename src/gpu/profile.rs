//! Times each dispatch of a recording on the GPU with timestamp queries.

use super::clock::now_ns;
use super::error::ExecuteError;
use super::execute::GpuBackend;

/// A dispatch and its time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// Name of the kernel.
    pub kernel: &'static str,
    /// Nanoseconds on the device.
    pub ns: f64,
}

/// Time of several runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Nanoseconds between two timestamps, where the device has them. Rounded in browsers; 0 or negative where the device
    /// erred.
    pub stamps_ns: Option<f64>,
    /// Nanoseconds from submission to completion, by the host's clock.
    pub wall_ns: f64,
}

impl Reading {
    /// The timestamps' difference, if it is positive.
    pub fn valid_stamps(&self) -> Option<f64> {
        self.stamps_ns.filter(|ns| *ns > 0.0)
    }
}

/// Runs a prepared recording `repeats` times in one compute pass.
///
/// # Errors
/// When the device was lost or rejected a command.
pub async fn time_repeated(gpu: &mut GpuBackend, program: usize, repeats: u32) -> Result<Reading, ExecuteError> {
    gpu.ready().await?;
    let stamps = gpu.device.features().contains(wgpu::Features::TIMESTAMP_QUERY).then(|| Stamps::new(&gpu.device, 2));
    let began = now_ns();
    let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("timing") });
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("timing"),
            timestamp_writes: stamps.as_ref().map(|stamps| stamps.writes(0)),
        });
        for _ in 0..repeats {
            gpu.programs[program].dispatches.iter().for_each(|dispatch| dispatch.record(&mut pass));
        }
    }
    let stamps_ns = match stamps {
        Some(stamps) => stamps.read(gpu, encoder).await?.first().copied(),
        None => {
            gpu.wait_after(encoder).await?;
            None
        }
    };
    Ok(Reading { stamps_ns, wall_ns: now_ns() - began })
}

/// Query count of one set that every device allows.
const MAX_QUERIES: usize = 4096;

/// Runs a prepared recording once, each dispatch in a separate compute pass between two timestamps.
///
/// # Errors
/// When the device has no timestamp queries, was lost, or rejected a command.
pub async fn profile(gpu: &mut GpuBackend, program: usize) -> Result<Vec<Timing>, ExecuteError> {
    if !gpu.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
        return Err(ExecuteError::NoTimestamps);
    }
    gpu.ready().await?;
    let n = gpu.programs[program].dispatches.len();
    let mut timings = Vec::with_capacity(n);
    for start in (0..n).step_by(MAX_QUERIES / 2) {
        let end = n.min(start + MAX_QUERIES / 2);
        timings.extend(profile_range(gpu, program, start..end).await?);
    }
    Ok(timings)
}

async fn profile_range(
    gpu: &mut GpuBackend,
    program: usize,
    range: std::ops::Range<usize>,
) -> Result<Vec<Timing>, ExecuteError> {
    let stamps = Stamps::new(&gpu.device, 2 * range.len() as u32);
    let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("profile") });
    let dispatches = &gpu.programs[program].dispatches[range];
    for (dispatch, query) in dispatches.iter().zip((0u32..).step_by(2)) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("profile"),
            timestamp_writes: Some(stamps.writes(query)),
        });
        dispatch.record(&mut pass);
    }
    let kernels: Vec<&'static str> = dispatches.iter().map(|dispatch| dispatch.kernel).collect();
    let ns = stamps.read(gpu, encoder).await?;
    Ok(kernels.into_iter().zip(ns).map(|(kernel, ns)| Timing { kernel, ns: ns.max(0.0) }).collect())
}

/// A set of timestamp queries and the buffer into which they are resolved.
struct Stamps {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    n: u32,
}

impl Stamps {
    fn new(device: &wgpu::Device, n: u32) -> Self {
        let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("profile"),
            ty: wgpu::QueryType::Timestamp,
            count: n,
        });
        let resolved = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("profile"),
            size: u64::from(n) * 8,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        Self { queries, resolved, n }
    }

    /// Timestamp writes of a pass: query `first` at its beginning, the next one at its end.
    fn writes(&self, first: u32) -> wgpu::ComputePassTimestampWrites<'_> {
        wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        }
    }

    /// Submits the encoder and returns the nanoseconds of each pass, negative where the device reports an end before the
    /// beginning.
    async fn read(self, gpu: &mut GpuBackend, mut encoder: wgpu::CommandEncoder) -> Result<Vec<f64>, ExecuteError> {
        encoder.resolve_query_set(&self.queries, 0..self.n, &self.resolved, 0);
        let words = gpu.read_after(encoder, &self.resolved).await?;
        let ticks: Vec<u64> = words.chunks_exact(2).map(|word| u64::from(word[0]) | u64::from(word[1]) << 32).collect();
        let period_ns = f64::from(gpu.queue.get_timestamp_period());
        let ns = |pair: &[u64]| (i128::from(pair[1]) - i128::from(pair[0])) as f64 * period_ns;
        Ok(ticks.chunks_exact(2).map(ns).collect())
    }
}
