//! Layers without attention: `linear`, `embedding`, `silu`, `swiglu`, `rmsnorm`, `softmax`, `rope`.

use super::Server;
use super::answer::Answer;
use super::job::Job;
use super::request::{OpError, Request, broadcast, elements, wrong};
use crate::gpu::recording::Slice;
use crate::ops::activation::{Activation, activation};
use crate::ops::attention_scores::MASKED;
use crate::ops::matmul::{Layout, Shape, matmul};
use crate::ops::{embedding as embed, rmsnorm as norm, rope as rotary, softmax as soft, swiglu as gate};

/// Appends x (rows, in) · w (out, in)ᵀ and returns the result (rows, out).
pub(super) fn project(job: &mut Job, [x, w]: [Slice; 2], [rows, d_in, d_out]: [usize; 3]) -> Result<Slice, OpError> {
    let y = job.output(elements("a projection", &[rows, d_out])?);
    matmul(&mut job.recording, Layout::Nt, [x, w, y], Shape { m: rows, n: d_out, k: d_in }, None);
    Ok(y)
}

/// `shape` with other last dimensions.
pub(super) fn with_last<const N: usize>(shape: &[usize], last: [usize; N]) -> Vec<usize> {
    [&shape[..shape.len() - N], &last[..]].concat()
}

/// out = x · wᵀ
pub(super) fn linear(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let (x, w) = (request.floats("x")?, request.floats("w")?);
    let (rows, [d_in]) = x.last("[…, in]")?;
    let [d_out, _] = w.dims("[out, in]")?;
    w.expect(&[d_out, d_in])?;
    let mut job = Job::new();
    let slices = [job.input(&x.values), job.input(&w.values)];
    let out = project(&mut job, slices, [rows, d_in, d_out])?;
    let results = job.run(server, &[out])?;
    Ok(Answer::floats("out", &with_last(&x.shape, [d_out]), &results[0]))
}

/// `out[…] = w[ids[…]]`
pub(super) fn embedding(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let (w, ids) = (request.floats("w")?, request.ints("ids")?);
    let [vocab_size, d_model] = w.dims("[V, C]")?;
    let words = ids.below(vocab_size)?;
    let shape = [&ids.shape[..], &[d_model]].concat();
    let params = embed::Params {
        n_tokens: words.len() as u32,
        vocab_size: vocab_size as u32,
        d_model: d_model as u32,
        accumulate: 0,
        first_id: 0,
    };
    let mut job = Job::new();
    let (table, ids) = (job.input(&w.values), job.words(words));
    let out = job.output(elements("out", &shape)?);
    embed::embedding(&mut job.recording, [table, ids, out], params);
    let results = job.run(server, &[out])?;
    Ok(Answer::floats("out", &shape, &results[0]))
}

/// out = x · sigmoid(x)
pub(super) fn silu(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let x = request.floats("x")?;
    let mut job = Job::new();
    let slices = [job.input(&x.values), job.output(x.values.len())];
    activation(&mut job.recording, Activation::Silu, slices);
    let results = job.run(server, &slices[1..])?;
    Ok(Answer::floats("out", &x.shape, &results[0]))
}

/// out = W2(SiLU(W1·x) ⊙ W3·x)
pub(super) fn swiglu(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let x = request.floats("x")?;
    let [w1, w2, w3] = [request.floats("w1")?, request.floats("w2")?, request.floats("w3")?];
    let (rows, [d_model]) = x.last("[…, C]")?;
    let [d_ff, _] = w1.dims("[F, C]")?;
    w1.expect(&[d_ff, d_model])?;
    w2.expect(&[d_model, d_ff])?;
    w3.expect(&[d_ff, d_model])?;
    let mut job = Job::new();
    let [input, w2] = [&x, &w2].map(|tensor| job.input(&tensor.values));
    let w1_w3 = job.input(&[&w1.values[..], &w3.values].concat());
    let gate_up = project(&mut job, [input, w1_w3], [rows, d_model, 2 * d_ff])?;
    let hidden = job.output(rows * d_ff);
    gate::swiglu(&mut job.recording, [gate_up, hidden], rows);
    let out = project(&mut job, [hidden, w2], [rows, d_ff, d_model])?;
    let results = job.run(server, &[out])?;
    Ok(Answer::floats("out", &x.shape, &results[0]))
}

/// out = w ⊙ x / √(mean(x²) + eps)
pub(super) fn rmsnorm(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let (x, w) = (request.floats("x")?, request.floats("w")?);
    let eps = request.single("eps", "a number from 0 on", |eps| eps >= 0.0)?;
    let (rows, [d_model]) = x.last("[…, C]")?;
    w.expect(&[d_model])?;
    let mut job = Job::new();
    let slices = [job.input(&x.values), job.input(&w.values), job.output(x.values.len()), job.output(rows)];
    let params = norm::Params { n_rows: rows as u32, d_model: d_model as u32, eps, accumulate: 0 };
    norm::rmsnorm(&mut job.recording, slices, params);
    let results = job.run(server, &slices[2..3])?;
    Ok(Answer::floats("out", &x.shape, &results[0]))
}

/// Softmax along one dimension. The kernel works on rows, so the dimension is moved to the end and back. −∞ is replaced
/// by [`MASKED`], its substitute in WGSL, which changes the result only for rows that are −∞ everywhere.
pub(super) fn softmax(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let x = request.floats("x")?;
    let n_dims = x.shape.len().max(1) as i64;
    let dim = request.int("dim")?;
    if !(-n_dims..n_dims).contains(&dim) {
        let expected = format!("from {} to {} for x of shape {:?}", -n_dims, n_dims - 1, x.shape);
        return wrong("argument dim", dim.to_string(), expected);
    }
    let axis = dim.rem_euclid(n_dims) as usize;
    let n_cols = x.shape.get(axis).copied().unwrap_or(1);
    let inner = x.shape.get(axis + 1..).map_or(1, |after| after.iter().product::<usize>());
    let rows = x.values.len() / n_cols;
    let place = |index: usize| {
        let (row, col) = (index / n_cols, index % n_cols);
        (row / inner * n_cols + col) * inner + row % inner
    };
    let finite = |x: f32| if x < MASKED { MASKED } else { x };
    let values: Vec<f32> = (0..x.values.len()).map(|index| finite(x.values[place(index)])).collect();
    let mut job = Job::new();
    let slice = job.input(&values);
    soft::softmax(&mut job.recording, slice, soft::Params { n_rows: rows as u32, n_cols: n_cols as u32 });
    let results = job.run(server, &[slice])?;
    let mut out = vec![0.0; values.len()];
    results[0].iter().enumerate().for_each(|(index, &value)| out[place(index)] = value);
    Ok(Answer::floats("out", &x.shape, &out))
}

/// RoPE at the given positions: the kernel's table gets one entry per row.
pub(super) fn rope(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let x = request.floats("x")?;
    let theta = theta(request)?;
    let (_, [_, d_head]) = x.last("[…, T, D]")?;
    if !d_head.is_multiple_of(2) {
        return wrong("x", format!("of shape {:?}", x.shape), "of an even size in its last dimension");
    }
    let pos = request.ints("pos")?;
    let positions = broadcast("pos", &pos.values, &pos.shape, &x.shape[..x.shape.len() - 1])?;
    let mut job = Job::new();
    let input = job.input(&x.values);
    rotate(&mut job, input, &positions, [d_head, d_head, d_head], theta);
    let results = job.run(server, &[input])?;
    Ok(Answer::floats("out", &x.shape, &results[0]))
}

/// RoPE's Θ.
pub(super) fn theta(request: &Request<'_>) -> Result<f64, OpError> {
    request.number("theta", "a number greater than 0", |theta| theta > 0.0)
}

/// Appends the rotation of the first `width` columns (whole heads) of x (rows, stride) in place, with one position per
/// row.
pub(super) fn rotate(job: &mut Job, x: Slice, positions: &[i64], [width, stride, d_head]: [usize; 3], theta: f64) {
    let table = job.input(&rotary::cos_sin_at(positions.iter().map(|&position| position as f64), d_head, theta));
    let params = rotary::Params {
        n_rows: positions.len() as u32,
        context_length: positions.len() as u32,
        d_model: width as u32,
        stride: stride as u32,
        d_head: d_head as u32,
        direction: 1.0,
    };
    rotary::rope(&mut job.recording, [table, x], params);
}
