//! Texts of alignment: `tokenize_prompt_output`, `parse_mmlu`, `parse_gsm8k`.

use safetensors::Dtype;
use serde_json::Value;

use super::Server;
use super::answer::Answer;
use super::request::{OpError, Request, elements, wrong};
use super::text::tokenizer;
use crate::align::{self, TokenBatch, TokenRow};

/// The argument `name` as a list of strings.
fn strings(request: &Request<'_>, name: &str) -> Result<Vec<String>, OpError> {
    let expected = "a list of strings";
    let string = |value: Value| match value {
        Value::String(text) => Ok(text),
        other => wrong(format!("argument {name}"), format!("a list with {other}"), expected),
    };
    request.list(name, expected)?.into_iter().map(string).collect()
}

/// The argument `name` as a list of lists of ids.
fn ids(request: &Request<'_>, name: &str) -> Result<Vec<Vec<u32>>, OpError> {
    let expected = "a list of lists of ids, or with a tokenizer h a list of strings";
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    let row = |value: Value| {
        let row = value.as_array().and_then(|row| row.iter().map(id).collect());
        row.map_or_else(|| wrong(format!("argument {name}"), format!("a list with {value}"), expected), Ok)
    };
    request.list(name, expected)?.into_iter().map(row).collect()
}

/// Prompts and outputs as rows of inputs and labels, padded on the right, with the mask of the outputs' labels.
pub(super) fn tokenize_prompt_output(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let [prompts, outputs] = if request.arg("h").is_null() {
        [ids(request, "prompts")?, ids(request, "outputs")?]
    } else {
        let tokenizer = tokenizer(server, request)?;
        let encode = |name| -> Result<Vec<Vec<u32>>, OpError> {
            Ok(strings(request, name)?.iter().map(|text| tokenizer.encode(text)).collect())
        };
        [encode("prompts")?, encode("outputs")?]
    };
    if prompts.len() != outputs.len() {
        return wrong(
            "argument outputs",
            format!("a list of {}", outputs.len()),
            format!("as long as prompts ({})", prompts.len()),
        );
    }
    let pad = request.count("pad")?;
    let Ok(pad) = u32::try_from(pad) else { return wrong("argument pad", pad.to_string(), "an id below 2^32") };
    let rows: Vec<TokenRow> =
        prompts.iter().zip(&outputs).map(|(prompt, output)| TokenRow::new(prompt, output)).collect();
    let longest = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
    if longest < 2 {
        return wrong("the longest row", format!("{longest} tokens long"), "at least 2 tokens long");
    }
    elements("the batch", &[rows.len(), longest - 1])?;
    let batch = TokenBatch::new(&rows, pad);
    let shape = [batch.n_rows, batch.n_cols];
    let [inputs, labels] =
        [&batch.inputs, &batch.labels].map(|ids| ids.iter().map(|&id| i64::from(id)).collect::<Vec<i64>>());
    let mask = batch.mask.iter().map(|&counts| u8::from(counts)).collect();
    let answer = Answer::default().and_ints("input_ids", &shape, &inputs).and_ints("labels", &shape, &labels);
    Ok(answer.and_bytes("response_mask", Dtype::BOOL, &shape, mask))
}

/// The option that an answer to a multiple-choice question names.
pub(super) fn parse_mmlu(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let options = strings(request, "options")?;
    let letter = align::parse_mmlu(&options, &request.text("output")?);
    Ok(Answer::result(letter.map_or(Value::Null, |letter| Value::from(letter.to_string()))))
}

/// The last number in an answer.
pub(super) fn parse_gsm8k(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    Ok(Answer::result(align::parse_gsm8k(&request.text("output")?).map_or(Value::Null, Value::from)))
}
