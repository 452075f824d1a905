//! Helpers shared by several tests.

use glasshead::gpu::context::Context;
use glasshead::rng::Rng;

/// A device to test on. Without one these tests fail, because skipping them would hide errors.
pub fn context() -> Context {
    match pollster::block_on(Context::new()) {
        Ok(context) => context,
        Err(error) => panic!("the tests need an adapter: {error}"),
    }
}

/// `len` random numbers in −1 … 1.
pub fn numbers(seed: u64, len: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..len).map(|_| (2.0 * rng.uniform() - 1.0) as f32).collect()
}

/// `len` random integers below `bound`.
pub fn ids(seed: u64, len: usize, bound: usize) -> Vec<u32> {
    let mut rng = Rng::new(seed);
    (0..len).map(|_| rng.below(bound as u32)).collect()
}
