//! Filters for training text: `html_text`, `lang_id`, `mask`, `gopher`, `filter`, `classify`, `dedup_lines` and
//! `dedup_minhash`.

use std::borrow::Cow;
use std::path::PathBuf;

use glasshead_filter::Text;
use glasshead_filter::classify::{Classifier, builtin};
use glasshead_filter::dedup::MinHash;
use glasshead_filter::files;
use glasshead_filter::html::{decode, plain_text};
use glasshead_filter::mask::{mask_emails, mask_ips, mask_phones};
use glasshead_filter::rules::{C4, FineWeb, Gopher, Repetition, Sheet, c4, fineweb, gopher, identify, repetition};
use safetensors::Dtype;
use serde_json::{Value, json};

use super::Server;
use super::answer::Answer;
use super::request::{OpError, Request, wrong};

/// The visible text of a page in any encoding; null if the page cannot be parsed.
pub(super) fn html_text(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let Ok(page) = request.tensors.tensor("html") else { return wrong("tensor html", "missing", "a U8 tensor") };
    if page.dtype() != Dtype::U8 {
        return wrong("tensor html", format!("of type {:?}", page.dtype()), "of type U8");
    }
    Ok(Answer::result(plain_text(&decode(page.data(), None)).map_or(Value::Null, Value::String)))
}

/// The language of a text in ISO 639-1, `und` if it has no letters.
pub(super) fn lang_id(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let (label, score) = identify(&request.long_text("text")?).unwrap_or(("und", 0.0));
    Ok(Answer::result(json!({ "label": label, "score": score })))
}

/// A text with one kind of personal data masked, and the number of replacements.
pub(super) fn mask(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let (kind, text) = (request.text("kind")?, request.long_text("text")?);
    let (text, n) = match kind.as_str() {
        "emails" => mask_emails(&text),
        "phones" => mask_phones(&text),
        "ips" => mask_ips(&text, false),
        _ => return wrong("argument kind", format!("{kind:?}"), "emails, phones or ips"),
    };
    Ok(Answer::result(json!({ "text": text, "n": n })))
}

/// Whether a text passes the course's subset of Gopher's quality rules.
pub(super) fn quality_subset(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let mut sheet = Sheet::new(false);
    gopher(&Text::new(&request.long_text("text")?), &Gopher::course(), &mut sheet);
    Ok(Answer::result(sheet.reason().is_none()))
}

/// The decision of one set of rules with its published limits.
pub(super) fn filter(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let (rules, text) = (request.text("rules")?, request.long_text("text")?);
    let (text, mut sheet) = (Text::new(&text), Sheet::new(false));
    match rules.as_str() {
        "gopher" => gopher(&text, &Gopher::datatrove(), &mut sheet),
        "gopher_repetition" => repetition(&text, &Repetition::default(), &mut sheet),
        "c4" => drop(c4(text.text, &C4::paper(), &mut sheet)),
        "fineweb" => fineweb(&text, &FineWeb::default(), &mut sheet),
        _ => return wrong("argument rules", format!("{rules:?}"), "gopher, gopher_repetition, c4 or fineweb"),
    }
    let reason = sheet.reason().map(|measure| measure.rule);
    Ok(Answer::result(json!({ "keep": reason.is_none(), "reason": reason })))
}

/// The class of a text and its probability, by the built-in quality classifier or one in a file.
pub(super) fn classify(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let (name, text) = (request.text("model")?, request.long_text("text")?);
    let model = if name == "quality" { Cow::Borrowed(builtin()) } else { Cow::Owned(classifier(name.into())?) };
    let (label, score) = model.label(&text);
    Ok(Answer::result(json!({ "label": label, "score": score })))
}

fn classifier(path: PathBuf) -> Result<Classifier, OpError> {
    let bytes = std::fs::read(&path).map_err(|source| OpError::File { path, source })?;
    Ok(Classifier::from_bytes(&bytes)?)
}

/// The arguments `paths` and `out`.
fn paths(request: &Request<'_>) -> Result<(Vec<PathBuf>, PathBuf), OpError> {
    let expected = "a list of paths";
    let path = |value: Value| match value {
        Value::String(path) => Ok(PathBuf::from(path)),
        other => wrong("argument paths", format!("a list with {other}"), expected),
    };
    let paths = request.list("paths", expected)?.into_iter().map(path).collect::<Result<_, _>>()?;
    Ok((paths, request.text("out")?.into()))
}

/// Writes files without the lines that occur more than once in all of them.
pub(super) fn dedup_lines(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let (paths, out) = paths(request)?;
    files::dedup_lines(&paths, &out)?;
    Ok(Answer::default())
}

/// Writes one file of each cluster of near duplicates.
pub(super) fn dedup_minhash(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    const MAX_HASHES: usize = 10_000;
    let (paths, out) = paths(request)?;
    let (hashes, bands, ngram) = (request.size("hashes")?, request.size("bands")?, request.size("ngrams")?);
    let threshold = request.number("jaccard", "a number from 0 to 1", |jaccard| (0.0..=1.0).contains(&jaccard))?;
    if hashes == 0 || hashes > MAX_HASHES || bands == 0 || hashes % bands != 0 {
        let found = format!("{hashes} with {bands} bands");
        return wrong("argument hashes", found, format!("a multiple of bands, from 1 to {MAX_HASHES}"));
    }
    if ngram == 0 {
        return wrong("argument ngrams", "0", "at least 1");
    }
    let settings = MinHash { bands, rows: hashes / bands, ngram, threshold, ..MinHash::default() };
    files::dedup_minhash(&paths, &out, &settings)?;
    Ok(Answer::default())
}
