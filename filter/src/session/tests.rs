use std::io::Cursor;

use super::reading::DOCUMENTS_AT_ONCE;
use super::*;
use crate::corpus::Corpus;
use crate::document::Document;
use crate::generate::{DirtyPages, Mix, notes};
use crate::rng::Rng;

const BYTES: u64 = 400_000;

fn pages() -> Box<dyn Iterator<Item = Page> + Send> {
    let mut rng = Rng::new(3);
    Box::new(DirtyPages::new(3, Mix::default(), move || notes(&mut rng)))
}

fn session(settings: Settings) -> Session {
    let mut session = Session::new(settings);
    session.add_pages(pages(), BYTES);
    while session.work() {}
    session
}

/// The numbers of the kept documents, and the reasons of the others, of a pipeline that judges every page once.
fn plain(settings: &Settings) -> Vec<Option<(Stage, String)>> {
    let (pipeline, mut corpus) = (Pipeline::new(settings.clone(), None), Corpus::default());
    let mut n = 0;
    for page in pages() {
        n += page.html.len() as u64;
        corpus.add(&pipeline, &Document::html(page.url, page.html), false);
        if n >= BYTES {
            break;
        }
    }
    corpus.finish(&pipeline);
    corpus.records.into_iter().map(|record| record.dropped.map(|drop| (drop.stage, drop.reason))).collect()
}

fn reasons(session: &Session) -> Vec<Option<(Stage, String)>> {
    (0..session.docs.len()).map(|at| session.reason(at)).collect()
}

#[test]
fn moved_limits_decide_as_judging_again() {
    let mut session = session(Settings::default());
    assert_eq!(reasons(&session), plain(&Settings::default()));
    let mut strict = Settings::default();
    (strict.gopher.min_words, strict.fineweb.max_short_lines) = (120.0, 0.3);
    // What Gopher dropped comes to the later stages, with the text that C4 leaves.
    let mut loose = Settings::default();
    (loose.gopher.min_words, loose.gopher.min_alphabetic_words, loose.c4.min_sentences) = (1.0, 0.0, 1.0);
    loose.set_enabled(Stage::Language, false);
    let mut lines = Settings::default();
    (lines.lines.enabled, lines.c4.enabled) = (true, false);
    let mut other = Settings::default();
    (other.minhash.threshold, other.minhash.bands, other.minhash.rows) = (0.5, 20, 5);
    other.quality.enabled = true;
    for settings in [strict, loose, lines, other, Settings::off(), Settings::default()] {
        session.set(settings.clone());
        while session.work() {}
        assert_eq!(reasons(&session), plain(&settings), "{settings:?}");
    }
}

#[test]
fn kept_texts_equal_those_of_the_plain_pipeline() {
    let mut settings = Settings::default();
    settings.lines.enabled = true;
    let session = session(settings.clone());
    let (pipeline, mut corpus) = (Pipeline::new(settings, None), Corpus::default());
    for page in pages().take(session.docs.len()) {
        corpus.add(&pipeline, &Document::html(page.url, page.html), false);
    }
    corpus.finish(&pipeline);
    let theirs: Vec<String> = corpus.kept().map(|record| record.text.clone()).collect();
    let kept = (0..session.docs.len()).filter(|at| session.fates[*at] == Fate::Kept);
    assert_eq!(kept.map(|at| session.final_text(at)).collect::<Vec<_>>(), theirs);
    assert_eq!(session.funnel().kept_bytes, corpus.funnel.kept_bytes);
    assert_eq!(
        session.funnel().masked,
        [corpus.funnel.masked.emails, corpus.funnel.masked.phones, corpus.funnel.masked.ips]
    );
}

#[test]
fn rows_mark_what_the_rule_objects_to() {
    let mut session = session(Settings::default());
    let list = crate::wire::List { stage: Some(Stage::Encoding), ..Default::default() };
    let (total, rows) = session.rows(&list, 0, 5);
    assert!(total > 2 && rows.len() == total.min(5));
    for row in rows {
        let (start, end) = row.spans[0];
        assert!(row.text[start..end].contains(['â', 'Ã', 'Â', '\u{fffd}']), "{}", &row.text[start..end]);
    }
}

#[test]
fn clusters_name_what_differs() {
    let session = session(Settings::default());
    let clusters = session.clusters();
    assert!(!clusters.is_empty());
    let changed = (0..clusters.len()).filter_map(|at| session.cluster_members(at)).flatten();
    let changed = changed.filter(|member| member.similarity.is_some_and(|similarity| similarity < 1.0));
    let all: Vec<_> = changed.collect();
    assert!(!all.is_empty() && all.iter().all(|member| member.parts.len() > 1), "{all:?}");
    assert!(session.cluster_members(clusters.len()).is_none());
}

#[test]
fn planted_pairs_follow_the_s_curve() {
    use crate::dedup::{MinHash, candidate_probability};
    for (j, found, n) in plant(&MinHash::default()) {
        let p = candidate_probability(j, 14, 8);
        let error = 4.0 * (p * (1.0 - p) / f64::from(n)).sqrt() + 0.01;
        assert!((found - p).abs() <= error, "J {j}: {found} found, {p} expected");
    }
}

#[test]
fn reading_can_be_stopped() {
    let mut session = Session::default();
    session.add_pages(pages(), BYTES);
    session.add_file("rest.txt".into(), Box::new(Cursor::new(b"some text".to_vec())), 9);
    session.work();
    session.cancel();
    while session.work() {}
    assert_eq!(session.docs.len(), DOCUMENTS_AT_ONCE);
    assert!(session.funnel().compared);
}
