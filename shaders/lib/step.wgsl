// What changes from step to step; written by the CPU before each one.
struct Step {
    lr: f32,
    beta1: f32,
    beta2: f32,
    one_minus_beta1: f32, // computed in f64
    one_minus_beta2: f32,
    eps: f32,
    weight_decay: f32,
    correction1: f32, // 1 − β₁ᵗ
    correction2: f32, // 1 − β₂ᵗ
    max_grad_norm: f32,
    slot: u32, // where this step's loss and gradient norm go in their rings
    momentum: f32, // of SGD
    weight: f32, // of this batch among those that are accumulated for one step
    first: u32, // 1 for the first of them, which replaces what an older step has left
}
