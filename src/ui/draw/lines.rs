//! The head view: a line from every query to every key it looks at, the stronger the more it looks.

/// A weaker line than this is not drawn: it could not be seen, and 256 tokens would have 33 thousand of them.
pub const WEAKEST: f64 = 0.04;

/// Lines are drawn in so many strengths.
pub const STRENGTHS: usize = 16;

/// Lines of one strength, as pairs (query, key).
pub type Strand = Vec<(usize, usize)>;

/// The lines between n queries and n keys by strength, weakest first: strand i holds the weights around
/// (i + ½) / [`STRENGTHS`]. `drawn` tells which pairs are wanted, `weight` what they weigh.
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
                // At most STRENGTHS − 1, and a float turned into an index is never negative.
                strands[((weight * STRENGTHS as f64) as usize).min(STRENGTHS - 1)].push((query, key));
            }
        }
    }
    strands
}
