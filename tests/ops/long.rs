//! JSON longer than the header of a safetensors file may be.

use serde_json::json;

use super::{Tensor, answers, blob, frame};

const MIB: usize = 1 << 20;

/// Encodes and decodes 101 MiB of text with a vocabulary in which one token has a MiB.
#[test]
fn texts_longer_than_a_header_travel_as_tensors() {
    let token = "a".repeat(MIB);
    let vocab = json!({"0": base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &token)});
    let new = blob("tok_new", json!({"vocab": vocab, "merges": [], "special": [token]}), &[]);
    let text = Tensor { dtype: safetensors::Dtype::U8, shape: vec![101 * MIB], bytes: token.repeat(101).into_bytes() };
    let encode = blob("tok_encode", json!({"h": 0}), &[("text", text.clone())]);
    let decode = blob("tok_decode", json!({"h": 0}), &[("ids", Tensor::ints(&[101], &[0; 101]))]);
    let twice = blob("tok_encode", json!({"h": 0, "text": "a"}), &[("text", Tensor::ints(&[1], &[0]))]);
    let (mut answers, end) = answers(&[new, encode, decode, twice].map(|blob| frame(&blob)).concat(), None);
    end.unwrap();
    assert!(answers.pop().unwrap().unwrap_err().contains("sent twice"));
    let (result, tensors) = answers.pop().unwrap().unwrap();
    assert_eq!(result, json!(null));
    let json = &tensors["result_json"];
    assert!(json.dtype == safetensors::Dtype::U8 && json.bytes.len() == 101 * MIB + 2);
    assert!(json.bytes[1..=101 * MIB] == text.bytes && json.bytes[0] == b'"', "the text as JSON");
    assert_eq!(answers.pop().unwrap().unwrap().1["ids"].i64s(), [0; 101]);
}

#[test]
fn a_request_with_too_long_a_header_is_told_so_and_what_to_do() {
    let header = format!("{{\"__metadata__\":{{\"op\":\"tok_encode\",\"args\":\"{}\"}}}}", "a".repeat(101 * MIB));
    let long = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
    let (mut answers, end) = answers(&[frame(&[&long[..], b" "].concat()), frame(b"short")].concat(), None);
    end.unwrap();
    assert!(answers.pop().unwrap().unwrap_err().contains("safetensors"), "the server goes on");
    let sentence = answers.pop().unwrap().unwrap_err();
    assert!(sentence.contains("the header of the request has") && sentence.contains("U8 tensor"), "{sentence}");
}

/// Error messages quote the input, but truncated.
#[test]
fn errors_are_short() {
    let args = json!({"lr": 0.1, "betas": vec![2; 100_000], "eps": 1e-8, "wd": 0.1, "t": 1});
    let tensors = ["p", "g", "m", "v"].map(|name| (name, Tensor::floats(&[1], &[1.0])));
    let (answers, _) = answers(&frame(&blob("adamw", args, &tensors)), None);
    let sentence = answers[0].as_ref().unwrap_err();
    assert!(sentence.contains("argument betas") && sentence.len() < 3000, "{} bytes", sentence.len());
}
