// The loss is the mean over all rows.
fn scaled(row: u32, difference: f32) -> f32 { return difference / f32(params.n_total); }
