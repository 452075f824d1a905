//! Losses of alignment: policy gradients per token, their aggregation, steps of micro-batches, coefficients of tokens,
//! preferences.

use serde_json::{Value, json};

use super::Server;
use super::align::{BASELINES, NORMALIZERS, answer, choice, divisor, doubles, doubles_of, eps, flags, optional};
use super::answer::Answer;
use super::request::{OpError, Request, wrong};
use crate::align::{
    Aggregation, Dpo, ImportanceWeights, LogProbs, Method, Objective, PairLogProbs, PolicyLoss, Responses,
    implicit_reward_accuracy, sft_coefficients, token_coefficients as coefficients_of,
};

/// Policy log-probabilities (B, T) with what a loss needs besides.
struct Policy {
    shape: [usize; 2],
    log_probs: Vec<f64>,
    old: Option<Vec<f64>>,
    reference: Option<Vec<f64>>,
    mask: Vec<bool>,
}

impl Policy {
    /// Reads the log-probabilities; without a mask, all tokens count.
    fn read(request: &Request<'_>, mask: Option<&str>) -> Result<Self, OpError> {
        let policy = request.floats("policy_log_probs")?;
        let shape = policy.dims("[B, T]")?;
        let of = |name: &str| match request.has(name) {
            true => doubles_of(request, name, &shape).map(Some),
            false => Ok(None),
        };
        let mask = match mask {
            None => vec![true; policy.values.len()],
            Some(name) => flags(request, name, &shape)?,
        };
        let (old, reference) = (of("old_log_probs")?, of("ref_log_probs")?);
        Ok(Self { shape, log_probs: doubles(&policy), old, reference, mask })
    }

    fn log_probs(&self) -> LogProbs<'_> {
        LogProbs { policy: &self.log_probs, old: self.old.as_deref(), reference: self.reference.as_deref() }
    }

    fn responses(&self) -> Result<Responses<'_>, OpError> {
        Ok(Responses::new(&self.mask, self.shape[1])?)
    }

    /// Reports missing old log-probabilities.
    fn expect_old(&self, weights: ImportanceWeights) -> Result<(), OpError> {
        if weights == ImportanceWeights::None || self.old.is_some() {
            return Ok(());
        }
        wrong("tensor old_log_probs", "missing", format!("of shape {:?}, for weights {}", self.shape, weights.name()))
    }

    /// One number per row: a tensor (B) or (B, 1).
    fn per_row(&self, request: &Request<'_>, name: &str) -> Result<Vec<f64>, OpError> {
        let tensor = request.floats(name)?;
        let b = self.shape[0];
        if tensor.shape == [b] || tensor.shape == [b, 1] {
            return Ok(doubles(&tensor));
        }
        wrong(name, format!("of shape {:?}", tensor.shape), format!("of shape [{b}] or [{b}, 1]"))
    }
}

fn cliprange(request: &Request<'_>, default: Option<f64>) -> Result<f64, OpError> {
    let expected = "a number from 0 on";
    match default {
        Some(default) => optional(request, "cliprange", default, expected, |c| c >= 0.0),
        None => request.number("cliprange", expected, |c| c >= 0.0),
    }
}

/// The clip range of a loss that clips; any for the others.
fn policy_loss(request: &Request<'_>, weights: ImportanceWeights) -> Result<PolicyLoss, OpError> {
    let clips = !matches!(weights, ImportanceWeights::None | ImportanceWeights::NoClip);
    let cliprange = if clips { cliprange(request, None)? } else { 0.0 };
    Ok(PolicyLoss { weights, cliprange, kl: 0.0 })
}

/// The loss and the numbers per row that a `loss_type` selects.
fn typed_loss(request: &Request<'_>, policy: &Policy) -> Result<(PolicyLoss, Vec<f64>), OpError> {
    let types = [
        ("no_baseline", ("raw_rewards", ImportanceWeights::None)),
        ("reinforce_with_baseline", ("advantages", ImportanceWeights::None)),
        ("grpo_clip", ("advantages", ImportanceWeights::Grpo)),
    ];
    let (name, weights) = choice(request, "loss_type", &types)?;
    policy.expect_old(weights)?;
    Ok((policy_loss(request, weights)?, policy.per_row(request, name)?))
}

/// The loss of every token (course version of 2025).
pub(super) fn pg_loss(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let policy = Policy::read(request, None)?;
    let (loss, per_row) = typed_loss(request, &policy)?;
    let losses = loss.losses(&per_row, &policy.log_probs(), &policy.responses()?)?;
    Ok(answer("out", &policy.shape, &losses))
}

fn importance_weights(request: &Request<'_>) -> Result<ImportanceWeights, OpError> {
    choice(request, "weights", &ImportanceWeights::ALL.map(|weights| (weights.name(), weights)))
}

/// The loss of every token (course version of 2026). `mask` is needed for `gspo` alone.
pub(super) fn pg_loss26(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let weights = importance_weights(request)?;
    let needs_mask = weights == ImportanceWeights::Gspo || request.has("mask");
    let policy = Policy::read(request, needs_mask.then_some("mask"))?;
    policy.expect_old(weights)?;
    let (loss, per_row) = (policy_loss(request, weights)?, policy.per_row(request, "a")?);
    let losses = loss.losses(&per_row, &policy.log_probs(), &policy.responses()?)?;
    Ok(answer("out", &policy.shape, &losses))
}

fn aggregation(request: &Request<'_>) -> Result<Aggregation, OpError> {
    let kinds = [("sequence", 0), ("constant", 1), ("token", 2)];
    match choice(request, "normalization", &kinds)? {
        0 => Ok(Aggregation::Sequence),
        1 => Ok(Aggregation::Constant(request.number("c", "a number other than 0", |c| c != 0.0)?)),
        _ => Ok(Aggregation::Token),
    }
}

/// Losses of tokens as one number.
pub(super) fn aggregate(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let losses = request.floats("l")?;
    let shape = losses.dims::<2>("[B, T]")?;
    let mask = flags(request, "mask", &shape)?;
    let loss = aggregation(request)?.loss(&doubles(&losses), &Responses::new(&mask, shape[1])?)?;
    Ok(answer("out", &[], &[loss]))
}

/// Supervised fine-tuning on a micro-batch: −Σ log π / (c · B · ga), and its gradient.
pub(super) fn sft_step(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let policy = Policy::read(request, Some("response_mask"))?;
    let whole = divisor(request)? * policy.shape[0] as f64 * request.size("ga")? as f64;
    let weights = sft_coefficients(Aggregation::Constant(whole), &policy.responses()?);
    micro_batch(&policy, &PolicyLoss::ON_POLICY, &vec![1.0; policy.shape[0]], &weights)
}

/// A policy-gradient step on a micro-batch: the mean over rows of the mean loss of their response tokens, divided by ga,
/// and its gradient.
pub(super) fn grpo_step(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let policy = Policy::read(request, Some("response_mask"))?;
    let ga = request.size("ga")? as f64;
    let (loss, per_row) = typed_loss(request, &policy)?;
    let weights: Vec<f64> =
        Aggregation::Sequence.weights(&policy.responses()?).into_iter().map(|weight| weight / ga).collect();
    micro_batch(&policy, &loss, &per_row, &weights)
}

fn micro_batch(policy: &Policy, loss: &PolicyLoss, per_row: &[f64], weights: &[f64]) -> Result<Answer, OpError> {
    let (loss, coefficients) = coefficients_of(loss, weights, per_row, &policy.log_probs(), &policy.responses()?)?;
    // The gradient with respect to a log-probability is minus the coefficient.
    let grad: Vec<f64> = coefficients.into_iter().map(|coefficient| 0.0 - coefficient).collect();
    Ok(answer("loss", &[], &[loss]).and_doubles("grad", &policy.shape, &grad))
}

/// The settings of a request: those of `method`, if it is given, replaced by all others that are given.
pub(super) fn objective(request: &Request<'_>) -> Result<Objective, OpError> {
    let constant = optional(request, "c", f64::NAN, "a number other than 0", |c| c != 0.0)?;
    let given = |name: &str| !request.arg(name).is_null();
    let mut objective = Method::Grpo.objective(constant);
    if given("method") {
        let methods = Method::ALL.map(|method| (method.name(), method));
        objective = choice(request, "method", &methods)?.objective(constant);
    }
    if given("baseline") {
        objective.advantages.baseline = choice(request, "baseline", &BASELINES)?;
    }
    if given("normalizer") {
        objective.advantages.normalizer = choice(request, "normalizer", &NORMALIZERS)?;
    }
    objective.advantages.eps = eps(request)?;
    if given("weights") {
        objective.loss.weights = importance_weights(request)?;
    }
    objective.loss.cliprange = cliprange(request, Some(objective.loss.cliprange))?;
    objective.loss.kl = optional(request, "kl", 0.0, "a number from 0 on", |kl| kl >= 0.0)?;
    if given("normalization") || matches!(objective.aggregation, Aggregation::Constant(c) if c.is_nan()) {
        objective.aggregation = match given("normalization") {
            true => aggregation(request)?,
            false => Aggregation::Constant(request.number("c", "a number other than 0", |c| c != 0.0)?),
        };
    }
    Ok(objective)
}

/// c (N, T) of ∂L/∂logits = c · (softmax − onehot). Without `old_log_probs` the policy itself has sampled the responses.
/// The method `sft` needs no rewards.
pub(super) fn token_coefficients(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let policy = Policy::read(request, Some("mask"))?;
    if request.arg("method") == "sft" {
        return Ok(answer("out", &policy.shape, &sft_coefficients(aggregation(request)?, &policy.responses()?)));
    }
    let rewards = policy.per_row(request, "rewards")?;
    let objective = objective(request)?;
    let (loss, coefficients) =
        objective.compute(&rewards, request.size("g")?, &policy.log_probs(), &policy.responses()?)?;
    Ok(Answer::result(json!({ "loss": Value::from(loss) })).and_doubles("out", &policy.shape, &coefficients))
}

/// The DPO loss of every pair. The result has the implicit-reward accuracy.
pub(super) fn dpo_loss(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let first = request.floats("policy_chosen")?;
    let shape = [first.values.len()];
    let others = ["policy_rejected", "ref_chosen", "ref_rejected"];
    let [rejected, ref_chosen, ref_rejected] = others.map(|name| doubles_of(request, name, &first.shape));
    let (rejected, ref_chosen, ref_rejected) = (rejected?, ref_chosen?, ref_rejected?);
    let dpo = Dpo { beta: request.number("beta", "a number from 0 on", |beta| beta >= 0.0)?, nll: 0.0 };
    let pair = |(at, policy_chosen): (usize, f64)| PairLogProbs {
        policy_chosen,
        policy_rejected: rejected[at],
        ref_chosen: ref_chosen[at],
        ref_rejected: ref_rejected[at],
    };
    let pairs: Vec<PairLogProbs> = doubles(&first).into_iter().enumerate().map(pair).collect();
    let losses: Vec<f64> = pairs.iter().map(|pair| dpo.loss(pair)).collect();
    let accuracy = implicit_reward_accuracy(&pairs);
    let shape = if first.shape.is_empty() { &[][..] } else { &shape };
    Ok(Answer::result(json!({ "accuracy": accuracy })).and_doubles("out", shape, &losses))
}
