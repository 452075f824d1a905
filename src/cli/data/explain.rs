//! `glasshead data explain`: the decisions on one document, rule by rule.

use std::path::PathBuf;

use clap::Args;
use glasshead_filter::mask::mask;
use glasshead_filter::pipeline::Pipeline;
use glasshead_filter::rules::{Bound, Measure};
use glasshead_filter::settings::{Settings, Stage};

use super::{open, pipeline};

#[derive(Args)]
pub(in crate::cli) struct ExplainArgs {
    /// The file with the document.
    document: PathBuf,
    /// The number of the document in the file, counted from 0 as in decisions.jsonl of a run on this file.
    #[arg(long, default_value_t = 0)]
    id: u64,
    /// The settings, a TOML file; the defaults if missing.
    #[arg(long)]
    settings: Option<PathBuf>,
    /// The field of JSON Lines with the text.
    #[arg(long, default_value = "text")]
    field: String,
}

/// Characters of context around a marked part.
const CONTEXT: usize = 40;
/// The number of marked parts of a rule.
const MAX_PARTS: usize = 5;

pub(super) fn explain(args: ExplainArgs) -> Result<(), String> {
    let pipeline = match &args.settings {
        Some(path) => pipeline(path)?,
        None => Pipeline::new(Settings::default(), None),
    };
    let in_document = |error| format!("{} {error}", args.document.display());
    let mut reader = open(&args.document, &args.field).map_err(in_document)?;
    let mut document = None;
    for _ in 0..=args.id {
        document = reader.next_document().map_err(in_document)?;
        if document.is_none() {
            break;
        }
    }
    let document = document.ok_or_else(|| format!("{} has no document {}", args.document.display(), args.id))?;
    let record = pipeline.judge(&document, true);
    say!("{}", document.url);
    say!("{} bytes, language {}", record.n_bytes, record.language.unwrap_or("unknown"));
    for (stage, measure) in &record.measures {
        say!(
            "{:<11} {:<30} {} {}",
            stage.name(),
            measure.rule,
            verdict(measure),
            if measure.keeps() { "" } else { "← drops" }
        );
        if !measure.keeps() {
            parts(&pipeline, measure.rule, &record.text);
        }
    }
    match &record.dropped {
        Some(drop) => say!("dropped by {}: {}", drop.stage.name(), drop.reason),
        None => say!("kept, unless the run has a duplicate"),
    }
    if pipeline.settings().enabled(Stage::Mask) {
        let (_, masked) = mask(&record.text, &pipeline.settings().mask);
        say!(
            "to mask: {} e-mail addresses, {} phone numbers, {} IP addresses",
            masked.emails,
            masked.phones,
            masked.ips
        );
    }
    let classifier = pipeline.classifier();
    if pipeline.settings().enabled(Stage::Quality) {
        let telling: Vec<String> = classifier.telling().iter().take(5).map(|(name, _)| format!("“{name}”")).collect();
        say!("the classifier finds most telling of quality: {}", telling.join(", "));
    }
    say!("");
    say!("{}", record.text);
    Ok(())
}

fn verdict(measure: &Measure) -> String {
    let sign = match (measure.bound, measure.keeps()) {
        (Bound::Min, true) => "≥",
        (Bound::Min, false) => "<",
        (Bound::Max, true) => "≤",
        (Bound::Max, false) => ">",
    };
    let limit = if measure.limit > 1e300 { "no limit".to_string() } else { measure.limit.to_string() };
    format!("{:.4} {sign} {limit}", measure.value)
}

/// Prints the parts of the text that a rule objects to.
fn parts(pipeline: &Pipeline, rule: &str, text: &str) {
    let spans = pipeline.spans(rule, text);
    for &(start, end) in spans.iter().take(MAX_PARTS) {
        let before: String = text[..start].chars().rev().take(CONTEXT).collect();
        let before: String = before.chars().rev().collect();
        let after: String = text[end..].chars().take(CONTEXT).collect();
        let line = format!("            …{before}⟦{}⟧{after}…", &text[start..end]);
        say!("{}", line.replace('\n', "⏎"));
    }
    if spans.len() > MAX_PARTS {
        say!("            and {} more", spans.len() - MAX_PARTS);
    }
}
