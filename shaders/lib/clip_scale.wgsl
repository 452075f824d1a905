// Factor that reduces the norm of the gradients to at most `max_grad_norm`.
fn clip_scale(norm: f32, max_grad_norm: f32) -> f32 {
    return min(1.0, max_grad_norm / (norm + 1e-6));
}
