//! `glasshead ops` in this process: framing and invalid requests here, results in `values`. `tests/ops/compare.py` compares all
//! operations with PyTorch.

use std::collections::HashMap;

use glasshead::cli::ops::{FrameError, MAX_FRAME_BYTES, serve};
use glasshead::gpu::context::Context;
use proptest::prelude::*;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

use crate::common::{context, ids, numbers};

mod align;
mod filter;
mod long;
mod policy;
mod sums;
mod values;
mod variants;

/// A tensor of a request or response.
#[derive(Clone, Debug, PartialEq)]
struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    fn floats(shape: &[usize], values: &[f32]) -> Self {
        Self { dtype: Dtype::F32, shape: shape.to_vec(), bytes: bytemuck::cast_slice(values).to_vec() }
    }

    fn random(seed: u64, shape: &[usize]) -> Self {
        Self::floats(shape, &numbers(seed, shape.iter().product()))
    }

    fn ints(shape: &[usize], values: &[i64]) -> Self {
        Self { dtype: Dtype::I64, shape: shape.to_vec(), bytes: bytemuck::cast_slice(values).to_vec() }
    }

    fn flags(shape: &[usize], values: &[bool]) -> Self {
        let bytes = values.iter().map(|&value| u8::from(value)).collect();
        Self { dtype: Dtype::BOOL, shape: shape.to_vec(), bytes }
    }

    fn f64s(&self) -> Vec<f64> {
        bytemuck::pod_collect_to_vec::<u8, f32>(&self.bytes).into_iter().map(f64::from).collect()
    }

    fn i64s(&self) -> Vec<i64> {
        bytemuck::pod_collect_to_vec(&self.bytes)
    }
}

type Tensors<'t> = &'t [(&'t str, Tensor)];

fn blob(op: &str, args: Value, tensors: Tensors<'_>) -> Vec<u8> {
    let metadata = HashMap::from([("op".into(), json!(op).to_string()), ("args".into(), args.to_string())]);
    let views = tensors
        .iter()
        .map(|(name, tensor)| (*name, TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes).unwrap()));
    safetensors::serialize(views, Some(metadata)).unwrap()
}

fn frame(blob: &[u8]) -> Vec<u8> {
    [&(blob.len() as u64).to_le_bytes(), blob].concat()
}

/// The server's responses to a stream, one per message, and the result at its end.
fn answers(stream: &[u8], context: Option<&Context>) -> (Vec<Answer>, Result<(), FrameError>) {
    let mut out = Vec::new();
    let end = serve(stream, &mut out, context);
    let (mut rest, mut answers) = (&out[..], Vec::new());
    while let Some((length, others)) = rest.split_first_chunk::<8>() {
        let (blob, others) = others.split_at(u64::from_le_bytes(*length) as usize);
        answers.push(parse(blob));
        rest = others;
    }
    assert!(rest.is_empty());
    (answers, end)
}

/// Result and tensors, or the error message.
type Answer = Result<(Value, HashMap<String, Tensor>), String>;

fn parse(blob: &[u8]) -> Answer {
    let (_, header) = SafeTensors::read_metadata(blob).unwrap();
    let metadata = header.metadata().clone().unwrap();
    let entry = |key: &str| serde_json::from_str::<Value>(&metadata[key]).unwrap();
    if entry("ok") == json!(false) {
        return Err(entry("error").as_str().unwrap().to_string());
    }
    let tensors = SafeTensors::deserialize(blob).unwrap();
    let owned = tensors.iter().map(|(name, view)| {
        let (dtype, shape, bytes) = (view.dtype(), view.shape().to_vec(), view.data().to_vec());
        (name.to_string(), Tensor { dtype, shape, bytes })
    });
    Ok((entry("result"), owned.collect()))
}

fn ask(op: &str, args: Value, tensors: Tensors<'_>, context: Option<&Context>) -> Answer {
    let (mut answers, end) = answers(&frame(&blob(op, args, tensors)), context);
    end.unwrap();
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

/// Asserts that numbers agree within 1e-5.
fn close(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= 1e-5, "{what}[{at}]: {a} instead of {b}");
    }
}

/// The tensors of a model, with inputs and targets.
fn model(vocab_size: usize, d_model: usize, d_ff: usize, n_layers: usize) -> Vec<(&'static str, Tensor)> {
    let mut seed = 10;
    let mut add = |name: String, shape: &[usize]| {
        seed += 1;
        (&*name.leak(), Tensor::random(seed, shape))
    };
    let (c, f) = (d_model, d_ff);
    let mut tensors = vec![
        add("token_embeddings.weight".into(), &[vocab_size, c]),
        add("ln_final.weight".into(), &[c]),
        add("lm_head.weight".into(), &[vocab_size, c]),
    ];
    for layer in 0..n_layers {
        for name in ["q", "k", "v", "output"] {
            tensors.push(add(format!("layers.{layer}.attn.{name}_proj.weight"), &[c, c]));
        }
        for (name, shape) in [("w1", [f, c]), ("w2", [c, f]), ("w3", [f, c])] {
            tensors.push(add(format!("layers.{layer}.ffn.{name}.weight"), &shape));
        }
        for name in ["ln1", "ln2"] {
            tensors.push(add(format!("layers.{layer}.{name}.weight"), &[c]));
        }
    }
    for (name, seed) in [("ids", 1), ("targets", 2)] {
        let values: Vec<i64> = ids(seed, 6, vocab_size).into_iter().map(i64::from).collect();
        tensors.push((name, Tensor::ints(&[2, 3], &values)));
    }
    tensors
}

#[test]
fn an_input_that_ends_between_messages_is_a_good_end() {
    let (none, end) = answers(&[], None);
    assert!(none.is_empty() && end.is_ok());
    let two = frame(&blob("lr", json!({"it": 1, "max": 1, "min": 0, "warm": 2, "cyc": 4}), &[])).repeat(2);
    let (both, end) = answers(&two, None);
    assert!(end.is_ok());
    assert_eq!(both, vec![Ok((json!(0.5), HashMap::new())); 2]);
}

#[test]
fn a_message_that_is_cut_off_or_too_long_is_a_bad_end() {
    let whole = frame(&blob("lr", json!({}), &[]));
    for end in 1..whole.len() {
        let (none, error) = answers(&whole[..end], None);
        assert!(none.is_empty());
        assert!(matches!(error, Err(FrameError::Truncated { .. })), "{end} bytes: {error:?}");
    }
    for length in [MAX_FRAME_BYTES + 1, u64::MAX] {
        let stream = [&whole[..], &length.to_le_bytes(), &whole[..]].concat();
        let (first, error) = answers(&stream, None);
        assert_eq!(first.len(), 1);
        assert!(matches!(error, Err(FrameError::Oversized(found)) if found == length));
    }
    // The largest allowed frame is not allocated before its bytes arrive.
    let stream = [&MAX_FRAME_BYTES.to_le_bytes()[..], b"short"].concat();
    assert!(matches!(answers(&stream, None).1, Err(FrameError::Truncated { found: 5, .. })));
}

#[test]
fn a_bad_request_names_its_field_and_the_server_goes_on() {
    let f = |shape: &[usize]| Tensor::random(1, shape);
    let i = |values: &[i64]| Tensor::ints(&[values.len()], values);
    let model = json!({"h": 2, "theta": 1e4, "layers": 1u64 << 40});
    let table: &[(&str, Value, Tensors<'_>, &str)] = &[
        ("what", json!({}), &[], "op"),
        ("linear", json!({}), &[], "tensor x"),
        ("linear", json!({}), &[("x", f(&[2, 3])), ("w", f(&[4, 2]))], "w is of shape [4, 2]"),
        ("linear", json!({}), &[("x", i(&[1])), ("w", f(&[4, 2]))], "x is of type I64"),
        ("linear", json!({}), &[("x", f(&[])), ("w", f(&[4, 2]))], "x is of shape []"),
        ("linear", json!({}), &[("x", f(&[0, 2])), ("w", f(&[4, 2]))], "x is of shape [0, 2]"),
        ("embedding", json!({}), &[("w", f(&[4, 2])), ("ids", i(&[0, 4]))], "element 1 of ids is 4"),
        ("embedding", json!({}), &[("w", f(&[4, 2])), ("ids", i(&[-1]))], "from 0 to 3"),
        ("rmsnorm", json!({"eps": -1}), &[("x", f(&[2])), ("w", f(&[2]))], "argument eps is -1"),
        ("softmax", json!({"dim": 1}), &[("x", f(&[2]))], "argument dim is 1"),
        ("softmax", json!({"dim": 0.5}), &[("x", f(&[2]))], "argument dim"),
        ("rope", json!({"theta": 1e4}), &[("x", f(&[3, 5])), ("pos", i(&[0, 1, 2]))], "even"),
        ("rope", json!({"theta": 1e4}), &[("x", f(&[3, 4])), ("pos", i(&[0, 1]))], "pos is of shape [2]"),
        ("sdpa", json!({}), &[("q", f(&[3, 4])), ("k", f(&[2, 4])), ("v", f(&[3, 4]))], "v is of shape"),
        ("mha", json!({"h": 0}), &[("x", f(&[3, 4]))], "wq"),
        ("flash_fwd", json!({"causal": 1}), &[("q", f(&[3, 4])), ("k", f(&[3, 4])), ("v", f(&[3, 4]))], "causal"),
        ("lm", model, &[("ids", Tensor::ints(&[1, 2], &[0, 1])), ("token_embeddings.weight", f(&[4, 8]))], "layers.0."),
        ("cross_entropy", json!({}), &[("x", f(&[2, 3])), ("t", i(&[0]))], "t is of shape [1]"),
        ("clip", json!({"max": 1}), &[], "gradients"),
        ("adamw", json!({"betas": [0.9, 1.0]}), &[], "tensor p"),
        ("lr", json!({"it": -1}), &[], "argument max"),
        ("get_batch", json!({"b": 2, "ctx": 3}), &[("data", i(&[1, 2, 3]))], "data is 3 long"),
        ("get_batch", json!({"b": 0, "ctx": 1}), &[("data", i(&[1, 2, 3]))], "argument b is 0"),
        ("get_batch", json!({"b": 1u64 << 60, "ctx": 1}), &[("data", i(&[1, 2, 3]))], "too"),
        ("ckpt_load", json!({"path": "/no/such"}), &[], "/no/such"),
        ("ckpt_save", json!({"path": "/no/such/file"}), &[], "/no/such/file"),
        ("ckpt_save", json!({}), &[], "argument path is missing"),
    ];
    let stream: Vec<u8> =
        table.iter().flat_map(|(op, args, tensors, _)| frame(&blob(op, args.clone(), tensors))).collect();
    let (answers, end) = answers(&[stream, frame(b"no blob")].concat(), None);
    end.unwrap();
    assert_eq!(answers.len(), table.len() + 1);
    for ((op, .., words), answer) in table.iter().zip(&answers) {
        let sentence = answer.as_ref().expect_err(op);
        assert!(sentence.contains(words) || *words == "too" && sentence.contains("would take"), "{op}: {sentence}");
    }
    assert!(answers.last().unwrap().as_ref().is_err_and(|sentence| sentence.contains("safetensors")));
}

/// One valid request of every kind that writes no file.
fn valid_blobs() -> Vec<Vec<u8>> {
    let f = |shape: &[usize]| Tensor::random(5, shape);
    let square = |name| (name, f(&[4, 4]));
    let qkv = [("q", f(&[2, 3, 4])), ("k", f(&[2, 3, 4])), ("v", f(&[2, 3, 4]))];
    let adam = json!({"lr": 0.1, "betas": [0.9, 0.99], "eps": 1e-8, "wd": 0.1, "t": 1});
    vec![
        blob("linear", json!({}), &[("x", f(&[2, 4])), ("w", f(&[3, 4]))]),
        blob("embedding", json!({}), &[("w", f(&[3, 4])), ("ids", Tensor::ints(&[2], &[0, 2]))]),
        blob("softmax", json!({"dim": 0}), &[("x", f(&[2, 4]))]),
        blob("rmsnorm", json!({"eps": 1e-5}), &[("x", f(&[2, 4])), ("w", f(&[4]))]),
        blob("rope", json!({"theta": 10.0}), &[("x", f(&[2, 4])), ("pos", Tensor::ints(&[2], &[3, -1]))]),
        blob("sdpa", json!({}), &[&qkv[..], &[("mask", Tensor::flags(&[3, 3], &[true; 9]))]].concat()),
        blob(
            "mha",
            json!({"h": 2, "theta": 10}),
            &[square("x"), square("wq"), square("wk"), square("wv"), square("wo")],
        ),
        blob("flash_fwd", json!({"causal": true}), &qkv),
        blob("lm_grad", json!({"h": 2, "theta": 10, "layers": 1}), &model(5, 4, 6, 1)),
        blob("clip", json!({"max": 1}), &[("a", f(&[])), ("b", f(&[7]))]),
        blob("adamw", adam, &["p", "g", "m", "v"].map(|name| (name, Tensor::floats(&[2], &[0.5, 0.25])))),
        blob("lr", json!({"it": 3, "max": 1, "min": 0.1, "warm": 2, "cyc": 4}), &[]),
        blob("get_batch", json!({"b": 2, "ctx": 3}), &[("data", Tensor::ints(&[5], &[1, 2, 3, 4, 5]))]),
        blob("cross_entropy", json!({}), &[("x", f(&[2, 3])), ("t", Tensor::ints(&[2], &[2, 0]))]),
        blob("ckpt_load", json!({"path": "/no/such/file"}), &[]),
        blob("entropy", json!({}), &[("x", f(&[2, 3]))]),
        blob(
            "token_coefficients",
            json!({"method": "gspo", "g": 2, "kl": 0.1}),
            &[
                ("rewards", Tensor::floats(&[2], &[1.0, 0.0])),
                ("policy_log_probs", f(&[2, 3])),
                ("old_log_probs", f(&[2, 3])),
                ("ref_log_probs", f(&[2, 3])),
                ("mask", Tensor::flags(&[2, 3], &[true, false, true, true, true, false])),
            ],
        ),
        blob("masked_mean", json!({"dim": 0}), &[("x", f(&[2, 3])), ("m", Tensor::flags(&[2, 3], &[true; 6]))]),
        blob("tokenize_prompt_output", json!({"prompts": [[1, 2]], "outputs": [[3]], "pad": 0}), &[]),
        blob("newton_schulz", json!({"steps": 2}), &[("x", f(&[2, 3]))]),
        blob("parse_mmlu", json!({"options": ["1", "2"], "output": "the answer is B"}), &[]),
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_the_server_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (_, _) = answers(&bytes, None); // as a stream
        let (answers, end) = answers(&frame(&bytes), None); // as a blob
        prop_assert!(end.is_ok());
        prop_assert!(answers.len() == 1 && answers[0].is_err());
    }

    #[test]
    fn no_change_of_a_valid_request_makes_the_server_panic(
        which in 0..21usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut blob = valid_blobs().swap_remove(which);
        for (at, byte) in changes {
            let at = at.index(blob.len());
            blob[at] = byte;
        }
        let (answers, end) = answers(&frame(&blob), None);
        prop_assert!(end.is_ok() && answers.len() == 1);
    }
}

#[test]
fn the_valid_requests_of_these_tests_are_valid() {
    for blob in valid_blobs() {
        for context in [None, Some(&context())] {
            let answer = answers(&frame(&blob), context).0.remove(0);
            assert!(answer.is_ok() || answer.is_err_and(|sentence| sentence.contains("/no/such/file")));
        }
    }
}
