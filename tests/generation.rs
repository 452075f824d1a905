//! Several texts generated at once: logits of batches, random numbers by counter, stop tokens, log-probabilities.

use glasshead::config::RunConfig;
use glasshead::train::generate::{Generator, Text};
use glasshead::train::trainer::inspect::log_sum_exp;
use glasshead::train::trainer::{TrainError, Trainer};
use glasshead::types::Sampling;
use pollster::block_on;

use crate::common::{context, ids};
use crate::step::awkward;

const V: usize = 300;

/// A model with a context of 40 tokens after a few steps.
fn trainer(gpu: bool, settings: &[(&str, &str)]) -> Trainer {
    let (tokens, mut config): (_, RunConfig) = (ids(1, 400, V), awkward());
    config.model.context_length = 40;
    settings.iter().for_each(|(field, value)| config.set(field, value).unwrap());
    block_on(async {
        let context = gpu.then(context);
        let mut trainer = Trainer::new(config, context.as_ref(), &tokens, &tokens).await.unwrap();
        trainer.submit(5);
        trainer.collect().await.unwrap();
        trainer
    })
}

fn assert_close(ours: &[f32], expected: &[f32], what: &str) {
    assert_eq!(ours.len(), expected.len(), "{what}");
    let largest = ours.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest < 2e-5, "{what}: {largest}");
}

/// Texts of different lengths grow until they are longer than the context; the logits are those of each window on its own.
#[test]
fn a_batch_has_the_logits_of_its_texts() {
    let kinds: [&[(&str, &str)]; 5] = [
        &[("positions", "rope")],
        &[("positions", "learned")],
        &[("positions", "none"), ("norm_placement", "post")],
        &[("norm", "layernorm"), ("feed_forward", "gelu")],
        &[("causal", "false")],
    ];
    for gpu in [false, true] {
        for settings in kinds {
            let mut trainer = trainer(gpu, settings);
            let mut texts = [ids(2, 3, V), ids(3, 35, V), ids(4, 1, V), ids(5, 20, V)];
            for step in 0..8 {
                let slices: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
                let logits = block_on(trainer.next_logits_of(&slices)).unwrap();
                for (row, text) in texts.iter().enumerate() {
                    let window = &text[text.len().saturating_sub(40)..];
                    let whole = block_on(trainer.logits(window)).unwrap();
                    let expected = &whole[(window.len() - 1) * V..];
                    assert_close(
                        &logits[row * V..][..V],
                        expected,
                        &format!("GPU {gpu}, {settings:?}: {row} at {step}"),
                    );
                }
                // One text is complete after a few steps and stays unchanged.
                let grows = |row: usize| row != 3 || step < 3;
                (0..4).filter(|&row| grows(row)).for_each(|row| texts[row].push((7 * step + row as u32) % V as u32));
            }
        }
    }
}

fn sampling() -> Sampling {
    Sampling { temperature: 1.0, top_p: 1.0, seed: 5, ..Sampling::default() }
}

fn complete(trainer: &mut Trainer, texts: Vec<Text>, step: u64) -> Vec<Text> {
    let mut generator = Generator::new(texts, sampling(), step);
    block_on(generator.complete(trainer)).unwrap();
    generator.texts().to_vec()
}

/// The same prompt has a different continuation for every number and step, and the same one every time, whatever the batch.
#[test]
fn a_text_depends_on_its_seed_number_and_step_alone() {
    for gpu in [false, true] {
        let mut trainer = trainer(gpu, &[]);
        let text = |number: u32| Text::new(number, vec![5, 17], Vec::new(), 9);
        let together = complete(&mut trainer, (0..6).map(text).collect(), 3);
        assert_eq!(complete(&mut trainer, (0..6).map(text).collect(), 3), together, "GPU {gpu}: not the same again");
        for number in 0..6 {
            let alone = complete(&mut trainer, vec![text(number)], 3);
            let same = &together[number as usize];
            assert_eq!(alone[0].generated(), same.generated(), "GPU {gpu}: {number} alone");
            assert_close(alone[0].log_probs(), same.log_probs(), "log-probabilities");
            let others = together.iter().filter(|other| other.generated() == same.generated());
            assert_eq!(others.count(), 1, "GPU {gpu}: two texts are equal");
        }
        let later = complete(&mut trainer, (0..6).map(text).collect(), 4);
        assert!(later.iter().zip(&together).all(|(a, b)| a.generated() != b.generated()), "GPU {gpu}: another step");
    }
}

/// Each text ends at its own stop tokens or its own length, and completed ones leave the batch.
#[test]
fn every_text_has_its_own_end() {
    let mut trainer = trainer(false, &[]);
    let free = |number| Text::new(number, vec![5, 17], Vec::new(), 30);
    let unbounded = complete(&mut trainer, (0..9).map(free).collect(), 0);
    let stop_of = |number: usize| unbounded[number].generated()[number];
    let stopping = |number: usize| Text::new(number as u32, vec![5, 17], vec![stop_of(number)], 10 + 2 * number);
    let texts = complete(&mut trainer, (0..9).map(stopping).collect(), 0);
    for (number, text) in texts.iter().enumerate() {
        let first = unbounded[number].generated().iter().position(|&id| id == stop_of(number)).unwrap();
        assert_eq!(text.generated(), &unbounded[number].generated()[..first], "text {number}");
        assert_eq!(text.stopped_by(), Some(stop_of(number)));
        assert_eq!(text.log_probs().len(), first + 1);
    }
    let none = complete(&mut trainer, vec![Text::new(0, vec![1], Vec::new(), 0)], 0);
    assert_eq!((none[0].generated(), none[0].done()), (&[][..], true));
    assert!(complete(&mut trainer, Vec::new(), 0).is_empty());
}

/// The log-probabilities that sampling reports equal those of a pass over the whole text.
#[test]
fn log_probabilities_are_those_of_a_whole_pass() {
    for gpu in [false, true] {
        let mut trainer = trainer(gpu, &[]);
        let prompts = [ids(2, 3, V), ids(3, 25, V), ids(4, 1, V)];
        let text = |(number, prompt): (u32, &Vec<u32>)| Text::new(number, prompt.clone(), Vec::new(), 12);
        let texts = complete(&mut trainer, (0..).zip(&prompts).map(text).collect(), 1);
        for (text, prompt) in texts.iter().zip(&prompts) {
            let whole: Vec<u32> = [prompt.as_slice(), text.generated()].concat();
            let logits = block_on(trainer.logits(&whole)).unwrap();
            for (offset, (&id, &reported)) in text.generated().iter().zip(text.log_probs()).enumerate() {
                let row = &logits[(prompt.len() + offset - 1) * V..][..V];
                let expected = f64::from(row[id as usize]) - log_sum_exp(row);
                assert!((expected - f64::from(reported)).abs() < 1e-5, "GPU {gpu}: {reported} for {expected}");
            }
        }
    }
}

/// Training continues after a larger batch has replaced the cache, and the next batch uses the new weights.
#[test]
fn batches_and_training_alternate() {
    for gpu in [false, true] {
        let (mut plain, mut generating) = (trainer(gpu, &[]), trainer(gpu, &[]));
        for n_texts in [1, 7, 3] {
            let text = |number: u32| Text::new(number, vec![9], Vec::new(), 4);
            complete(&mut generating, (0..n_texts).map(text).collect(), 0);
            for trainer in [&mut plain, &mut generating] {
                trainer.submit(2);
                block_on(trainer.collect()).unwrap();
            }
        }
        let [expected, ours] = [&mut plain, &mut generating].map(|trainer| block_on(trainer.state()).unwrap());
        assert!(ours.params == expected.params, "GPU {gpu}");
        let logits = block_on(generating.next_logits_of(&[&[1, 2], &[3]])).unwrap();
        assert_close(&logits[..V], &block_on(plain.next_logits(&[1, 2])).unwrap(), "after training");
    }
}

/// A batch that does not fit on the device is refused with the largest size that fits.
#[test]
fn a_batch_without_room_is_refused() {
    let (tokens, mut context, mut config) = (ids(1, 400, V), context(), awkward());
    config.model.context_length = 40;
    context.adapter.limits.binding_bytes = 300 << 10;
    context.adapter.limits.buffer_bytes = 300 << 10;
    let mut trainer = block_on(Trainer::new(config, Some(&context), &tokens, &tokens)).unwrap();
    let texts = vec![&[1u32, 2][..]; 1000];
    let error = block_on(trainer.next_logits_of(&texts)).unwrap_err();
    let TrainError::TooManyTexts { n_texts: 1000, max } = error else { panic!("{error:?}") };
    assert_eq!(max, trainer.max_texts(1000));
    assert!(max > 1 && block_on(trainer.next_logits_of(&texts[..max])).is_ok(), "{max} texts");
}
