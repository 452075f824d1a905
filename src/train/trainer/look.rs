//! What the model attends to, and what it would write.

use super::{TrainError, Trainer};
use crate::gpu::backend::Program;
use crate::model::memory::heatmap_words;
use crate::model::transformer::Transformer;

/// What a text is continued with.
#[derive(Clone, Copy)]
pub(super) struct WritingPrograms {
    /// The logits behind a whole window; keys and values go into the cache.
    fill_cache: Program,
    /// Those behind one more token.
    next_token: Program,
}

impl Trainer {
    /// The softmax weights of all heads for `ids`, as bytes (L, H, n, n) with n = `ids.len()`: weight = byte / 255.
    /// Only the first T ids are looked at.
    ///
    /// # Errors
    /// When the device failed.
    pub async fn attention(&mut self, ids: &[u32]) -> Result<Vec<u8>, TrainError> {
        let model = &self.config.model;
        let (t, n) = (model.context_length, ids.len().min(model.context_length));
        let (n_layers, n_heads, words) = (model.n_layers, model.n_heads, heatmap_words(model));
        self.run_probe(self.probe, &ids[..n]);
        let heatmaps = self.backend.read(self.plan.heatmaps).await?;
        let mut bytes = Vec::with_capacity(n_layers * n_heads * n * n);
        for layer in 0..n_layers {
            let weights: &[u8] = bytemuck::cast_slice(&heatmaps[layer * words..(layer + 1) * words]);
            for row in (0..n_heads).flat_map(|head| (0..n).map(move |query| (head * t + query) * t)) {
                bytes.extend_from_slice(&weights[row..row + n]);
            }
        }
        Ok(bytes)
    }

    /// The logits (V) for the token after `ids`, of which the model sees the last T.
    ///
    /// As long as `ids` grows by one token from call to call, keys and values of the earlier ones come from a cache and
    /// only the last token is computed. Once the text is longer than the context every call computes the whole window:
    /// all its positions have changed. The same goes for a model without the causal mask.
    ///
    /// # Errors
    /// When the device failed.
    pub async fn next_logits(&mut self, ids: &[u32]) -> Result<Vec<f32>, TrainError> {
        let (t, v) = (self.config.model.context_length, self.config.model.vocab_size);
        let window = &ids[ids.len().saturating_sub(t)..];
        let last = window.len().saturating_sub(1);
        let logits = if self.config.model.causal && last > 0 && self.cached == window[..last] {
            self.run_next_token(window[last], last);
            self.plan.cache.acts.logits
        } else {
            self.backend.write(self.plan.cache.position, &[0]);
            let fill_cache = self.writing().fill_cache;
            self.run_probe(fill_cache, window);
            self.plan.probe.logits.part(last * v, v)
        };
        self.cached = window.to_vec();
        Ok(self.backend.read_f32(logits).await?)
    }

    /// The logits (n, V) behind each of the first T of `ids`.
    ///
    /// # Errors
    /// When the device failed.
    pub async fn logits(&mut self, ids: &[u32]) -> Result<Vec<f32>, TrainError> {
        let (t, v) = (self.config.model.context_length, self.config.model.vocab_size);
        self.run_probe(self.probe, ids.get(..t).unwrap_or(ids));
        Ok(self.backend.read_f32(self.plan.probe.logits.part(0, ids.len().min(t) * v)).await?)
    }

    fn run_next_token(&mut self, id: u32, position: usize) {
        let cache = &self.plan.cache;
        let width = self.rope_table.len() / self.config.model.context_length;
        self.backend.write(cache.acts.inputs, &[id]);
        self.backend.write(cache.position, &[position as u32]);
        self.backend.write_f32(cache.cos_sin, &self.rope_table[position * width..(position + 1) * width]);
        let next_token = self.writing().next_token;
        self.backend.run(next_token);
    }

    /// Prepares them once: training needs none of it.
    fn writing(&mut self) -> WritingPrograms {
        if let Some(programs) = self.writing {
            return programs;
        }
        let transformer = Transformer { config: &self.config, table: &self.table, plan: &self.plan };
        let fill_cache = self.backend.prepare(transformer.fill_cache());
        let next_token = self.backend.prepare(transformer.next_token());
        *self.writing.insert(WritingPrograms { fill_cache, next_token })
    }

    /// Runs `program` on `ids`.
    fn run_probe(&mut self, program: Program, ids: &[u32]) {
        self.write_probe(ids);
        self.backend.run(program);
    }

    /// Makes the first T of `ids` the probe, followed by padding: no position looks at later ones, so it changes nothing;
    /// without the causal mask, positions are told which keys are real. How many those are.
    pub(super) fn write_probe(&self, ids: &[u32]) -> usize {
        let mut padded = ids.to_vec();
        padded.resize(self.config.model.context_length, 0);
        self.backend.write(self.plan.probe.inputs, &padded);
        let (t, n) = (self.config.model.context_length, ids.len().min(self.config.model.context_length));
        if let Some(real_keys) = self.plan.real_keys {
            let real: Vec<u32> = (0..real_keys.len).map(|pair| u32::from(pair % t < n)).collect();
            self.backend.write(real_keys, &real);
        }
        n
    }
}
