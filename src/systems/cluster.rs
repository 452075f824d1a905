//! A training step on a cluster: data, tensor and pipeline parallelism of a GPT on many GPUs, from their speed and their links.
//!
//! Operations follow Narayanan et al. 2021 (arXiv 2104.04473): 96·B·s·L·h²·(1 + s/6h + V/16Lh) for a step whose activations are
//! computed again, and three quarters of that otherwise. A GPU computes at a fraction of its peak that is the same for all
//! models ([`Gpu::efficiency`]). On top of that come the all-reduces of tensor parallelism, the bubble of the pipeline, and the
//! all-reduce of gradients.

use super::link::Link;
use super::ring::Collective;

/// A kind of GPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gpu {
    /// Peak operations per second in 16 bits.
    pub flops_per_s: f64,
    /// The fraction of the peak that a block of a Transformer reaches, without communication.
    pub efficiency: f64,
    /// The link to the GPUs of the same node.
    pub inside: Link,
    /// The GPU's share of its node's network.
    pub network: Link,
}

impl Gpu {
    /// An A100 with NVLink and a network link of 200 Gbit/s. The efficiency is fitted to one published run, the model of 145.6
    /// billion parameters in Narayanan et al. 2021, and rounded; all others are predictions.
    pub const A100: Self = Self {
        flops_per_s: 312e12,
        efficiency: 0.6,
        inside: Link { bytes_per_s: 240e9, latency_s: 1e-5 },
        network: Link { bytes_per_s: 25e9, latency_s: 2e-5 },
    };
}

/// A model and how it is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    /// P: parameters.
    pub params: f64,
    /// L: layers.
    pub n_layers: f64,
    /// h: width.
    pub d_model: f64,
    /// s: positions of a sequence.
    pub context: f64,
    /// V: vocabulary.
    pub vocabulary: f64,
    /// B: sequences of a step.
    pub batch: usize,
    /// Sequences that pass the pipeline together.
    pub micro_batch: usize,
    /// Number of GPUs.
    pub gpus: usize,
    /// GPUs that share every layer.
    pub tensor: usize,
    /// Stages of the pipeline.
    pub pipeline: usize,
    /// Whether activations are computed again.
    pub recompute: bool,
}

/// The parts of a step in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClusterStep {
    /// Computation.
    pub compute_s: f64,
    /// All-reduces between the GPUs of a layer.
    pub tensor_s: f64,
    /// Waiting while the pipeline fills and drains.
    pub bubble_s: f64,
    /// All-reduce of the gradients.
    pub data_s: f64,
    /// Operations per second and GPU, computed-again ones included.
    pub flops_per_s: f64,
}

impl ClusterStep {
    /// The whole step.
    pub fn seconds(&self) -> f64 {
        self.compute_s + self.tensor_s + self.bubble_s + self.data_s
    }
}

impl Training {
    /// Operations of a step.
    pub fn flops(&self) -> f64 {
        let (s, l, h) = (self.context, self.n_layers, self.d_model);
        let times = if self.recompute { 96.0 } else { 72.0 };
        times * self.batch as f64 * s * l * h * h * (1.0 + s / (6.0 * h) + self.vocabulary / (16.0 * l * h))
    }

    /// Predicts a step; `None` if the GPUs or the batch cannot be divided.
    pub fn step(&self, gpu: Gpu) -> Option<ClusterStep> {
        let whole = self.tensor.checked_mul(self.pipeline).filter(|&whole| whole > 0)?;
        let replicas = (self.gpus > 0 && self.gpus.is_multiple_of(whole)).then_some(self.gpus / whole)?;
        let share = replicas.checked_mul(self.micro_batch).filter(|&share| share > 0 && self.batch >= share)?;
        let micro_batches = (self.batch / share) as f64;
        let compute_s = self.flops() / self.gpus as f64 / (gpu.flops_per_s * gpu.efficiency);
        // Two all-reduces of the residual stream in each direction, and two more where the forward pass is repeated.
        let per_layer = if self.recompute { 6.0 } else { 4.0 };
        let stream = 2.0 * self.micro_batch as f64 * self.context * self.d_model;
        let tensor_s = per_layer * gpu.inside.collective_s(Collective::AllReduce, self.tensor, stream) * self.n_layers
            / self.pipeline as f64
            * micro_batches;
        let bubble_s = (compute_s + tensor_s) * (self.pipeline - 1) as f64 / micro_batches;
        let data_s = gpu.network.collective_s(Collective::AllReduce, replicas, 2.0 * self.params / whole as f64);
        let flops = self.flops() / self.gpus as f64;
        let step = ClusterStep { compute_s, tensor_s, bubble_s, data_s, flops_per_s: 0.0 };
        Some(ClusterStep { flops_per_s: flops / step.seconds(), ..step })
    }
}

/// A run with a published speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// Name of the model.
    pub name: &'static str,
    /// Where the figure is published.
    pub source: &'static str,
    /// Whether [`Gpu::A100`] is fitted to it.
    pub fitted: bool,
    /// The run.
    pub training: Training,
    /// The GPU.
    pub gpu: Gpu,
    /// Published operations per second and GPU.
    pub flops_per_s: f64,
}

const TABLE: &str = "Narayanan et al. 2021 (arXiv 2104.04473), table 1";

/// A row of that table: billions of parameters, layers, width, batch, GPUs, stages, TFLOP/s.
const fn megatron(name: &'static str, fitted: bool, sizes: [f64; 3], counts: [usize; 3], tflops: f64) -> Published {
    let [billions, n_layers, d_model] = sizes;
    let [batch, gpus, pipeline] = counts;
    let training = Training {
        params: billions * 1e9,
        n_layers,
        d_model,
        context: 2048.0,
        vocabulary: 51_200.0,
        batch,
        micro_batch: 1,
        gpus,
        tensor: 8,
        pipeline,
        recompute: true,
    };
    Published { name, source: TABLE, fitted, training, gpu: Gpu::A100, flops_per_s: tflops * 1e12 }
}

/// Runs to compare predictions with.
pub const PUBLISHED: [Published; 5] = [
    megatron("145.6B", true, [145.6, 80.0, 12_288.0], [2304, 1536, 8], 148.0),
    megatron("310.1B", false, [310.1, 96.0, 16_384.0], [2160, 1920, 16], 155.0),
    megatron("529.6B", false, [529.6, 105.0, 20_480.0], [2520, 2520, 35], 163.0),
    megatron("1008B", false, [1008.0, 128.0, 25_600.0], [3072, 3072, 64], 163.0),
    Published {
        name: "BLOOM 176B",
        source: "BigScience 2022 (arXiv 2211.05100): 384 A100, four links of 100 Gbit/s per node, about 150 TFLOP/s",
        fitted: false,
        training: Training {
            params: 176.2e9,
            n_layers: 70.0,
            d_model: 14_336.0,
            context: 2048.0,
            vocabulary: 250_680.0,
            batch: 2048,
            micro_batch: 2,
            gpus: 384,
            tensor: 4,
            pipeline: 12,
            recompute: true,
        },
        gpu: Gpu { network: Link { bytes_per_s: 6.25e9, latency_s: 2e-5 }, ..Gpu::A100 },
        flops_per_s: 150e12,
    },
];
