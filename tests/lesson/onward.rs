//! The steps after attention: each equals its formula, on both backends.

use glasshead::config::{Preset, TrainConfig, learning_rate};
use glasshead::types::lesson::*;

use super::{DRAWN, MODULE, begins, equal, on_both, x};

fn values<'s>(sheet: &'s Sheet, name: &str) -> &'s [f32] {
    &sheet.matrix(name).unwrap_or_else(|| panic!("no {name}")).values
}

#[test]
fn norm_and_loss_are_what_their_formulas_say() {
    on_both(&Exercise::RmsNorm { x: x(), query: 1, factor: 100.0 }, |sheet| {
        let rms = ((0.55f32 * 0.55 + 0.87 * 0.87 + 0.66 * 0.66) / 3.0).sqrt();
        begins(sheet, "y", &[0.55 / rms, 0.87 / rms, 0.66 / rms], 4);
    });
    on_both(&Exercise::Loss { seed: 42, bonus: 1.5 }, |sheet| {
        let (p, each, grad) = (sheet.matrix("p").unwrap(), values(sheet, "L_t"), sheet.matrix("dL / dz").unwrap());
        for (position, &loss) in each.iter().enumerate() {
            equal(&[loss], &[-p.at(position, position + 1).ln()], 4, "loss");
            for token in 0..6 {
                let y = if token == position + 1 { 1.0 } else { 0.0 };
                equal(&[grad.at(position, token)], &[(p.at(position, token) - y) / 5.0], 5, "gradient");
            }
        }
        begins(sheet, "L", &[each.iter().sum::<f32>() / 5.0], 5);
    });
}

#[test]
fn turned_scores_depend_on_the_distance_alone() {
    // All rows are equal, so that only the distance can make a difference.
    let same: Vec<f32> = [0.55, 0.87, 0.66].repeat(6);
    let score = |query: usize, key: usize| {
        let exercise = Exercise::Rope { x: same.clone(), weights: DRAWN, query, degrees: 35.0 };
        let sheet = pollster::block_on(glasshead::lesson::compute(&exercise, None)).unwrap();
        values(&sheet, "s_{turned}")[key]
    };
    equal(&[score(0, 2), score(1, 3)], &[score(3, 5), score(2, 4)], 5, "two places on");
    assert!((score(0, 2) - score(0, 3)).abs() > 0.01);
    on_both(&Exercise::Rope { x: x(), weights: MODULE, query: 2, degrees: 30.0 }, |sheet| {
        let (q, turned) = (sheet.matrix("Q").unwrap(), sheet.matrix("Q_{turned}").unwrap());
        assert_eq!(q.row(0), turned.row(0), "position 0 stays");
        // Three positions further is a rotation by a right angle.
        equal(turned.row(3), &[-q.at(3, 1), q.at(3, 0)], 5, "Q");
        let k = sheet.matrix("K_{turned}").unwrap();
        let expected: Vec<f32> =
            (0..6).map(|key| k.at(key, 0) * turned.at(2, 0) + k.at(key, 1) * turned.at(2, 1)).collect();
        equal(values(sheet, "s_{turned}"), &expected, 5, "s");
    });
}

#[test]
fn gates_and_streams_are_what_their_formulas_say() {
    on_both(&Exercise::Swiglu { x: x(), query: 1, seed: 42, factor: -3.0 }, |sheet| {
        let (g, u, plain) = (values(sheet, "g"), values(sheet, "u"), values(sheet, "x_q W_1^T"));
        let hidden: Vec<f32> = g.iter().zip(u).map(|(g, u)| g / (1.0 + (-g).exp()) * u).collect();
        equal(g, &plain.iter().map(|plain| -3.0 * plain).collect::<Vec<_>>(), 5, "g");
        equal(values(sheet, "h"), &hidden, 5, "h");
        assert_eq!(values(sheet, "y").len(), 3);
    });
    on_both(&Exercise::Residual { x: x(), query: 1, seed: 42, factor: 0.0 }, |sheet| {
        assert_eq!(values(sheet, "x_2"), values(sheet, "x_q"), "nothing was added");
        assert_eq!(values(sheet, "c_2"), [0.0; 3], "nothing is left without the stream");
    });
    on_both(&Exercise::Residual { x: x(), query: 1, seed: 42, factor: 1.0 }, |sheet| {
        let parts = ["x_q", "b_1", "b_2"].map(|name| values(sheet, name));
        let sums: Vec<f32> = (0..3).map(|i| parts.iter().map(|part| part[i]).sum()).collect();
        equal(values(sheet, "x_2"), &sums, 5, "x_2");
    });
}

#[test]
fn adamws_first_step_is_the_learning_rate_however_steep_the_valley_is() {
    for steepness in [0.01f32, 1.0, 25.0] {
        on_both(&Exercise::OneWeight { steepness }, |sheet| {
            begins(sheet, "w_{AdamW}", &[0.9], 4);
            let mut weight = 1.0f32;
            for &plain in values(sheet, "w_{plain}") {
                weight -= 0.1 * steepness * weight;
                assert!((plain - weight).abs() <= 1e-5 * weight.abs().max(1.0), "{plain}, not {weight}");
            }
            let (mut w, mut m, mut v) = (1.0f64, 0.0, 0.0);
            for (t, &by_adam) in (1..).zip(values(sheet, "w_{AdamW}")) {
                let g = f64::from(steepness) * w;
                (m, v) = (0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g * g);
                w -= 0.1 * (m / (1.0 - 0.9f64.powi(t))) / ((v / (1.0 - 0.95f64.powi(t))).sqrt() + 1e-8);
                assert!((f64::from(by_adam) - w).abs() < 1e-4, "step {t}: {by_adam}, not {w}");
            }
        });
    }
}

#[test]
fn the_schedule_is_the_trainers_and_draws_follow_their_probabilities() {
    on_both(&Exercise::Schedule { warmup: 25 }, |sheet| {
        let preset = Preset::Nano.config().train;
        let train = TrainConfig { warmup_steps: 25, schedule_steps: 100, ..preset };
        let expected: Vec<f32> = (0..=100).map(|step| learning_rate(step, &train) as f32).collect();
        assert_eq!(values(sheet, "curve"), expected);
        assert_eq!(values(sheet, "lr")[4], expected[40]);
    });
    on_both(&Exercise::Sampling { temperature: 0.5, seed: 42 }, |sheet| {
        let powers = LOGITS.map(|logit| (logit / 0.5f32).exp());
        let sum: f32 = powers.iter().sum();
        equal(values(sheet, "p"), &powers.map(|power| power / sum), 5, "p");
        let drawn = values(sheet, "drawn");
        assert_eq!(drawn.iter().sum::<f32>(), 100.0);
        assert!((drawn[0] / 100.0 - powers[0] / sum).abs() < 0.15, "{drawn:?}");
    });
}

#[test]
fn without_a_mask_every_row_but_the_last_looks_ahead() {
    on_both(&Exercise::Leak { x: x(), weights: MODULE }, |sheet| {
        let (all, sums) = (sheet.matrix("A").unwrap(), values(sheet, "\\sum"));
        for (row, &sum) in sums.iter().enumerate() {
            equal(&[sum], &[all.row(row)[row + 1..].iter().sum()], 5, "ahead");
            assert!((row == 5 && sum == 0.0) || sum > 0.1);
        }
    });
}

#[test]
fn the_loop_and_the_product_agree_and_are_both_timed() {
    on_both(&Exercise::Race { x: x(), n_tokens: 12 }, |sheet| {
        let times = sheet.matrix("time").unwrap();
        assert_eq!((times.at(0, 0), times.at(1, 0)), (144.0, 1.0));
        assert!(times.at(0, 1) > 0.0 && times.at(1, 1) > 0.0);
        assert_eq!(values(sheet, "difference"), [0.0]);
    });
}
