// The buffers of FlashAttention as vectors of four, for head sizes that are a multiple of four. Their storage format is
// defined by lib/element_vec4.wgsl or lib/element_u64.wgsl.

@group(0) @binding(1) var<storage, read> qkv: array<Stored1>; // (B, T, (H + 2·Hkv)·D): rows of [q | k | v]
@group(0) @binding(2) var<storage, read_write> out_to: array<vec4<Number2>>; // (B, T, H, D), written by the forward pass
@group(0) @binding(2) var<storage, read> out: array<Stored2>; // (B, T, H, D), read by the backward pass
@group(0) @binding(3) var<storage, read> out_grad: array<Stored>; // (B, T, H, D)
@group(0) @binding(5) var<storage, read> cos_sin: array<Stored>; // (T, D/2, 2), RoPE's table
@group(0) @binding(6) var<storage, read_write> qkv_grad: array<vec4<f32>>; // as qkv

fn qkv_at(at: u32) -> vec4<f32> { return unpack1(qkv[at / 4u]); }
fn out_at(at: u32) -> vec4<f32> { return unpack2(out[at / 4u]); }
fn out_grad_at(at: u32) -> vec4<f32> { return unpack(out_grad[at / 4u]); }
fn cos_sin_at(at: u32) -> vec4<f32> { return unpack(cos_sin[at / 4u]); }

// `n` is the number of elements left in the row: at least four.
fn store_out(at: u32, n: u32, x: vec4<f32>) { out_to[at / 4u] = vec4<Number2>(x); }
fn store_grad(at: u32, n: u32, x: vec4<f32>) { qkv_grad[at / 4u] = x; }
