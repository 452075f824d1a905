//! Runs on files: against the same stages in memory, interrupted, and on the labels of generated pages.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use glasshead_filter::Rng;
use glasshead_filter::corpus::Corpus;
use glasshead_filter::document::Document;
use glasshead_filter::generate::{DirtyPages, INSULT, Label, Mix, Page, notes};
use glasshead_filter::pipeline::Pipeline;
use glasshead_filter::rules::Phrases;
use glasshead_filter::run::{Decision, Report, Run, RunError, Summary, compare, run};
use glasshead_filter::settings::{Settings, Stage};
use glasshead_filter::source::{DocumentReader, SourceError, open};

fn pages(seed: u64, n: usize) -> Vec<Page> {
    let mut rng = Rng::new(seed);
    DirtyPages::new(seed, Mix::default(), move || notes(&mut rng)).take(n).collect()
}

/// Writes pages as an archive with one member per page.
fn archive(path: &Path, pages: &[Page]) {
    let mut bytes = Vec::new();
    for page in pages {
        let response = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{}", page.html);
        let mut member = GzEncoder::new(Vec::new(), Compression::fast());
        let (url, n) = (&page.url, response.len());
        write!(
            member,
            "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nContent-Length: {n}\r\n\r\n{response}\r\n\r\n"
        )
        .unwrap();
        bytes.extend(member.finish().unwrap());
    }
    fs::write(path, bytes).unwrap();
}

fn open_file(path: &Path) -> Result<Box<dyn DocumentReader>, SourceError> {
    open(&path.display().to_string(), fs::File::open(path)?, "text")
}

fn settings() -> Settings {
    Settings {
        phrases: Phrases { enabled: true, phrases: vec![INSULT.into()], max_occurrences: 0.0 },
        ..Settings::default()
    }
}

fn filter(
    pipeline: &Pipeline,
    inputs: &[PathBuf],
    out: &Path,
    report: &mut dyn FnMut(Report<'_>),
) -> Result<Summary, RunError> {
    let (inputs, out) = (inputs.to_vec(), out.to_path_buf());
    run(Run { pipeline, inputs, open: &open_file, out, n_threads: 3, save_every: Duration::ZERO, report })
}

fn decisions(out: &Path) -> Vec<Decision> {
    let text = fs::read_to_string(out.join("decisions.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn runs_decide_as_the_stages_in_memory_and_continue_after_an_interruption() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.warc.gz"), folder.path().join("b.warc.gz"));
    let all = pages(5, 3000);
    archive(&a, &all[..1700]);
    archive(&b, &all[1700..]);
    let mut with_lines = settings();
    with_lines.lines.enabled = true;
    let (inputs, pipeline) = (vec![a, b], Pipeline::new(with_lines, None));
    let (whole, interrupted) = (folder.path().join("whole"), folder.path().join("interrupted"));
    let mut n_batches = 0;
    let summary = filter(&pipeline, &inputs, &whole, &mut |report| {
        n_batches += usize::from(report.phase == 1);
        // The state of a run that is killed here, after the progress of two batches has been saved.
        if report.phase == 1 && n_batches == 3 {
            fs::create_dir_all(interrupted.join("work")).unwrap();
            for entry in fs::read_dir(whole.join("work")).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), interrupted.join("work").join(entry.file_name())).unwrap();
            }
        }
    })
    .unwrap();
    assert!(n_batches > 4, "{n_batches}");
    let mut corpus = Corpus::default();
    all.iter().for_each(|page| corpus.add(&pipeline, &Document::html(page.url.as_str(), page.html.as_str()), false));
    corpus.finish(&pipeline);
    let decided = decisions(&whole);
    assert_eq!(decided.len(), 3000);
    for (decision, record) in decided.iter().zip(&corpus.records) {
        assert_eq!((&decision.url, &decision.dropped), (&record.url, &record.dropped));
    }
    assert_eq!(summary.funnel, corpus.funnel);
    let mut first = None;
    let again = filter(&pipeline, &inputs, &interrupted, &mut |report| {
        first.get_or_insert(report.documents);
    })
    .unwrap();
    assert!(first.unwrap() > 700, "it continued after {first:?} documents");
    assert_eq!(again, summary);
    for name in ["kept.jsonl", "decisions.jsonl", "clusters.jsonl", "summary.json"] {
        assert!(fs::read(whole.join(name)).unwrap() == fs::read(interrupted.join(name)).unwrap(), "{name} differs");
    }
    assert!(!whole.join("work").exists());
    assert_eq!(compare(&whole, &interrupted).unwrap().agreement(), 1.0);
    let rerun = filter(&pipeline, &inputs, &whole, &mut |_| ()).unwrap_err();
    assert!(rerun.to_string().contains("is complete"), "{rerun}");
}

#[test]
fn generated_junk_is_dropped_and_good_pages_are_kept() {
    let all = pages(11, 4000);
    let pipeline = Pipeline::new(settings(), None);
    let mut corpus = Corpus::default();
    all.iter().for_each(|page| corpus.add(&pipeline, &Document::html(page.url.as_str(), page.html.as_str()), false));
    corpus.finish(&pipeline);
    let mut table: BTreeMap<Label, (usize, usize)> = BTreeMap::new();
    for (page, record) in all.iter().zip(&corpus.records) {
        let (n, kept) = table.entry(page.label).or_default();
        *n += 1;
        *kept += usize::from(record.dropped.is_none());
    }
    let sum = |good| {
        table.iter().filter(|(label, _)| label.is_good() == good).fold((0, 0), |(n, k), (_, (m, l))| (n + m, k + l))
    };
    let ((good, good_kept), (bad, bad_kept)) = (sum(true), sum(false));
    let mut reasons: BTreeMap<(Stage, &str), (usize, &str)> = BTreeMap::new();
    for (_, record) in all.iter().zip(&corpus.records).filter(|(page, _)| page.label.is_good()) {
        if let Some(drop) = &record.dropped {
            reasons.entry((drop.stage, &drop.reason)).or_insert((0, &record.text)).0 += 1;
        }
    }
    assert!(good_kept as f64 >= 0.98 * good as f64, "{table:?} {reasons:?}");
    assert!(bad_kept as f64 <= 0.05 * bad as f64, "{table:?}");
    // Planted personal data is masked.
    let planted: u64 = all
        .iter()
        .zip(&corpus.records)
        .filter(|(_, record)| record.dropped.is_none())
        .map(|(page, _)| page.personal.total())
        .sum();
    let masked = corpus.funnel.masked.total();
    assert!(masked.abs_diff(planted) * 50 <= planted, "{masked} masked, {planted} planted");
}

#[test]
fn other_runs_and_empty_inputs_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("a.jsonl");
    fs::write(&input, "{\"text\":\"too short\"}\n").unwrap();
    let out = folder.path().join("out");
    fs::create_dir_all(out.join("work")).unwrap();
    fs::write(out.join("work/progress.json"), "{\"fingerprint\":1,\"input\":0,\"input_documents\":0,\"spool_bytes\":0,\"line_bytes\":[],\
        \"skipped\":{\"too_long\":0,\"damaged\":0,\"no_text\":0},\"problems\":[],\"funnel\":{\"documents\":0,\"bytes\":0,\"stages\":{},\"kept\":0,\
        \"kept_bytes\":0,\"removed_lines\":0,\"masked\":{\"emails\":0,\"phones\":0,\"ips\":0}},\"complete\":false}").unwrap();
    let pipeline = Pipeline::new(Settings::default(), None);
    let other = filter(&pipeline, std::slice::from_ref(&input), &out, &mut |_| ()).unwrap_err();
    assert!(other.to_string().contains("another run"), "{other}");
    let summary = filter(&pipeline, std::slice::from_ref(&input), &folder.path().join("new"), &mut |_| ()).unwrap();
    assert_eq!((summary.funnel.documents, summary.funnel.kept), (1, 0));
    assert_eq!(summary.funnel.remaining().last(), Some(&(Stage::Mask, 0)));
    fs::write(&input, "nonsense\n%PDF").unwrap();
    let nothing =
        filter(&pipeline, &[input, folder.path().join("missing.txt")], &folder.path().join("nothing"), &mut |_| ())
            .unwrap_err();
    assert!(nothing.to_string().contains("no document") && nothing.to_string().contains("missing.txt"), "{nothing}");
}
