//! Near duplicates for display: clusters as diffs, and pairs of known similarity.

use similar::{Algorithm, ChangeTag, capture_diff_slices};

use super::Session;
use crate::dedup::{MinHash, Sketcher, jaccard};
use crate::rng::Rng;
use crate::wire::{Member, Part};

/// Members of a cluster that are shown.
const MAX_MEMBERS: usize = 30;

/// Words of a text that are compared.
const MAX_WORDS: usize = 600;

/// Equal words around a difference that are shown.
const CONTEXT: usize = 9;

/// Pairs for each similarity, and the number of hash functions from which on there are fewer.
const N_PAIRS: usize = 60;
const MANY_HASHES: usize = 400;

/// Words of a planted text, in 5-grams: 200 of them.
const N_WORDS: usize = 204;

impl Session {
    /// The documents of a cluster; `None` if there is none with this number.
    pub fn cluster_members(&self, at: usize) -> Option<Vec<Member>> {
        let cluster = self.clusters().get(at)?;
        let sketcher = Sketcher::new(&self.settings().minhash);
        let text = |at: u32| self.text_without_lines(at as usize);
        let kept = *cluster.documents.first()?;
        let kept_text = text(kept);
        let kept_set = sketcher.sketch(&kept_text).shingles;
        let kept_words: Vec<&str> = kept_text.split_whitespace().take(MAX_WORDS).collect();
        let url = |at: u32| self.docs[at as usize].url.clone();
        let start: Vec<&str> = kept_words.iter().take(40).copied().collect();
        let parts = vec![(Part::Same, start.join(" "))];
        let mut members = vec![Member { at: kept, url: url(kept), similarity: None, parts }];
        for &at in cluster.documents.iter().skip(1).take(MAX_MEMBERS) {
            let text = text(at);
            let words: Vec<&str> = text.split_whitespace().take(MAX_WORDS).collect();
            let similarity = jaccard(&kept_set, &sketcher.sketch(&text).shingles);
            members.push(Member { at, url: url(at), similarity: Some(similarity), parts: diff(&kept_words, &words) });
        }
        Some(members)
    }
}

/// The parts of `new` compared with `old`; long equal parts are shortened.
fn diff(old: &[&str], new: &[&str]) -> Vec<(Part, String)> {
    let operations = capture_diff_slices(Algorithm::Myers, old, new);
    let mut parts: Vec<(Part, Vec<&str>)> = Vec::new();
    for change in operations.iter().flat_map(|operation| operation.iter_changes(old, new)) {
        let part = match change.tag() {
            ChangeTag::Equal => Part::Same,
            ChangeTag::Insert => Part::Added,
            ChangeTag::Delete => Part::Removed,
        };
        match parts.last_mut().filter(|(last, _)| *last == part) {
            Some((_, words)) => words.push(change.value()),
            None => parts.push((part, vec![change.value()])),
        }
    }
    let n = parts.len();
    let shown = |(at, (part, words)): (usize, (Part, Vec<&str>))| {
        let long = part == Part::Same && words.len() > 2 * CONTEXT + 4;
        let text = match (at == 0, at + 1 == n) {
            _ if !long => words.join(" "),
            (true, true) => format!("{} …", words[..40.min(words.len())].join(" ")),
            (true, false) => format!("… {}", words[words.len() - CONTEXT..].join(" ")),
            (false, true) => format!("{} …", words[..CONTEXT].join(" ")),
            _ => format!("{} … {}", words[..CONTEXT].join(" "), words[words.len() - CONTEXT..].join(" ")),
        };
        (part, text)
    };
    parts.into_iter().enumerate().map(shown).collect()
}

/// Pairs of texts with a known similarity: for each, the mean similarity, the share of pairs that share a band, and the number
/// of pairs. Every pair has hash functions of its own.
pub fn plant(settings: &MinHash) -> Vec<(f64, f64, u32)> {
    let mut rng = Rng::new(settings.seed);
    let mut word = move || format!("w{:x}", rng.next_u64());
    let settings = MinHash { ngram: 5, ..settings.clone() };
    let n_pairs = (N_PAIRS * MANY_HASHES / (settings.bands * settings.rows).max(1)).clamp(4, N_PAIRS);
    (8..=20)
        .map(|twentieths| {
            let target = f64::from(twentieths) / 20.0;
            // J = s / (2·200 − s) for s shared of 200 n-grams.
            let n_common = (400.0 * target / (1.0 + target)).round() as usize + 4;
            let (mut found, mut similarity) = (0, 0.0);
            for seed in 0..n_pairs {
                let common: Vec<String> = (0..n_common.min(N_WORDS)).map(|_| word()).collect();
                let mut text = || {
                    let tail = (common.len()..N_WORDS).map(|_| word()).collect::<Vec<_>>();
                    [&common[..], &tail].concat().join(" ")
                };
                let sketcher =
                    Sketcher::new(&MinHash { seed: settings.seed.wrapping_add(seed as u64), ..settings.clone() });
                let (a, b) = (sketcher.sketch(&text()), sketcher.sketch(&text()));
                found += usize::from(a.bands.iter().zip(&b.bands).any(|(a, b)| a == b));
                similarity += jaccard(&a.shingles, &b.shingles) / n_pairs as f64;
            }
            (similarity, found as f64 / n_pairs as f64, n_pairs as u32)
        })
        .collect()
}
