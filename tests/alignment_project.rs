//! The Align view's side of the worker: stages begin, pause, branch, rewind, are saved and restored, and their model is exported.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use glasshead::serve::Session;
use glasshead::types::BackendChoice;
use glasshead::types::align::{NodeInfo, StageSpec, Watched};
use glasshead::wire::align::{AlignCommand, AlignEvent, StageStart};
use glasshead::wire::{Command, Event};
use glasshead_page::state::align::TokenColor;
use pollster::block_on;

type Heard = Rc<RefCell<Vec<(AlignEvent, Option<Vec<u8>>)>>>;

struct Desk {
    session: Session,
    heard: Heard,
}

impl Desk {
    fn new() -> Self {
        let heard = Heard::default();
        let (sink, began) = (heard.clone(), Instant::now());
        let sink = Box::new(move |event, bytes| {
            if let Event::Align(event) = event {
                sink.borrow_mut().push((event, bytes));
            }
        });
        Self { session: Session::new(sink, Box::new(move || began.elapsed().as_secs_f64())), heard }
    }

    fn send_with(&mut self, command: AlignCommand, bytes: Option<Vec<u8>>) {
        block_on(self.session.handle(Command::Align(command), bytes));
    }

    fn send(&mut self, command: AlignCommand) {
        self.send_with(command, None);
    }

    fn work(&mut self) {
        while block_on(self.session.work()) {}
    }

    fn begin(&mut self, start: StageStart, spec: StageSpec) {
        self.send(AlignCommand::Begin { start, spec: Box::new(spec), backend: BackendChoice::Cpu });
    }

    /// The nodes after the latest report of the whole project and all progress since.
    fn nodes(&self) -> Vec<NodeInfo> {
        let mut found = Vec::new();
        for (event, _) in self.heard.borrow().iter() {
            match event {
                AlignEvent::Project { nodes, .. } => found = nodes.clone(),
                AlignEvent::Progress { node, step, points, scores, kept, .. } => {
                    let node = found.iter_mut().find(|known: &&mut NodeInfo| known.id == *node).unwrap();
                    (node.step, node.kept) = (*step, kept.clone());
                    node.points.extend_from_slice(points);
                    node.scores.extend_from_slice(scores);
                }
                _ => (),
            }
        }
        found
    }

    fn problems(&self) -> Vec<String> {
        let heard = self.heard.borrow();
        let messages = heard.iter().filter_map(|(event, _)| match event {
            AlignEvent::Problem { message } => Some(message.clone()),
            _ => None,
        });
        messages.collect()
    }

    fn watched(&self) -> Option<(Watched, Vec<u8>)> {
        self.heard.borrow().iter().rev().find_map(|(event, bytes)| match event {
            AlignEvent::Watched(watched) => Some(((**watched).clone(), bytes.clone().unwrap())),
            _ => None,
        })
    }

    fn snapshot(&self) -> Vec<u8> {
        let heard = self.heard.borrow();
        let found = heard.iter().rev().find(|(event, _)| matches!(event, AlignEvent::Snapshot { .. }));
        found.and_then(|(_, bytes)| bytes.clone()).unwrap()
    }
}

fn spec(stage: &str, steps: u64, changes: &[(&str, &str)]) -> StageSpec {
    StageSpec {
        stage: stage.into(),
        task: Some("recall".into()),
        judges: vec!["0.5*exact".into(), "0.5*partial".into()],
        template: String::new(),
        answer_after: String::new(),
        steps,
        seed: 3,
        changes: changes.iter().map(|(field, value)| ((*field).into(), (*value).into())).collect(),
        stop_exact: None,
        evaluate_every: 4,
        evaluation_prompts: 8,
    }
}

fn sft(steps: u64) -> StageSpec {
    spec("sft", steps, &[("rows", "16")])
}

fn grpo(steps: u64) -> StageSpec {
    spec("grpo", steps, &[("prompts", "4"), ("group_size", "4"), ("kl", "0.01")])
}

/// The losses of a node's updates.
fn losses(node: &NodeInfo) -> Vec<(u64, f32)> {
    node.points.iter().map(|point| (point.step, point.loss)).collect()
}

fn started() -> Desk {
    let mut desk = Desk::new();
    desk.begin(StageStart::Preset { name: "nano".into() }, sft(8));
    desk.work();
    desk.begin(StageStart::Node { node: 1, step: u64::MAX }, grpo(6));
    desk.work();
    assert_eq!(desk.problems(), [""; 0]);
    desk
}

#[test]
fn stages_follow_each_other_and_report_everything() {
    let desk = started();
    let nodes = desk.nodes();
    let tree: Vec<_> = nodes.iter().map(|node| (node.name.as_str(), node.parent, node.step)).collect();
    assert_eq!(tree, [("Untrained", None, 0), ("SFT", Some((0, 0)), 8), ("GRPO", Some((1, 8)), 6)]);
    assert_eq!(nodes[1].scores.iter().map(|score| score.step).collect::<Vec<_>>(), [0, 4, 8]);
    // Bytes of stories: the untrained model's loss is close to ln 257, and fine-tuning on another task changes it.
    let old = |at: usize| nodes[1].scores[at].old_loss;
    assert!((5.0..6.5).contains(&old(0)) && old(2) != old(0), "{:?}", nodes[1].scores);
    let points = &nodes[2].points;
    assert_eq!(points.iter().map(|point| point.step).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    for point in points {
        let all =
            [point.reward, point.exact, point.format, point.length, point.entropy, point.without_signal, point.kl];
        assert!(all.iter().all(|value| value.is_some_and(f32::is_finite)), "{point:?}");
        assert!(point.length > Some(0.9) && point.grad_norm >= 0.0);
    }
    assert!(points[0].kl.unwrap().abs() < 1e-6, "the reference is the beginning");
    let heard = desk.heard.borrow();
    let groups = heard.iter().rev().find_map(|(event, _)| match event {
        AlignEvent::Batch { node: 2, groups, .. } => Some(groups.clone()),
        _ => None,
    });
    let groups = groups.unwrap();
    assert_eq!(groups.len(), 4);
    assert!(groups.iter().all(|group| group.texts.len() == 4 && group.rewards.len() == 4 && group.answer.is_some()));
}

#[test]
fn tokens_of_the_better_answers_are_colored_as_pushed_up() {
    let mut desk = Desk::new();
    desk.begin(StageStart::Preset { name: "nano".into() }, sft(30));
    desk.work();
    let settings = [("prompts", "4"), ("group_size", "16"), ("kl", "0")];
    let stage = StageSpec { judges: vec!["partial".into()], ..spec("grpo", 1, &settings) };
    desk.begin(StageStart::Node { node: 1, step: u64::MAX }, stage);
    desk.work();
    desk.send(AlignCommand::Watch { prompt: Some(("k:t5u8y6w2 t".into(), Some("5".into()))), before: None });
    desk.work();
    let (watched, _) = desk.watched().unwrap();
    let judged: Vec<_> = watched.now.iter().filter(|answer| answer.advantage.abs() > 0.01).collect();
    assert!(judged.len() > 1, "the answers differ");
    for answer in judged {
        let strengths: Vec<f32> = answer.tokens.iter().map(|token| TokenColor::Coefficient.strength(token)).collect();
        assert!(
            strengths.iter().all(|strength| strength * answer.advantage > 0.0),
            "{}: {strengths:?}",
            answer.advantage
        );
    }
}

#[test]
fn the_inspected_prompt_has_answers_and_attention_of_both_weights() {
    let mut desk = started();
    let prompt = Some(("k:t5u8y6w2 t".to_string(), Some("5".to_string())));
    desk.send(AlignCommand::Watch { prompt, before: None });
    desk.work();
    let (watched, maps) = desk.watched().unwrap();
    assert_eq!((watched.prompt.as_str(), watched.from, watched.to), ("k:t5u8y6w2 t", (2, 0), (2, 6)));
    assert_eq!([watched.before.len(), watched.now.len()], [4, 4]);
    let n = watched.tokens.len();
    assert_eq!(n, 14, "prompt, answer and line break");
    assert_eq!(maps.len(), 2 * watched.n_layers * watched.n_heads * n * n);
    let (before, now) = maps.split_at(maps.len() / 2);
    assert_ne!(before, now, "six updates move the heads");
    let sums = now.chunks_exact(n).map(|row| row.iter().map(|&byte| u32::from(byte)).sum::<u32>());
    assert!(sums.clone().all(|sum| sum.abs_diff(255) < 12), "{:?}", sums.collect::<Vec<_>>());
    for answer in watched.before.iter().chain(&watched.now) {
        assert!(answer.tokens.iter().all(|token| token.probability > 0.0 && token.probability <= 1.0));
    }
    assert!(watched.before.iter().flat_map(|answer| &answer.tokens).all(|token| token.ratio == 1.0));
    // Compared with fine-tuning's beginning, everything is different.
    desk.send(AlignCommand::Watch { prompt: None, before: Some(0) });
    desk.work();
    assert_eq!(desk.watched().unwrap().0.from, (0, 0));
    // A prompt that is too long is refused, and nothing stops.
    desk.send(AlignCommand::Watch { prompt: Some(("k".repeat(400), None)), before: None });
    desk.work();
    assert_eq!(desk.problems(), [""; 0]);
    let notice =
        |event: &AlignEvent| matches!(event, AlignEvent::Notice { message } if message.contains("tokens long"));
    assert!(desk.heard.borrow().iter().any(|(event, _)| notice(event)));
}

#[test]
fn a_rewound_stage_repeats_its_updates_and_a_restored_project_loses_nothing() {
    let mut desk = started();
    let whole = losses(&desk.nodes()[2]);
    let kept = desk.nodes()[2].kept.clone();
    assert_eq!((kept.first(), kept.last()), (Some(&0), Some(&6)), "{kept:?}");
    desk.send(AlignCommand::Rewind { step: 3 });
    let rewound = desk.nodes()[2].clone();
    assert!(rewound.step <= 3 && rewound.points.len() as u64 == rewound.step, "{rewound:?}");
    desk.send(AlignCommand::Train);
    desk.work();
    assert_eq!(losses(&desk.nodes()[2]), whole);
    // A branch from the middle, with another rate.
    let mut branch = grpo(2);
    branch.changes.push(("max_lr".into(), "3e-3".into()));
    desk.begin(StageStart::Node { node: 2, step: 3 }, branch);
    desk.work();
    assert_eq!(desk.problems(), [""; 0]);
    let nodes = desk.nodes();
    assert_eq!((nodes[3].parent, nodes[3].step), (Some((2, 3)), 2));
    assert!((nodes[3].points[0].lr - 3e-3).abs() < 1e-9);
    // Another worker, as after a reload.
    let mut next = Desk::new();
    next.send_with(AlignCommand::Restore { backend: BackendChoice::Cpu }, Some(desk.snapshot()));
    assert_eq!(next.nodes(), nodes);
    next.send(AlignCommand::Extend { steps: 4 });
    next.send(AlignCommand::Train);
    next.work();
    desk.send(AlignCommand::Extend { steps: 4 });
    desk.send(AlignCommand::Train);
    desk.work();
    assert_eq!(losses(&next.nodes()[3]), losses(&desk.nodes()[3]), "to the bit");
    assert_eq!(next.nodes()[3].step, 4);
    next.send(AlignCommand::Remove { node: 2 });
    assert!(next.problems()[0].contains("continue this one"), "{:?}", next.problems());
    next.send(AlignCommand::Remove { node: 3 });
    assert_eq!(next.nodes().len(), 3);
}

#[test]
fn a_stage_is_paused_stepped_and_exported() {
    let mut desk = Desk::new();
    desk.begin(StageStart::Preset { name: "nano".into() }, sft(1000));
    for _ in 0..4 {
        block_on(desk.session.work());
    }
    desk.send(AlignCommand::Pause);
    assert!(!block_on(desk.session.work()), "paused");
    let step = desk.nodes()[1].step;
    assert!((1..1000).contains(&step));
    desk.send(AlignCommand::Step);
    assert_eq!(desk.nodes()[1].step, step + 1);
    desk.send(AlignCommand::Export { loose: false });
    let heard = desk.heard.borrow();
    let exported = heard.iter().rev().find_map(|(event, bytes)| match event {
        AlignEvent::Exported { name, step, .. } => Some((name.clone(), *step, bytes.clone().unwrap())),
        _ => None,
    });
    let (name, exported_step, zip) = exported.unwrap();
    assert_eq!((name.as_str(), exported_step), ("SFT", step + 1));
    assert!(zip.starts_with(b"PK") && zip.len() > 300_000, "{} bytes", zip.len());
    assert_eq!(desk.problems(), [""; 0]);
}

#[test]
fn rows_of_a_file_serve_the_stages_that_they_fit() {
    let mut desk = Desk::new();
    let pair = |n: u32| format!("{{\"prompt\":\"{n}+1=\",\"chosen\":\"{}\",\"rejected\":\"0\"}}\n", n + 1);
    let pairs: String = (10..60).map(pair).collect();
    desk.send_with(AlignCommand::LoadRows { name: "pairs.jsonl".into() }, Some(pairs.into_bytes()));
    let counts = |desk: &Desk| match &desk.heard.borrow().last().unwrap().0 {
        AlignEvent::Rows { counts, .. } => *counts,
        other => panic!("{other:?}"),
    };
    let found = counts(&desk);
    assert_eq!((found[0], found[2]), (0, 50));
    let mut dpo = spec("dpo", 3, &[("rows", "8")]);
    dpo.task = None;
    desk.begin(StageStart::Preset { name: "nano".into() }, dpo.clone());
    desk.work();
    assert_eq!(desk.problems(), [""; 0]);
    let node = desk.nodes()[1].clone();
    assert_eq!(node.step, 3);
    assert!(node.points.iter().all(|point| point.accuracy.is_some() && point.chosen.is_some()));
    assert!(node.scores.iter().all(|score| score.accuracy.is_some()));
    let margins = |event: &AlignEvent| matches!(event, AlignEvent::Margins { margins, .. } if margins.len() == 8);
    assert!(desk.heard.borrow().iter().any(|(event, _)| margins(event)));
    // The rows have no responses to imitate.
    desk.begin(StageStart::Node { node: 0, step: 0 }, StageSpec { stage: "sft".into(), ..dpo });
    assert!(desk.problems()[0].contains("response"), "{:?}", desk.problems());
    desk.send_with(AlignCommand::LoadRows { name: "x.jsonl".into() }, Some(b"{\"text\":\"a\"}".to_vec()));
    assert!(desk.problems()[1].contains("no rows for alignment"), "{:?}", desk.problems());
}

#[test]
fn what_is_refused_leaves_the_project_as_it_was() {
    let mut desk = started();
    let before = desk.nodes();
    let bad = [
        (StageStart::Node { node: 9, step: 0 }, grpo(2), "no stage 9"),
        (StageStart::Preset { name: "huge".into() }, grpo(2), "no model huge"),
        (StageStart::Run { name: "Run 1".into() }, grpo(2), "no run"),
        (StageStart::Node { node: 1, step: 8 }, spec("ppo", 2, &[]), "sft, rft, grpo, dpo"),
        (StageStart::Node { node: 1, step: 8 }, spec("grpo", 2, &[("group_size", "0")]), "group_size is 0"),
        (StageStart::Node { node: 1, step: 8 }, spec("grpo", 2, &[("n_layers", "9")]), "n_layers"),
        (StageStart::Node { node: 1, step: 8 }, StageSpec { task: Some("chess".into()), ..grpo(2) }, "unknown task"),
        (StageStart::Node { node: 1, step: 8 }, StageSpec { judges: vec!["nice".into()], ..grpo(2) }, "unknown judge"),
        (StageStart::Node { node: 1, step: 8 }, StageSpec { task: None, ..grpo(2) }, "no file"),
    ];
    for (at, (start, spec, expected)) in bad.into_iter().enumerate() {
        desk.begin(start, spec);
        assert!(
            desk.problems().get(at).is_some_and(|message| message.contains(expected)),
            "{expected}: {:?}",
            desk.problems()
        );
    }
    assert_eq!(desk.nodes(), before);
    for cut in [0, 7, 20, 4000] {
        let mut next = Desk::new();
        next.send_with(AlignCommand::Restore { backend: BackendChoice::Cpu }, Some(desk.snapshot()[..cut].to_vec()));
        assert!(next.problems()[0].contains("alignment project"), "{:?}", next.problems());
    }
}

#[test]
fn a_stage_survives_the_loss_of_its_device() {
    let mut desk = Desk::new();
    desk.send(AlignCommand::Begin {
        start: StageStart::Preset { name: "nano".into() },
        spec: Box::new(sft(6)),
        backend: BackendChoice::Gpu,
    });
    for _ in 0..4 {
        block_on(desk.session.work());
    }
    desk.session.lose_alignment_device();
    desk.work();
    assert_eq!(desk.problems(), [""; 0]);
    let nodes = desk.nodes();
    assert_eq!(nodes[1].step, 6);
    assert_eq!(losses(&nodes[1]).iter().map(|(step, _)| *step).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    let notice =
        |event: &AlignEvent| matches!(event, AlignEvent::Notice { message } if message.contains("goes on from update"));
    assert!(desk.heard.borrow().iter().any(|(event, _)| notice(event)));
}
