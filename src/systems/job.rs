//! The work of one training step as parallel training divides it: blocks with their times and bytes.

use serde::{Deserialize, Serialize};

use super::trace::Trace;

/// Bytes of an f32 value.
const F32: f64 = 4.0;

/// A unit whose gradients become ready together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Name for the user.
    pub name: String,
    /// Seconds of the forward pass on one rank.
    pub forward_s: f64,
    /// Seconds of the backward pass on one rank.
    pub backward_s: f64,
    /// Bytes of its parameters, and of its gradients.
    pub param_bytes: f64,
    /// Number of its parameter tensors.
    pub n_tensors: usize,
    /// Fraction of its time, and of its parameters, in the feed-forward network.
    pub feed_forward: f64,
    /// Bytes of its output, which tensor parallelism adds up.
    pub output_bytes: f64,
}

/// One training step on one rank.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The blocks in the order of the forward pass.
    pub blocks: Vec<Block>,
    /// Seconds of the optimizer on all parameters.
    pub update_s: f64,
    /// Bytes of all activations of the batch.
    pub activation_bytes: f64,
}

/// Sizes of a model that a trace does not contain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sizes {
    /// Parameters of the embedding.
    pub embedding: f64,
    /// Parameters of each layer.
    pub layer: f64,
    /// Parameters of the head and of the last norm; 0 for tied embeddings.
    pub head: f64,
    /// Parameter tensors of each layer.
    pub layer_tensors: usize,
    /// Fraction of a layer's parameters in the feed-forward network.
    pub feed_forward: f64,
    /// Values of the residual stream of a batch: N·C.
    pub stream: f64,
    /// Bytes of all activations.
    pub activation_bytes: f64,
}

impl Job {
    /// The step of a trace, layer by layer. What belongs to no layer counts with the head.
    pub fn of_trace(trace: &Trace, sizes: Sizes) -> Self {
        let times = trace.layer_ns();
        let n_layers = times.len().saturating_sub(1);
        let block = |name: String, [forward, backward]: [f64; 2], params: f64, n_tensors: usize| Block {
            name,
            forward_s: forward / 1e9,
            backward_s: backward / 1e9,
            param_bytes: F32 * params,
            n_tensors,
            ..Block::default()
        };
        let mut blocks = vec![block("embedding".into(), [0.0; 2], sizes.embedding, 1)];
        for (layer, &times) in times[..n_layers].iter().enumerate() {
            blocks.push(Block {
                feed_forward: sizes.feed_forward,
                output_bytes: F32 * sizes.stream,
                ..block(format!("layer {}", layer + 1), times, sizes.layer, sizes.layer_tensors)
            });
        }
        let outside = times.last().copied().unwrap_or_default();
        blocks.push(block("head".into(), outside, sizes.head, 1));
        let update: f64 = trace.phase_ns()[3].1;
        Self { blocks, update_s: update / 1e9, activation_bytes: sizes.activation_bytes }
    }

    /// Bytes of all parameters.
    pub fn param_bytes(&self) -> f64 {
        self.blocks.iter().map(|block| block.param_bytes).sum()
    }

    /// Seconds of a step on one rank.
    pub fn step_s(&self) -> f64 {
        self.blocks.iter().map(|block| block.forward_s + block.backward_s).sum::<f64>() + self.update_s
    }

    /// The work of one of `n` ranks that share the batch.
    #[must_use]
    pub fn shared(&self, n: usize) -> Self {
        let n = n.max(1) as f64;
        let block = |block: &Block| Block {
            forward_s: block.forward_s / n,
            backward_s: block.backward_s / n,
            output_bytes: block.output_bytes / n,
            ..block.clone()
        };
        Self {
            blocks: self.blocks.iter().map(block).collect(),
            update_s: self.update_s,
            activation_bytes: self.activation_bytes / n,
        }
    }
}
