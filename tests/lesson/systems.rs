//! The steps about systems: the roofline, the ring, and the four sums.

use glasshead::types::lesson::{Exercise, RANKS};
use glasshead_page::lesson::worked::{involved, worked};

use super::{begins, on_both};

#[test]
fn a_tile_decides_which_roof_is_the_limit() {
    let roofs = |tile| {
        let mut roofs = Vec::new();
        on_both(&Exercise::Roofline { tile }, |sheet| {
            assert_eq!(sheet.matrix("q").unwrap().values[0], 2.0 * 1024.0 * 1024.0 * 1024.0 / 1e9);
            let limits = sheet.matrix("R").unwrap().values.clone();
            assert_eq!(sheet.matrix("at most").unwrap().values, [limits[0].min(limits[1])]);
        });
        on_both(&Exercise::Roofline { tile }, |_| ());
        let sheet = pollster::block_on(glasshead::lesson::compute(&Exercise::Roofline { tile }, None)).unwrap();
        roofs.extend(sheet.matrix("R").unwrap().values.iter().copied());
        roofs
    };
    // With tiles of one, two numbers are loaded for two operations: a quarter of an operation per byte.
    assert!((roofs(1)[1] - 272.0 / 4.0).abs() < 0.1, "{:?}", roofs(1));
    assert!(roofs(128)[1] < roofs(128)[0] && roofs(256)[1] > roofs(256)[0]);
}

#[test]
fn chunks_go_around_the_ring() {
    let sheet = |rounds| pollster::block_on(glasshead::lesson::compute(&Exercise::Ring { rounds }, None)).unwrap();
    let after = |rounds| sheet(rounds).matrix("after").unwrap().clone();
    assert_eq!(after(0).values, sheet(0).matrix("g").unwrap().values);
    assert_eq!(after(6).values, sheet(0).matrix("all ranks").unwrap().values);
    let complete = |rounds: usize| {
        let sums = [28.0, 32.0, 36.0, 40.0];
        let after = after(rounds);
        (0..RANKS * RANKS).filter(|at| after.values[*at] == sums[at % RANKS]).count()
    };
    assert_eq!([complete(2), complete(3), complete(4), complete(6)], [0, 4, 8, 16]);
    // Chunk 1 begins at rank 1 and has rank 2's part after the first round.
    let sheet = sheet(1);
    let at = |name: &str| sheet.matrices.iter().position(|matrix| matrix.name == name).unwrap();
    let cell = (at("after"), 1, 0);
    assert_eq!(worked(&sheet, cell), "rank 2, chunk 1: 1.0000 + 5.0000 = 6.000000");
    assert!(involved(&sheet, (at("g"), 0, 0), cell) && !involved(&sheet, (at("g"), 2, 0), cell));
    assert!(pollster::block_on(glasshead::lesson::compute(&Exercise::Ring { rounds: 7 }, None)).is_err());
}

#[test]
fn four_sums_have_the_assignments_numbers() {
    on_both(&Exercise::FourSums { n: 1000 }, |sheet| begins(sheet, "S", &[10.0001, 9.9531, 10.0021, 10.0021], 4));
    on_both(&Exercise::FourSums { n: 0 }, |sheet| begins(sheet, "S", &[0.0; 4], 7));
}
