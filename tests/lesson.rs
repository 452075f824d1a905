//! The lesson: the notebook's numbers on both backends, PyTorch's random numbers, and the page's use of them.

use glasshead::gpu::context::Context;
use glasshead::lesson::compute;
use glasshead::rng::torch::TorchRng;
use glasshead::types::DeviceInfo;
use glasshead::types::lesson::*;
use glasshead::types::tokenizer::TokenBytes;
use glasshead::wire::lesson::*;
use glasshead_page::lesson::formula::{Formula, parse, pieces, spoken};
use glasshead_page::lesson::sentences::SENTENCES;
use glasshead_page::lesson::steps::{Control, Picture, STEPS, from_hash};
use glasshead_page::lesson::worked::{involved, worked};
use glasshead_page::state::lesson::{LessonAction, LessonState};

use crate::tokenizer::GPT2;

mod align;
mod onward;
mod pair;
mod scaling;
mod similar;
mod systems;

fn x() -> Vec<f32> {
    EMBEDDINGS.into()
}

/// Computes on the GPU and on the CPU, and passes both sheets to `check`.
fn on_both(exercise: &Exercise, check: impl Fn(&Sheet)) {
    let context: Context = crate::common::context();
    for context in [Some(&context), None] {
        check(&pollster::block_on(compute(exercise, context)).unwrap());
    }
}

/// Asserts that a matrix begins with `expected`, to `digits` digits.
fn begins(sheet: &Sheet, name: &str, expected: &[f32], digits: i32) {
    let matrix = sheet.matrix(name).unwrap_or_else(|| panic!("no {name}"));
    equal(&matrix.values[..expected.len()], expected, digits, name);
}

fn equal(values: &[f32], expected: &[f32], digits: i32, name: &str) {
    assert_eq!(values.len(), expected.len(), "{name}");
    for (value, expected) in values.iter().zip(expected) {
        let off = (f64::from(*value) - f64::from(*expected)).abs();
        // The last few units of an f32 decide how a number near a half is rounded.
        assert!(off <= 0.5 * 10f64.powi(-digits) + 1e-7, "{name}: {value} instead of {expected}");
    }
}

#[test]
fn streams_are_those_of_pytorch() {
    #[derive(serde::Deserialize)]
    struct Stream {
        seed: u64,
        drawn: Vec<Vec<f64>>,
    }
    let streams: Vec<Stream> = serde_json::from_str(include_str!("lesson/torch_streams.json")).unwrap();
    assert_eq!(streams.len(), 10);
    for Stream { seed, drawn } in streams {
        let mut rng = TorchRng::new(seed);
        let mut ours: Vec<Vec<f32>> = [6, 5, 2, 20, 16].map(|len| rng.randn(len)).into();
        ours.extend([rng.linear(3, 2), rng.linear(7, 4)]);
        assert_eq!(ours.len(), drawn.len());
        for (place, (ours, drawn)) in ours.iter().zip(&drawn).enumerate() {
            assert_eq!(ours.len(), drawn.len());
            for (&ours, &torch) in ours.iter().zip(drawn) {
                let torch = torch as f32;
                // Tensors of 16 and more go through PyTorch's own polynomials for ln, sin and cos, which differ from
                // one kind of processor to another by 2 units in the last place; everything else is equal to the bit.
                let most = if [3, 4].contains(&place) { 2 } else { 0 };
                assert!(ours.to_bits().abs_diff(torch.to_bits()) <= most, "seed {seed}, {place}: {ours} and {torch}");
            }
        }
    }
}

#[test]
fn attention_without_weights_has_the_notebooks_numbers() {
    on_both(&Exercise::Scores { x: x(), query: 1 }, |sheet| {
        begins(sheet, "s", &[0.9544, 1.4950, 1.4754, 0.8434, 0.7070, 1.0865], 4);
    });
    on_both(&Exercise::Weights { x: x(), query: 1, shift: 0.0 }, |sheet| {
        begins(sheet, "(s + c) / \\sum (s + c)", &[0.145, 0.228, 0.225, 0.129, 0.108, 0.166], 3);
        begins(sheet, "softmax(s + c)", &[0.1385, 0.2379, 0.2333, 0.1240, 0.1082, 0.1581], 4);
    });
    on_both(&Exercise::Weights { x: x(), query: 1, shift: -2.5 }, |sheet| {
        begins(sheet, "softmax(s + c)", &[0.1385, 0.2379, 0.2333, 0.1240, 0.1082, 0.1581], 4);
    });
    on_both(&Exercise::Context { x: x(), query: 2 }, |sheet| {
        begins(sheet, "z", &[0.4431, 0.6496, 0.5671], 4);
    });
    on_both(&Exercise::AllAtOnce { x: x() }, |sheet| {
        equal(sheet.matrix("S").unwrap().row(1), &[0.9544, 1.4950, 1.4754, 0.8434, 0.7070, 1.0865], 4, "S");
        equal(sheet.matrix("Z").unwrap().row(2), &[0.4431, 0.6496, 0.5671], 4, "Z");
    });
}

#[test]
fn the_naive_softmax_overflows_and_the_stable_one_does_not() {
    on_both(&Exercise::Overflow { x: x(), query: 1, factor: 100.0 }, |sheet| {
        assert!(sheet.matrix("e^{a s} / \\sum e^{a s}").unwrap().values.iter().any(|weight| weight.is_nan()));
        let stable = &sheet.matrix("softmax(a s)").unwrap().values;
        assert!((stable.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(stable.iter().all(|weight| weight.is_finite()));
    });
}

const DRAWN: Weights = Weights { seed: 42, module: false };
const MODULE: Weights = Weights { seed: 42, module: true };

#[test]
fn weighted_attention_has_the_notebooks_numbers() {
    on_both(&Exercise::Projections { x: x(), weights: DRAWN }, |sheet| {
        begins(sheet, "W_q", &[0.3367, 0.1288, 0.2345, 0.2303, -1.1229, -0.1863], 4);
        begins(sheet, "W_k", &[2.2082, -0.6380, 0.4617, 0.2674, 0.5349, 0.8094], 4);
        begins(sheet, "W_v", &[1.1103, -1.6898, -0.9890, 0.9580, 1.3221, 0.8172], 4);
        for (name, expected) in [("Q", [-0.3519, 0.1483]), ("K", [1.9692, 0.4159]), ("V", [0.6229, 0.4434])] {
            equal(sheet.matrix(name).unwrap().row(1), &expected, 4, name);
        }
    });
    on_both(&Exercise::Attention { x: x(), weights: DRAWN, scaled: true }, |sheet| {
        begins(sheet, "S", &[-1.2618, -1.6451, -1.6624, -0.7835, -1.5056, -0.6818], 4);
        begins(sheet, "A", &[0.1596, 0.1217, 0.1202, 0.2238, 0.1343, 0.2405], 4);
        let context = [0.5141, 0.3639, 0.5633, 0.3251, 0.5659, 0.3221, 0.5839, 0.2941, 0.6180, 0.2539, 0.5575, 0.3262];
        begins(sheet, "Z", &context, 4);
    });
}

#[test]
fn the_module_has_the_notebooks_numbers() {
    on_both(&Exercise::Projections { x: x(), weights: MODULE }, |sheet| {
        begins(sheet, "W_q", &[0.441407, 0.479205, -0.135257, 0.530360, -0.126500, 0.116504], 6);
        begins(sheet, "W_k", &[-0.281086, 0.339068, 0.508959, -0.423560, 0.501831, 0.108056], 6);
        begins(sheet, "W_v", &[0.426551, 0.078191, 0.278391, -0.081517, 0.445071, 0.085338], 6);
    });
    on_both(&Exercise::Module { x: x(), seed: 42 }, |sheet| {
        let context = [0.3755, 0.2777, 0.3761, 0.2831, 0.3761, 0.2833, 0.3768, 0.2763, 0.3754, 0.2836, 0.3772, 0.2746];
        begins(sheet, "Z", &context, 4);
    });
}

#[test]
fn causal_weights_are_the_notebooks_and_masking_late_is_not_the_same() {
    let rows: [&[f32]; 6] = [
        &[1.0],
        &[0.477549, 0.522451],
        &[0.314577, 0.344952, 0.340471],
        &[0.245892, 0.255498, 0.253850, 0.244760],
        &[0.196898, 0.219331, 0.216541, 0.205298, 0.161931],
        &[0.168186, 0.171534, 0.170656, 0.164757, 0.151088, 0.173779],
    ];
    on_both(&Exercise::Masked { x: x(), weights: MODULE, beside: MaskPlace::Renormalised }, |sheet| {
        let (a, late, again) = (sheet.matrix("A"), sheet.matrix("A_{late}"), sheet.matrix("A_{again}"));
        for (query, row) in rows.iter().enumerate() {
            equal(&a.unwrap().row(query)[..=query], row, 6, "A");
            assert!(a.unwrap().row(query)[query + 1..].iter().all(|&weight| weight == 0.0));
            equal(&again.unwrap().row(query)[..=query], row, 6, "renormalised");
            let sum: f32 = late.unwrap().row(query).iter().sum();
            assert!(query == 5 || sum < 0.9, "row {query} sums to {sum}");
            assert_eq!(sheet.matrix("\\sum").unwrap().at(query, 0), sum);
        }
        assert_eq!(sheet.matrix("S / \\sqrt{d_k} + M").unwrap().at(0, 5), f32::NEG_INFINITY);
    });
}

#[test]
fn long_keys_saturate_without_the_scale_alone() {
    on_both(&Exercise::Saturation { seed: 42, d_k: 256 }, |sheet| {
        let most = |name| sheet.matrix(name).unwrap().values.iter().copied().fold(0.0, f32::max);
        assert!(most("softmax(q K^T)") > 0.99);
        assert!(most("softmax(q K^T / \\sqrt{d_k})") < 0.9);
    });
}

#[test]
fn heads_are_attention_over_their_own_columns() {
    for n_heads in [1, 2, 4] {
        on_both(&Exercise::Heads { x: x(), seed: 42, n_heads }, |sheet| {
            for head in 1..=n_heads {
                let part = |letter: &str| sheet.matrix(&format!("{letter}_{head}")).unwrap();
                let (q, k, v, a, z) = (part("Q"), part("K"), part("V"), part("A"), part("Z"));
                for query in 0..6 {
                    let score = |key: usize| q.row(query).iter().zip(k.row(key)).map(|(q, k)| q * k).sum::<f32>();
                    let powers: Vec<f32> = (0..=query).map(|key| (score(key) / (q.cols as f32).sqrt()).exp()).collect();
                    let sum: f32 = powers.iter().sum();
                    let weights: Vec<f32> = powers.iter().map(|power| power / sum).collect();
                    equal(&a.row(query)[..=query], &weights, 5, "A");
                    for d in 0..v.cols {
                        let mixed: f32 = weights.iter().enumerate().map(|(key, weight)| weight * v.at(key, d)).sum();
                        equal(&[z.at(query, d)], &[mixed], 5, "Z");
                    }
                }
            }
        });
    }
}

#[test]
fn exercises_without_sense_are_refused() {
    for exercise in [
        Exercise::Scores { x: vec![1.0; 17], query: 0 },
        Exercise::Context { x: x(), query: 6 },
        Exercise::Saturation { seed: 1, d_k: 0 },
        Exercise::Heads { x: x(), seed: 1, n_heads: 3 },
        Exercise::Race { x: x(), n_tokens: 49 },
    ] {
        assert!(pollster::block_on(compute(&exercise, None)).is_err(), "{exercise:?}");
    }
}

/// Computes the pending request of the state on the CPU, and what else the step needs.
fn answer(state: &mut LessonState) -> Sheet {
    let Some(LessonCommand::Compute { request, exercise, .. }) = state.question() else { panic!("nothing is asked") };
    state.apply(LessonAction::Asked);
    assert_eq!(state.question(), None, "one question at a time");
    let sheet = pollster::block_on(compute(&exercise, None)).unwrap();
    state.hear(LessonEvent::Computed { request, device: cpu(), sheet: sheet.clone() });
    if STEPS[state.step].picture == Picture::Tokens {
        let text = SENTENCES[state.control() as usize].to_string();
        let ids = GPT2.encode(&text);
        let tokens = ids.iter().map(|&id| TokenBytes { id, bytes: GPT2.token_bytes(id) }).collect();
        state.hear(LessonEvent::Tokens { tokens, decoded: GPT2.decode(&ids), text });
    }
    sheet
}

fn cpu() -> DeviceInfo {
    DeviceInfo::cpu()
}

/// Every position of a step's control.
fn tries(control: Control) -> Vec<LessonAction> {
    match control {
        Control::Query => (0..6).map(LessonAction::Query).collect(),
        Control::Seed => (0..60).map(LessonAction::Seed).collect(),
        Control::Embedding => vec![LessonAction::Embedding(0, 5.0)],
        Control::Choice { options, .. } => (0..options.len()).map(|i| LessonAction::Control(i as f64)).collect(),
        Control::Slider { range: [from, to, by], .. } => {
            let n = ((to - from) / by).round() as usize;
            (0..=n).map(|i| LessonAction::Control(from + by * i as f64)).collect()
        }
    }
}

#[test]
fn every_question_can_be_answered_and_is_open_at_first() {
    let mut state = LessonState::default();
    for (number, step) in STEPS.iter().enumerate() {
        state.apply(LessonAction::Reset);
        state.apply(LessonAction::Go(number));
        assert_eq!(from_hash(&format!("#view=lesson&step={}", step.name)), Some(number));
        answer(&mut state);
        assert!(!state.reached.contains(&number), "{} is answered before anything was done", step.name);
        if step.picture == Picture::Pair {
            // A choice before the control was used does not count as an answer.
            state.apply(LessonAction::Control(1.0));
            answer(&mut state);
            assert!(!state.reached.contains(&number), "{} is answered without looking", step.name);
            let text = PairText { step: 100, text: String::new(), end_loss: 3.0 };
            let written = Some([text.clone(), text]);
            state.hear(LessonEvent::Pair { device: cpu(), points: Vec::new(), written, running: false });
        }
        let tries = tries(step.control);
        let (mut right, mut wrong) = (0, 0);
        for action in tries.iter().cloned() {
            state.reached.remove(&number);
            state.apply(action);
            answer(&mut state);
            *(if state.reached.contains(&number) { &mut right } else { &mut wrong }) += 1;
            if right > 0 && wrong > 0 {
                break;
            }
        }
        assert!(right > 0, "{} cannot be answered", step.name);
        assert!(wrong > 0 || tries.len() == 1, "{} is answered by anything", step.name);
        assert_eq!(state.question(), None);
    }
}

#[test]
fn the_two_sentences_have_gpt2s_ids_and_only_the_second_as_many_tokens_as_words() {
    assert_eq!(GPT2.encode(SENTENCES[0]), [10814, 0, 314, 716, 1804, 880, 492, 314, 2911, 345, 821, 880, 1165, 0, 220]);
    assert_eq!(SENTENCES[1], WORDS.join(" "));
    assert_eq!(GPT2.encode(SENTENCES[1]), IDS);
    for sentence in SENTENCES {
        let ids = GPT2.encode(sentence);
        assert_eq!(GPT2.decode(&ids), sentence);
        assert_eq!(ids.len() == sentence.split_whitespace().count(), sentence == SENTENCES[1], "{sentence}");
    }
    on_both(&Exercise::Embed { x: x() }, |sheet| assert_eq!(sheet.matrix("X").unwrap().values, EMBEDDINGS));
}

#[test]
fn late_answers_are_dropped_and_asked_again() {
    let mut state = LessonState::default();
    let Some(LessonCommand::Compute { request, exercise, .. }) = state.question() else { panic!("nothing is asked") };
    state.apply(LessonAction::Asked);
    state.apply(LessonAction::Query(3));
    let sheet = pollster::block_on(compute(&exercise, None)).unwrap();
    state.hear(LessonEvent::Computed { request, device: cpu(), sheet });
    assert_eq!(state.sheet(), None);
    answer(&mut state);
    assert!(state.sheet().is_some());
}

#[test]
fn a_lit_cell_shows_its_row_its_column_and_its_sum() {
    let mut state = LessonState { step: 1, ..LessonState::default() };
    let sheet = answer(&mut state);
    let at = |name: &str| sheet.matrices.iter().position(|matrix| matrix.name == name).unwrap();
    let cell = (at("s"), 0, 0);
    assert_eq!(worked(&sheet, cell), "journey, Your: 0.5500·0.4300 + 0.8700·0.1500 + 0.6600·0.8900 = 0.954400");
    assert!(involved(&sheet, (at("X"), 0, 2), cell) && !involved(&sheet, (at("X"), 1, 2), cell));
    assert!(involved(&sheet, (at("x_q"), 0, 1), cell));
}

#[test]
fn formulas_are_read_as_trees() {
    let name = |text: &str| Formula::Name(text.into());
    let fraction = Formula::Fraction(
        Box::new(Formula::Row(vec![name("Q"), Formula::Scripts(Box::new(name("K")), None, Some(Box::new(name("T"))))])),
        Box::new(Formula::Root(Box::new(Formula::Scripts(Box::new(name("d")), Some(Box::new(name("k"))), None)))),
    );
    assert_eq!(parse("\\frac{Q K^T}{\\sqrt{d_k}}"), fraction);
    assert_eq!(parse("-2.5"), Formula::Row(vec![Formula::Sign("−".into()), Formula::Number("2.5".into())]));
    assert_eq!(spoken("\\frac{Q K^T}{\\sqrt{d_k}}"), "Q K transposed over the square root of d sub k");
    parse("_{^}} \\frac{"); // incomplete formulas do not panic
    assert_eq!(pieces("A = f(x , y) , s_{i , j} = B"), ["A = f(x , y) ,", "s_{i , j} = B"]);
    assert_eq!(pieces("s = (a = b) c = d"), ["s = (a = b) c", "= d"]);
    for step in &STEPS {
        let together: String = pieces(step.equation).concat();
        assert_eq!(together.replace(' ', ""), step.equation.replace(' ', ""), "{}", step.name);
    }
}

#[test]
fn messages_of_the_lesson_survive_the_wire_with_infinities() {
    let masked = Exercise::Masked { x: x(), weights: MODULE, beside: MaskPlace::BeforeSoftmax };
    let sheet = pollster::block_on(compute(&masked, None)).unwrap();
    let json = serde_json::to_string(&sheet).unwrap();
    assert_eq!(serde_json::from_str::<Sheet>(&json).unwrap(), sheet);
}
