//! Sums over more terms than llvmpipe allows in one loop.

use serde_json::json;

use super::{Tensor, ask};
use crate::common::context;

#[test]
fn sums_over_70_000_terms_are_complete() {
    let gpu = context();
    let ones = |shape: &[usize]| Tensor::floats(shape, &vec![1.0; shape.iter().product()]);
    for (n, context) in [(70_000, Some(&gpu)), (70_001, Some(&gpu)), (70_000, None)] {
        let (_, out) = ask("linear", json!({}), &[("x", ones(&[1, n])), ("w", ones(&[1, n]))], context).unwrap();
        assert_eq!(out["out"].f64s(), [n as f64], "linear");
        let qkv = [("q", ones(&[1, 4])), ("k", ones(&[n, 4])), ("v", ones(&[n, 4]))];
        let (_, out) = ask("sdpa", json!({}), &qkv, context).unwrap();
        for value in out["out"].f64s() {
            // 70,000 terms are summed sequentially.
            assert!((value - 1.0).abs() < 1e-3, "sdpa over {n} keys: {value}");
        }
    }
}

#[test]
fn attention_that_would_be_cut_off_is_refused() {
    let x = Tensor::floats(&[70_000, 4], &vec![1.0; 280_000]);
    let tensors = ["q", "k", "v"].map(|name| (name, x.clone()));
    let refusal = ask("flash_fwd", json!({"causal": true}), &tensors, Some(&context())).unwrap_err();
    assert!(refusal.contains("loop iterations") && refusal.contains("flash_attention_16"), "{refusal}");
}
