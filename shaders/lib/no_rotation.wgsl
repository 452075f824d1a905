// The results of norm_linear.wgsl as they are.

fn rotate(x: vec4<f32>, row: u32, col: u32) -> vec4<f32> { return x; }
