// sigmoid(x) = 1 / (1 + exp(−x)) of four elements. WGSL may assume that there are no infinities, so exp's argument is limited.
fn sigmoid(x: vec4<f32>) -> vec4<f32> {
    return 1.0 / (1.0 + exp(min(-x, vec4<f32>(80.0))));
}
