//! Attention maps and logits of a probe.

use std::ops::Range;

use super::{TrainError, Trainer};
use crate::gpu::backend::Program;
use crate::gpu::recording::Slice;
use crate::model::memory::heatmap_words;
use crate::model::transformer::Transformer;

/// Minimum window, so that texts of similar length share their programs.
const MIN_WINDOW: usize = 32;

/// A program for one sequence.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ProbePass {
    /// Logits and attention weights.
    Probe,
    /// A single block.
    Layer(usize),
    /// The final norm and the output head, applied after a block.
    Lens(usize),
    /// Logits with some heads disabled.
    Scaled,
}

/// Attention maps of a probe.
pub struct AttentionMaps {
    /// Attention weights (L, H, n, n); weight = byte / 255.
    pub bytes: Vec<u8>,
    /// Mean entropies of the rows in bits (L, H + 1); the last one of each layer is that of the mean of its heads.
    pub entropies: Vec<f32>,
}

impl Trainer {
    /// The attention weights of all heads for `ids`, as bytes (L, H, n, n) with n = `ids.len()`: weight = byte / 255. Only the
    /// first T ids are used.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn attention(&mut self, ids: &[u32]) -> Result<Vec<u8>, TrainError> {
        Ok(self.attention_maps(ids).await?.bytes)
    }

    /// The same with the entropies of the rows, which cannot be computed from bytes.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn attention_maps(&mut self, ids: &[u32]) -> Result<AttentionMaps, TrainError> {
        let model = &self.config.model;
        let n = ids.len().min(model.context_length);
        let t = self.window(n);
        let (n_layers, n_heads, words) = (model.n_layers, model.n_heads, heatmap_words(model, t));
        self.run_probe(ProbePass::Probe, &ids[..n]);
        let n_rows = n_layers * (n_heads + 1) * t;
        let slices = [self.plan.heatmaps.part(0, n_layers * words), self.plan.entropies.part(0, n_rows)];
        let read = self.backend.start_read(&slices);
        let read = self.backend.finish_read(read).await?;
        let (heatmaps, rows) = read.split_at(n_layers * words);
        let mean = |rows: &[u32]| rows[..n].iter().map(|&word| f32::from_bits(word)).sum::<f32>() / n.max(1) as f32;
        let entropies = rows.chunks_exact(t).map(mean).collect();
        let mut bytes = Vec::with_capacity(n_layers * n_heads * n * n);
        for layer in 0..n_layers {
            let weights: &[u8] = bytemuck::cast_slice(&heatmaps[layer * words..(layer + 1) * words]);
            for row in (0..n_heads).flat_map(|head| (0..n).map(move |query| (head * t + query) * t)) {
                bytes.extend_from_slice(&weights[row..row + n]);
            }
        }
        Ok(AttentionMaps { bytes, entropies })
    }

    /// The logits (n, V) after each of the first T of `ids`.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn logits(&mut self, ids: &[u32]) -> Result<Vec<f32>, TrainError> {
        let t = self.config.model.context_length;
        self.run_probe(ProbePass::Probe, ids.get(..t).unwrap_or(ids));
        self.probe_logits(ids.len().min(t)).await
    }

    /// The logits (n, V) of the first `n` positions of the probe.
    pub(super) async fn probe_logits(&mut self, n: usize) -> Result<Vec<f32>, TrainError> {
        let slices = self.logit_slices(self.window(n), 0..n);
        self.read_slices(&slices).await
    }

    /// Location of the logits for some positions of a probe of this window, row by row: logits are stored in blocks of the
    /// vocabulary.
    pub(super) fn logit_slices(&self, window: usize, rows: Range<usize>) -> Vec<Slice> {
        let (v, block, logits) = (self.config.model.vocab_size, self.plan.vocab_block, self.plan.probe.logits);
        if block == v {
            return vec![logits.part(rows.start * v, rows.len() * v)];
        }
        let of_row = |row: usize| {
            (0..v).step_by(block).map(move |first| {
                let width = block.min(v - first);
                logits.part(first * window + row * width, width)
            })
        };
        rows.flat_map(of_row).collect()
    }

    pub(super) async fn read_slices(&mut self, slices: &[Slice]) -> Result<Vec<f32>, TrainError> {
        let read = self.backend.start_read(slices);
        Ok(self.backend.finish_read(read).await?.into_iter().map(f32::from_bits).collect())
    }

    /// The number of positions computed for a sequence of `n` tokens: the smallest power of two that is at least `n`, limited
    /// by the context length.
    pub(super) fn window(&self, n: usize) -> usize {
        n.next_power_of_two().max(MIN_WINDOW).min(self.config.model.context_length)
    }

    /// The program for a sequence of `n` tokens.
    pub(super) fn probe_program(&mut self, what: ProbePass, n: usize) -> Program {
        let window = self.window(n);
        if let Some(&program) = self.probe_programs.get(&(what, window)) {
            return program;
        }
        let acts = self.plan.probe.shortened(window);
        let transformer = Transformer { config: &self.config, table: &self.table, plan: &self.plan };
        let program = self.backend.prepare(match what {
            ProbePass::Probe => transformer.probe(&acts),
            ProbePass::Layer(layer) => transformer.probe_layer(&acts, layer),
            ProbePass::Lens(layer) => transformer.lens(&acts, layer),
            ProbePass::Scaled => transformer.scaled_probe(&acts),
        });
        self.probe_programs.insert((what, window), program);
        program
    }

    /// Runs a program on the first T of `ids`.
    pub(super) fn run_probe(&mut self, what: ProbePass, ids: &[u32]) {
        let n = self.write_probe(ids);
        let program = self.probe_program(what, n);
        self.backend.run(program);
    }

    /// Writes the first T of `ids` as the probe, padded to its window, and returns their number. With the causal mask padding
    /// has no effect, because no position attends to later ones; without it, the number of actual keys is written as well.
    pub(super) fn write_probe(&self, ids: &[u32]) -> usize {
        let n = ids.len().min(self.config.model.context_length);
        let t = self.window(n);
        let mut padded = ids[..n].to_vec();
        padded.resize(t, 0);
        self.backend.write(self.plan.probe.inputs, &padded);
        if let Some(real_keys) = self.plan.real_keys {
            let pairs = self.config.model.n_heads * t * t;
            let real: Vec<u32> = (0..pairs).map(|pair| u32::from(pair % t < n)).collect();
            self.backend.write(real_keys, &real);
        }
        n
    }
}
