//! `glasshead data classifier`: trains a quality classifier.

use std::path::PathBuf;

use clap::Args;
use glasshead_filter::classify::Classifier;
use glasshead_filter::document::Content;
use glasshead_filter::html::{decode, main_text};

use super::{files, open};
use crate::cli::{in_file, sentence};

#[derive(Args)]
pub(in crate::cli) struct ClassifierArgs {
    /// Files and folders with good documents.
    #[arg(long, required = true, num_args = 1..)]
    positive: Vec<PathBuf>,
    /// Files and folders with bad documents.
    #[arg(long, required = true, num_args = 1..)]
    negative: Vec<PathBuf>,
    /// The file of the classifier; name it in the settings as quality.model.
    #[arg(long)]
    out: PathBuf,
    /// The field of JSON Lines with the text.
    #[arg(long, default_value = "text")]
    field: String,
    /// The seed of the order of examples.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The number of documents of each class.
const MAX_DOCUMENTS: usize = 100_000;

/// Every tenth document tests the classifier.
const TEST_EVERY: usize = 10;

fn texts(inputs: &[PathBuf], field: &str) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    for path in files(inputs)? {
        let named = |error| format!("{} {error}", path.display());
        let mut reader = open(&path, field).map_err(named)?;
        while texts.len() < MAX_DOCUMENTS
            && let Some(document) = reader.next_document().map_err(named)?
        {
            let text = match document.content {
                Content::Text(text) => text,
                Content::Html { bytes, charset } => main_text(&decode(&bytes, charset.as_deref())).unwrap_or_default(),
            };
            texts.push(text);
        }
    }
    Ok(texts)
}

pub(super) fn train(args: ClassifierArgs) -> Result<(), String> {
    let (positive, negative) = (texts(&args.positive, &args.field)?, texts(&args.negative, &args.field)?);
    let part = |texts: &[String], test: bool| -> Vec<String> {
        let chosen = texts.iter().enumerate().filter(|(at, _)| (at % TEST_EVERY == TEST_EVERY - 1) == test);
        chosen.map(|(_, text)| text.clone()).collect()
    };
    let [train_positive, train_negative] = [part(&positive, false), part(&negative, false)];
    let a: Vec<&str> = train_positive.iter().map(String::as_str).collect();
    let b: Vec<&str> = train_negative.iter().map(String::as_str).collect();
    let model = Classifier::train(&a, &b, ["good", "bad"], args.seed).map_err(sentence)?;
    let right = |texts: &[String], good: bool| {
        let n = texts.iter().filter(|text| (model.score(text) >= 0.5) == good).count();
        (n, texts.len())
    };
    let (good, bad) = (right(&part(&positive, true), true), right(&part(&negative, true), false));
    say!("{} good and {} bad examples", a.len(), b.len());
    say!("right on held-out examples: {} of {} good, {} of {} bad", good.0, good.1, bad.0, bad.1);
    let names = |entries: &mut dyn Iterator<Item = &(String, f32)>| {
        entries.take(12).map(|(name, weight)| format!("{name} {weight:+.2}")).collect::<Vec<_>>().join(", ")
    };
    say!("most telling of good: {}", names(&mut model.telling().iter()));
    say!("most telling of bad: {}", names(&mut model.telling().iter().rev()));
    std::fs::write(&args.out, model.to_bytes()).map_err(in_file(&args.out))
}
