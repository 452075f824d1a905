//! MinHash signatures with locality-sensitive hashing (Broder 1997; Leskovec et al., chapter 3).
//!
//! A document is the set of its word n-grams. Signature i is the minimum of hash function i over the set; two documents
//! agree in it with the probability of their Jaccard similarity J. Documents that agree in all rows of one band are
//! candidates: with probability 1 − (1 − Jʳ)ᵇ for b bands of r rows. The true similarity of candidates is computed from
//! their sets, and pairs above the threshold are joined.

use serde::{Deserialize, Serialize};

use super::normalize::normalize;
use crate::hash::{hash, mix};
use crate::rng::Rng;

/// The settings of the stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MinHash {
    /// Whether the stage runs.
    pub enabled: bool,
    /// The number of bands.
    pub bands: usize,
    /// The number of hash functions in a band.
    pub rows: usize,
    /// The number of words of an n-gram.
    pub ngram: usize,
    /// Minimum Jaccard similarity of duplicates.
    pub threshold: f64,
    /// Seed of the hash functions.
    pub seed: u64,
}

impl Default for MinHash {
    /// FineWeb's 14 bands of 8 rows, which find a pair with J = 0.8 with probability 0.924.
    fn default() -> Self {
        Self { enabled: true, bands: 14, rows: 8, ngram: 5, threshold: 0.8, seed: 1 }
    }
}

/// The probability that a pair with similarity `j` shares a band.
pub fn candidate_probability(j: f64, bands: usize, rows: usize) -> f64 {
    1.0 - (1.0 - j.powf(rows as f64)).powf(bands as f64)
}

/// A document's set, and the hash of each band of its signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    /// The hashes of the n-grams, sorted, without repetition.
    pub shingles: Vec<u64>,
    /// One hash per band; empty if the document has no words.
    pub bands: Vec<u64>,
}

/// Computes sketches.
#[derive(Clone, Debug)]
pub struct Sketcher {
    settings: MinHash,
    /// Multiply-shift hashing: `(a·x + b) >> 32` for odd 64-bit a and any b (Dietzfelbinger 1996).
    functions: Vec<(u64, u64)>,
}

impl Sketcher {
    /// Draws the hash functions.
    pub fn new(settings: &MinHash) -> Self {
        let mut rng = Rng::new(settings.seed);
        let n = settings.bands * settings.rows;
        Self { settings: settings.clone(), functions: (0..n).map(|_| (rng.next_u64() | 1, rng.next_u64())).collect() }
    }

    /// The sketch of a text.
    pub fn sketch(&self, text: &str) -> Sketch {
        let shingles = shingles(text, self.settings.ngram);
        if shingles.is_empty() {
            return Sketch::default();
        }
        let signature = self.signature(&shingles);
        let band = |(at, rows): (usize, &[u32])| {
            rows.iter().fold(mix(at as u64 + 1), |hash, &row| mix(hash ^ u64::from(row)).wrapping_add(at as u64))
        };
        let bands = signature.chunks(self.settings.rows.max(1)).enumerate().map(band).collect();
        Sketch { shingles, bands }
    }

    /// The signature of a set of hashes.
    pub fn signature(&self, shingles: &[u64]) -> Vec<u32> {
        let mut signature = vec![u32::MAX; self.functions.len()];
        for &shingle in shingles {
            // The functions take 32 bits.
            let x = shingle >> 32;
            for (least, &(a, b)) in signature.iter_mut().zip(&self.functions) {
                *least = (*least).min((a.wrapping_mul(x).wrapping_add(b) >> 32) as u32);
            }
        }
        signature
    }
}

/// The hashes of all n-grams of words, sorted, without repetition. A text of fewer words is one n-gram.
fn shingles(text: &str, n: usize) -> Vec<u64> {
    let normal = normalize(text);
    let words: Vec<u64> = normal.split(' ').filter(|word| !word.is_empty()).map(|word| hash(word.as_bytes())).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let combine = |words: &[u64]| words.iter().fold(0u64, |all, word| mix(all.rotate_left(5) ^ word));
    let mut shingles: Vec<u64> = words.windows(n.clamp(1, words.len())).map(combine).collect();
    shingles.sort_unstable();
    shingles.dedup();
    shingles
}

/// The Jaccard similarity of two sorted sets: the size of the intersection divided by that of the union.
pub fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    let (mut i, mut j, mut common) = (0, 0, 0usize);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
        }
    }
    let union = a.len() + b.len() - common;
    if union == 0 { 0.0 } else { common as f64 / union as f64 }
}
