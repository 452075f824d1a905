//! PyTorch's random numbers on the CPU: the float32 draws of `rand`, `randn` and `nn.Linear` after
//! `torch.manual_seed(seed)`.
//!
//! The generator is the Mersenne Twister MT19937 (Matsumoto & Nishimura 1998). PyTorch uses 24 bits of a 32-bit number
//! for a float32 and 53 bits of two of them for a float64, and draws normal numbers by the Box–Muller transform (1958):
//! one by one in float64 for tensors of fewer than 16 elements, in blocks of 16 in float32 for larger ones.

use std::f32::consts::TAU;
use std::f64::consts::PI;

/// The state of MT19937 in words.
const WORDS: usize = 624;

/// Offset of the later word that the twist combines with each word.
const AHEAD: usize = 397;

/// Tensors with at least this many elements get their normal numbers in blocks of this size.
const BLOCK: usize = 16;

/// PyTorch's generator for the CPU.
pub struct TorchRng {
    state: [u32; WORDS],
    /// Index of the next word; at the end the state is twisted first.
    next: usize,
    /// The Box–Muller transform returns two numbers; the second is stored here.
    waiting: Option<f64>,
}

impl TorchRng {
    /// The state after `torch.manual_seed(seed)`; the Mersenne Twister uses the lowest 32 bits of the seed.
    pub fn new(seed: u64) -> Self {
        let mut state = [0; WORDS];
        state[0] = seed as u32;
        for i in 1..WORDS {
            let last: u32 = state[i - 1];
            state[i] = (last ^ (last >> 30)).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        Self { state, next: WORDS, waiting: None }
    }

    fn next_u32(&mut self) -> u32 {
        if self.next == WORDS {
            self.twist();
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    fn twist(&mut self) {
        for i in 0..WORDS {
            let mixed = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % WORDS] & 0x7fff_ffff);
            let odd = if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + AHEAD) % WORDS] ^ (mixed >> 1) ^ odd;
        }
        self.next = 0;
    }

    /// A float32 in `[0, 1)` with 24 bits.
    fn uniform_f32(&mut self) -> f32 {
        (self.next_u32() & ((1 << 24) - 1)) as f32 / (1 << 24) as f32
    }

    /// A float64 in `[0, 1)` with 53 bits; the first word is the high one.
    fn uniform_f64(&mut self) -> f64 {
        let (high, low) = (u64::from(self.next_u32()), u64::from(self.next_u32()));
        (((high << 32) | low) & ((1 << 53) - 1)) as f64 / (1u64 << 53) as f64
    }

    /// `tensor.uniform_(low, high)`
    pub fn uniform(&mut self, len: usize, low: f32, high: f32) -> Vec<f32> {
        // Rounded once, as in PyTorch's build for processors with FMA.
        (0..len).map(|_| self.uniform_f32().mul_add(high - low, low)).collect()
    }

    /// `torch.randn(len)`
    pub fn randn(&mut self, len: usize) -> Vec<f32> {
        if len < BLOCK {
            return (0..len).map(|_| self.normal() as f32).collect();
        }
        let mut numbers = self.uniform(len, 0.0, 1.0);
        for block in numbers.chunks_exact_mut(BLOCK) {
            box_muller(block);
        }
        if !len.is_multiple_of(BLOCK) {
            // The remaining elements are drawn again, together with elements before them to fill a block.
            let again = self.uniform(BLOCK, 0.0, 1.0);
            let last = &mut numbers[len - BLOCK..];
            last.copy_from_slice(&again);
            box_muller(last);
        }
        numbers
    }

    /// One standard normal number, in float64.
    fn normal(&mut self) -> f64 {
        if let Some(waiting) = self.waiting.take() {
            return waiting;
        }
        let (angle, u) = (2.0 * PI * self.uniform_f64(), self.uniform_f64());
        let radius = (-2.0 * (-u).ln_1p()).sqrt();
        self.waiting = Some(radius * angle.sin());
        radius * angle.cos()
    }

    /// The weight (d_out, d_in) of a new `torch.nn.Linear(d_in, d_out, bias=False)`: uniform in ±1/√d_in, which is
    /// Kaiming's uniform initialization (He et al. 2015) with a = √5.
    pub fn linear(&mut self, d_in: usize, d_out: usize) -> Vec<f32> {
        let gain = (2.0f64 / (1.0 + 5.0)).sqrt();
        let bound = (3.0f64.sqrt() * (gain / (d_in as f64).sqrt())) as f32;
        self.uniform(d_in * d_out, -bound, bound)
    }
}

/// Transforms 16 uniform numbers to 16 normal ones, the second half from the angles of the first.
fn box_muller(block: &mut [f32]) {
    let (radii, angles) = block.split_at_mut(BLOCK / 2);
    for (a, b) in radii.iter_mut().zip(angles) {
        let radius = (-2.0 * (1.0 - *a).ln()).sqrt();
        let angle = f64::from(TAU * *b);
        *a = radius * angle.cos() as f32;
        *b = radius * angle.sin() as f32;
    }
}
