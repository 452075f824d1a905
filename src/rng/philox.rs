//! Counter-based random numbers: Philox 4×32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
//! Every number is a function of a key and a counter, so the order in which numbers are drawn, and by which thread, does
//! not matter.

const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: u32 = 10;

/// 128 uniform bits for a key and a counter.
pub fn philox(key: u64, counter: [u32; 4]) -> [u32; 4] {
    let [mut key_0, mut key_1] = [key as u32, (key >> 32) as u32];
    let mut x = counter;
    for _ in 0..ROUNDS {
        let [product_0, product_1] =
            [u64::from(MULTIPLIERS[0]) * u64::from(x[0]), u64::from(MULTIPLIERS[1]) * u64::from(x[2])];
        x = [
            (product_1 >> 32) as u32 ^ x[1] ^ key_0,
            product_1 as u32,
            (product_0 >> 32) as u32 ^ x[3] ^ key_1,
            product_0 as u32,
        ];
        (key_0, key_1) = (key_0.wrapping_add(WEYL[0]), key_1.wrapping_add(WEYL[1]));
    }
    x
}

/// A uniform number in `[0, 1)` with 53 bits for a key and a counter.
pub fn uniform(key: u64, counter: [u32; 4]) -> f64 {
    let [high, low, ..] = philox(key, counter);
    let bits = (u64::from(high) << 32 | u64::from(low)) >> 11;
    bits as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that the authors publish with their implementation (Random123).
    #[test]
    fn the_published_answers_come_out() {
        let all = u32::MAX;
        assert_eq!(philox(0, [0; 4]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox(u64::MAX, [all; 4]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let counter = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let expected = [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1];
        assert_eq!(philox(0x299f_31d0_a409_3822, counter), expected);
    }

    #[test]
    fn numbers_are_uniform_in_every_counter() {
        for varied in 0..4 {
            let draw = |i: u32| {
                let mut counter = [7; 4];
                counter[varied] = i;
                uniform(1, counter)
            };
            let mean = (0..10_000).map(draw).sum::<f64>() / 10_000.0;
            assert!((mean - 0.5).abs() < 0.015, "counter {varied}: {mean}");
            assert!((0..10_000).map(draw).all(|x| (0.0..1.0).contains(&x)));
        }
    }
}
