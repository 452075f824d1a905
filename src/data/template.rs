//! The ids that the post-processor of a `tokenizer.json` adds to a text.

use serde_json::Value;

use super::error::DataError;
use super::tokenizer::Template;
use super::tokenizer::library;

/// The ids that a file's post-processor adds to a text.
///
/// # Errors
/// When the post-processor does anything else.
pub(super) fn template(processor: &Value) -> Result<Template, DataError> {
    match processor["type"].as_str() {
        _ if processor.is_null() => Ok(Template::default()),
        Some("ByteLevel") => Ok(Template::default()),
        Some("Sequence") => {
            let mut all = Template::default();
            for inner in processor["processors"].as_array().into_iter().flatten() {
                let Template { before, after } = template(inner)?;
                all.before.splice(0..0, before);
                all.after.extend(after);
            }
            Ok(all)
        }
        Some("TemplateProcessing") => of_pieces(processor),
        Some("BertProcessing" | "RobertaProcessing") => {
            let id = |field: &str| id(&processor[field][1]);
            Ok(Template { before: vec![id("cls")?], after: vec![id("sep")?] })
        }
        _ => Err(unknown(processor)),
    }
}

fn of_pieces(processor: &Value) -> Result<Template, DataError> {
    let mut parts = [Vec::new(), Vec::new()];
    let mut texts = 0;
    for piece in processor["single"].as_array().ok_or_else(|| unknown(processor))? {
        if let Some(name) = piece["SpecialToken"]["id"].as_str() {
            let ids = processor["special_tokens"][name]["ids"].as_array().ok_or_else(|| unknown(piece))?;
            let ids = ids.iter().map(id).collect::<Result<Vec<_>, _>>()?;
            parts[texts.min(1)].extend(ids);
        } else if piece["Sequence"]["id"] == "A" {
            texts += 1;
        } else {
            return Err(unknown(piece));
        }
    }
    let [before, after] = parts;
    if texts == 1 { Ok(Template { before, after }) } else { Err(unknown(&processor["single"])) }
}

fn id(value: &Value) -> Result<u32, DataError> {
    value.as_u64().and_then(|id| id.try_into().ok()).ok_or_else(|| unknown(value))
}

/// The maximum number of characters that an error message quotes from a file.
const MAX_SHOWN: usize = 80;

fn unknown(value: &Value) -> DataError {
    let mut shown = value.to_string();
    if let Some((end, _)) = shown.char_indices().nth(MAX_SHOWN) {
        shown.replace_range(end.., "…");
    }
    library(format!(
        "its post_processor has {shown}; only tokens before and after the text can be read: save it again with a \
         TemplateProcessing post-processor"
    ))
}
