// The entropy of every row's softmax in nats: ln Σ eˣ⁻ᵐ − Σ eˣ⁻ᵐ·(x − m) / Σ eˣ⁻ᵐ, where m is its largest logit.
const WITH_ENTROPY = true;
@group(0) @binding(4) var<storage, read_write> entropies: array<f32>; // (N)
fn write_entropy(row: u32, entropy: f32) { entropies[row] = entropy; }
