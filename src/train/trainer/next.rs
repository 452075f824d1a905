//! Next-token logits of several texts at once, using a KV cache.

use super::probe::ProbePass;
use super::{TrainError, Trainer};
use crate::gpu::backend::Program;
use crate::model::memory::{Cache, MemoryPlan};
use crate::model::transformer::Transformer;
use crate::ops::cached_attention::MAX_SEQUENCES;

/// The passes over a batch of texts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum NextPass {
    /// Complete prompts, in windows of this number of positions.
    Prompt(usize),
    /// One additional token per text.
    NextToken,
}

impl Trainer {
    /// The logits (V) after `ids`: [`Trainer::next_logits_of`] for one text.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn next_logits(&mut self, ids: &[u32]) -> Result<Vec<f32>, TrainError> {
        self.next_logits_of(&[ids]).await
    }

    /// The logits (B, V) of the next token of B texts, of which the model uses the last T tokens.
    ///
    /// While every text equals that of the previous call, or extends it by one token, keys and values come from a cache and
    /// only the last tokens are computed. Otherwise, and once a text exceeds the context, all windows are recomputed, because
    /// every position has changed. Models without the causal mask do not use the cache: each of their windows is computed
    /// separately every time.
    ///
    /// # Errors
    /// If the device failed, or does not have enough memory for that many texts ([`Trainer::max_texts`]).
    pub async fn next_logits_of(&mut self, texts: &[&[u32]]) -> Result<Vec<f32>, TrainError> {
        let t = self.config.model.context_length;
        let windows: Vec<&[u32]> = texts.iter().map(|ids| &ids[ids.len().saturating_sub(t)..]).collect();
        if !self.config.model.causal {
            return self.next_logits_one_by_one(&windows).await;
        }
        self.reserve_texts(texts.len()).await?;
        let extends = |(window, cached): (&&[u32], &Vec<u32>)| {
            let last = window.len().saturating_sub(1);
            last > 0 && (cached == window || cached == &window[..last])
        };
        if self.cached.len() == windows.len() && windows.iter().zip(&self.cached).all(extends) {
            self.run_next_tokens(&windows);
        } else {
            self.run_prompts(&windows);
        }
        self.cached = windows.iter().map(|window| window.to_vec()).collect();
        let logits = self.plan.cache.next.logits.part(0, texts.len() * self.config.model.vocab_size);
        let blocks = self.backend.read_f32(logits).await?;
        Ok(self.rows_of_blocks(blocks, texts.len()))
    }

    /// Makes the next call of [`Trainer::next_logits_of`] compute complete prompts. Its results are then bitwise independent of
    /// earlier calls.
    pub fn clear_cache(&mut self) {
        self.cached.clear();
    }

    /// The maximum number of texts, up to `wanted`, that fit the device's memory.
    pub fn max_texts(&self, wanted: usize) -> usize {
        let most = MAX_SEQUENCES / self.config.model.n_heads;
        let fits = |n: &usize| *n <= self.plan.cache.capacity() || self.plan_for(*n).fits(self.limits);
        let halves = std::iter::successors(Some(wanted.min(most)), |n| Some(n.div_ceil(2)));
        halves.take_while(|&n| n > 1).find(fits).unwrap_or(1)
    }

    /// Allocates the cache for `n_texts`.
    async fn reserve_texts(&mut self, n_texts: usize) -> Result<(), TrainError> {
        if n_texts <= self.plan.cache.capacity() {
            return Ok(());
        }
        let max = self.max_texts(n_texts);
        if n_texts > max {
            return Err(TrainError::TooManyTexts { n_texts, max });
        }
        let plan = self.plan_for(n_texts);
        self.backend.replace_buffers(plan.cache.first_buffer, &plan.buffers).await?;
        self.plan = plan;
        self.cached.clear();
        self.next_programs.clear();
        Ok(())
    }

    /// The memory plan with a cache for `n_texts`.
    fn plan_for(&self, n_texts: usize) -> MemoryPlan {
        let mut plan = self.plan.clone();
        plan.buffers.specs.truncate(plan.cache.first_buffer);
        plan.cache = Cache::plan(&mut plan.buffers, &self.config.model, n_texts);
        plan
    }

    /// Converts logits from blocks of the vocabulary to rows.
    fn rows_of_blocks(&self, blocks: Vec<f32>, n_rows: usize) -> Vec<f32> {
        let (v, width) = (self.config.model.vocab_size, self.plan.vocab_block);
        if n_rows == 1 || width == v {
            return blocks; // a single row, or a single block
        }
        let element = |row: usize, i: usize| {
            let first = i / width * width;
            blocks[first * n_rows + row * width.min(v - first) + i - first]
        };
        (0..n_rows).flat_map(|row| (0..v).map(move |i| (row, i))).map(|(row, i)| element(row, i)).collect()
    }

    async fn next_logits_one_by_one(&mut self, windows: &[&[u32]]) -> Result<Vec<f32>, TrainError> {
        let mut logits = Vec::with_capacity(windows.len() * self.config.model.vocab_size);
        for window in windows {
            self.run_probe(ProbePass::Probe, window);
            let last = window.len().saturating_sub(1);
            let slices = self.logit_slices(self.window(window.len()), last..last + 1);
            logits.extend(self.read_slices(&slices).await?);
        }
        Ok(logits)
    }

    fn run_prompts(&mut self, windows: &[&[u32]]) {
        let longest = windows.iter().map(|window| window.len()).max().unwrap_or(0);
        let n = self.window(longest);
        let program = self.next_program(windows.len(), NextPass::Prompt(n));
        let cache = &self.plan.cache;
        // Padding follows the text, and no position attends to later ones.
        let padded = |window: &&[u32]| window.iter().copied().chain(std::iter::repeat(0)).take(n).collect::<Vec<_>>();
        let inputs: Vec<u32> = windows.iter().flat_map(padded).collect();
        let last_rows: Vec<u32> =
            (0..).zip(windows).map(|(row, window)| row * n as u32 + window.len().saturating_sub(1) as u32).collect();
        self.backend.write(cache.prompt.inputs, &inputs);
        self.backend.write(cache.last_rows, &last_rows);
        self.backend.write(cache.position, &vec![0; windows.len()]);
        if cache.prompt_positions.len > 1 {
            let positions: Vec<u32> = (0..inputs.len()).map(|row| (row % n) as u32).collect();
            self.backend.write(cache.prompt_positions, &positions);
        }
        self.backend.run(program);
    }

    fn run_next_tokens(&mut self, windows: &[&[u32]]) {
        let program = self.next_program(windows.len(), NextPass::NextToken);
        let cache = &self.plan.cache;
        let width = self.rope_table.len() / self.config.model.context_length;
        let (mut inputs, mut positions, mut cos_sin) = (Vec::new(), Vec::new(), Vec::new());
        for window in windows {
            let position = window.len() - 1;
            inputs.push(window[position]);
            positions.push(position as u32);
            cos_sin.extend_from_slice(&self.rope_table[position * width..][..width]);
        }
        self.backend.write(cache.next.inputs, &inputs);
        self.backend.write(cache.position, &positions);
        self.backend.write_f32(cache.cos_sin, &cos_sin);
        self.backend.run(program);
    }

    /// The program for a batch of `n_texts`, prepared when first used.
    fn next_program(&mut self, n_texts: usize, pass: NextPass) -> Program {
        if let Some(&program) = self.next_programs.get(&(n_texts, pass)) {
            return program;
        }
        let window = if let NextPass::Prompt(window) = pass { window } else { self.config.model.context_length };
        let plan = MemoryPlan { cache: self.plan.cache.for_batch(n_texts, window), ..self.plan.clone() };
        let transformer = Transformer { config: &self.config, table: &self.table, plan: &plan };
        let program = self.backend.prepare(match pass {
            NextPass::Prompt(_) => transformer.fill_cache(),
            NextPass::NextToken => transformer.next_token(),
        });
        self.next_programs.insert((n_texts, pass), program);
        program
    }
}
