//! The state of the Align view: the project from events, settings, curves, the collapse alarm, and experiments.

use glasshead::types::align::*;
use glasshead::types::{BackendChoice, Token};
use glasshead::wire::align::{AlignEvent, StageStart};
use glasshead::wire::{Command, Event};
use glasshead_page::share::{hash, restored};
use glasshead_page::state::align::alarm::collapse;
use glasshead_page::state::align::curves::{band, histogram, minis, pass_at_k, same_but_seed, smoothed};
use glasshead_page::state::align::draft::{Draft, Start};
use glasshead_page::state::align::recipes::{Order, Phase, RECIPES};
use glasshead_page::state::align::{AlignAction, AlignState};
use glasshead_page::state::{Action, View};

fn field(name: &str, defaults: [&str; 4]) -> FieldInfo {
    FieldInfo {
        name: name.into(),
        help: "help".into(),
        expected: "1 to 9".into(),
        defaults: defaults.map(str::to_string),
    }
}

fn fields() -> Vec<FieldInfo> {
    vec![
        field("max_lr", ["0.001", "0.001", "0.001", "0.0003"]),
        field("method", ["grpo"; 4]),
        field("group_size", ["8"; 4]),
    ]
}

fn node(id: NodeId, parent: Option<(NodeId, u64)>, spec: Option<StageSpec>) -> NodeInfo {
    let name = spec.as_ref().map_or("Model".to_string(), |spec| spec.stage.to_uppercase());
    NodeInfo { id, name, parent, spec, step: 0, points: Vec::new(), scores: Vec::new(), kept: vec![0] }
}

fn score(step: u64, sampled: f32) -> StageScore {
    StageScore { step, prompts: 100, sampled, greedy: sampled, reward: sampled, accuracy: None, old_loss: 2.0 }
}

fn point(step: u64, reward: f32, length: f32, entropy: f32) -> StagePoint {
    let (reward, length, entropy) = (Some(reward), Some(length), Some(entropy));
    StagePoint {
        step,
        loss: 0.1,
        grad_norm: 1.0,
        seconds: step as f32,
        reward,
        length,
        entropy,
        ..StagePoint::default()
    }
}

fn opened() -> AlignState {
    let mut state = AlignState::default();
    state.hear(AlignEvent::Opened { fields: fields() }, None);
    state
}

#[test]
fn the_project_follows_the_events() {
    let mut state = opened();
    let spec = state.draft.spec();
    let nodes = vec![node(0, None, None), node(1, Some((0, 0)), Some(spec.clone())), node(2, Some((1, 5)), Some(spec))];
    state.hear(AlignEvent::Project { nodes, current: Some(2) }, None);
    assert_eq!(state.chain().iter().map(|node| node.id).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(state.draft.start, Start::Node(2), "the next stage begins where this one is");
    let progress = |points, scores| AlignEvent::Progress {
        node: 2,
        step: 2,
        points,
        scores,
        kept: vec![0, 2],
        updates_per_s: 3.0,
    };
    state.hear(
        progress(vec![point(1, 0.5, 4.0, 1.0), point(2, 0.6, 4.0, 1.0)], vec![score(0, 0.4), score(2, 0.5)]),
        None,
    );
    state.hear(progress(Vec::new(), vec![score(2, 0.7)]), None);
    let current = state.current().unwrap();
    assert_eq!((current.step, current.points.len(), current.kept.clone()), (2, 2, vec![0, 2]));
    assert_eq!(
        current.scores.iter().map(|score| score.sampled).collect::<Vec<_>>(),
        [0.4, 0.7],
        "a second result replaces the first"
    );
    state.hear(AlignEvent::Problem { message: "no".into() }, None);
    assert_eq!((state.problem.as_deref(), &state.preparing), (Some("no"), &None));
    state.apply(AlignAction::DismissMessages);
    assert_eq!(state.problem, None);
    let groups = vec![PromptGroup {
        prompt: "ab".into(),
        answer: Some("ba".into()),
        texts: vec!["ba".into()],
        rewards: vec![1.0],
        exact: vec![true],
    }];
    state.hear(AlignEvent::Batch { node: 2, step: 2, groups }, None);
    state.apply(AlignAction::Pin(Some("ab".into())));
    assert_eq!(state.watched_prompt(), Some(("ab".into(), Some("ba".into()))));
    state.apply(AlignAction::Pin(Some("xy".into())));
    assert_eq!(state.watched_prompt(), Some(("xy".into(), None)));
}

#[test]
fn heads_are_sorted_by_their_change() {
    let mut state = opened();
    let token = |text: &str| Token { id: 0, text: text.into() };
    let about = Watched {
        prompt: "a".into(),
        answer: None,
        from: (0, 0),
        to: (1, 3),
        before: Vec::new(),
        now: Vec::new(),
        tokens: vec![token("a"), token("b")],
        n_layers: 1,
        n_heads: 2,
        causal: true,
    };
    let before = [255, 0, 255, 0, 255, 0, 0, 255];
    let now = [255, 0, 204, 51, 255, 0, 255, 0];
    state.hear(AlignEvent::Watched(Box::new(about.clone())), Some(&[before, now].concat()));
    let shown = state.shown.clone().unwrap();
    assert_eq!(shown.changes.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [(0, 1), (0, 0)]);
    assert!((shown.changes[0].1 - 2.0 / 3.0).abs() < 1e-6 && (shown.changes[1].1 - 0.4 / 3.0).abs() < 1e-6);
    assert_eq!((state.shown_head(), shown.largest), ((0, 1), 1.0));
    assert_eq!(shown.head((0, 0)), [&before[..4], &now[..4]]);
    state.walk(0, 1);
    assert_eq!(state.shown_head(), (0, 0));
    state.walk(0, -1);
    assert_eq!(state.shown_head(), (0, 1));
    // Maps of another size are not shown.
    state.hear(AlignEvent::Watched(Box::new(about)), Some(&before));
    assert_eq!(state.shown, Some(shown));
}

#[test]
fn settings_are_checked_and_become_a_specification() {
    let mut state = opened();
    let enter = |state: &mut AlignState, name: &str, text: &str| {
        state.apply(AlignAction::Enter(name.into(), text.into()));
        state.refused.clone().map(|(.., problem)| problem)
    };
    assert_eq!(state.draft.value("max_lr", &state.fields), "0.003", "untrained weights");
    state.apply(AlignAction::Stage(2));
    assert_eq!(state.draft.value("max_lr", &state.fields), "0.001");
    for (name, text) in [
        ("steps", "0"),
        ("steps", "many"),
        ("stop_exact", "120"),
        ("seed", "-1"),
        ("max_lr", "fast"),
        ("judges", ""),
        ("speed", "1"),
    ] {
        let before = state.draft.clone();
        assert!(enter(&mut state, name, text).is_some(), "{name}={text}");
        assert_eq!(state.draft, before);
    }
    for (name, text) in [
        ("steps", "1,000"),
        ("stop_exact", "90"),
        ("max_lr", "3e-3"),
        ("group_size", "16"),
        ("method", "maxrl"),
        ("judges", "0.9*exact 0.1*format"),
    ] {
        assert_eq!(enter(&mut state, name, text), None, "{name}={text}");
    }
    let spec = state.draft.spec();
    assert_eq!((spec.stage.as_str(), spec.steps, spec.stop_exact), ("grpo", 1000, Some(0.9)));
    assert_eq!(spec.judges, ["0.9*exact", "0.1*format"]);
    assert_eq!(
        spec.changes[0],
        ("method".into(), "maxrl".into()),
        "the method comes first, because it sets other fields"
    );
    assert_eq!(spec.changes.len(), 3);
    assert_eq!(enter(&mut state, "group_size", "8"), None);
    assert_eq!(state.draft.spec().changes.len(), 2, "the default is no change");
    assert_eq!(state.draft.start("Run 1"), StageStart::Preset { name: "nano".into() });
    state.apply(AlignAction::Branch(3, 40));
    assert_eq!(state.draft.start("Run 1"), StageStart::Node { node: 3, step: 40 });
    state.apply(AlignAction::Start(Start::Run));
    assert_eq!(state.draft.start("Run 1"), StageStart::Run { name: "Run 1".into() });
    state.apply(AlignAction::Task(None));
    state.hear(AlignEvent::Rows { name: "x.jsonl".into(), counts: [0, 0, 9] }, None);
    assert_eq!((state.draft.stage, &state.draft.task), (3, &None), "preferences serve DPO alone");
}

#[test]
fn a_collapse_is_noticed_once_rewards_fall_together() {
    let mut node = node(1, Some((0, 0)), Some(Draft::default().spec()));
    node.kept = vec![0, 10, 20, 30];
    let rise = (1..=24).map(|step| point(step, 0.3 + 0.01 * step as f32, 4.0, 1.0));
    node.points = rise.collect();
    assert_eq!(collapse(&node), None);
    let noise = |step: u64| if step.is_multiple_of(2) { 0.42 } else { 0.52 };
    node.points.extend((25..=40).map(|step| point(step, noise(step), 4.0, 0.9)));
    assert_eq!(collapse(&node), None, "noise");
    let healthy = node.clone();
    node.points.extend((41..=56).map(|step| point(step, 0.1, 4.0, 0.9)));
    let found = collapse(&node).unwrap();
    assert!(
        (16..=40).contains(&found.before) && found.back_to <= found.before && node.kept.contains(&found.back_to),
        "{found:?}"
    );
    assert!(found.message.contains("mean reward fell") && !found.message.contains("entropy"), "{found:?}");
    // A smaller fall counts if the entropy falls as well.
    let mut together = healthy.clone();
    together.points.extend((41..=56).map(|step| point(step, 0.3, 4.0, 0.2)));
    assert!(collapse(&together).unwrap().message.contains("entropy from"));
    let mut reward_alone = healthy;
    reward_alone.points.extend((41..=56).map(|step| point(step, 0.3, 4.0, 0.9)));
    assert_eq!(collapse(&reward_alone), None);
}

#[test]
fn curves_bands_and_histograms() {
    let spec = Draft::default().spec();
    let of_seed = |id, seed, sampled: &[f32]| {
        let mut node = node(id, Some((0, 0)), Some(StageSpec { seed, ..spec.clone() }));
        node.scores = sampled.iter().enumerate().map(|(at, &sampled)| score(10 * at as u64, sampled)).collect();
        node
    };
    let nodes = [of_seed(1, 1, &[0.2, 0.4]), of_seed(2, 2, &[0.4, 0.8, 0.9]), node(3, Some((0, 0)), None)];
    let same = same_but_seed(&nodes, &nodes[0]);
    assert_eq!(same.len(), 2);
    let found = band(&same);
    assert_eq!(found.len(), 2, "where all were evaluated");
    let (step, mean, half) = found[1];
    // The standard deviation of 0.4 and 0.8 is 0.2828, its standard error 0.2.
    assert!(step == 10.0 && (mean - 0.6).abs() < 1e-6 && (half - 1.96 * 0.2).abs() < 1e-6, "{found:?}");
    assert_eq!(band(&same[..1]), []);
    let smooth = smoothed(&vec![(0.0, 0.0), (1.0, 3.0), (2.0, 0.0)], 4);
    assert_eq!(smooth, [(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)]);
    let (one, none) = ([true, false, false, false], [false; 4]);
    let pass = pass_at_k(&[&one, &none]);
    assert!((pass[0] - 0.125).abs() < 1e-12 && (pass[1] - 0.25).abs() < 1e-12 && pass[3] == 0.5, "{pass:?}");
    let (low, width, bins) = histogram(&[&[0.0, 1.0, 0.95], &[0.05, f32::NAN]], 10);
    assert!(low == 0.0 && (width - 0.1).abs() < 1e-6);
    assert_eq!((bins[0].clone(), bins[9].clone()), (vec![(0, 0), (1, 0)], vec![(0, 1), (0, 2)]));
    let mut node = of_seed(4, 1, &[0.1]);
    node.points = vec![point(1, 0.5, 4.0, 1.0)];
    let titles: Vec<&str> = minis(&node, false).iter().map(|mini| mini.title).collect();
    assert_eq!(titles, ["Answer length", "Entropy", "Gradient norm", "Loss", "Loss on the old text"]);
    node.points[0] =
        StagePoint { step: 1, chosen: Some(-1.0), rejected: Some(-2.0), accuracy: Some(0.9), ..StagePoint::default() };
    let first = minis(&node, true).remove(0);
    assert_eq!((first.title, first.latest.as_str()), ("Chosen, rejected", "−1.00 · −2.00"));
}

#[test]
fn every_recipe_goes_from_stage_to_stage_to_its_check() {
    for recipe in &RECIPES {
        let link = format!("#view=align&recipe={}", recipe.name);
        let (mut state, problems) = restored(&link);
        assert_eq!((state.view, problems), (View::Align, Vec::new()));
        assert_eq!(state.align.recipe_order(Some((0, false))), None, "the worker is not ready");
        let align = |event| (Event::Align(event), None);
        state.apply(Action::Events(vec![align(AlignEvent::Opened { fields: fields() })]));
        if recipe.pretrain > 0 {
            assert_eq!(state.align.recipe_order(Some((0, false))), Some(Order::Pretrain));
            assert_eq!(state.align.recipe_order(Some((recipe.pretrain - 1, true))), None);
        }
        let mut nodes = vec![node(0, None, None)];
        for at in 0..recipe.stages.len() {
            assert_eq!(state.align.recipe_order(Some((recipe.pretrain, true))), Some(Order::Begin), "{}", recipe.name);
            let spec = state.align.draft.spec();
            assert_eq!((spec.task.as_deref(), spec.steps), (Some(recipe.task), recipe.stages[at].steps));
            let start = if at > 0 {
                Start::Node(at as u32)
            } else if recipe.pretrain > 0 {
                Start::Run
            } else {
                Start::Untrained
            };
            assert_eq!(state.align.draft.start, start);
            state.apply(Action::Align(AlignAction::Began));
            state.apply(Action::Align(AlignAction::Carried));
            assert_eq!(state.align.recipe_order(Some((recipe.pretrain, true))), None);
            let mut added = node(at as u32 + 1, Some((at as u32, 0)), Some(spec));
            added.scores = vec![score(0, 0.45), StageScore { old_loss: 3.0, ..score(10, 0.1) }];
            nodes.push(added);
            let project = AlignEvent::Project { nodes: nodes.clone(), current: Some(at as u32 + 1) };
            state.apply(Action::Events(vec![align(project), align(AlignEvent::Ended { message: "done".into() })]));
        }
        let running = state.align.recipe.clone().unwrap();
        let (passed, sentence) = running.outcome.unwrap();
        assert_eq!(
            (running.phase, passed),
            (Phase::Done, matches!(recipe.name, "collapse" | "sft-forgets")),
            "{sentence}"
        );
        assert!(!hash(&state, false).contains("recipe"), "a shared link does not start it again");
    }
    let (state, problems) = restored("#view=align&recipe=nonsense");
    assert!(state.align.recipe.is_none() && problems.len() == 1);
}

#[test]
fn commands_survive_the_way_to_the_worker() {
    let command = Command::Align(glasshead::wire::align::AlignCommand::Begin {
        start: StageStart::Node { node: 2, step: 7 },
        spec: Box::new(Draft::default().spec()),
        backend: BackendChoice::Cpu,
    });
    let json = serde_json::to_string(&command).unwrap();
    assert_eq!(serde_json::from_str::<Command>(&json).unwrap(), command);
    let score = AlignEvent::Progress {
        node: 0,
        step: 0,
        points: vec![StagePoint::default()],
        scores: vec![score(0, 0.5)],
        kept: vec![0],
        updates_per_s: 0.0,
    };
    let json = serde_json::to_string(&Event::Align(score.clone())).unwrap();
    assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), Event::Align(score));
}
