// FlashAttention-2 (Dao 2023), backward, for GPUs; flash_attention_grad.wgsl has the formulas. A workgroup of 64 owns
// ROWS queries (even z) or keys (odd z). SHARE invocations share each row and hold 16 of its elements. The other operands
// pass through workgroup memory in blocks. All rows are counted in vectors of four.

struct Params {
    context_length: u32, // T
    n_heads: u32, // H
    n_kv_heads: u32, // Hkv; H / Hkv query heads share a KV head
    d_head: u32, // D
    causal: u32, // 1: a query attends to no later position
    rotated: u32, // 1: q and k have been rotated, so their gradients are rotated back
    scale: f32, // 1/√D
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<vec4<Number1>>; // (B, T, (H + 2·Hkv)·D): rows of [q | k | v]
@group(0) @binding(2) var<storage, read> out: array<vec4<Number2>>; // (B, T, H, D)
@group(0) @binding(3) var<storage, read> out_grad: array<vec4<f32>>; // (B, T, H, D)
@group(0) @binding(4) var<storage, read> lse: array<f32>; // (B, H, T)
@group(0) @binding(5) var<storage, read> cos_sin: array<vec4<f32>>; // (T, D/2, 2), RoPE's table
@group(0) @binding(6) var<storage, read_write> qkv_grad: array<vec4<f32>>; // as qkv

const ROWS: u32 = 64u / SHARE;
const WIDTH: u32 = 4u * SHARE; // vectors per row
const STRIDE: u32 = WIDTH + 1u; // distance between the rows of a block, padded against bank conflicts
const DOTS: u32 = BLOCK + 1u; // the same for inner products
const MASKED: f32 = -1e30; // stands for −∞; WGSL may assume that there are no infinities

var<workgroup> x_block: array<vec4<f32>, BLOCK * STRIDE>; // keys, or queries
var<workgroup> y_block: array<vec4<f32>, BLOCK * STRIDE>; // values, or gradients of outputs
var<workgroup> x_dots: array<f32, 64u * DOTS>; // q·k over each part
var<workgroup> y_dots: array<f32, 64u * DOTS>; // out_grad·v over each part
var<workgroup> deltas: array<f32, BLOCK * 4u>; // of the block's queries, in four parts

fn dot_columns(x: mat4x4<f32>, y: mat4x4<f32>) -> f32 {
    return (dot(x[0], y[0]) + dot(x[1], y[1])) + (dot(x[2], y[2]) + dot(x[3], y[3]));
}

fn row_start(batch: u32, position: u32) -> u32 {
    return (batch * params.context_length + position) * (params.n_heads + 2u * params.n_kv_heads) * (params.d_head / 4u);
}

fn out_start(batch: u32, position: u32, head: u32) -> u32 {
    return ((batch * params.context_length + position) * params.n_heads + head) * (params.d_head / 4u);
}

fn qkv_vector(at: u32, i: u32) -> vec4<f32> {
    if (i < params.d_head / 4u) { return vec4<f32>(qkv[at + i]); }
    return vec4<f32>();
}

fn out_grad_vector(at: u32, i: u32) -> vec4<f32> {
    if (i < params.d_head / 4u) { return out_grad[at + i]; }
    return vec4<f32>();
}

fn qkv_part(at: u32, i: u32) -> mat4x4<f32> {
    return mat4x4<f32>(qkv_vector(at, i), qkv_vector(at, i + 1u), qkv_vector(at, i + 2u), qkv_vector(at, i + 3u));
}

fn out_grad_part(at: u32, i: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        out_grad_vector(at, i), out_grad_vector(at, i + 1u), out_grad_vector(at, i + 2u), out_grad_vector(at, i + 3u));
}

fn x_part(at: u32) -> mat4x4<f32> { return mat4x4<f32>(x_block[at], x_block[at + 1u], x_block[at + 2u], x_block[at + 3u]); }
fn y_part(at: u32) -> mat4x4<f32> { return mat4x4<f32>(y_block[at], y_block[at + 1u], y_block[at + 2u], y_block[at + 3u]); }

// Σ out_grad · out over every fourth vector of a row.
fn delta_part(at: u32, first: u32) -> f32 {
    var sum = 0.0;
    for (var i = first; i < params.d_head / 4u; i += 4u) { sum += dot(out_grad[at + i], vec4<f32>(out[at + i])); }
    return sum;
}

// Each part of a row writes its share of the inner products with the block.
fn leave_dots(local: u32, x: mat4x4<f32>, y: mat4x4<f32>, mine: u32) {
    for (var i = 0u; i < BLOCK; i++) {
        x_dots[local * DOTS + i] = dot_columns(x, x_part(i * STRIDE + mine));
        y_dots[local * DOTS + i] = dot_columns(y, y_part(i * STRIDE + mine));
    }
}

// Both inner products with row i of the block, for the row whose first part is `first`.
fn sum_dots(first: u32, i: u32) -> vec2<f32> {
    var sums = vec2<f32>();
    for (var part = 0u; part < SHARE; part++) {
        sums += vec2<f32>(x_dots[(first + part) * DOTS + i], y_dots[(first + part) * DOTS + i]);
    }
    return sums;
}

// (x₀, x₁) ← (x₀·cos + x₁·sin, x₁·cos − x₀·sin), two pairs
fn turn_back(x: vec4<f32>, position: u32, i: u32) -> vec4<f32> {
    if (params.rotated == 0u) { return x; }
    let t = cos_sin[position * (params.d_head / 4u) + i];
    return x * t.xxzz + x.yxwz * t.yyww * vec4<f32>(1.0, -1.0, 1.0, -1.0);
}

fn store_vector(at: u32, i: u32, x: vec4<f32>) {
    if (i < params.d_head / 4u) { qkv_grad[at + i] = x; }
}

fn store_rotated(at: u32, position: u32, i: u32, sum: mat4x4<f32>) {
    let grad = sum * params.scale;
    let last = params.d_head / 4u - 1u; // elements outside of the head are rotated by an arbitrary angle, and not stored
    store_vector(at, i, turn_back(grad[0], position, min(i, last)));
    store_vector(at, i + 1u, turn_back(grad[1], position, min(i + 1u, last)));
    store_vector(at, i + 2u, turn_back(grad[2], position, min(i + 2u, last)));
    store_vector(at, i + 3u, turn_back(grad[3], position, min(i + 3u, last)));
}

fn attend_grad_in_groups(workgroup: vec3<u32>, local: u32) {
    if (workgroup.z % 2u == 0u) {
        grad_of_queries(workgroup, local);
    } else if (workgroup.y % (params.n_heads / params.n_kv_heads) == 0u) { // the first of the heads that share these keys
        grad_of_keys(workgroup, local);
    }
}
