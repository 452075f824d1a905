//! The steps about alignment: each equals its formula, on both backends.

use glasshead::lesson::compute;
use glasshead::types::lesson::*;

use super::{equal, on_both};

fn values<'s>(sheet: &'s Sheet, name: &str) -> &'s [f32] {
    &sheet.matrix(name).unwrap_or_else(|| panic!("no {name}")).values
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let sum: f32 = logits.iter().map(|logit| logit.exp()).sum();
    logits.iter().map(|logit| logit.exp() / sum).collect()
}

#[test]
fn only_the_response_has_a_gradient() {
    for prompt_len in 1..=5 {
        on_both(&Exercise::ResponseMask { seed: 42, prompt_len }, |sheet| {
            let n = 6 - prompt_len;
            let (p, grad) = (sheet.matrix("p").unwrap(), sheet.matrix("dL / dz").unwrap());
            for position in 0..5 {
                let c = if position + 1 >= prompt_len { 1.0 / n as f32 } else { 0.0 };
                equal(&[values(sheet, "c")[position]], &[c], 6, "c");
                for token in 0..6 {
                    let y = if token == position + 1 { 1.0 } else { 0.0 };
                    equal(&[grad.at(position, token)], &[c * (p.at(position, token) - y)], 5, "gradient");
                }
                assert_eq!(grad.row(position).iter().all(|&value| value == 0.0), c == 0.0);
            }
            let mean = values(sheet, "L_t")[prompt_len - 1..].iter().sum::<f32>() / n as f32;
            equal(values(sheet, "L"), &[mean], 5, "L");
            assert!(sheet.kernels.iter().any(|kernel| kernel == "weighted_cross_entropy_grad"));
        });
    }
}

#[test]
fn a_reward_moves_the_probability_by_its_advantage() {
    for (reward, expected) in [(1.0f32, Some(true)), (0.5, None), (-1.0, Some(false))] {
        on_both(&Exercise::PolicyStep { reward }, |sheet| {
            let rewards = [reward, OTHER_REWARDS[0], OTHER_REWARDS[1], OTHER_REWARDS[2]];
            let mean = rewards.iter().sum::<f32>() / 4.0;
            let std = (rewards.iter().map(|reward| (reward - mean).powi(2)).sum::<f32>() / 3.0).sqrt();
            let a: Vec<f32> = rewards.iter().map(|reward| (reward - mean) / (std + 1e-6)).collect();
            equal(values(sheet, "A"), &a, 5, "A");
            let p = softmax(&LOGITS);
            equal(values(sheet, "p"), &p, 5, "p");
            let y = |token: usize| if token == 0 { 1.0 } else { 0.0 };
            let grad: Vec<f32> = (0..5).map(|token| a[0] * (p[token] - y(token))).collect();
            equal(values(sheet, "dL / dz"), &grad, 5, "gradient");
            let new: Vec<f32> = LOGITS.iter().zip(&grad).map(|(logit, grad)| logit - grad).collect();
            equal(values(sheet, "z_{new}"), &new, 5, "z_{new}");
            equal(values(sheet, "p_{new}"), &softmax(&new), 5, "p_{new}");
            let (before, after) = (values(sheet, "p")[0], values(sheet, "p_{new}")[0]);
            match expected {
                None => assert_eq!(before, after),
                Some(up) => assert_eq!(after > before, up),
            }
        });
    }
}

#[test]
fn equal_rewards_give_no_gradient() {
    for right in 0..=GROUP_SIZE {
        on_both(&Exercise::EqualRewards { right }, |sheet| {
            let (a, each) = (values(sheet, "A"), sheet.matrix("g").unwrap());
            let total: Vec<f32> = (0..5).map(|token| (0..GROUP_SIZE).map(|row| each.at(row, token)).sum()).collect();
            equal(values(sheet, "\\sum g"), &total, 5, "sum");
            let silent = right == 0 || right == GROUP_SIZE;
            assert_eq!(a.iter().all(|&advantage| advantage == 0.0), silent, "{right}");
            assert_eq!(total.iter().all(|&sum| sum == 0.0), silent, "{right}");
            if !silent {
                assert!(total[0] < 0.0, "the right token's logit rises");
                let rare = ((GROUP_SIZE - right) as f32 / GROUP_SIZE as f32) / {
                    let p = right as f32 / GROUP_SIZE as f32;
                    (p * (1.0 - p) * GROUP_SIZE as f32 / (GROUP_SIZE - 1) as f32).sqrt() + 1e-6
                };
                equal(&a[..1], &[rare], 5, "A");
            }
        });
    }
}

#[test]
fn invalid_inputs_are_reported() {
    for exercise in [
        Exercise::ResponseMask { seed: 1, prompt_len: 0 },
        Exercise::ResponseMask { seed: 1, prompt_len: 6 },
        Exercise::PolicyStep { reward: f32::NAN },
        Exercise::PolicyStep { reward: f32::INFINITY },
        Exercise::EqualRewards { right: 9 },
    ] {
        assert!(pollster::block_on(compute(&exercise, None)).is_err(), "{exercise:?}");
    }
}
