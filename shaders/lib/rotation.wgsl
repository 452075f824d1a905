// RoPE on the results of norm_linear.wgsl, for heads whose size is a multiple of four.

@group(0) @binding(7) var<storage, read> cos_sin: array<vec4<f32>>; // (T, D/2, 2)

// (x₀, x₁) ← (x₀·cos − x₁·sin, x₀·sin + x₁·cos), two pairs
fn rotate(x: vec4<f32>, row: u32, col: u32) -> vec4<f32> {
    if (4u * col >= params.rotated) { return x; }
    let width = params.d_head / 4u;
    let t = cos_sin[row % params.context_length * width + col % width];
    return x * t.xxzz + x.yxwz * t.yyww * vec4<f32>(-1.0, 1.0, -1.0, 1.0);
}
