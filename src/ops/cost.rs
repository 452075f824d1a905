//! The minimum cost of a dispatch: the operations of its matmuls, and the bytes that it reads and writes. Together with a
//! device's peaks this shows how close a kernel is to the device's limit (the roofline of Williams et al. 2009).

use super::fused::norm_linear;
use super::{flash_attention, linear_grad, matmul};
use crate::gpu::recording::Recording;

/// Operations and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Multiplications and additions of matmuls and attention; 0 for kernels that only pass over their data.
    pub flops: f64,
    /// Size of every bound slice, counted once, in bytes; of tables with row lookups, only the rows that are looked up.
    pub bytes: f64,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.flops += other.flops;
        self.bytes += other.bytes;
    }
}

/// Measured peak performance of a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peaks {
    /// Operations per second.
    pub flops_per_s: f64,
    /// Bytes per second.
    pub bytes_per_s: f64,
}

impl Peaks {
    /// Lower bound of the time for this cost, in seconds.
    pub fn least_seconds(&self, cost: Cost) -> f64 {
        (cost.flops / self.flops_per_s).max(cost.bytes / self.bytes_per_s)
    }
}

/// The cost of each dispatch of a recording, in order.
pub fn costs(recording: &Recording) -> Vec<Cost> {
    (0..recording.dispatches.len()).map(|index| cost(recording, index)).collect()
}

fn cost(recording: &Recording, index: usize) -> Cost {
    let (dispatch, params) = (&recording.dispatches[index], recording.params(index));
    let lens: Vec<usize> = dispatch.bindings.iter().map(|slice| slice.len).collect();
    let flops = match dispatch.kernel.name {
        name if name.starts_with("matmul_") || name.starts_with("swiglu_linear") => matmul::flops(params),
        name if name.starts_with("norm_linear") || name.starts_with("norm_rope_linear") => norm_linear::flops(params),
        name if name.starts_with("linear_grad") => linear_grad::flops(params),
        // The second binding of both is the output.
        name if name.starts_with("flash_attention_grad_") => flash_attention::flops(params, lens[1], 5.0),
        name if name.starts_with("flash_attention_") => flash_attention::flops(params, lens[1], 2.0),
        _ => 0.0,
    };
    Cost { flops, bytes: 4.0 * words(dispatch.kernel.name, &lens) as f64 }
}

/// Number of words that a kernel reads or writes in its bindings.
fn words(kernel: &str, lens: &[usize]) -> usize {
    let bound: usize = lens.iter().sum();
    match (kernel, lens) {
        // Of the tokens, only the inputs and one more per sequence.
        ("gather_batch", &[tokens, starts, inputs, _]) => bound - tokens + tokens.min(inputs + starts),
        // Of the table, one row per row of the output.
        ("embedding", &[table, _, out]) => bound - table + table.min(out),
        _ => bound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::recording::Buffers;
    use crate::ops::{embedding, gather_batch, residual};

    #[test]
    fn what_is_looked_up_counts_as_far_as_it_is_read() {
        let (mut buffers, mut recording) = (Buffers::default(), Recording::new("costs"));
        let [tokens, starts, inputs, targets] = [1_000_000, 8, 384, 384].map(|len| buffers.add("ids", len));
        let params = gather_batch::Params { batch_size: 8, context_length: 48 };
        gather_batch::gather_batch(&mut recording, [tokens, starts, inputs, targets], params);
        let [table, out, sum] = [512 * 64, 384 * 64, 384 * 64].map(|len| buffers.add("rows", len));
        let params = embedding::Params { n_tokens: 384, vocab_size: 512, d_model: 64, accumulate: 0, first_id: 0 };
        embedding::embedding(&mut recording, [table, inputs, out], params);
        residual::residual(&mut recording, [out, out, sum]);
        let bytes: Vec<f64> = costs(&recording).iter().map(|cost| cost.bytes / 4.0).collect();
        let of_gather = (384 + 8) + 8 + 384 + 384;
        assert_eq!(bytes, [of_gather, 2 * 384 * 64 + 384, 3 * 384 * 64].map(f64::from));
    }
}
