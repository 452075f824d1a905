//! The steps about scaling: counts and parabolas equal what is computed here in another way.

use glasshead::lesson::compute;
use glasshead::types::lesson::*;

use super::{equal, on_both};

#[test]
fn six_n_d_counts_every_matrix() {
    for width in [4, 8, 32] {
        on_both(&Exercise::SixNd { width }, |sheet| {
            let d = width as f32;
            let n = 2.0 * 16.0 * d + 2.0 * (4.0 * d * d + 3.0 * d * 2.0 * d) + 5.0 * d;
            let values = |name: &str| sheet.matrix(name).unwrap().values.clone();
            assert_eq!(values("n").iter().sum::<f32>(), n);
            assert_eq!((values("6 N"), values("C")), (vec![6.0 * n], vec![6000.0 * n]));
        });
    }
    for width in [0, 3, 65] {
        assert!(pollster::block_on(compute(&Exercise::SixNd { width }, None)).is_err());
    }
}

#[test]
fn a_censored_budget_moves_the_vertex() {
    let vertex = |shift: i32| {
        let found = std::cell::Cell::new(0.0f32);
        on_both(&Exercise::IsoFlop { shift }, |sheet| {
            let losses = &sheet.matrix("L").unwrap().values;
            let fitted = &sheet.matrix("X c").unwrap().values;
            equal(fitted, losses, 1, "the parabola is near the runs");
            found.set(sheet.matrix("N_{best}").unwrap().values[0]);
        });
        found.get()
    };
    assert!((vertex(0) / 40.0 - 1.0).abs() < 0.1, "{}", vertex(0));
    let errors: Vec<f32> = [1, 3].map(|shift| (vertex(shift) / 40.0).ln().abs()).to_vec();
    assert!(errors[1] > 2.0 * errors[0].max(0.02), "{errors:?}");
    assert!(pollster::block_on(compute(&Exercise::IsoFlop { shift: 100 }, None)).is_err());
}
