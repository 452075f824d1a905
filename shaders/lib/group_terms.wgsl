// Functions shared by the kernels with blocks of a and b in workgroup memory.

// Adds four terms. The expression y + b · a would sum first and then add: five operations instead of four.
fn plus_terms(y: vec4<f32>, a: vec4<f32>, b: mat4x4<f32>) -> vec4<f32> {
    let first = fma(b[1], vec4<f32>(a.y), fma(b[0], vec4<f32>(a.x), y));
    return fma(b[3], vec4<f32>(a.w), fma(b[2], vec4<f32>(a.z), first));
}
