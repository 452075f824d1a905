// Parameters that change from step to step; the CPU writes them before each step.
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
    slot: u32, // index of this step's loss and gradient norm in their rings
    momentum: f32, // of SGD
    weight: f32, // weight of this batch among those accumulated for one step
    first: u32, // 1 for the first batch of a step, which overwrites the results of an earlier step
}
