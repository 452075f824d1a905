//! Loops that are longer than llvmpipe allows: it ends the loops of an invocation after 65,535 iterations in all, without an
//! error. Kernels stay below that for 70,000 terms; what would exceed it is refused.

use glasshead::gpu::backend::{Backend, ExecuteError};
use glasshead::gpu::compare::SideBySide;
use glasshead::gpu::context::Context;
use glasshead::gpu::recording::{Buffers, Recording, Slice};
use glasshead::ops::matmul::{Layout, Shape, matmul};
use glasshead::ops::tuning::CANDIDATES;
use glasshead::ops::*;
use pollster::block_on;

use crate::common::{context, numbers};
use crate::shaders::parse;

const LONG: usize = 70_000;

/// A recording and its inputs.
#[derive(Default)]
struct Case {
    buffers: Buffers,
    inputs: Vec<(Slice, Vec<u32>)>,
}

impl Case {
    fn input(&mut self, len: usize) -> Slice {
        let slice = self.buffers.add("test", len);
        self.inputs.push((slice, bytemuck::cast_slice(&numbers(self.inputs.len() as u64, len)).to_vec()));
        slice
    }

    fn zeros(&mut self, len: usize) -> Slice {
        self.buffers.add("test", len)
    }
}

/// Runs the recording as it is, then with each variant that can compute it, and compares all with the CPU.
fn check(context: &Context, what: &str, make: impl Fn(&mut Case) -> Recording) {
    let variants = CANDIDATES.iter().flat_map(|of| of.variants).map(Some);
    for variant in std::iter::once(None).chain(variants) {
        let mut case = Case::default();
        let mut recording = make(&mut case);
        let name = match variant {
            Some(variant) if !context.can_run(variant) || variant.stand_in(&mut recording) == 0 => continue,
            Some(variant) => variant.kernel.name,
            None => "the original",
        };
        let loops = |index: usize| (recording.dispatches[index].kernel.loops)(recording.params(index));
        if (0..recording.dispatches.len()).any(|index| loops(index) > 65_535) {
            assert!(variant.is_some(), "{what}: the original has to compute this");
            continue; // this variant is not used on a device with such a limit
        }
        block_on(async {
            let mut sides = SideBySide::new(context, &case.buffers).await.unwrap();
            case.inputs.iter().for_each(|(slice, words)| sides.write(*slice, words));
            let difference = sides.first_difference(&recording, 2e-3).await.unwrap();
            assert!(difference.is_none(), "{what} with {name}: {}", difference.unwrap());
        });
    }
}

#[test]
fn products_sum_over_more_terms_than_a_loop_may_run() {
    let context = context();
    for (layout, [m, n]) in [Layout::Nt, Layout::Nn, Layout::Tn].into_iter().zip([[4, 8]; 3]) {
        for odd in [0, 1] {
            let shape = Shape { m: m + odd, n: n + odd, k: LONG + odd };
            check(&context, &format!("{layout:?} {shape:?}"), |case| {
                let slices =
                    [case.input(shape.m * shape.k), case.input(shape.n * shape.k), case.zeros(shape.m * shape.n)];
                let mut recording = Recording::new("test");
                matmul(&mut recording, layout, slices, shape, None);
                recording
            });
        }
    }
}

#[test]
fn weight_gradients_sum_over_more_rows_than_a_loop_may_run() {
    let context = context();
    for [n_rows, d_in, d_out] in [[LONG, 4, 8], [8, 4, LONG], [LONG + 1, 3, 5], [3, 5, LONG + 1]] {
        check(&context, &format!("{n_rows} rows of {d_in} and {d_out}"), |case| {
            let [x, w, y_grad] = [n_rows * d_in, d_out * d_in, n_rows * d_out].map(|len| case.input(len));
            let [x_grad, w_grad] = [n_rows * d_in, d_out * d_in].map(|len| case.zeros(len));
            let mut recording = Recording::new("test");
            linear_grad::linear_grad(&mut recording, [x, w, y_grad, x_grad, w_grad], n_rows, false);
            recording
        });
    }
}

#[test]
fn rows_may_be_long_and_many() {
    let context = context();
    for [n_rows, width] in [[3, LONG], [LONG, 3]] {
        let what = format!("{n_rows} rows of {width}");
        let params = rmsnorm::Params { n_rows: n_rows as u32, d_model: width as u32, eps: 1e-5, accumulate: 0 };
        check(&context, &what, |case| {
            let [x, gain, y_grad] = [n_rows * width, width, n_rows * width].map(|len| case.input(len));
            let [y, stats, x_grad, gain_grad] =
                [n_rows * width, n_rows, n_rows * width, width].map(|len| case.zeros(len));
            let mut recording = Recording::new("test");
            rmsnorm::rmsnorm(&mut recording, [x, gain, y, stats], params);
            rmsnorm::rmsnorm_grad(&mut recording, [x, gain, y_grad, stats, x_grad, gain_grad], params);
            bias::bias_grad(&mut recording, [x, gain_grad], n_rows);
            recording
        });
        check(&context, &what, |case| {
            let [logits, targets, losses] = [case.input(n_rows * width), case.zeros(n_rows), case.zeros(n_rows)];
            let params = cross_entropy::Params::new(n_rows, width);
            let mut recording = Recording::new("test");
            cross_entropy::cross_entropy_grad(&mut recording, [logits, targets, losses], params);
            recording
        });
    }
    // The vocabulary of o200k: three passes over it by eight invocations are more than 65,535 iterations.
    check(&context, "a vocabulary of 200,019", |case| {
        let [logits, targets, losses] = [case.input(200_019), case.zeros(1), case.zeros(1)];
        let params = cross_entropy::Params::new(1, 200_019);
        let mut recording = Recording::new("test");
        cross_entropy::cross_entropy_grad(&mut recording, [logits, targets, losses], params);
        recording
    });
}

/// All tokens are equal, so one workgroup adds all rows.
#[test]
fn one_token_may_have_all_rows() {
    let context = context();
    for [n, c] in [[9_000, 512], [1_500, 300], [50_000, 4]] {
        check(&context, &format!("{n} tokens of width {c}"), |case| {
            let (out_grad, ids, table_grad) = (case.input(n * c), case.zeros(n), case.zeros(3 * c));
            let params =
                embedding::Params { n_tokens: n as u32, vocab_size: 3, d_model: c as u32, accumulate: 0, first_id: 0 };
            let mut recording = Recording::new("test");
            embedding::embedding_grad(&mut recording, [out_grad, ids, table_grad], params);
            recording
        });
    }
}

/// The gradients of GPT-2 small need more iterations than eight invocations per workgroup may run.
#[test]
fn a_variant_is_not_used_where_its_loops_would_end_early() {
    let context = context();
    assert_eq!(context.loop_limit(), Some(65_535), "these tests need llvmpipe");
    let of = CANDIDATES.iter().find(|of| of.of.name == "squared_sums").unwrap();
    context.use_variant(of.variants[0], "squared_sums", |_| true);
    let runs = |len: usize| {
        let mut buffers = Buffers::default();
        let [grads, sums, norm, ring, losses, step] =
            [len, clip::PARTIAL_SUMS, 1, 8, 8, 16].map(|len| buffers.add("test", len));
        let mut recording = Recording::new("test");
        clip::grad_norm(&mut recording, step, grads, [sums, norm, ring, losses]);
        context.runs(&recording, 0).name
    };
    assert_eq!(runs(1_000_000), of.variants[0].kernel.name);
    assert_eq!(runs(124_439_808), "squared_sums");
}

#[test]
fn what_no_kernel_can_compute_is_refused_with_a_sentence() {
    let context = context();
    let mut case = Case::default();
    let shape = Shape { m: 1, n: 1, k: 300_000 };
    let slices = [case.zeros(shape.k), case.zeros(shape.k), case.zeros(1)];
    let mut recording = Recording::new("test");
    matmul(&mut recording, Layout::Nt, slices, shape, None);
    let error = block_on(async {
        let mut backend = Backend::gpu(&context, &case.buffers).await.unwrap();
        let program = backend.prepare(recording);
        backend.run(program);
        backend.read(slices[2]).await.unwrap_err()
    });
    assert!(matches!(error, ExecuteError::LoopTooLong { .. }));
    let sentence = error.to_string();
    assert!(sentence.contains("matmul_nt") && sentence.contains("choose smaller sizes"), "{sentence}");
}

/// A kernel declares a loop bound if and only if its shader has loops.
#[test]
fn every_kernel_with_a_loop_says_how_long_it_can_get() {
    for kernel in KERNELS {
        let (module, _) = parse(kernel);
        let entry = module.entry_points.iter().find(|entry| entry.name == kernel.name).unwrap();
        let params = vec![1_000_000u32; kernel.params_bytes / 4];
        let bound = (kernel.loops)(bytemuck::cast_slice(&params));
        assert_eq!(bound > 0, loops(&module, &entry.function.body), "{}", kernel.name);
    }
}

/// Whether a block, or a function that it calls, contains a loop.
fn loops(module: &naga::Module, block: &naga::Block) -> bool {
    block.iter().any(|statement| match statement {
        naga::Statement::Loop { .. } => true,
        naga::Statement::Block(block) => loops(module, block),
        naga::Statement::If { accept, reject, .. } => loops(module, accept) || loops(module, reject),
        naga::Statement::Switch { cases, .. } => cases.iter().any(|case| loops(module, &case.body)),
        naga::Statement::Call { function, .. } => loops(module, &module.functions[*function].body),
        _ => false,
    })
}
