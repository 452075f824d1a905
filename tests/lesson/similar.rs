use std::collections::HashSet;

use glasshead::types::lesson::{Exercise, N_HASHES, SENTENCES};

use super::on_both;

fn pairs(sentence: &str) -> HashSet<(&str, &str)> {
    let words: Vec<&str> = sentence.split(' ').collect();
    words.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

fn jaccard(other: usize) -> f32 {
    let (a, b) = (pairs(SENTENCES[0]), pairs(SENTENCES[other]));
    a.intersection(&b).count() as f32 / a.union(&b).count() as f32
}

#[test]
fn the_similarity_of_two_sentences_is_that_of_their_sets() {
    for other in 1..SENTENCES.len() {
        on_both(&Exercise::Jaccard { other }, |sheet| {
            assert!((sheet.matrix("J").unwrap().values[0] - jaccard(other)).abs() < 1e-6);
        });
    }
    assert!((jaccard(1) - 0.8).abs() < 1e-6);
}

#[test]
fn least_hashes_are_equal_where_the_first_pair_is_shared() {
    for bands in [1, 2, 4, 8] {
        on_both(&Exercise::MinHash { bands }, |sheet| {
            let get = |name: &str| sheet.matrix(name).unwrap();
            let (h, a, b) = (get("H"), get("a"), get("b"));
            for hash in 0..N_HASHES {
                let mut row = h.row(hash).to_vec();
                let first = |set: &[f32]| {
                    (0..row.len()).filter(|at| set[*at] == 1.0).min_by(|x, y| row[*x].total_cmp(&row[*y]))
                };
                let (in_a, in_b) = (first(&a.values).unwrap(), first(&b.values).unwrap());
                assert_eq!(get("e").values[hash], if in_a == in_b { 1.0 } else { 0.0 });
                assert_eq!(get("s_a").values[hash], row[in_a]);
                row.sort_by(f32::total_cmp);
                assert_eq!(row, (1..=row.len()).map(|rank| rank as f32).collect::<Vec<_>>(), "an order of all pairs");
            }
            let equal = get("e").values.iter().sum::<f32>() / N_HASHES as f32;
            assert_eq!(get("J_{est}").values[0], equal);
            let p = 1.0 - (1.0 - 0.6f32.powi((N_HASHES / bands) as i32)).powi(bands as i32);
            assert!((get("P").values[6] - p).abs() < 1e-5);
            let rows = N_HASHES / bands;
            let found = get("e").values.chunks(rows).map(|band| f32::from(u8::from(band.iter().all(|&e| e == 1.0))));
            assert_eq!(get("f").values, found.collect::<Vec<_>>());
        });
    }
}
