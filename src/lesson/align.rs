//! How a model is taught by examples and by rewards: one idea each. Advantages and weights come from [`crate::align`].

use super::LessonError;
use super::sheet::{At, Desk, m, s};
use crate::align::{Advantages, Aggregation, Responses};
use crate::gpu::recording::Slice;
use crate::ops::cross_entropy::{self, weighted_cross_entropy_grad};
use crate::ops::matmul::{Layout, Shape, matmul};
use crate::ops::sgd::sgd;
use crate::ops::step::Step;
use crate::rng::torch::TorchRng;
use crate::types::lesson::{Axis, CANDIDATES, GROUP_SIZE, LOGITS, Made, OTHER_REWARDS, WORDS};

/// The learning rate of the steps on logits.
const LR: f32 = 1.0;

fn labels<T: ToString>(words: impl IntoIterator<Item = T>) -> Axis {
    Axis::Labels(words.into_iter().map(|word| word.to_string()).collect())
}

/// The gradient of Σ coefficient · loss with respect to `logits` (N, V), and the losses (N).
fn weighted(desk: &mut Desk, logits: Slice, [n, v]: [usize; 2], targets: &[usize], coefficients: Slice) -> [Slice; 2] {
    let grads = desk.copy(logits, [n, v]);
    let (losses, entropies) = (desk.zeros(n), desk.zeros(n));
    let ids = desk.words(targets.iter().map(|&target| target as u32).collect());
    let bindings = [grads, ids, losses, entropies, coefficients];
    weighted_cross_entropy_grad(&mut desk.recording, bindings, cross_entropy::Params::new(n, v));
    [grads, losses]
}

/// The loss of the tokens after the prompt, and its gradient.
pub(super) fn response_mask(desk: &mut Desk, seed: u64, prompt_len: usize) -> Result<(), LessonError> {
    let (n, vocab) = (WORDS.len() - 1, WORDS.len());
    let axes = [labels(WORDS[..n].iter().map(|word| format!("after {word}"))), labels(WORDS)];
    let targets: Vec<usize> = (1..vocab).collect();
    // The label at position t is token t + 1.
    let counts: Vec<bool> = (0..n).map(|position| position + 1 >= prompt_len).collect();
    let responses = Responses::new(&counts, n)?;
    let weights: Vec<f32> = Aggregation::Token.weights(&responses).into_iter().map(|weight| weight as f32).collect();
    let row = || [labels(["token"]), labels(&WORDS[1..])];
    let of = desk.given("z", &TorchRng::new(seed).randn(n * vocab), vocab, axes.clone(), Made::Drawn);
    let p = desk.softmax("p", of);
    let flags: Vec<f32> = counts.iter().map(|&counts| f32::from(u8::from(counts))).collect();
    let mask = desk.given("m", &flags, n, row(), Made::Given { editable: false });
    let c = desk.given("c", &weights, n, row(), Made::Share { of: mask });
    let logits = desk.slice_of(of);
    let coefficients = desk.slice_of(c);
    let [grads, losses] = weighted(desk, logits, [n, vocab], &targets, coefficients);
    let made = Made::CrossEntropy { of, targets: targets.clone() };
    let each = desk.show("L_t", losses, [n, 1], [axes[0].clone(), labels(["−ln p"])], made);
    let loss = desk.product("L", [c, each], false);
    let made = Made::WeightedGradient { of: p, coefficients: c, targets };
    let grad = desk.show("dL / dz", grads, [n, vocab], axes, made);
    desk.line([s("which labels are the response:"), m(mask), s("÷ Σ ="), m(c)]);
    desk.line([m(c), s("·"), m(each), s("="), m(loss)]);
    desk.line([s("gradient:"), m(grad)]);
    Ok(())
}

/// The advantages of a row of rewards, as GRPO defines them.
fn advantages(desk: &mut Desk, rewards: &[f32], axis: &Axis) -> Result<[At; 2], LessonError> {
    let numbers: Vec<f64> = rewards.iter().map(|&reward| f64::from(reward)).collect();
    let values = Advantages::GRPO.compute(&numbers, rewards.len())?;
    let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
    let r =
        desk.given("r", rewards, rewards.len(), [labels(["reward"]), axis.clone()], Made::Given { editable: false });
    let axes = [labels(["advantage"]), axis.clone()];
    Ok([r, desk.given("A", &values, rewards.len(), axes, Made::Advantage { of: r })])
}

/// Subtracts a gradient from a row of logits, as the optimizer SGD does.
fn stepped(desk: &mut Desk, of: At, grad: At, axes: [Axis; 2]) -> At {
    let v = LOGITS.len();
    let (logits, gradient) = (desk.slice_of(of), desk.slice_of(grad));
    let new = desk.copy(logits, [1, v]);
    let step = Step { lr: LR, max_grad_norm: f32::MAX, weight: 1.0, first: 1, ..bytemuck::Zeroable::zeroed() };
    let step = desk.words(bytemuck::cast_slice(&[step]).to_vec());
    let (norm, velocity) = (desk.zeros(1), desk.zeros(v));
    sgd(&mut desk.recording, step, norm, [gradient, new, velocity], 0);
    desk.show("z_{new}", new, [1, v], axes, Made::Stepped { of, grad, lr: LR })
}

/// Reward → advantage → coefficient → gradient → new probability, for the token "step".
pub(super) fn policy_step(desk: &mut Desk, reward: f32) -> Result<(), LessonError> {
    let mut rewards = vec![reward];
    rewards.extend(OTHER_REWARDS);
    let responses = labels(["this one", "second", "third", "fourth"]);
    let [r, a] = advantages(desk, &rewards, &responses)?;
    let axes = || [labels(["logit"]), labels(CANDIDATES)];
    let z = desk.given("z", &LOGITS, LOGITS.len(), axes(), Made::Given { editable: false });
    let p = desk.softmax("p", z);
    let (logits, all) = (desk.slice_of(z), desk.slice_of(a));
    let [grads, _] = weighted(desk, logits, [1, LOGITS.len()], &[0], all.part(0, 1));
    let made = Made::WeightedGradient { of: p, coefficients: a, targets: vec![0] };
    let grad = desk.show("dL / dz", grads, [1, LOGITS.len()], axes(), made);
    let new = stepped(desk, z, grad, axes());
    let p_new = desk.softmax("p_{new}", new);
    desk.line([s("rewards of four responses:"), m(r), s("→"), m(a)]);
    desk.line([s("before:"), m(z), s("softmax"), m(p)]);
    desk.line([s("gradient, with c = A of this one:"), m(grad)]);
    desk.line([s("after:"), m(new), s("softmax"), m(p_new)]);
    Ok(())
}

/// Eight responses of one token each: the first `right` ones are "step", the others follow in turn.
pub(super) fn equal_rewards(desk: &mut Desk, right: usize) -> Result<(), LessonError> {
    let v = LOGITS.len();
    let wrong = |response: usize| 1 + (response - right) % (v - 1);
    let targets: Vec<usize> =
        (0..GROUP_SIZE).map(|response| if response < right { 0 } else { wrong(response) }).collect();
    let rewards: Vec<f32> = targets.iter().map(|&target| if target == 0 { 1.0 } else { 0.0 }).collect();
    let responses = labels(targets.iter().map(|&target| CANDIDATES[target]));
    let [r, a] = advantages(desk, &rewards, &responses)?;
    let axes = || [labels(["logit"]), labels(CANDIDATES)];
    let z = desk.given("z", &LOGITS, v, axes(), Made::Given { editable: false });
    let p = desk.softmax("p", z);
    let rows = desk.words(LOGITS.repeat(GROUP_SIZE).into_iter().map(f32::to_bits).collect());
    let coefficients = desk.slice_of(a);
    let [grads, _] = weighted(desk, rows, [GROUP_SIZE, v], &targets, coefficients);
    let made = Made::WeightedGradient { of: p, coefficients: a, targets };
    let each = desk.show("g", grads, [GROUP_SIZE, v], [responses, labels(CANDIDATES)], made);
    let (ones, sum) = (desk.words(vec![1.0f32.to_bits(); GROUP_SIZE]), desk.zeros(v));
    let shape = Shape { m: 1, n: v, k: GROUP_SIZE };
    matmul(&mut desk.recording, Layout::Nn, [ones, grads, sum], shape, None);
    let total = desk.show("\\sum g", sum, [1, v], axes(), Made::ColumnSum { of: each });
    desk.line([s("rewards:"), m(r), s("→"), m(a)]);
    desk.line([s("p:"), m(p), s("A (p − y):"), m(each)]);
    desk.line([s("together:"), m(total)]);
    Ok(())
}
