//! MinHash against theory and against comparing everything with everything.

use std::sync::Arc;

use glasshead_filter::Rng;
use glasshead_filter::dedup::{
    LineCounts, Lines, MinHash, Sketcher, candidate_probability, cluster, jaccard, remove_lines,
};

/// A word that occurs nowhere else.
fn fresh(rng: &mut Rng) -> String {
    format!("w{:x}", rng.next_u64())
}

/// Two texts that share their first words; their similarity depends on the share.
fn pair(n_words: usize, n_common: usize, rng: &mut Rng) -> (String, String) {
    let common: Vec<String> = (0..n_common).map(|_| fresh(rng)).collect();
    let mut tail = || (n_common..n_words).map(|_| fresh(rng)).collect::<Vec<_>>();
    let (a, b) = (tail(), tail());
    ([&common[..], &a].concat().join(" "), [&common[..], &b].concat().join(" "))
}

#[test]
fn planted_pairs_are_found_as_the_s_curve_predicts() {
    const N_PAIRS: usize = 1200;
    const N_WORDS: usize = 204;
    for (bands, rows) in [(10, 10), (14, 8), (20, 5)] {
        let mut rng = Rng::new(7);
        for percent in [50, 60, 70, 75, 80, 85, 90, 95, 100] {
            let target = f64::from(percent) / 100.0;
            // J = s / (2·200 − s) for s shared of 200 n-grams.
            let shared = (400.0 * target / (1.0 + target)).round() as usize;
            let (mut found, mut expected, mut variance) = (0.0, 0.0, 0.0);
            for seed in 0..N_PAIRS {
                let sketcher = Sketcher::new(&MinHash { bands, rows, seed: seed as u64, ..MinHash::default() });
                let (a, b) = pair(N_WORDS, shared + 4, &mut rng);
                let (a, b) = (sketcher.sketch(&a), sketcher.sketch(&b));
                let p = candidate_probability(jaccard(&a.shingles, &b.shingles), bands, rows);
                found += f64::from(u8::from(a.bands.iter().zip(&b.bands).any(|(a, b)| a == b)));
                expected += p;
                variance += p * (1.0 - p);
            }
            let error = (found - expected).abs();
            assert!(
                error <= 3.0 * variance.sqrt() + 1e-6,
                "{bands} × {rows}, J = {target}: {found} found, {expected:.1} expected"
            );
        }
    }
}

/// Texts of which many are copies of earlier ones with some words changed.
fn corpus(n: usize, rng: &mut Rng) -> Vec<String> {
    let mut texts: Vec<Vec<String>> = Vec::with_capacity(n);
    for at in 0..n {
        let mut words: Vec<String> = match at {
            0 => Vec::new(),
            _ if rng.chance(0.5) => texts[rng.below(at.min(300))].clone(),
            _ => Vec::new(),
        };
        if words.is_empty() {
            words = (0..30 + rng.below(40)).map(|_| fresh(rng)).collect();
        }
        for _ in 0..rng.below(4) {
            let place = rng.below(words.len());
            words[place] = fresh(rng);
        }
        texts.push(words);
    }
    texts.iter().map(|words| words.join(" ")).collect()
}

#[test]
fn survivors_equal_a_brute_force_twin_on_5000_documents() {
    let texts = corpus(5000, &mut Rng::new(3));
    let settings = MinHash { threshold: 0.7, ..MinHash::default() };
    let sketcher = Sketcher::new(&settings);
    let sketches: Vec<_> = texts.iter().map(|text| sketcher.sketch(text)).collect();
    // All pairs: joined if they share a band and are similar enough.
    let mut first: Vec<usize> = (0..texts.len()).collect();
    for b in 0..texts.len() {
        for a in 0..b {
            let candidates = sketches[a].bands.iter().zip(&sketches[b].bands).any(|(x, y)| x == y);
            if candidates && jaccard(&sketches[a].shingles, &sketches[b].shingles) >= settings.threshold {
                let (low, high) = (first[a].min(first[b]), first[a].max(first[b]));
                first.iter_mut().filter(|root| **root == high).for_each(|root| *root = low);
            }
        }
    }
    let sets: Vec<Arc<[u64]>> = sketches.iter().map(|sketch| sketch.shingles.as_slice().into()).collect();
    let entries: Vec<(u64, u32)> = sketches
        .iter()
        .enumerate()
        .flat_map(|(at, sketch)| sketch.bands.iter().map(move |band| (*band, at as u32)))
        .collect();
    let mut clusters =
        cluster(texts.len(), [Ok(entries)], settings.threshold, |at| Ok(Arc::clone(&sets[at as usize]))).unwrap();
    let kept: Vec<usize> = (0..texts.len()).map(|at| clusters.kept(at as u32) as usize).collect();
    assert_eq!(kept, first);
    let n_kept = (0..texts.len()).filter(|&at| kept[at] == at).count();
    assert!((2000..4000).contains(&n_kept), "{n_kept} survivors");
    let all = clusters.clusters();
    assert!(all.iter().all(|cluster| cluster.links.len() + 1 == cluster.documents.len()));
    assert!(all.windows(2).all(|pair| pair[0].documents.len() >= pair[1].documents.len()));
}

#[test]
fn equal_documents_cost_one_comparison_each() {
    let texts = vec!["the same text with enough words to have several of the word n-grams".to_string(); 3000];
    let sketcher = Sketcher::new(&MinHash::default());
    let sketches: Vec<_> = texts.iter().map(|text| sketcher.sketch(text)).collect();
    let entries =
        sketches.iter().enumerate().flat_map(|(at, sketch)| sketch.bands.iter().map(move |band| (*band, at as u32)));
    let entries: Vec<(u64, u32)> = entries.collect();
    let mut n_reads = 0;
    let mut clusters = cluster(texts.len(), [Ok(entries)], 0.8, |at| {
        n_reads += 1;
        Ok(sketches[at as usize].shingles.as_slice().into())
    })
    .unwrap();
    assert!(n_reads < 3100, "{n_reads}");
    assert!((0..3000).all(|at| clusters.kept(at) == 0));
}

#[test]
fn repeated_lines_go() {
    let texts = ["a\nfooter\nb", "c\n footer \n\nd", "e\n\nf"];
    for (keep_first, first) in [(true, ("a\nfooter\nb", 0)), (false, ("a\nb", 1))] {
        let settings = Lines { keep_first, ..Lines::default() };
        let mut counts = LineCounts::default();
        texts.iter().zip(0..).for_each(|(text, at)| counts.add(text, at, &settings));
        let repeated = counts.repeated(&settings).collect();
        let kept: Vec<_> =
            texts.iter().zip(0..).map(|(text, at)| remove_lines(text, at, &repeated, &settings)).collect();
        assert_eq!(kept, [(first.0.to_string(), first.1), ("c\n\nd".into(), 1), ("e\n\nf".into(), 0)]);
    }
}
