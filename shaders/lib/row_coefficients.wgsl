// Every row has its own coefficient.
@group(0) @binding(5) var<storage, read> coefficients: array<f32>; // (N)
fn scaled(row: u32, difference: f32) -> f32 { return difference * coefficients[row]; }
