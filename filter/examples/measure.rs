//! Measures the throughput of all stages, and of deduplication, on generated pages:
//! `cargo run --release -p glasshead-filter --example measure -- [MEGABYTES] [DOCUMENTS] [THREADS]`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use glasshead_filter::Rng;
use glasshead_filter::generate::{DirtyPages, Mix, article, notes};
use glasshead_filter::pipeline::Pipeline;
use glasshead_filter::run::{Run, Summary, run};
use glasshead_filter::settings::{Settings, Stage};
use glasshead_filter::source::open;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>().expect("a number"));
    let megabytes = arguments.next().unwrap_or(100);
    let n_documents = arguments.next().unwrap_or(50_000);
    let n_threads = arguments.next().unwrap_or(2);
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let pages = folder.path().join("pages.jsonl");
    let start = Instant::now();
    let n_bytes = write_pages(&pages, megabytes);
    println!(
        "generated {:.0} MB in {:.1} s, {:.1} MB/s",
        n_bytes as f64 / 1e6,
        start.elapsed().as_secs_f64(),
        n_bytes as f64 / 1e6 / start.elapsed().as_secs_f64()
    );
    let (summary, time) = filter(Settings::default(), &pages, &folder.path().join("all"), n_threads);
    let bytes = summary.funnel.bytes as f64 / 1e6;
    println!(
        "all stages: {} documents, {} kept, {bytes:.1} MB in {:.1} s, {:.1} MB/s on {n_threads} threads",
        summary.funnel.documents,
        summary.funnel.kept,
        time.as_secs_f64(),
        bytes / time.as_secs_f64()
    );
    println!("peak memory so far: {} MiB", peak_mebibytes());
    stages_alone(&pages);
    let texts = folder.path().join("texts.jsonl");
    write_texts(&texts, n_documents);
    let mut settings = Settings::off();
    settings.set_enabled(Stage::Minhash, true);
    let (summary, time) = filter(settings, &texts, &folder.path().join("dedup"), n_threads);
    println!(
        "deduplication: {} documents, {:.0} MB, {} kept, {} clusters, {} pairs compared, {:.1} s",
        summary.funnel.documents,
        summary.funnel.bytes as f64 / 1e6,
        summary.funnel.kept,
        summary.clusters,
        summary.compared_pairs,
        time.as_secs_f64()
    );
    println!("peak memory: {} MiB", peak_mebibytes());
}

/// Prints the time of each stage on one thread, alone, in addition to extraction.
fn stages_alone(pages: &Path) {
    let mut reader = open("pages.jsonl", fs::File::open(pages).expect("it was written"), "text").expect("it has rows");
    let documents: Vec<_> = (0..2000).map_while(|_| reader.next_document().expect("rows are valid")).collect();
    let bytes: usize = documents.iter().map(|document| document.n_bytes()).sum();
    let time = |settings: Settings| {
        let pipeline = Pipeline::new(settings, None);
        pipeline.classifier();
        let start = Instant::now();
        documents.iter().for_each(|document| drop(pipeline.judge(document, true)));
        start.elapsed().as_secs_f64() * 1e9 / bytes as f64
    };
    let extract = time(Settings::off());
    println!("extract alone: {extract:.1} ms per MB");
    for stage in &Stage::ALL[2..10] {
        let mut settings = Settings::off();
        settings.set_enabled(*stage, true);
        println!("{} alone: {:.1} ms per MB more", stage.name(), time(settings) - extract);
    }
}

fn filter(settings: Settings, input: &Path, out: &Path, n_threads: usize) -> (Summary, Duration) {
    let pipeline = Pipeline::new(settings, None);
    // The built-in classifier is trained on first use.
    pipeline.classifier();
    let start = Instant::now();
    let summary = run(Run {
        pipeline: &pipeline,
        inputs: vec![input.into()],
        open: &|path| open(&path.display().to_string(), fs::File::open(path)?, "text"),
        out: out.into(),
        n_threads,
        save_every: Duration::from_secs(1),
        report: &mut |_| (),
    });
    (summary.expect("the run succeeds"), start.elapsed())
}

fn write_pages(path: &Path, megabytes: usize) -> usize {
    use std::io::Write as _;
    let mut out = std::io::BufWriter::new(fs::File::create(path).expect("a file"));
    let (mut rng, mut n_bytes) = (Rng::new(1), 0);
    for page in DirtyPages::new(1, Mix::default(), move || notes(&mut rng)) {
        if n_bytes >= megabytes * 1_000_000 {
            break;
        }
        n_bytes += page.html.len();
        let row = serde_json::json!({ "url": page.url, "html": page.html });
        writeln!(out, "{row}").expect("the disk has room");
    }
    n_bytes
}

/// Articles, of which a fifth are copies of earlier ones with a word changed.
fn write_texts(path: &Path, n: usize) {
    use std::io::Write as _;
    let mut out = std::io::BufWriter::new(fs::File::create(path).expect("a file"));
    let mut rng = Rng::new(2);
    let mut earlier: Vec<String> = Vec::new();
    for _ in 0..n {
        let text = if rng.chance(0.2) && !earlier.is_empty() {
            earlier[rng.below(earlier.len())].replacen("the", "a", 1)
        } else {
            (0..3).map(|_| article(&mut rng)).collect::<Vec<_>>().join("\n")
        };
        writeln!(out, "{}", serde_json::json!({ "text": text })).expect("the disk has room");
        if earlier.len() < 5000 {
            earlier.push(text);
        }
    }
}

/// The peak of the resident set; 0 where the system does not say.
fn peak_mebibytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}
