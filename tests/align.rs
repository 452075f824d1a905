//! The mathematics of alignment against PyTorch in float64 (`align/generate.py`) and against central differences.

use glasshead::align::*;
use serde_json::Value;

mod rewards;
mod rows;

fn golden() -> Value {
    serde_json::from_str(include_str!("align/golden.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn flags(value: &Value) -> Vec<bool> {
    value.as_array().unwrap().iter().map(|flag| flag.as_bool().unwrap()).collect()
}

/// Asserts that numbers agree within 1e-12 of their size, far below the required 1e-6.
fn equal(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= 1e-12 * (1.0 + b.abs()), "{what}[{at}]: {a} instead of {b}");
    }
}

/// The batch of the golden file.
struct Batch {
    advantages: Vec<f64>,
    policy: Vec<f64>,
    old: Vec<f64>,
    reference: Vec<f64>,
    mask: Vec<bool>,
    softmax: Vec<f64>,
    labels: Vec<usize>,
    n_cols: usize,
    vocab_size: usize,
}

impl Batch {
    fn read(golden: &Value) -> Self {
        let shape = numbers(&golden["shape"]);
        let (n_cols, vocab_size) = (shape[1] as usize, shape[2] as usize);
        let labels: Vec<usize> = numbers(&golden["labels"]).into_iter().map(|label| label as usize).collect();
        let mut softmax = Vec::new();
        for logits in numbers(&golden["logits"]).chunks_exact(vocab_size) {
            let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
            softmax.extend(logits.iter().map(|logit| logit.exp() / sum));
        }
        let policy = labels.iter().enumerate().map(|(at, label)| softmax[at * vocab_size + label].ln()).collect();
        let [advantages, old, reference] = ["advantages", "old", "reference"].map(|name| numbers(&golden[name]));
        let mask = flags(&golden["mask"]);
        Self { advantages, policy, old, reference, mask, softmax, labels, n_cols, vocab_size }
    }

    fn responses(&self) -> Responses<'_> {
        Responses::new(&self.mask, self.n_cols).unwrap()
    }

    fn log_probs<'a>(&'a self, policy: &'a [f64]) -> LogProbs<'a> {
        LogProbs { policy, old: Some(&self.old), reference: Some(&self.reference) }
    }
}

fn settings(case: &Value) -> (PolicyLoss, Aggregation) {
    let weights = ImportanceWeights::from_name(case["weights"].as_str().unwrap()).unwrap();
    let loss = PolicyLoss { weights, cliprange: 0.2, kl: case["kl"].as_f64().unwrap() };
    let aggregation = match case["normalization"].as_str().unwrap() {
        "sequence" => Aggregation::Sequence,
        "constant" => Aggregation::Constant(50.0),
        _ => Aggregation::Token,
    };
    (loss, aggregation)
}

#[test]
fn advantages_equal_those_of_pytorch() {
    let golden = golden();
    let rewards = numbers(&golden["rewards"]);
    for case in golden["all_advantages"].as_array().unwrap() {
        let baseline = if case["baseline"] == "mean" { Baseline::Mean } else { Baseline::None };
        let normalizer = match case["normalizer"].as_str().unwrap() {
            "std" => Normalizer::Std,
            "mean" => Normalizer::Mean,
            _ => Normalizer::None,
        };
        let found = Advantages { baseline, normalizer, eps: EPS }.compute(&rewards, 4).unwrap();
        equal(&case.to_string()[..40], &found, &numbers(&case["out"]));
    }
}

#[test]
fn equal_rewards_give_no_signal_whatever_their_rounding() {
    for reward in [0.1, 1.0 / 3.0, 1e9 + 0.1, -7.7] {
        for group_size in 1..20 {
            let advantages = Advantages::GRPO.compute(&vec![reward; group_size], group_size).unwrap();
            assert!(advantages.iter().all(|&advantage| advantage == 0.0), "{reward} × {group_size}: {advantages:?}");
        }
    }
    // No reward at all: MaxRL divides by ε alone.
    assert_eq!(Advantages::MAX_RL.compute(&[0.0; 4], 4).unwrap(), [0.0; 4]);
    let advantages = Advantages::GRPO.compute(&[1.0, 1.0, 0.0, 1.0, 0.0, 0.0], 2).unwrap();
    assert!((groups_without_signal(&advantages, 2) - 2.0 / 3.0).abs() < 1e-15);
    assert!(Advantages::GRPO.compute(&[1.0; 5], 2).unwrap_err().to_string().contains("5 rewards"));
}

#[test]
fn losses_and_coefficients_equal_those_of_pytorch() {
    let golden = golden();
    let batch = Batch::read(&golden);
    let responses = batch.responses();
    for case in golden["policy"].as_array().unwrap() {
        let name = format!("{} {} {}", case["weights"], case["normalization"], case["kl"]);
        let (loss, aggregation) = settings(case);
        let log_probs = batch.log_probs(&batch.policy);
        let losses = loss.losses(&batch.advantages, &log_probs, &responses).unwrap();
        equal(&name, &losses, &numbers(&case["token_losses"]));
        let expected = case["loss"].as_f64().unwrap();
        equal(&name, &[aggregation.loss(&losses, &responses).unwrap()], &[expected]);
        let weights = aggregation.weights(&responses);
        let (value, coefficients) =
            token_coefficients(&loss, &weights, &batch.advantages, &log_probs, &responses).unwrap();
        equal(&name, &[value], &[expected]);
        let grads: Vec<f64> = coefficients.iter().map(|coefficient| -coefficient).collect();
        equal(&name, &grads, &numbers(&case["grad_log_probs"]));
        let of_logits = numbers(&case["grad_logits"]);
        if !of_logits.is_empty() {
            let v = batch.vocab_size;
            let onehot = |at: usize| f64::from(u8::from(batch.labels[at / v] == at % v));
            let grad = |at: usize| coefficients[at / v] * (batch.softmax[at] - onehot(at));
            equal(&name, &(0..of_logits.len()).map(grad).collect::<Vec<_>>(), &of_logits);
        }
    }
}

#[test]
fn coefficients_are_derivatives() {
    const H: f64 = 1e-6;
    let golden = golden();
    let batch = Batch::read(&golden);
    let responses = batch.responses();
    for case in golden["policy"].as_array().unwrap().iter().filter(|case| case["weights"] != "cispo") {
        let (loss, aggregation) = settings(case);
        let weights = aggregation.weights(&responses);
        let compute = |policy: &[f64]| {
            token_coefficients(&loss, &weights, &batch.advantages, &batch.log_probs(policy), &responses).unwrap()
        };
        let (_, coefficients) = compute(&batch.policy);
        for (at, coefficient) in coefficients.iter().enumerate() {
            let moved = |offset: f64| {
                let mut policy = batch.policy.clone();
                policy[at] += offset;
                compute(&policy).0
            };
            let numeric = -(moved(H) - moved(-H)) / (2.0 * H);
            assert!((numeric - coefficient).abs() < 1e-7, "{} {at}: {coefficient} against {numeric}", case["weights"]);
        }
    }
}

#[test]
fn micro_batches_add_up_to_the_batch() {
    let golden = golden();
    let batch = Batch::read(&golden);
    let responses = batch.responses();
    for case in golden["policy"].as_array().unwrap() {
        let (loss, aggregation) = settings(case);
        let weights = aggregation.weights(&responses);
        let whole = token_coefficients(&loss, &weights, &batch.advantages, &batch.log_probs(&batch.policy), &responses);
        let (value, coefficients) = whole.unwrap();
        let (mut sum, mut joined) = (0.0, Vec::new());
        for rows in [0..1, 1..5, 5..12] {
            let cells = rows.start * batch.n_cols..rows.end * batch.n_cols;
            let part = Responses::new(&batch.mask[cells.clone()], batch.n_cols).unwrap();
            let [policy, old, reference] =
                [&batch.policy, &batch.old, &batch.reference].map(|values| &values[cells.clone()]);
            let log_probs = LogProbs { policy, old: Some(old), reference: Some(reference) };
            let (loss, part) =
                token_coefficients(&loss, &weights[cells], &batch.advantages[rows], &log_probs, &part).unwrap();
            sum += loss;
            joined.extend(part);
        }
        equal("micro-batches", &joined, &coefficients);
        equal("their loss", &[sum], &[value]);
    }
}

#[test]
fn on_policy_all_clipped_losses_have_the_gradient_of_reinforce() {
    let golden = golden();
    let batch = Batch::read(&golden);
    let responses = batch.responses();
    let weights = Aggregation::Token.weights(&responses);
    let log_probs = LogProbs { policy: &batch.policy, old: Some(&batch.policy), reference: None };
    let of = |kind| {
        let loss = PolicyLoss { weights: kind, cliprange: 0.2, kl: 0.0 };
        assert_eq!(clip_fraction(&loss, &batch.advantages, &log_probs, &responses).unwrap(), 0.0);
        token_coefficients(&loss, &weights, &batch.advantages, &log_probs, &responses).unwrap().1
    };
    let expected = of(ImportanceWeights::None);
    assert!(expected.iter().any(|&coefficient| coefficient != 0.0));
    ImportanceWeights::ALL.into_iter().for_each(|kind| equal(kind.name(), &of(kind), &expected));
}

#[test]
fn only_response_tokens_count_as_clipped() {
    let mask = [false, true, true, false, true, true];
    let responses = Responses::new(&mask, 3).unwrap();
    // Ratios e, e, 1 and e, 1, e⁻¹: a positive advantage clips above, a negative one below.
    let policy = [-1.0, -1.0, -1.0, -1.0, -1.0, -2.0];
    let old = [-2.0, -2.0, -1.0, -2.0, -1.0, -1.0];
    let log_probs = LogProbs { policy: &policy, old: Some(&old), reference: None };
    let loss = PolicyLoss { weights: ImportanceWeights::Grpo, cliprange: 0.2, kl: 0.0 };
    let fraction = |advantages: [f64; 2]| clip_fraction(&loss, &advantages, &log_probs, &responses).unwrap();
    assert_eq!(fraction([1.0, 1.0]), 0.25);
    assert_eq!(fraction([1.0, -1.0]), 0.5);
    assert_eq!(fraction([-1.0, 1.0]), 0.0);
    assert_eq!(fraction([0.0, 0.0]), 0.0);
    assert!((mean_kl(&policy, &old, &responses).unwrap() - ((-1.0f64).exp() + 1.0f64.exp() - 2.0) / 4.0).abs() < 1e-15);
}

#[test]
fn padding_may_hold_any_number() {
    let mask = [true, false, true, true];
    let responses = Responses::new(&mask, 2).unwrap();
    let (policy, old) = ([-1.0, f64::NAN, -2.0, -3.0], [-1.0, f64::NEG_INFINITY, -2.0, -3.5]);
    for weights in ImportanceWeights::ALL {
        let loss = PolicyLoss { weights, cliprange: 0.2, kl: 0.1 };
        let log_probs = LogProbs { policy: &policy, old: Some(&old), reference: Some(&old) };
        for aggregation in [Aggregation::Sequence, Aggregation::Token, Aggregation::Constant(4.0)] {
            let weights = aggregation.weights(&responses);
            let (value, coefficients) =
                token_coefficients(&loss, &weights, &[1.0, -1.0], &log_probs, &responses).unwrap();
            assert!(value.is_finite() && coefficients.iter().all(|coefficient| coefficient.is_finite()));
            assert_eq!(coefficients[1], 0.0);
        }
    }
}

#[test]
fn dpo_equals_pytorch() {
    for case in golden()["dpo"].as_array().unwrap() {
        let sums: Vec<Vec<f64>> = case["pairs"].as_array().unwrap().iter().map(numbers).collect();
        let pair = |at: usize| PairLogProbs {
            policy_chosen: sums[0][at],
            policy_rejected: sums[1][at],
            ref_chosen: sums[2][at],
            ref_rejected: sums[3][at],
        };
        let pairs: Vec<PairLogProbs> = (0..sums[0].len()).map(pair).collect();
        let dpo = Dpo { beta: case["beta"].as_f64().unwrap(), nll: case["nll"].as_f64().unwrap() };
        let losses: Vec<f64> = pairs.iter().map(|pair| dpo.loss(pair)).collect();
        equal("DPO losses", &losses, &numbers(&case["losses"]));
        assert_eq!(implicit_reward_accuracy(&pairs), case["accuracy"].as_f64().unwrap());
        let (chosen, rejected) = (flags(&case["chosen_mask"]), flags(&case["rejected_mask"]));
        let [chosen, rejected] = [&chosen, &rejected].map(|mask| Responses::new(mask, 7).unwrap());
        equal("DPO loss", &[dpo.mean_loss(&pairs, chosen.n_tokens())], &[case["loss"].as_f64().unwrap()]);
        let coefficients = dpo.token_coefficients(&pairs, &chosen, &rejected).unwrap();
        for (name, found) in ["grad_chosen", "grad_rejected"].into_iter().zip(&coefficients) {
            let grads: Vec<f64> = found.iter().map(|coefficient| 0.0 - coefficient).collect();
            equal(name, &grads, &numbers(&case[name]));
        }
    }
    // Extreme margins neither overflow nor vanish.
    let dpo = Dpo { beta: 0.1, nll: 0.0 };
    let far = |margin: f64| PairLogProbs { policy_chosen: margin, ..Default::default() };
    assert!((dpo.loss(&far(-1e5)) - 1e4).abs() < 1e-9 && dpo.coefficient(&far(-1e5)) == 0.1);
    assert_eq!([dpo.loss(&far(1e5)), dpo.coefficient(&far(1e5))], [0.0, 0.0]);
}

#[test]
fn pass_at_k_counts_subsets() {
    // Of the subsets of k of n samples, those with a right one.
    for (n, right) in [(8usize, 0usize), (8, 1), (8, 3), (8, 8), (1, 1)] {
        for k in 1..=n {
            let subsets = (0u32..1 << n).filter(|subset| subset.count_ones() as usize == k);
            let good = |subset: &u32| subset & ((1 << right) - 1) != 0;
            let (all, hits) = subsets.fold((0, 0), |(all, hits), subset| (all + 1, hits + u32::from(good(&subset))));
            let expected = f64::from(hits) / f64::from(all);
            assert!((pass_at_k(n, right, k) - expected).abs() < 1e-12, "{n} {right} {k}");
        }
    }
}
