//! Softmax weights as they are.

use super::{TrainError, Trainer};

impl Trainer {
    /// The softmax weights of all heads for `ids`: (L, H, n, n) with n = `ids.len()`, 0 where masked. Only the first T
    /// ids are looked at.
    ///
    /// All layers share one buffer of weights, so the probe runs layer by layer and each is read before the next.
    ///
    /// # Errors
    /// When the device failed.
    pub async fn attention_weights(&mut self, ids: &[u32]) -> Result<Vec<f32>, TrainError> {
        let programs = self.questions();
        let model = &self.config.model;
        let (t, n_heads, n) = (model.context_length, model.n_heads, ids.len().min(model.context_length));
        self.write_probe(&ids[..n]);
        let mut numbers = Vec::with_capacity(model.n_layers * n_heads * n * n);
        for (layer, program) in programs.layers.iter().enumerate() {
            self.backend.run(*program);
            // The probe's blocks have room for their weights.
            let Some(weights) = self.plan.probe.blocks[layer].weights else { continue };
            let weights = self.backend.read_f32(weights).await?;
            for (row, query) in (0..n_heads * t).zip((0..t).cycle()).filter(|&(_, query)| query < n) {
                let row = &weights[row * t..row * t + n];
                numbers.extend(row.iter().enumerate().map(|(key, &weight)| if key > query { 0.0 } else { weight }));
            }
        }
        Ok(numbers)
    }
}
