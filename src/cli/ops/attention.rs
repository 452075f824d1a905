//! Attention: `sdpa`, `mha`, `flash_fwd`, `flash_bwd`.

use super::Server;
use super::answer::Answer;
use super::job::Job;
use super::layers::{project, rotate, theta, with_last};
use super::request::{Floats, OpError, Request, broadcast, elements, wrong};
use crate::gpu::recording::Slice;
use crate::ops::attention_scores::{self, MASKED, attention_scores};
use crate::ops::flash_attention;
use crate::ops::mask::mask;
use crate::ops::matmul::{Layout, Shape, matmul};
use crate::ops::softmax::{self, softmax};
use crate::ops::weighted_sum::{self, weighted_sum};

/// out = softmax(mask(q·kᵀ / √D)) · v. Queries without a visible key get 0.
pub(super) fn sdpa(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let [q, k, v] = [request.floats("q")?, request.floats("k")?, request.floats("v")?];
    let (batch, [n_queries, d]) = q.last("[…, Tq, D]")?;
    let (_, [n_keys, _]) = k.last("[…, Tk, D]")?;
    let (_, [_, d_value]) = v.last("[…, Tk, D]")?;
    k.expect(&with_last(&q.shape, [n_keys, d]))?;
    v.expect(&with_last(&q.shape, [n_keys, d_value]))?;
    let scores_shape = with_last(&q.shape, [n_queries, n_keys]);
    let n_pairs = n_queries * n_keys;
    let visible = if request.has("mask") {
        let (flags, shape) = request.flags("mask")?;
        broadcast("mask", &flags, &shape, &scores_shape)?
    } else {
        vec![1; elements("the scores", &scores_shape)?]
    };
    let mut job = Job::new();
    let stacks = [(&q, n_queries * d), (&k, n_keys * d), (&v, n_keys * d_value)];
    let [q_at, k_at, v_at] = stacks.map(|(tensor, each)| job.stack_of(bytemuck::cast_slice(&tensor.values), each));
    let visible = job.stack_of(&visible, n_pairs);
    let scores = job.stack(batch, n_pairs);
    let out_shape = with_last(&q.shape, [n_queries, d_value]);
    elements("out", &out_shape)?;
    let out = job.stack(batch, n_queries * d_value);
    for i in 0..batch {
        let shape = Shape { m: n_queries, n: n_keys, k: d };
        matmul(&mut job.recording, Layout::Nt, [q_at.part(i), k_at.part(i), scores.part(i)], shape, None);
    }
    mask(&mut job.recording, [visible.whole, scores.whole], 1.0 / (d as f32).sqrt(), MASKED);
    for i in 0..batch {
        let rows = softmax::Params { n_rows: n_queries as u32, n_cols: n_keys as u32 };
        softmax(&mut job.recording, scores.part(i), rows);
    }
    mask(&mut job.recording, [visible.whole, scores.whole], 1.0, 0.0);
    for i in 0..batch {
        let shape = Shape { m: n_queries, n: d_value, k: n_keys };
        matmul(&mut job.recording, Layout::Nn, [scores.part(i), v_at.part(i), out.part(i)], shape, None);
    }
    let results = job.run(server, &[out.whole])?;
    Ok(Answer::floats("out", &out_shape, &out.unpack(&results[0])))
}

/// Causal self-attention with h heads, as in the model.
pub(super) fn mha(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let x = request.floats("x")?;
    let [wq, wk, wv, wo] = [request.floats("wq")?, request.floats("wk")?, request.floats("wv")?, request.floats("wo")?];
    let (batch, [t, c]) = x.last("[…, T, C]")?;
    let rows = batch * t;
    let n_heads = request.size("h")?;
    let [width, _] = wq.dims("[C, C]")?;
    wq.expect(&[width, c])?;
    wk.expect(&[width, c])?;
    wv.expect(&[width, c])?;
    let [d_out, _] = wo.dims("[C, C]")?;
    wo.expect(&[d_out, width])?;
    let rotated = !request.arg("theta").is_null();
    if !width.is_multiple_of(n_heads) || rotated && !(width / n_heads).is_multiple_of(2) {
        let size = if rotated { "an even size, for RoPE" } else { "the same size" };
        return wrong(
            "argument h",
            n_heads.to_string(),
            format!("a number that cuts the {width} rows of wq into heads of {size}"),
        );
    }
    if request.has("pos") && !rotated {
        return wrong("argument theta", "missing", "a number, because pos was sent");
    }
    let d_head = width / n_heads;
    let mut job = Job::new();
    let [input, wo] = [&x, &wo].map(|tensor| job.input(&tensor.values));
    let w_qkv = job.input(&[&wq.values[..], &wk.values, &wv.values].concat());
    let qkv = project(&mut job, [input, w_qkv], [rows, c, 3 * width])?;
    if rotated {
        let positions = if request.has("pos") {
            let pos = request.ints("pos")?;
            broadcast("pos", &pos.values, &pos.shape, &x.shape[..x.shape.len() - 1])?
        } else {
            (0..rows).map(|row| (row % t) as i64).collect()
        };
        rotate(&mut job, qkv, &positions, [2 * width, 3 * width, d_head], theta(request)?);
    }
    let weights = job.output(elements("the attention weights", &[batch, n_heads, t, t])?);
    let heads = job.output(rows * width);
    let (context_length, n_heads, d_head) = (t as u32, n_heads as u32, d_head as u32);
    let scale = 1.0 / (d_head as f32).sqrt();
    let scores = attention_scores::Params {
        context_length,
        n_heads,
        n_kv_heads: n_heads,
        d_head,
        causal: 1,
        scale,
        masked_value: MASKED,
    };
    attention_scores(&mut job.recording, [qkv, weights], batch, scores);
    let score_rows = softmax::Params { n_rows: rows as u32 * n_heads, n_cols: context_length };
    softmax(&mut job.recording, weights, score_rows);
    let sums = weighted_sum::Params { context_length, n_heads, n_kv_heads: n_heads, d_head, causal: 1 };
    weighted_sum(&mut job.recording, [weights, qkv, heads], batch, sums);
    let out = project(&mut job, [heads, wo], [rows, width, d_out])?;
    let results = job.run(server, &[out])?;
    Ok(Answer::floats("out", &with_last(&x.shape, [d_out]), &results[0]))
}

/// The input of both FlashAttention operations: q, k, v of one shape, a single head, and B = the product of all leading
/// dimensions.
struct Flash {
    qkv: [Floats; 3],
    batch: usize,
    params: flash_attention::Params,
    lse_shape: Vec<usize>,
}

impl Flash {
    fn read(request: &Request<'_>) -> Result<Self, OpError> {
        let [q, k, v] = [request.floats("q")?, request.floats("k")?, request.floats("v")?];
        let (batch, [t, d]) = q.last("[…, T, D]")?;
        k.expect(&q.shape)?;
        v.expect(&q.shape)?;
        let causal = u32::from(request.flag("causal")?);
        let params = flash_attention::Params { causal, ..flash_attention::Params::new(t, 1, 1, d) };
        let lse_shape = q.shape[..q.shape.len() - 1].to_vec();
        Ok(Self { qkv: [q, k, v], batch, params, lse_shape })
    }

    fn shape(&self) -> &[usize] {
        &self.qkv[0].shape
    }

    /// Interleaves the rows of q, k and v, the layout that the kernels expect.
    fn rows(&self, job: &mut Job) -> Slice {
        let d = self.params.d_head as usize;
        let [q, k, v] = self.qkv.each_ref().map(|tensor| tensor.values.chunks_exact(d));
        let rows = q.zip(k).zip(v);
        let values: Vec<f32> = rows.flat_map(|((q, k), v)| [q, k, v]).flatten().copied().collect();
        job.input(&values)
    }
}

/// o, and l = log-sum-exp of the scaled scores.
pub(super) fn flash_fwd(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let flash = Flash::read(request)?;
    let mut job = Job::new();
    let qkv = flash.rows(&mut job);
    let (out, lse) = (job.output(qkv.len / 3), job.output(flash.lse_shape.iter().product()));
    flash_attention::flash_attention(&mut job.recording, [qkv, out, lse], flash.batch, flash.params);
    let results = job.run(server, &[out, lse])?;
    Ok(Answer::floats("o", flash.shape(), &results[0]).and("l", &flash.lse_shape, &results[1]))
}

/// dq, dk and dv from do.
pub(super) fn flash_bwd(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let flash = Flash::read(request)?;
    let [o, l, out_grad] = [request.floats("o")?, request.floats("l")?, request.floats("do")?];
    o.expect(flash.shape())?;
    out_grad.expect(flash.shape())?;
    l.expect(&flash.lse_shape)?;
    let mut job = Job::new();
    let qkv = flash.rows(&mut job);
    let [out, lse, out_grad] = [&o, &l, &out_grad].map(|tensor| job.input(&tensor.values));
    // Nothing is rotated, so the table is not read.
    let (no_table, grads) = (job.output(4), job.output(qkv.len));
    let bindings = [qkv, out, out_grad, lse, no_table, grads];
    flash_attention::flash_attention_grad(&mut job.recording, bindings, flash.batch, flash.params);
    let results = job.run(server, &[grads])?;
    let d = flash.params.d_head as usize;
    let part = |index: usize| -> Vec<f32> {
        results[0].chunks_exact(3 * d).flat_map(|row| &row[index * d..(index + 1) * d]).copied().collect()
    };
    let answer = Answer::floats("dq", flash.shape(), &part(0));
    Ok(answer.and("dk", flash.shape(), &part(1)).and("dv", flash.shape(), &part(2)))
}
