//! Attention weights in full precision.

use super::{ProbePass, TrainError, Trainer};
use crate::types::inspect::visible_keys;

impl Trainer {
    /// The attention weights of all heads for `ids`: (L, H, n, n) with n = `ids.len()`, 0 where masked. Only the first T ids
    /// are used.
    ///
    /// All layers share one buffer of weights, so the probe runs layer by layer, and each one is read before the next.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn attention_weights(&mut self, ids: &[u32]) -> Result<Vec<f32>, TrainError> {
        let model = &self.config.model;
        let (n_layers, n_heads, causal) = (model.n_layers, model.n_heads, model.causal);
        let n = ids.len().min(model.context_length);
        let t = self.window(n);
        self.write_probe(&ids[..n]);
        let mut numbers = Vec::with_capacity(n_layers * n_heads * n * n);
        for layer in 0..n_layers {
            let program = self.probe_program(ProbePass::Layer(layer), n);
            self.backend.run(program);
            // The probe's blocks have buffers for their weights.
            let Some(weights) = self.plan.probe.blocks[layer].weights else { continue };
            let weights = self.backend.read_f32(weights.part(0, n_heads * t * t)).await?;
            for (row, query) in (0..n_heads * t).zip((0..t).cycle()).filter(|&(_, query)| query < n) {
                let visible = visible_keys(causal, n, query);
                numbers.extend_from_slice(&weights[row * t..row * t + visible]);
                numbers.extend(std::iter::repeat_n(0.0, n - visible));
            }
        }
        Ok(numbers)
    }
}
