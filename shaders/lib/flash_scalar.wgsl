// The buffers of FlashAttention, element by element, for heads of any size.

@group(0) @binding(1) var<storage, read> qkv: array<Number1>; // (B, T, (H + 2·Hkv)·D): rows of [q | k | v]
@group(0) @binding(2) var<storage, read_write> out_to: array<Number2>; // (B, T, H, D), written by the forward pass
@group(0) @binding(2) var<storage, read> out: array<Number2>; // (B, T, H, D), read by the backward pass
@group(0) @binding(3) var<storage, read> out_grad: array<f32>; // (B, T, H, D)
@group(0) @binding(5) var<storage, read> cos_sin: array<f32>; // (T, D/2, 2), RoPE's table
@group(0) @binding(6) var<storage, read_write> qkv_grad: array<f32>; // as qkv

// Indices of four elements from `at` on, clamped to a buffer of `len` elements; clamped ones are not used.
fn four(at: u32, len: u32) -> vec4<u32> { return min(vec4<u32>(at, at + 1u, at + 2u, at + 3u), vec4<u32>(len - 1u)); }

fn qkv_at(at: u32) -> vec4<f32> {
    let i = four(at, arrayLength(&qkv));
    return vec4<f32>(f32(qkv[i.x]), f32(qkv[i.y]), f32(qkv[i.z]), f32(qkv[i.w]));
}

fn out_at(at: u32) -> vec4<f32> {
    let i = four(at, arrayLength(&out));
    return vec4<f32>(f32(out[i.x]), f32(out[i.y]), f32(out[i.z]), f32(out[i.w]));
}

fn out_grad_at(at: u32) -> vec4<f32> {
    let i = four(at, arrayLength(&out_grad));
    return vec4<f32>(out_grad[i.x], out_grad[i.y], out_grad[i.z], out_grad[i.w]);
}

fn cos_sin_at(at: u32) -> vec4<f32> {
    let i = four(at, arrayLength(&cos_sin));
    return vec4<f32>(cos_sin[i.x], cos_sin[i.y], cos_sin[i.z], cos_sin[i.w]);
}

// `n` is the number of elements left in the row.
fn store_out(at: u32, n: u32, x: vec4<f32>) {
    out_to[at] = Number2(x.x);
    if (n > 1u) { out_to[at + 1u] = Number2(x.y); }
    if (n > 2u) { out_to[at + 2u] = Number2(x.z); }
    if (n > 3u) { out_to[at + 3u] = Number2(x.w); }
}

fn store_grad(at: u32, n: u32, x: vec4<f32>) {
    qkv_grad[at] = x.x;
    if (n > 1u) { qkv_grad[at + 1u] = x.y; }
    if (n > 2u) { qkv_grad[at + 2u] = x.z; }
    if (n > 3u) { qkv_grad[at + 3u] = x.w; }
}
