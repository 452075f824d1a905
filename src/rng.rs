//! Seeded random numbers, the same on wasm and natively.
//!
//! PCG-XSH-RR 64/32 (O'Neill 2014, <https://www.pcg-random.org>): 64 bits of state, 32 bits out.

use glasshead_cpu::math::ln;
use serde::{Deserialize, Serialize};

pub mod philox;
pub mod torch;

const MULTIPLIER: u64 = 6_364_136_223_846_793_005;

/// A generator whose whole state can be stored in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rng {
    state: u64,
    /// Odd; selects one of 2⁶³ sequences.
    increment: u64,
}

impl Rng {
    /// The generator for `seed`, on stream 0.
    pub fn new(seed: u64) -> Self {
        Self::with_stream(seed, 0)
    }

    /// An independent sequence for each `stream` of the same `seed`, so that drawing more numbers for one purpose (such
    /// as initialization) never shifts those of another (such as batches).
    pub fn with_stream(seed: u64, stream: u64) -> Self {
        let mut rng = Self { state: 0, increment: (stream << 1) | 1 };
        rng.next_u32();
        rng.state = rng.state.wrapping_add(seed);
        rng.next_u32();
        rng
    }

    /// 32 uniform bits.
    pub fn next_u32(&mut self) -> u32 {
        let old = self.state;
        self.state = old.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
        let xorshifted = (((old >> 18) ^ old) >> 27) as u32;
        xorshifted.rotate_right((old >> 59) as u32)
    }

    /// A uniform integer in `0..bound`, without modulo bias (Lemire 2019).
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "Rng::below needs a bound of at least 1");
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.next_u32()) * u64::from(bound);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// A uniform number in `[0, 1)` with 53 bits.
    pub fn uniform(&mut self) -> f64 {
        let high = u64::from(self.next_u32() >> 5);
        let low = u64::from(self.next_u32() >> 6);
        (high * (1 << 26) + low) as f64 / (1u64 << 53) as f64
    }

    /// A standard normal number cut at ±`cut` standard deviations (drawn again when outside).
    ///
    /// Uses Marsaglia's polar method.
    pub fn truncated_normal(&mut self, cut: f64) -> f64 {
        loop {
            let u = 2.0 * self.uniform() - 1.0;
            let v = 2.0 * self.uniform() - 1.0;
            let square = u * u + v * v;
            if square >= 1.0 || square == 0.0 {
                continue;
            }
            let normal = u * (-2.0 * ln(square) / square).sqrt();
            if normal.abs() <= cut {
                return normal;
            }
        }
    }

    /// One element of `items`, each equally likely.
    pub fn choose<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u32) as usize]
    }
}
