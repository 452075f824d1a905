// FlashAttention where an invocation holds a whole head: there are no other parts.

fn dots_of_other_parts(part: u32, a: vec4<u32>, b: u32) -> vec4<f32> { return vec4<f32>(); }
fn grads_of_other_parts(part: u32, o_at: vec4<u32>, v_at: u32) -> vec4<f32> { return vec4<f32>(); }
fn values_of_other_parts(part: u32, v_at: vec4<u32>, o_at: u32) -> vec4<f32> { return vec4<f32>(); }

// Delta of the query whose head begins at `at` in out.
fn delta(at: u32) -> f32 { return dot_rows(inside(out_grad_row(at), params.d_head), out_row(at)); }
