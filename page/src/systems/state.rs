//! Families of kernels, the roofline of a measured step, and the job of the parallel lab. Pure.

use glasshead::accounting::Account;
use glasshead::config::{FeedForward, ModelConfig, Norm, RunConfig, ValidConfig};
use glasshead::systems::job::{Job, Sizes};
use glasshead::systems::trace::Trace;
use glasshead::types::profile::{KernelTime, Profile};

/// What a kernel computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Matmuls and their gradients.
    Matmul,
    /// Attention and its gradient.
    Attention,
    /// Norms, activations, rotations, sums.
    Elementwise,
    /// Embedding, batches, cross-entropy.
    Loss,
    /// The update of the parameters.
    Optimizer,
}

impl Family {
    /// All families in the order of the legend.
    pub const ALL: [Self; 5] = [Self::Matmul, Self::Attention, Self::Elementwise, Self::Loss, Self::Optimizer];

    /// The family of a kernel, judged by its name.
    pub fn of(kernel: &str) -> Self {
        let has = |parts: &[&str]| parts.iter().any(|part| kernel.contains(part));
        if has(&["attention", "softmax", "row_entropy", "scores"]) {
            Self::Attention
        } else if has(&["cross_entropy", "embedding", "gather", "mean_loss"]) {
            Self::Loss
        } else if has(&["matmul", "linear"]) {
            Self::Matmul
        } else if has(&["adamw", "sgd", "grad_norm", "squared_sums", "clip", "accumulate"]) {
            Self::Optimizer
        } else {
            Self::Elementwise
        }
    }

    /// The name in the legend.
    pub fn title(self) -> &'static str {
        match self {
            Self::Matmul => "Matmuls",
            Self::Attention => "Attention",
            Self::Elementwise => "Norms and activations",
            Self::Loss => "Loss and embedding",
            Self::Optimizer => "Optimizer",
        }
    }

    /// The custom property with its color.
    pub fn color(self) -> &'static str {
        match self {
            Self::Matmul => "--s1",
            Self::Attention => "--s2",
            Self::Elementwise => "--s3",
            Self::Loss => "--s4",
            Self::Optimizer => "--s5",
        }
    }
}

/// A kernel in the roofline chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The kernel's name.
    pub kernel: String,
    /// Its family.
    pub family: Family,
    /// Operations per byte.
    pub intensity: f64,
    /// Operations per second.
    pub speed: f64,
    /// The fraction of the step's time.
    pub share: f64,
}

/// A roofline: what the device's peaks allow at each intensity, and the kernels with operations.
#[derive(Clone, Debug, PartialEq)]
pub struct Roofline {
    /// Peak operations per second.
    pub flops_per_s: f64,
    /// Peak bytes per second.
    pub bytes_per_s: f64,
    /// The kernels that compute matmuls, longest first.
    pub points: Vec<Point>,
}

impl Roofline {
    /// The roofline of a profile; `None` without peaks or without kernels that have operations.
    pub fn new(profile: &Profile) -> Option<Self> {
        let total = profile.total().ns.max(1.0);
        let point = |kernel: &KernelTime| {
            let timed = kernel.ns > 0.0 && kernel.flops > 0.0 && kernel.bytes > 0.0;
            timed.then(|| Point {
                kernel: kernel.kernel.clone(),
                family: Family::of(&kernel.kernel),
                intensity: kernel.flops / kernel.bytes,
                speed: 1e9 * kernel.flops / kernel.ns,
                share: kernel.ns / total,
            })
        };
        let points: Vec<Point> = profile.kernels.iter().filter_map(point).collect();
        let peaks = profile.peak_flops_per_s > 0.0 && profile.peak_bytes_per_s > 0.0;
        (peaks && !points.is_empty()).then_some(Self {
            flops_per_s: profile.peak_flops_per_s,
            bytes_per_s: profile.peak_bytes_per_s,
            points,
        })
    }

    /// The intensity from which kernels are bound by computation, in operations per byte.
    pub fn ridge(&self) -> f64 {
        self.flops_per_s / self.bytes_per_s
    }

    /// What the peaks allow at an intensity, in operations per second.
    pub fn roof(&self, intensity: f64) -> f64 {
        (intensity * self.bytes_per_s).min(self.flops_per_s)
    }

    /// The powers of ten around all intensities and speeds: x from, x to, y from, y to.
    pub fn range(&self) -> [i32; 4] {
        let power = |value: f64| value.max(1e-9).log10();
        let fold = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(power(x)), high.max(power(x))))
        };
        let x = fold(&mut self.points.iter().map(|point| point.intensity).chain([self.ridge()]));
        let y = fold(&mut self.points.iter().map(|point| point.speed).chain([self.flops_per_s]));
        let whole = |(low, high): (f64, f64)| [low.floor() as i32, (high + 0.05).ceil() as i32];
        let ([x0, x1], [y0, y1]) = (whole(x), whole(y));
        [x0, x1.max(x0 + 1), y0, y1.max(y0 + 1)]
    }
}

/// The sizes of a model for the parallel lab; `None` for an invalid configuration.
pub fn sizes(config: &RunConfig) -> Option<Sizes> {
    let account = Account::new(&ValidConfig::try_from(config.clone()).ok()?);
    let params = |name: &str| -> f64 {
        account.parts.iter().filter(|part| part.name.starts_with(name)).map(|part| part.params as f64).sum()
    };
    let model = &config.model;
    let (feed_forward, n) = (params("feed-forward"), model.n_layers as f64);
    let layers = params("attention") + feed_forward + params("norms");
    Some(Sizes {
        embedding: params("embedding"),
        layer: layers / n,
        head: params("head"),
        layer_tensors: layer_tensors(model),
        feed_forward: feed_forward / layers.max(1.0),
        stream: (config.train.batch_size * model.context_length * model.d_model) as f64,
        activation_bytes: account.total(|part| account.activation_bytes(part)) as f64,
    })
}

/// Parameter tensors of a layer: Q, K, V, output, the feed-forward network, and the norms, with their biases.
fn layer_tensors(model: &ModelConfig) -> usize {
    let matrices = if model.feed_forward == FeedForward::Swiglu { 7 } else { 6 };
    let norms = if model.norm == Norm::None { 0 } else { 2 };
    let biases = if model.norm == Norm::Layernorm { norms } else { 0 };
    matrices + norms + if model.bias { matrices + biases } else { 0 }
}

/// The measured step as the parallel lab divides it.
pub fn job(trace: &Trace, config: &RunConfig) -> Option<Job> {
    Some(Job::of_trace(trace, sizes(config)?))
}
