//! `glasshead bench bpe`: the speed of training vocabularies and of encoding text.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde_json::json;

use crate::cli::{in_file, sentence};
use crate::data::{END_OF_TEXT, StoryGenerator, TokenFile, Tokenizer, stories, train, train_file};
use crate::rng::Rng;

/// Options of the BPE benchmark.
#[derive(Args)]
pub(in crate::cli) struct BpeArgs {
    /// The size of the large text in megabytes.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    megabytes: u16,
    /// Print one JSON object instead of lines.
    #[arg(long)]
    json: bool,
}

/// A temporary file, deleted on drop.
struct Scratch(PathBuf);

impl Scratch {
    fn new(extension: &str) -> Self {
        Self(std::env::temp_dir().join(format!("glasshead-bench-{}.{extension}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The file may not exist.
        std::fs::remove_file(&self.0).ok();
    }
}

pub(in crate::cli) fn bpe(args: &BpeArgs) -> Result<(), String> {
    let small = stories(1, 130_000);
    let (vocabulary, small_seconds) = timed(|| train(&small, 500, &[END_OF_TEXT]));
    vocabulary.map_err(sentence)?;
    let (text, tokens) = (Scratch::new("txt"), Scratch::new("bin"));
    write_stories(&text.0, usize::from(args.megabytes) * 1_000_000).map_err(in_file(&text.0))?;
    let (vocabulary, large_seconds) = timed(|| train_file(&text.0, 10_000, &[END_OF_TEXT]));
    let vocabulary = vocabulary.map_err(sentence)?;
    let tokenizer = Tokenizer::new(&vocabulary).map_err(sentence)?;
    let file = File::open(&text.0).map_err(sentence)?;
    let (encoded, encode_seconds) = timed(|| TokenFile::write(&tokens.0, file, &tokenizer));
    let encoded = encoded.map_err(sentence)?;
    let megabytes_per_s = encoded.bytes as f64 / encode_seconds / 1e6;
    let bytes_per_token = encoded.bytes as f64 / encoded.tokens.max(1) as f64;
    let (n_tokens, peak) = (vocabulary.tokens.len(), peak_bytes());
    if args.json {
        let line = json!({
            "small_bytes": small.len(), "small_vocab_size": 500, "small_train_s": small_seconds,
            "large_bytes": encoded.bytes, "large_vocab_size": n_tokens, "large_train_s": large_seconds,
            "encode_mb_per_s": megabytes_per_s, "bytes_per_token": bytes_per_token, "peak_memory_bytes": peak,
        });
        say!("{line}");
        return Ok(());
    }
    say!("train on {} bytes to 500 tokens: {small_seconds:.3} s", small.len());
    say!("train on {} bytes to {n_tokens} tokens: {large_seconds:.2} s", encoded.bytes);
    say!("encode: {megabytes_per_s:.1} MB/s, {bytes_per_token:.3} bytes per token");
    if let Some(peak) = peak {
        say!("memory at most: {} MB", peak / 1_000_000);
    }
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let began = Instant::now();
    let result = work();
    (result, began.elapsed().as_secs_f64())
}

/// Writes stories of at least `min_bytes` in total. The generator has too few words for a large vocabulary, so each
/// story ends with made-up words, whose frequencies follow Zipf's law as in natural language.
fn write_stories(path: &Path, min_bytes: usize) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let (mut generator, mut rng, mut bytes) = (StoryGenerator::new(1), Rng::new(1), 0);
    let words: Vec<String> = (0..MADE_UP_WORDS).map(|_| made_up_word(&mut rng)).collect();
    while bytes < min_bytes {
        let mut story = generator.next_story();
        for _ in 0..20 {
            // A uniform logarithm of the rank gives Zipf's law.
            let rank = (words.len() as f64).powf(rng.uniform()) as usize - 1;
            story.extend([" ", words[rank].as_str()]);
        }
        bytes += story.len() + END_OF_TEXT.len() + 1;
        writeln!(out, "{story}{END_OF_TEXT}")?;
    }
    out.flush()
}

/// The number of different made-up words.
const MADE_UP_WORDS: usize = 50_000;

/// A word of two to four syllables.
fn made_up_word(rng: &mut Rng) -> String {
    let syllables = 2 + rng.below(3);
    let letter = |rng: &mut Rng, letters: &[u8]| char::from(*rng.choose(letters));
    (0..syllables).flat_map(|_| [letter(rng, b"bcdfghjklmnprstvwz"), letter(rng, b"aeiou")]).collect()
}

/// The peak memory of this process, where the system reports it.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}
