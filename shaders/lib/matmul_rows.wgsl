// Matmuls with few rows for GPUs, as in generation token by token: a · bᵀ, one row of a and four rows of b per workgroup.
// Its 64 invocations read along the terms, so that neighbors read consecutive memory, and sum in workgroup memory. n and
// k are multiples of 4.

const WORKGROUP = 64u;

var<workgroup> sums: array<vec4<f32>, WORKGROUP>;

fn multiply(order: u32, tile: vec2<u32>, local: u32, s: Shape) {
    let width = s.k / 4u;
    let b_at = 4u * tile.y * width;
    var sum = vec4<f32>();
    for (var k = local; k < width; k += WORKGROUP) {
        let a = load_a(order, tile.x * width + k);
        sum += vec4<f32>(
            dot(a, load_b(order, b_at + k)),
            dot(a, load_b(order, b_at + width + k)),
            dot(a, load_b(order, b_at + 2u * width + k)),
            dot(a, load_b(order, b_at + 3u * width + k)),
        );
    }
    sums[local] = sum;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if (local < half) { sums[local] += sums[local + half]; }
        workgroupBarrier();
    }
    if (local == 0u) { store(order, tile.x * (s.n / 4u) + tile.y, sums[0]); }
}
