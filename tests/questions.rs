//! Inspection of the model: the numbers of a head, the logit lens, ablated heads, an edited weight, head scores, and how the
//! page uses the results.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use glasshead::inspect::head_scores::{all_scores, measuring_sequence, scores};
use glasshead::serve::Session;
use glasshead::train::trainer::Trainer;
use glasshead::train::trainer::inspect::Change;
use glasshead::types::inspect::{HeadRows, Lens, ScoreKind, Watched, WeightAt, WhatIf};
use glasshead::types::{BackendChoice, CorpusChoice, VocabularyChoice};
use glasshead::wire::Message;
use glasshead::wire::inspect::{InspectCommand, InspectEvent};
use glasshead::wire::{Command, Event};
use glasshead_page::glossary::{GLOSSARY, find};
use glasshead_page::state::arithmetic::{self, Row, output};
use glasshead_page::state::ask::{AskAction, ScoreHistory, Section};
use glasshead_page::state::overlay::{HelpTab, Overlay};
use glasshead_page::state::{Action, State};
use pollster::block_on;

use crate::common::{context, ids};
use crate::step::awkward;

const PROBE: [u32; 7] = [5, 17, 5, 200, 17, 3, 99];

async fn trainer(gpu: bool) -> Trainer {
    masked(gpu, true).await
}

async fn masked(gpu: bool, causal: bool) -> Trainer {
    let (context, tokens, mut config) = (gpu.then(context), ids(1, 400, 300), awkward());
    config.model.causal = causal;
    let mut trainer = Trainer::new(config, context.as_ref(), &tokens, &tokens).await.unwrap();
    trainer.submit(5);
    trainer.collect().await.unwrap();
    trainer
}

fn every_head() -> Vec<(usize, usize)> {
    (0..2).flat_map(|layer| (0..3).map(move |head| (layer, head))).collect()
}

/// No position attends to later ones, so a sentence is computed in the shortest window that fits it.
#[test]
fn short_sentences_are_computed_in_short_windows_with_the_same_numbers() {
    for (gpu, positions) in [(false, "rope"), (false, "learned"), (true, "rope"), (true, "learned")] {
        let (context, tokens, mut config) = (gpu.then(context), ids(1, 400, 300), awkward());
        config.model.context_length = 70;
        config.set("positions", positions).unwrap();
        block_on(async {
            let mut trainer = Trainer::new(config, context.as_ref(), &tokens, &tokens).await.unwrap();
            let (long, short) = (ids(5, 70, 300), 20);
            let whole = trainer.logits(&long).await.unwrap();
            let maps = trainer.attention(&long).await.unwrap();
            let part = trainer.logits(&long[..short]).await.unwrap();
            let largest = part.iter().zip(&whole).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(part.len() == short * 300 && largest < 1e-5, "GPU {gpu}, {positions}: {largest}");
            let small = trainer.attention(&long[..short]).await.unwrap();
            for (row, weights) in small.chunks_exact(short).enumerate() {
                let (head, query) = (row / short, row % short);
                let same = &maps[(head * 70 + query) * 70..][..short];
                assert!(weights.iter().zip(same).all(|(a, b)| a.abs_diff(*b) <= 1), "GPU {gpu}: row {row}");
            }
            let next = trainer.next_logits(&long[..short]).await.unwrap();
            let last = &whole[(short - 1) * 300..short * 300];
            assert!(next.iter().zip(last).all(|(a, b)| (a - b).abs() < 1e-5), "GPU {gpu}, {positions}");
            let next = trainer.next_logits(&long[..=short]).await.unwrap();
            let last = &whole[short * 300..(short + 1) * 300];
            assert!(next.iter().zip(last).all(|(a, b)| (a - b).abs() < 1e-5), "GPU {gpu}, {positions}: from the cache");
        });
    }
}

#[test]
fn a_change_is_tried_out_and_leaves_no_trace() {
    for gpu in [false, true] {
        block_on(async {
            let mut trainer = trainer(gpu).await;
            let before = trainer.state().await.unwrap();
            let none = trainer.what_if(&PROBE, 6, &Change::default(), None).await.unwrap();
            assert_eq!(none[0], none[1], "GPU {gpu}: no change has changed something");
            assert_eq!(none[0].loss, trainer.evaluate().await.unwrap(), "GPU {gpu}");
            let off = Change { off: every_head(), weight: None };
            let [plain, without] = trainer.what_if(&PROBE, 6, &off, None).await.unwrap();
            assert_eq!(plain, none[0]);
            let at = WeightAt { tensor: "layers.1.attn.v_proj.weight".into(), row: 2, column: 5 };
            let place = trainer.weight_place(&at).unwrap();
            let edit = Change { off: Vec::new(), weight: Some((place, 2.5)) };
            let [_, edited] = trainer.what_if(&PROBE, 6, &edit, None).await.unwrap();
            assert_ne!(edited, plain);
            assert!(trainer.state().await.unwrap() == before, "GPU {gpu}: a question has changed the run");
            // The same changes, made permanently.
            trainer.set_weight(place, 2.5);
            assert_eq!(trainer.what_if(&PROBE, 6, &Change::default(), None).await.unwrap()[0], edited, "GPU {gpu}");
            trainer.restore(&before);
            let mut params = before.params.clone();
            for param in trainer.table().iter().filter(|param| param.name.contains("output_proj")) {
                params[param.start..param.start + param.len()].fill(0.0);
            }
            trainer.set_params(&params);
            let [zeroed, _] = trainer.what_if(&PROBE, 6, &Change::default(), None).await.unwrap();
            assert_eq!(zeroed, without, "GPU {gpu}: W_o = 0 is not the same as no heads");
        });
    }
}

#[test]
fn both_backends_answer_alike() {
    let change = Change { off: vec![(0, 1), (1, 2)], weight: None };
    let [cpu, gpu] = [false, true].map(|gpu| {
        block_on(async {
            let mut trainer = trainer(gpu).await;
            let [_, changed] = trainer.what_if(&PROBE, 4, &change, None).await.unwrap();
            (changed, trainer.lens(&PROBE).await.unwrap(), trainer.head_rows(&PROBE, (1, 2)).await.unwrap())
        })
    });
    let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 2e-3);
    assert!((cpu.0.loss - gpu.0.loss).abs() < 1e-3);
    assert!(near(&cpu.0.logits, &gpu.0.logits));
    assert!(near(&cpu.2.q, &gpu.2.q) && near(&cpu.2.k, &gpu.2.k) && near(&cpu.2.v, &gpu.2.v));
    for (cpu, gpu) in cpu.1.cells.iter().zip(&gpu.1.cells) {
        assert!((cpu.choices[0].1 - gpu.choices[0].1).abs() < 1e-3);
    }
}

#[test]
fn the_last_layers_lens_is_the_model() {
    for gpu in [false, true] {
        block_on(async {
            let mut trainer = trainer(gpu).await;
            let own = trainer.logits(&PROBE).await.unwrap()[6 * 300..].to_vec();
            let first = trainer.lens_logits(&PROBE, 0).await.unwrap();
            let last = trainer.lens_logits(&PROBE, 1).await.unwrap();
            assert_eq!(last[6 * 300..], own, "GPU {gpu}");
            assert_ne!(first[6 * 300..], own, "GPU {gpu}: a layer changes nothing");
            let lens = trainer.lens(&PROBE).await.unwrap();
            let likeliest = (0..300).max_by(|&a, &b| own[a].total_cmp(&own[b])).unwrap();
            let cell = lens.cell(1, 6).unwrap();
            assert_eq!((cell.choices[0].0 as usize, cell.next), (likeliest, None));
            // Rank and probability of the true next token agree with the listed choices if it is among them.
            for cell in &lens.cells[..6] {
                let (rank, p) = cell.next.unwrap();
                assert!(p > 0.0 && p <= cell.choices[0].1);
                assert!(rank as usize >= 5 || cell.choices[rank as usize].1 == p);
            }
            assert_eq!(Lens::from_bytes(&lens.to_bytes(), 2, 7), Some(lens.clone()));
            assert_eq!(Lens::from_bytes(&lens.to_bytes(), 2, 6), None);
        });
    }
}

#[test]
fn the_worked_arithmetic_agrees_with_the_map() {
    for (gpu, causal) in [(false, true), (true, true), (false, false), (true, false)] {
        block_on(async {
            let mut trainer = masked(gpu, causal).await;
            let maps = trainer.attention(&PROBE).await.unwrap();
            let exact = trainer.attention_weights(&PROBE).await.unwrap();
            for (layer, head) in every_head() {
                let rows = trainer.head_rows(&PROBE, (layer, head)).await.unwrap();
                assert_eq!(HeadRows::from_bytes(&rows.to_bytes(), 7, 6, rows.causal), Some(rows.clone()));
                let scores = arithmetic::scores(&rows);
                for query in 0..7 {
                    let row = Row::of(&rows, query).unwrap();
                    let written = output(&rows, query);
                    let v = |key: usize| rows.row(&rows.v, key)[2];
                    let third: f32 = (0..7).map(|key| row.weight(key) * v(key)).sum();
                    assert_eq!(
                        row.dots.len(),
                        if causal { query + 1 } else { 7 },
                        "the padding is never among the keys"
                    );
                    assert!((written[2] - third).abs() < 1e-5, "the values, weighted");
                    for key in 0..7 {
                        let score = row.score(key).unwrap_or(0.0);
                        assert!((scores[query * 7 + key] - score).abs() < 1e-5, "{score}: masked cells are 0");
                    }
                    for key in 0..7 {
                        let cell = ((layer * 3 + head) * 7 + query) * 7 + key;
                        let (shown, worked) = (f32::from(maps[cell]) / 255.0, row.weight(key));
                        assert!(
                            (exact[cell] - worked).abs() < 1e-4,
                            "{} in the file, {worked} worked out",
                            exact[cell]
                        );
                        assert!((shown - worked).abs() < 0.5 / 255.0 + 1e-4, "{shown} on the map, {worked} worked out");
                    }
                    let sum: f32 = (0..7).map(|key| row.weight(key)).sum();
                    assert!((sum - 1.0).abs() < 1e-5);
                }
                assert_eq!(Row::of(&rows, 7), None);
            }
        });
    }
}

#[test]
fn scores_tell_made_up_heads_apart() {
    let tokens = measuring_sequence(&ids(4, 500, 300), 40).unwrap();
    assert_eq!(tokens.len(), 32, "two blocks of eight, twice each");
    tokens.chunks(16).for_each(|pair| assert_eq!(pair[..8], pair[8..]));
    assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), 16);
    let again = |query: usize| query % 16 >= 8;
    let heads: [&dyn Fn(usize) -> usize; 4] =
        [&|query| query.saturating_sub(1), &|_| 0, &|query| if again(query) { query - 8 } else { query }, &|query| {
            if again(query) { query - 7 } else { 0 }
        }];
    let mut maps = Vec::new();
    for (kind, looks_at) in heads.into_iter().enumerate() {
        let weight = |query: usize, key: usize| f32::from(u8::from(looks_at(query) == key));
        let found = scores(&tokens, weight);
        for other in 0..4 {
            let wanted = if kind == other { 0.99..1.01 } else { 0.0..0.6 };
            assert!(wanted.contains(&found[other]), "head {kind} scores {found:?}");
        }
        let all = (0..tokens.len()).flat_map(|query| (0..tokens.len()).map(move |key| (query, key)));
        maps.extend(all.map(|(query, key)| (255.0 * weight(query, key)) as u8));
    }
    let all = all_scores(&tokens, &maps);
    assert_eq!((all.len(), all[3][ScoreKind::Induction as usize]), (4, 1.0));
    assert_eq!(measuring_sequence(&ids(4, 500, 300), 11).unwrap().len(), 10, "a short context has one short block");
    assert!(measuring_sequence(&[1, 2, 3, 1, 2], 40).unwrap_err().to_string().contains("larger text"));
    assert!(measuring_sequence(&ids(4, 500, 300), 6).unwrap_err().to_string().contains("context_length of 8"));
}

#[test]
fn the_first_head_that_passes_makes_the_milestone() {
    let mut history = ScoreHistory::default();
    let of = |induction: [f32; 4]| induction.map(|score| [0.1, 0.1, 0.1, score]).to_vec();
    history.push(10, 2, of([0.0, 0.1, 0.2, 0.3]));
    assert!(history.milestones.is_empty());
    history.push(20, 2, of([0.0, 0.1, 0.5, 0.3]));
    history.push(30, 2, of([0.0, 0.1, 0.5, 0.9]));
    let sentences: Vec<String> = history.milestones.iter().map(|milestone| milestone.sentence()).collect();
    assert_eq!(sentences, ["induction head appeared: layer 2 head 1 at step 20"]);
    assert_eq!(history.best(ScoreKind::Induction, &history.snapshots[2].1), ((1, 1), 0.9));
    for step in 31..5_000 {
        history.push(step, 2, of([0.0; 4]));
    }
    assert!(history.snapshots.len() <= 400, "{} snapshots are kept", history.snapshots.len());
    assert_eq!((history.snapshots[0].0, history.snapshots.last().unwrap().0), (10, 4_999));
}

/// The page requests only what its open section shows.
#[test]
fn only_what_is_open_is_asked_for() {
    let mut state = State::default();
    assert_eq!(state.ask.watched((1, 2)), Watched::default());
    state.apply(Action::Ask(AskAction::Open(Section::Neurons)));
    assert_eq!(state.ask.watched((1, 2)), Watched { head: Some((1, 2)), ..Watched::default() });
    state.apply(Action::Ask(AskAction::ToggleHead(0, 1)));
    state.apply(Action::Ask(AskAction::Open(Section::WhatIf)));
    let what_if = state.ask.watched((1, 2)).what_if.unwrap();
    assert_eq!(what_if.off, [(0, 1)]);
    state.apply(Action::Ask(AskAction::Explain("softmax")));
    assert_eq!((state.overlay.open, state.overlay.help), (Some(Overlay::Help), HelpTab::Glossary));
    assert_eq!(state.ask.section, Section::WhatIf, "the glossary opens over the page");
    state.apply(Action::Escape);
    state.apply(Action::Ask(AskAction::ExplainHere("query")));
    assert!(state.overlay.open.is_none() && state.ask.explained_here, "an explanation in place opens nothing else");
    state.apply(Action::Escape);
    assert!(!state.ask.explained_here, "Escape closes the explanation");
    state.apply(Action::Started);
    assert!(state.ask.off.is_empty());
}

/// The worker's loop: a request is served at once and with every snapshot, and an edited weight can be kept.
#[test]
fn a_session_answers_questions() {
    let events: Rc<RefCell<Vec<Message>>> = Rc::default();
    let sink = events.clone();
    let mut session =
        Session::new(Box::new(move |event, bytes| sink.borrow_mut().push((event, bytes))), Box::new(|| 0.0));
    let start = Command::Start {
        run: 1,
        config: awkward(),
        corpus: CorpusChoice::BuiltIn,
        vocabulary: VocabularyChoice::Trained,
        backend: BackendChoice::Cpu,
        probe: "Tom saw a cat.".into(),
    };
    let weight = WeightAt { tensor: "layers.0.attn.q_proj.weight".into(), row: 1, column: 2 };
    let what_if = WhatIf { off: vec![(0, 0)], weight: Some(weight.clone()), value: Some(0.5), position: None };
    let watch = |watched| Command::Inspect { command: InspectCommand::Watch(watched) };
    block_on(async {
        session.handle(start, None).await;
        let watched = Watched { head: Some((1, 1)), lens: true, what_if: Some(what_if.clone()) };
        session.handle(watch(watched), None).await;
        while session.work().await {}
        session.handle(Command::Step, None).await;
        while session.work().await {}
        session.handle(Command::Inspect { command: InspectCommand::Keep(weight.clone(), 0.5) }, None).await;
        while session.work().await {}
        let wrong = WhatIf { weight: Some(WeightAt { row: 99, ..weight.clone() }), ..WhatIf::default() };
        session.handle(watch(Watched { what_if: Some(wrong), ..Watched::default() }), None).await;
        while session.work().await {}
    });
    let told = events.borrow();
    let told: Vec<_> = told
        .iter()
        .filter_map(|(event, bytes)| match event {
            Event::Inspect { event, .. } => Some((event.clone(), bytes.as_deref())),
            _ => None,
        })
        .collect();
    let heads = told.iter().filter(|(event, bytes)| match event {
        InspectEvent::Head { n, d_head, causal, .. } => {
            HeadRows::from_bytes(bytes.unwrap(), *n, *d_head, *causal).is_some()
        }
        _ => false,
    });
    assert!(heads.count() >= 3, "at once, after the step, and after the weight was kept");
    let compared: Vec<_> = told
        .iter()
        .filter_map(|(event, _)| match event {
            InspectEvent::WhatIf(comparison) => Some(comparison),
            _ => None,
        })
        .collect();
    assert_eq!((compared[0].step, &compared[0].change), (0, &what_if));
    assert_ne!(compared[0].losses[0], compared[0].losses[1]);
    assert!(compared[0].choices.len() >= 10);
    let last = compared.last().unwrap();
    assert_eq!((last.step, last.old), (1, Some(0.5)), "the weight was kept");
    let has = |wanted: fn(&InspectEvent) -> bool| told.iter().any(|(event, _)| wanted(event));
    assert!(has(|event| matches!(event, InspectEvent::Kept { step: 1, new: 0.5, .. })));
    assert!(has(|event| matches!(event, InspectEvent::Refused { message } if message.contains("rows 0 to 17"))));
    assert!(has(|event| matches!(event, InspectEvent::Tensors(tensors) if tensors.len() > 10)));
    let scored =
        told.iter().filter(|(event, _)| matches!(event, InspectEvent::Scores { scores, .. } if scores.len() == 6));
    assert_eq!(scored.count(), 3, "at the start, after the step, and after the weight was kept");
}

fn sources(path: &Path) -> Vec<PathBuf> {
    match path.is_dir() {
        true => std::fs::read_dir(path).unwrap().flat_map(|entry| sources(&entry.unwrap().path())).collect(),
        false => vec![path.into()],
    }
}

#[test]
fn every_name_that_the_page_explains_is_in_the_glossary() {
    let mut explained = 0;
    for file in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("page/src")) {
        let text = std::fs::read_to_string(&file).unwrap();
        for call in text.split("explain(cx, \"").skip(1) {
            let name = call.split('"').next().unwrap();
            assert!(find(name).is_some(), "{}: no entry {name}", file.display());
            explained += 1;
        }
    }
    assert!(explained >= 8, "only {explained} names are explained");
    assert!(ScoreKind::ALL.iter().all(|kind| find(kind.name()).is_some()));
    assert!(GLOSSARY.windows(2).all(|pair| pair[0].name < pair[1].name), "the entries are not in order");
    for entry in GLOSSARY {
        assert!(entry.what.ends_with('.') && entry.measured.ends_with('.'), "{}", entry.name);
    }
}
