//! How a model learns, and how it samples: one idea each.

use super::sheet::{At, Desk, m, s};
use crate::config::{Preset, Schedule, TrainConfig, learning_rate};
use crate::gpu::recording::Slice;
use crate::ops::adamw::adamw;
use crate::ops::attention_scores::MASKED;
use crate::ops::cross_entropy::{self, cross_entropy_grad};
use crate::ops::mask::mask;
use crate::ops::sgd::sgd;
use crate::ops::step::Step;
use crate::rng::Rng;
use crate::rng::torch::TorchRng;
use crate::types::lesson::{Axis, CANDIDATES, LOGITS, Made, SCHEDULE_STEPS, WEIGHT_STEPS, WORDS};

/// The learning rate of both optimizers.
const LR: f32 = 0.1;

/// β₁ and β₂ as in the models here.
const BETAS: [f64; 2] = [0.9, 0.95];

/// Number of draws of the next token.
const DRAWS: usize = 100;

fn labels<T: ToString>(words: impl IntoIterator<Item = T>) -> Axis {
    Axis::Labels(words.into_iter().map(|word| word.to_string()).collect())
}

/// Cross-entropy of every position but the last, whose next token is unknown, and the gradient of its mean.
pub(super) fn loss(desk: &mut Desk, seed: u64, bonus: f32) {
    let (n, vocab) = (WORDS.len() - 1, WORDS.len());
    let axes = [labels(WORDS[..n].iter().map(|word| format!("after {word}"))), labels(WORDS)];
    let mut logits = TorchRng::new(seed).randn(n * vocab);
    let targets: Vec<usize> = (1..vocab).collect();
    targets.iter().enumerate().for_each(|(row, &target)| logits[row * vocab + target] += bonus);
    let of = desk.given("z", &logits, vocab, axes.clone(), Made::Drawn);
    let probabilities = desk.softmax("p", of);
    let ids = desk.words(targets.iter().map(|&target| target as u32).collect());
    let (grads, losses) = (desk.copy(desk.slice_of(of), [n, vocab]), desk.zeros(n));
    let params = cross_entropy::Params::new(n, vocab);
    cross_entropy_grad(&mut desk.recording, [grads, ids, losses], params);
    let column = [axes[0].clone(), labels(["−ln p"])];
    let made = Made::CrossEntropy { of, targets: targets.clone() };
    let each = desk.show("L_t", losses, [n, 1], column, made);
    let one = [labels(["mean"]), labels(["L"])];
    let mean = desk.computed("L", [1, 1], one, Made::Mean { of: each }, move |done| {
        vec![done[each].values.iter().sum::<f32>() / n as f32]
    });
    let grad = desk.show("dL / dz", grads, [n, vocab], axes, Made::LossGradient { of, targets });
    desk.line([m(of), s("softmax"), m(probabilities)]);
    desk.line([s("−ln of what came:"), m(each), s("mean"), m(mean)]);
    desk.line([s("gradient:"), m(grad)]);
}

/// One weight, starting at 1, in the valley k·w²/2, optimized by AdamW and by plain gradient descent.
pub(super) fn one_weight(desk: &mut Desk, steepness: f32) {
    let steps = labels((1..=WEIGHT_STEPS).map(|step| format!("step {step}")));
    let [g, first, second, by_adam] = moved(desk, steepness, true);
    let [plain_g, _, _, by_sgd] = moved(desk, steepness, false);
    let one = |name: &str| [steps.clone(), labels([name])];
    // Each column refers to others by their indices, which follow from the order below.
    let start = desk.next();
    let slope = |of| Made::Slope { of, steepness };
    let g = desk.stack("g", g, one("k w"), slope(start + 3));
    let betas = BETAS.map(|beta| beta as f32);
    let [beta1, beta2] = betas;
    let first = desk.stack("m", first, one("m"), Made::Moment { of: g, beta: beta1, squared: false });
    let second = desk.stack("v", second, one("v"), Made::Moment { of: g, beta: beta2, squared: true });
    let made = Made::Adamw { m: first, v: second, lr: LR, betas };
    let by_adam = desk.stack("w_{AdamW}", by_adam, one("w"), made);
    let plain_g = desk.stack("g_{plain}", plain_g, one("k w"), slope(start + 5));
    let by_sgd = desk.stack("w_{plain}", by_sgd, one("w"), Made::Descent { of: plain_g, lr: LR });
    desk.line([s("AdamW:"), m(g), m(first), m(second), s("→"), m(by_adam)]);
    desk.line([s("plain gradient descent:"), m(plain_g), s("→"), m(by_sgd)]);
}

/// Gradient, first moment, second moment and weight of each step.
fn moved(desk: &mut Desk, steepness: f32, adam: bool) -> [Vec<Slice>; 4] {
    let (weight, m, v) = (desk.words(vec![1.0f32.to_bits()]), desk.zeros(1), desk.zeros(1));
    let (norm, visible) = (desk.zeros(1), desk.words(vec![1]));
    let mut told: [Vec<Slice>; 4] = Default::default();
    for t in 1..=WEIGHT_STEPS {
        let grad = desk.copy(weight, [1, 1]);
        mask(&mut desk.recording, [visible, grad], steepness, MASKED);
        let step = desk.words(bytemuck::cast_slice(&[step(t)]).to_vec());
        if adam {
            adamw(&mut desk.recording, step, norm, [grad, weight, m, v], 0);
        } else {
            sgd(&mut desk.recording, step, norm, [grad, weight, m], 0);
        }
        let now = [grad, desk.copy(m, [1, 1]), desk.copy(v, [1, 1]), desk.copy(weight, [1, 1])];
        told.iter_mut().zip(now).for_each(|(column, slice)| column.push(slice));
    }
    told
}

/// A step without weight decay, clipping and momentum.
fn step(t: usize) -> Step {
    let values = Step {
        lr: LR,
        eps: 1e-8,
        weight_decay: 0.0,
        max_grad_norm: f32::MAX,
        slot: 0,
        momentum: 0.0,
        weight: 1.0,
        first: 1,
        ..bytemuck::Zeroable::zeroed()
    };
    values.with_betas(BETAS, t as f64)
}

/// The nano preset's schedule with fewer steps.
pub(super) fn schedule(desk: &mut Desk, warmup: usize) {
    let train = TrainConfig {
        schedule: Schedule::Cosine,
        warmup_steps: warmup.min(SCHEDULE_STEPS) as u64,
        schedule_steps: SCHEDULE_STEPS as u64,
        ..Preset::Nano.config().train
    };
    let rate = move |step: usize| learning_rate(step as u64, &train) as f32;
    let made = Made::Rate { warmup };
    let every = |by: usize| labels((0..=SCHEDULE_STEPS / by).map(|i| format!("step {}", i * by)));
    let shape = |by: usize| [1, SCHEDULE_STEPS / by + 1];
    let (one, all) = (rate.clone(), labels(["lr"]));
    let tenths = desk.computed("lr", shape(10), [all.clone(), every(10)], made.clone(), move |_| {
        (0..=SCHEDULE_STEPS / 10).map(|i| one(10 * i)).collect()
    });
    desk.computed("curve", shape(1), [all, every(1)], made, move |_| (0..=SCHEDULE_STEPS).map(&rate).collect());
    desk.line([m(tenths)]);
}

/// softmax(z / T), and the counts of a hundred draws.
pub(super) fn sampling(desk: &mut Desk, temperature: f32, seed: u64) {
    let axes = [labels(["next"]), labels(CANDIDATES)];
    let of = desk.given("z", &LOGITS, LOGITS.len(), axes, Made::Given { editable: false });
    let cooled = desk.scaled("z / T", of, 1.0 / temperature, false);
    let p: At = desk.softmax("p", cooled);
    let drawn = desk.after("drawn", p, LOGITS.len(), Made::Counted { of: p }, move |done| {
        let mut rng = Rng::new(seed);
        let mut counts = vec![0.0; LOGITS.len()];
        for _ in 0..DRAWS {
            let mut left = rng.uniform() as f32;
            let chosen = done[p].values.iter().position(|&p| {
                left -= p;
                left < 0.0
            });
            counts[chosen.unwrap_or(LOGITS.len() - 1)] += 1.0; // rounding may leave a small remainder
        }
        counts
    });
    desk.line([m(of), s("÷ T"), m(cooled)]);
    desk.line([s("softmax:"), m(p)]);
    desk.line([s("of 100 draws:"), m(drawn)]);
}
