//! Every kernel on the GPU against its reference on the CPU, at sizes that straddle tiles and workgroups.

mod rows;

use std::collections::HashSet;

use glasshead::gpu::compare::SideBySide;
use glasshead::gpu::fusion::fuse;
use glasshead::gpu::recording::{ALIGNMENT, Buffers, Recording, Slice};
use glasshead::ops::KERNELS;
use glasshead::ops::matmul::Layout;
use glasshead::ops::step::Step;
use glasshead::ops::tuning::{CANDIDATES, FUSIONS};
use pollster::block_on;

use self::rows::*;
use crate::common::{context, ids, numbers};

const SIZES: [usize; 8] = [1, 2, 31, 32, 33, 64, 65, 257];

/// Initial content of outputs, so that elements that a kernel does not write are detected.
const SENTINEL: f32 = -12345.5;

/// Follows every slice; kernels must not overwrite it.
const GUARD: [u32; ALIGNMENT] = [0xdead_beef; ALIGNMENT];

/// Rounding error grows with the square root of the number of terms.
fn tolerance(reduction_length: usize) -> f32 {
    2e-6 * (1.0 + (reduction_length as f32).sqrt())
}

/// A recording with the contents of its buffers.
struct Case {
    buffers: Buffers,
    recording: Recording,
    contents: Vec<(Slice, Vec<u32>)>,
    guards: Vec<Slice>,
    seed: u64,
    reduction_length: usize,
}

impl Case {
    fn new(seed: usize, reduction_length: usize) -> Self {
        let recording = Recording::new("test");
        let (buffers, contents, guards) = Default::default();
        Self { buffers, recording, contents, guards, seed: 1000 * seed as u64, reduction_length }
    }

    fn words(&mut self, words: Vec<u32>) -> Slice {
        let guard_start = words.len().next_multiple_of(ALIGNMENT);
        let whole = self.buffers.add("test", guard_start + ALIGNMENT);
        let slice = whole.part(0, words.len());
        self.contents.push((slice, words));
        self.guards.push(whole.part(guard_start, ALIGNMENT));
        slice
    }

    fn given(&mut self, numbers: Vec<f32>) -> Slice {
        self.words(numbers.into_iter().map(f32::to_bits).collect())
    }

    fn input(&mut self, len: usize) -> Slice {
        self.seed += 1;
        self.given(numbers(self.seed, len))
    }

    fn output(&mut self, len: usize) -> Slice {
        self.given(vec![SENTINEL; len])
    }

    fn ids(&mut self, len: usize, bound: usize) -> Slice {
        self.seed += 1;
        self.words(ids(self.seed, len, bound))
    }

    fn step(&mut self, slot: u32) -> Slice {
        let step = Step {
            lr: 0.01,
            momentum: 0.8,
            weight: 0.25,
            first: slot % 2,
            eps: 1e-8,
            weight_decay: 0.1,
            max_grad_norm: 0.5,
            slot,
            ..bytemuck::Zeroable::zeroed()
        };
        let step = step.with_betas([0.9, 0.95], 2.0);
        self.words(bytemuck::cast_slice(&[step]).to_vec())
    }

    async fn check(self, sides: &mut SideBySide, label: &str) {
        for (slice, words) in &self.contents {
            sides.write(*slice, words);
        }
        for &guard in &self.guards {
            sides.write(guard, &GUARD);
        }
        let difference = sides.first_difference(&self.recording, tolerance(self.reduction_length)).await.unwrap();
        assert!(difference.is_none(), "{label}: {}", difference.unwrap());
        for &guard in &self.guards {
            assert_eq!(sides.read_gpu(guard).await.unwrap(), GUARD, "{label}: written behind a buffer (GPU)");
            assert_eq!(sides.read_cpu(guard), GUARD, "{label}: written behind a buffer (CPU)");
        }
    }
}

/// One row per operation: a function from a size and its index in `SIZES` to a case.
type Row = (&'static str, fn(usize, usize) -> Case);

const ROWS: [Row; 34] = [
    ("gather_batch", gather),
    ("embedding", embed),
    ("matmul_nt", |size, i| multiply(Layout::Nt, 1, size, i)),
    ("matmul_nn", |size, i| multiply(Layout::Nn, 1, size, i)),
    ("matmul_tn", |size, i| multiply(Layout::Tn, 1, size, i)),
    ("matmul_nt_vec4", |size, i| multiply(Layout::Nt, 4, size, i)),
    ("matmul_nn_vec4", |size, i| multiply(Layout::Nn, 4, size, i)),
    ("matmul_tn_vec4", |size, i| multiply(Layout::Tn, 4, size, i)),
    ("linear_grad", |size, i| linear_grads(1, size, i)),
    ("linear_grad_vec4", |size, i| linear_grads(4, size, i)),
    ("rmsnorm", norm),
    ("layernorm", layer_norm),
    ("bias", add_bias),
    ("rope", rotate),
    ("attention_scores", scores),
    ("softmax", soften),
    ("weighted_sum", sum),
    ("flash_attention", flash),
    ("mask", hide),
    ("head_scale", scale_heads),
    ("write_rows and cached_attention", cached),
    ("swiglu", gate),
    ("activation", activate),
    ("residual", add),
    ("cross_entropy", loss),
    ("weighted cross_entropy", weighted_losses),
    ("clip, adamw and sgd", update),
    ("accumulate", accumulate_twice),
    ("quantize", bytes),
    ("row_entropy", entropies),
    ("peak", chains),
    ("rmsnorm, matmul and rope", norm_then_linear),
    ("swiglu and matmul", gate_then_linear),
    ("linear_grad and swiglu_grad", grads_through_gate),
];

#[test]
fn every_kernel_agrees_with_its_reference() {
    let context = context();
    let mut seen = HashSet::new();
    for (label, make) in ROWS {
        for (i, size) in SIZES.into_iter().enumerate() {
            let case = make(size, i);
            // The case itself, then once more with each variant and each fusion that can compute it.
            let mut cases = vec![(format!("{label} at size {size}"), case)];
            for variant in CANDIDATES.iter().flat_map(|candidates| candidates.variants) {
                let mut case = make(size, i);
                if context.can_run(variant) && variant.stand_in(&mut case.recording) > 0 {
                    cases.push((format!("{} for {label} at size {size}", variant.kernel.name), case));
                }
            }
            for fusion in FUSIONS.iter().flat_map(|of| of.fusions) {
                let mut case = make(size, i);
                let separate = case.recording.dispatches.len();
                case.recording = fuse(case.recording, &[fusion]);
                if case.recording.dispatches.len() < separate {
                    cases.push((format!("{} for {label} at size {size}", fusion.kernel.name), case));
                }
            }
            for (label, case) in cases {
                seen.extend(case.recording.dispatches.iter().map(|dispatch| dispatch.kernel.name));
                block_on(async {
                    let mut sides = SideBySide::new(&context, &case.buffers).await.unwrap();
                    case.check(&mut sides, &label).await;
                });
            }
        }
    }
    let missing: Vec<_> = KERNELS.iter().filter(|kernel| !seen.contains(kernel.name)).map(|k| k.name).collect();
    assert!(missing.is_empty(), "no row tests {missing:?}");
}
