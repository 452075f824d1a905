// What changes from step to step; written by the CPU before each one.
struct Step {
    lr: f32,
    beta1: f32,
    beta2: f32,
    eps: f32,
    weight_decay: f32,
    correction1: f32, // 1 − β₁ᵗ
    correction2: f32, // 1 − β₂ᵗ
    max_grad_norm: f32,
    slot: u32, // where this step's loss and gradient norm go in their rings
}
