//! `glasshead tokenizer`: trains a vocabulary, encodes text of any size, and decodes it.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, Subcommand};

use super::{check_out, in_file, report_skipped, sentence};
use crate::data::{CUT_NAMES, Cut, TokenFile, Tokenizer, Vocabulary, open_files, train_reader};
use crate::interop::companions::{KEPT, attach};
use crate::interop::files::TOKENIZER;

/// The number of tokens decoded at a time.
const WINDOW: usize = 1 << 20;

#[derive(Subcommand)]
pub(super) enum TokenizerCommand {
    /// Train a byte-level BPE vocabulary and write it as tokenizer.json.
    Train(TrainArgs),
    /// Encode text into a file of token ids: u16, or u32 for more than 65,536 tokens, little-endian.
    Encode(EncodeArgs),
    /// Decode a file of token ids into text.
    Decode(DecodeArgs),
}

/// The text input.
#[derive(Args)]
struct TextArgs {
    /// A text file in UTF-8, a .jsonl or a .parquet file; several files and documents are separated by the tokenizer's
    /// end token, written as <|endoftext|> in the text.
    #[arg(long, required = true)]
    text: Vec<PathBuf>,
    /// The field of .jsonl files, or the column of .parquet files, that contains the text.
    #[arg(long, default_value = "text")]
    field: String,
}

/// The tokenizer input.
#[derive(Args)]
struct TokenizerArgs {
    /// A tokenizer.json in its model's folder, whose other files define the end-of-document token, or a rank file
    /// (.tiktoken).
    #[arg(long)]
    tokenizer: PathBuf,
    /// The pattern of a rank file that is not one of OpenAI's: gpt2, cl100k, o200k, llama3 or qwen2.
    #[arg(long, value_parser = parse_cut)]
    pattern: Option<Cut>,
}

fn parse_cut(name: &str) -> Result<Cut, String> {
    let names = CUT_NAMES.map(|(name, _)| name).join(", ");
    Cut::from_name(name).ok_or_else(|| format!("unknown pattern; expected one of {names}"))
}

impl TokenizerArgs {
    fn read(&self) -> Result<Tokenizer, String> {
        let mut tokenizer = Tokenizer::from_file(&self.tokenizer, self.pattern).map_err(sentence)?;
        tokenizer.notes().iter().for_each(|note| eprintln!("{note}"));
        let folder = self.tokenizer.parent().map(Path::to_path_buf).unwrap_or_default();
        let read = |name: &str| Some((name.to_string(), fs::read_to_string(folder.join(name)).ok()?));
        if self.tokenizer.file_name().is_some_and(|name| name == TOKENIZER) {
            let companions = KEPT.into_iter().filter_map(read).collect();
            attach(&mut tokenizer, companions).map_err(sentence)?;
        }
        Ok(tokenizer)
    }
}

#[derive(Args)]
pub(super) struct TrainArgs {
    #[command(flatten)]
    text: TextArgs,
    /// Vocabulary size: special tokens, 256 bytes and merges.
    #[arg(long)]
    vocab_size: usize,
    /// A special token; can be repeated.
    #[arg(long)]
    special: Vec<String>,
    /// The output file, tokenizer.json.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Args)]
pub(super) struct EncodeArgs {
    #[command(flatten)]
    tokenizer: TokenizerArgs,
    #[command(flatten)]
    text: TextArgs,
    /// The output file of token ids.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Args)]
pub(super) struct DecodeArgs {
    #[command(flatten)]
    tokenizer: TokenizerArgs,
    /// The file of token ids.
    #[arg(long)]
    tokens: PathBuf,
    /// The output text file.
    #[arg(long)]
    out: PathBuf,
}

pub(super) fn tokenizer(command: TokenizerCommand) -> Result<(), String> {
    match command {
        TokenizerCommand::Train(args) => train(&args),
        TokenizerCommand::Encode(args) => encode(&args),
        TokenizerCommand::Decode(args) => decode(&args),
    }
}

fn train(args: &TrainArgs) -> Result<(), String> {
    check_out(&args.out, &args.text.text)?;
    let began = Instant::now();
    let specials: Vec<&str> = args.special.iter().map(String::as_str).collect();
    let mut text = open_files(&args.text.text, Some(&args.text.field)).map_err(sentence)?;
    let vocabulary = train_reader(&mut text, args.vocab_size, &specials).map_err(sentence)?;
    report_skipped(text.skipped(), &args.text.field);
    let seconds = began.elapsed().as_secs_f64();
    let json = Tokenizer::new(&vocabulary).and_then(|tokenizer| tokenizer.to_json()).map_err(sentence)?;
    fs::write(&args.out, json).map_err(in_file(&args.out))?;
    let Vocabulary { tokens, merges, .. } = vocabulary;
    say!("{} tokens, {} of them merged, in {seconds:.2} s", tokens.len(), merges.len());
    Ok(())
}

fn encode(args: &EncodeArgs) -> Result<(), String> {
    check_out(&args.out, args.text.text.iter().chain([&args.tokenizer.tokenizer]))?;
    let tokenizer = args.tokenizer.read()?;
    let mut text = open_files(&args.text.text, Some(&args.text.field)).map_err(sentence)?;
    let began = Instant::now();
    let encoded = TokenFile::write(&args.out, &mut text, &tokenizer).map_err(sentence)?;
    report_skipped(text.skipped(), &args.text.field);
    if tokenizer.end_of_text().is_none() {
        eprintln!("This tokenizer has no token that ends a document; documents are separated by line breaks only.");
    }
    let seconds = began.elapsed().as_secs_f64().max(1e-9);
    let (bytes, tokens) = (encoded.bytes as f64, encoded.tokens as f64);
    say!("{} bytes, {} tokens", encoded.bytes, encoded.tokens);
    say!("{:.3} bytes per token, {:.1} MB/s", bytes / tokens.max(1.0), bytes / seconds / 1e6);
    Ok(())
}

fn decode(args: &DecodeArgs) -> Result<(), String> {
    check_out(&args.out, [&args.tokens, &args.tokenizer.tokenizer])?;
    let tokenizer = args.tokenizer.read()?;
    let tokens = TokenFile::open(&args.tokens, tokenizer.vocab_size()).map_err(sentence)?;
    let file_error = in_file(&args.out);
    let mut out = BufWriter::new(File::create(&args.out).map_err(&file_error)?);
    for start in (0..tokens.len()).step_by(WINDOW) {
        // A character's bytes may span two windows, so the output is written as bytes.
        for id in tokens.read(start..start + WINDOW).map_err(sentence)? {
            out.write_all(&tokenizer.token_bytes(id)).map_err(&file_error)?;
        }
    }
    out.flush().map_err(file_error)
}
