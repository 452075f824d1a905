//! What a dispatch costs at least: the operations of its products and the bytes that it binds. Together with a device's
//! peaks this tells how near a kernel comes to what is possible there (the roofline of Williams et al. 2009).

use super::{flash_attention, linear_grad, matmul};
use crate::gpu::recording::Recording;

/// Operations and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Multiplications and additions of matrix products and attention; 0 for kernels that only go over their data.
    pub flops: f64,
    /// Every bound slice once, in bytes.
    pub bytes: f64,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.flops += other.flops;
        self.bytes += other.bytes;
    }
}

/// The most that a device was seen to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peaks {
    /// Operations a second.
    pub flops_per_s: f64,
    /// Bytes a second.
    pub bytes_per_s: f64,
}

impl Peaks {
    /// The least seconds that this can take.
    pub fn least_seconds(&self, cost: Cost) -> f64 {
        (cost.flops / self.flops_per_s).max(cost.bytes / self.bytes_per_s)
    }
}

/// What each dispatch of a recording costs, in order.
pub fn costs(recording: &Recording) -> Vec<Cost> {
    (0..recording.dispatches.len()).map(|index| cost(recording, index)).collect()
}

fn cost(recording: &Recording, index: usize) -> Cost {
    let (dispatch, params) = (&recording.dispatches[index], recording.params(index));
    let lens: Vec<usize> = dispatch.bindings.iter().map(|slice| slice.len).collect();
    let flops = match dispatch.kernel.name {
        name if name.starts_with("matmul_") => matmul::flops(params),
        name if name.starts_with("linear_grad") => linear_grad::flops(params),
        // The second binding of both is the output.
        name if name.starts_with("flash_attention_grad_") => flash_attention::flops(params, lens[1], 5.0),
        name if name.starts_with("flash_attention_") => flash_attention::flops(params, lens[1], 2.0),
        _ => 0.0,
    };
    Cost { flops, bytes: 4.0 * lens.iter().sum::<usize>() as f64 }
}
