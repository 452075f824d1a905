//! Up to how many ranks communication stays hidden behind computation, for a feed-forward layer of three D×F matrices with
//! values of 16 bits, as in CS336's second assignment.
//!
//! Forward takes 6BDF operations, backward 12BDF. Data parallelism all-reduces 6DF bytes of gradients: 2(N − 1)/N · 6DF/W
//! seconds behind 12BDF/(N·C), hence N − 1 ≤ B·W/C. Tensor parallelism all-reduces the output of 2BD bytes: forward
//! N − 1 ≤ 1.5·F·W/C, and 3·F·W/C in the backward pass, which computes twice as long.

use super::job::{Block, Job};
use super::link::Link;
use super::ring::Collective;
use super::simulate::{Setting, Strategy, simulate};

/// A layer, a batch and a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layer {
    /// B: tokens of the whole batch.
    pub tokens: f64,
    /// D: width of the residual stream.
    pub d_model: f64,
    /// F: inner width.
    pub d_ff: f64,
    /// C: operations per second of one rank.
    pub flops_per_s: f64,
    /// W: bytes per second of a link.
    pub bytes_per_s: f64,
}

/// The largest numbers of ranks at which communication stays hidden.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Data parallelism, and FSDP: 1 + B·W/C.
    pub data: f64,
    /// Tensor parallelism, forward: 1 + 1.5·F·W/C.
    pub tensor_forward: f64,
    /// Tensor parallelism, backward: 1 + 3·F·W/C.
    pub tensor_backward: f64,
    /// FSDP and tensor parallelism together on separate links: 1.5·B·F·W²/C².
    pub combined: f64,
    /// The same on shared links: a quarter.
    pub combined_shared: f64,
}

impl Layer {
    /// The bounds by formula.
    pub fn bounds(self) -> Bounds {
        let ratio = self.bytes_per_s / self.flops_per_s;
        let combined = 1.5 * self.tokens * self.d_ff * ratio * ratio;
        Bounds {
            data: 1.0 + self.tokens * ratio,
            tensor_forward: 1.0 + 1.5 * self.d_ff * ratio,
            tensor_backward: 1.0 + 3.0 * self.d_ff * ratio,
            combined,
            combined_shared: combined / 4.0,
        }
    }

    /// The work of `n_layers` such layers, with gradients of 16 bits.
    fn layers(self, n_layers: usize) -> Job {
        let product = self.tokens * self.d_model * self.d_ff;
        let block = |index: usize| Block {
            name: format!("layer {}", index + 1),
            forward_s: 6.0 * product / self.flops_per_s,
            backward_s: 12.0 * product / self.flops_per_s,
            param_bytes: 2.0 * 3.0 * self.d_model * self.d_ff,
            n_tensors: 3,
            feed_forward: 1.0,
            output_bytes: 2.0 * self.tokens * self.d_model,
        };
        Job { blocks: (0..n_layers).map(block).collect(), update_s: 0.0, activation_bytes: 0.0 }
    }

    /// The knee of data parallelism by experiment: the largest number of ranks at which a simulated step of `n_layers` layers
    /// shows no more communication than that of the last layer, which nothing can hide.
    pub fn simulated_knee(self, n_layers: usize, max: usize) -> usize {
        let (whole, link) = (self.layers(n_layers), Link { bytes_per_s: self.bytes_per_s, latency_s: 0.0 });
        let hidden = |n: usize| {
            let setting = Setting { ranks: n, link, bucket_bytes: 0.0, overhead_s: 0.0 };
            let simulated = simulate(&whole, Strategy::Overlapped, setting);
            let unavoidable = link.collective_s(Collective::AllReduce, n, whole.blocks[0].param_bytes);
            simulated.exposed_s <= unavoidable * (1.0 + 1e-9)
        };
        let (mut low, mut high) = (1, max.max(2));
        if hidden(high) {
            return high;
        }
        // Communication grows and computation shrinks with the number of ranks, so there is one such point.
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if hidden(middle) { low = middle } else { high = middle }
        }
        low
    }
}
