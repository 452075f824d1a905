// Half a row of a head of at most 32 elements, in registers. Matrix columns, because arrays end up in memory.

const HALF: u32 = 16u;

struct Half { a: mat4x4<f32> }

fn dot_half(x: Half, y: Half) -> f32 { return dot_columns(x.a, y.a); }

// sum + weight · x
fn add_half(sum: Half, weight: f32, x: Half) -> Half { return Half(sum.a + x.a * weight); }

fn scale_half(x: Half, scale: f32) -> Half { return Half(x.a * scale); }

// Half a row of a block in workgroup memory.
fn k_half(at: u32) -> Half { return Half(mat4x4<f32>(k_block[at], k_block[at + 1u], k_block[at + 2u], k_block[at + 3u])); }
fn v_half(at: u32) -> Half { return Half(mat4x4<f32>(v_block[at], v_block[at + 1u], v_block[at + 2u], v_block[at + 3u])); }

// Half a row of qkv; `n` is the number of its vectors that belong to the head.
fn qkv_half(at: u32, n: u32) -> Half {
    return Half(mat4x4<f32>(qkv_vector(at, 0u, n), qkv_vector(at, 1u, n), qkv_vector(at, 2u, n), qkv_vector(at, 3u, n)));
}

fn store_half(at: u32, n: u32, x: Half) { store_columns(at, n, x.a); }
