//! The head view: a line from every query to every key that it attends to, more opaque for larger weights.

/// Smaller weights are not drawn: they would be invisible, and 256 tokens would have 33 thousand lines.
pub const WEAKEST: f64 = 0.04;

/// Number of distinct line strengths.
pub const STRENGTHS: usize = 16;

/// Lines of one strength, as pairs (query, key).
pub type Strand = Vec<(usize, usize)>;

/// The lines between n queries and n keys by strength, weakest first: strand i has the weights around (i + ½) /
/// [`STRENGTHS`]. `drawn` selects the pairs, `weight` gives their weights.
pub fn strands(
    n: usize,
    weakest: f64,
    drawn: impl Fn(usize, usize) -> bool,
    weight: impl Fn(usize, usize) -> f64,
) -> Vec<Strand> {
    let mut strands = vec![Strand::new(); STRENGTHS];
    for query in 0..n {
        for key in 0..n {
            let weight = weight(query, key);
            if weight >= weakest.max(WEAKEST) && drawn(query, key) {
                // At most STRENGTHS − 1, and a float cast to an index is never negative.
                strands[((weight * STRENGTHS as f64) as usize).min(STRENGTHS - 1)].push((query, key));
            }
        }
    }
    strands
}
