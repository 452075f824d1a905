//! Held-out losses: the same tokens for every batch size, the same value wherever they are shown, and always of the current
//! weights, also after a weight was edited.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use glasshead::config::EVALUATION_TOKENS;
use glasshead::data::evaluation_starts;
use glasshead::serve::Session;
use glasshead::train::trainer::Trainer;
use glasshead::types::inspect::{Comparison, Watched, WeightAt, WhatIf};
use glasshead::types::{BackendChoice, CorpusChoice, ValidationPoint, VocabularyChoice};
use glasshead::wire::Message;
use glasshead::wire::data::DataEvent;
use glasshead::wire::inspect::{InspectCommand, InspectEvent};
use glasshead::wire::runs::{RunsCommand, RunsEvent};
use glasshead::wire::{Command, Event};
use glasshead_page::state::runs::RunsAction;
use glasshead_page::state::{Action, State};
use pollster::block_on;

use crate::common::{context, ids};
use crate::step::awkward;

/// −ln p of each target, from logits.
fn loss(logits: &[f32], target: u32) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - most).exp()).sum();
    sum.ln() - f64::from(logits[target as usize] - most)
}

#[test]
fn a_held_out_loss_does_not_depend_on_the_batch_size() {
    let tokens = ids(1, 700, 300);
    let mut config = awkward();
    let window = config.model.context_length;
    let trained = block_on(async {
        let mut trainer = Trainer::new(config.clone(), None, &tokens, &tokens).await.unwrap();
        trainer.submit(5);
        trainer.collect().await.unwrap();
        trainer.params().await.unwrap()
    });
    let mut losses = Vec::new();
    // A batch of one window needs more batches than the ring has slots; in the last size all windows are half a batch.
    for batch_size in [1, 3, 8, 2 * EVALUATION_TOKENS / window] {
        config.train.batch_size = batch_size;
        for gpu in [false, true] {
            let context = gpu.then(context);
            losses.push(block_on(async {
                let mut trainer = Trainer::new(config.clone(), context.as_ref(), &tokens, &tokens).await.unwrap();
                trainer.set_params(&trained);
                trainer.evaluate().await.unwrap()
            }));
        }
    }
    // The definition: the mean over the first 4,096 tokens of the windows.
    let expected = block_on(async {
        config.train.batch_size = 1;
        let mut trainer = Trainer::new(config.clone(), None, &tokens, &tokens).await.unwrap();
        trainer.set_params(&trained);
        let mut all = Vec::new();
        for start in evaluation_starts(tokens.len(), window, EVALUATION_TOKENS.div_ceil(window)) {
            let start = start as usize;
            let logits = trainer.logits(&tokens[start..start + window]).await.unwrap();
            all.extend(logits.chunks_exact(300).zip(&tokens[start + 1..]).map(|(row, &target)| loss(row, target)));
        }
        all[..EVALUATION_TOKENS].iter().sum::<f64>() / EVALUATION_TOKENS as f64
    });
    for loss in &losses {
        assert!((f64::from(*loss) - expected).abs() < 2e-5, "{losses:?} and {expected}");
    }
}

/// A session on the CPU whose clock advances by a hundredth of a second at every reading.
struct ShardServer {
    session: Session,
    heard: Rc<RefCell<Vec<Message>>>,
}

impl ShardServer {
    fn start(corpus: CorpusChoice) -> Self {
        let heard: Rc<RefCell<Vec<Message>>> = Rc::default();
        let (sink, time) = (heard.clone(), Cell::new(0.0));
        let clock = move || {
            time.set(time.get() + 0.01);
            time.get()
        };
        let sink = Box::new(move |event, bytes| sink.borrow_mut().push((event, bytes)));
        let mut desk = Self { session: Session::new(sink, Box::new(clock)), heard };
        let (backend, probe) = (BackendChoice::Cpu, "a cat".to_string());
        let mut config = awkward();
        config.model.vocab_size = 257;
        desk.tell(Command::Start { run: 1, config, corpus, vocabulary: VocabularyChoice::Trained, backend, probe });
        desk
    }

    /// Sends a command to the session and returns all events until it is idle.
    fn tell(&mut self, command: Command) -> Vec<Event> {
        let before = self.heard.borrow().len();
        block_on(self.session.handle(command, None));
        let mut left = 20_000;
        while block_on(self.session.work()) {
            left -= 1;
            assert!(left > 0, "the session does not come to rest");
        }
        self.heard.borrow()[before..].iter().map(|(event, _)| event.clone()).collect()
    }

    fn rules(&mut self, steps: u64) {
        let rules = glasshead::config::rules::Rules { stop_steps: Some(steps), ..Default::default() };
        self.tell(Command::Runs { command: RunsCommand::Rules(rules) });
    }

    /// The page's state after all events.
    fn page(&self) -> State {
        let mut state = State::default();
        state.apply(Action::Started);
        let heard = self.heard.borrow();
        let batch = heard.iter().map(|(event, bytes)| (event.clone(), bytes.clone().map(Rc::from))).collect();
        state.apply(Action::Events(batch));
        state
    }
}

fn validations(events: &[Event]) -> Vec<ValidationPoint> {
    let of = |event: &Event| match event {
        Event::Progress { validation, .. } => validation.clone(),
        _ => Vec::new(),
    };
    events.iter().flat_map(of).collect()
}

fn comparison(events: &[Event]) -> Comparison {
    let of = |event: &Event| match event {
        Event::Inspect { event: InspectEvent::WhatIf(comparison), .. } => Some((**comparison).clone()),
        _ => None,
    };
    events.iter().rev().find_map(of).expect("a comparison")
}

fn weight() -> WeightAt {
    WeightAt { tensor: "lm_head.weight".into(), row: 97, column: 1 }
}

fn watch(value: Option<f32>) -> Command {
    let what_if = Some(WhatIf { weight: Some(weight()), value, ..WhatIf::default() });
    Command::Inspect { command: InspectCommand::Watch(Watched { what_if, ..Watched::default() }) }
}

#[test]
fn a_weight_that_is_kept_changes_every_number_that_is_shown() {
    let mut desk = ShardServer::start(CorpusChoice::Task(0));
    desk.tell(Command::Runs { command: RunsCommand::Copies { every_seconds: Some(1) } });
    desk.rules(1_500);
    desk.tell(Command::Train);
    let before = desk.page();
    let (score, shown) = (*before.data.scores.last().expect("a score"), *before.history.validation.last().unwrap());
    let tried = comparison(&desk.tell(watch(Some(9.0))));
    assert_eq!((tried.losses[0], tried.n_tokens), (shown.loss, EVALUATION_TOKENS), "what-if and header agree");
    assert_ne!(tried.losses[1], tried.losses[0]);

    let events = desk.tell(Command::Inspect { command: InspectCommand::Keep(weight(), 9.0) });
    let new = validations(&events);
    assert_eq!((new.len(), new[0].step), (1, shown.step), "it is evaluated again at the same step");
    assert_eq!(new[0].loss, tried.losses[1], "what was tried is what the run has now");
    let scored = |event: &Event| matches!(event, Event::Data(DataEvent::Score { step, .. }) if *step == shown.step);
    assert!(events.iter().any(scored), "the task is scored again");
    let kept = |event: &Event| matches!(event, Event::Runs { event: RunsEvent::Copied { .. }, .. });
    assert!(events.iter().any(kept), "the edited run is kept");

    let after = desk.page();
    assert_eq!(after.history.validation.last().map(|val| val.loss), Some(new[0].loss));
    assert_eq!(after.history.validation.len(), before.history.validation.len(), "one row for each step");
    assert_eq!(after.data.scores.iter().filter(|point| point.step == shown.step).count(), 1);
    assert!(score.step <= shown.step);
    // A repeated request uses the cached result.
    assert_eq!(validations(&desk.tell(watch(None))), Vec::new());
    assert_eq!(comparison(&desk.tell(watch(None))).losses, [new[0].loss; 2]);
}

/// Entropies are computed from the weights themselves: in bytes, 600 uniform weights would all be 0.
#[test]
fn entropies_are_those_of_the_weights() {
    let mut config = awkward();
    config.model.context_length = 64;
    let (tokens, probe) = (ids(1, 700, 300), ids(9, 50, 300));
    for gpu in [false, true] {
        let context = gpu.then(context);
        let (maps, weights) = block_on(async {
            let mut trainer = Trainer::new(config.clone(), context.as_ref(), &tokens, &tokens).await.unwrap();
            trainer.submit(5);
            trainer.collect().await.unwrap();
            (trainer.attention_maps(&probe).await.unwrap(), trainer.attention_weights(&probe).await.unwrap())
        });
        let n = probe.len();
        let heads: Vec<&[f32]> = weights.chunks_exact(n * n).collect();
        for (layer, heads) in heads.chunks_exact(3).enumerate() {
            let mean: Vec<f32> =
                (0..n * n).map(|cell| heads.iter().map(|head| head[cell]).sum::<f32>() / 3.0).collect();
            for (at, head) in heads.iter().copied().chain([&mean[..]]).enumerate() {
                let terms = head.iter().filter(|&&w| w > 0.0).map(|&w| -f64::from(w) * f64::from(w).log2());
                let (expected, shown) = (terms.sum::<f64>() / n as f64, maps.entropies[layer * 4 + at]);
                assert!(
                    (expected - f64::from(shown)).abs() < 1e-4,
                    "GPU {gpu}, layer {layer}, {at}: {expected}, {shown}"
                );
            }
        }
    }
}

/// A run's name survives an autosave, a resume and the next autosave.
#[test]
fn a_renamed_run_keeps_its_name_through_autosaves() {
    use glasshead::run::record::read;
    let copied = |desk: &ShardServer| {
        let of = |(event, bytes): &Message| match event {
            Event::Runs { event: RunsEvent::Copied { .. }, .. } => bytes.clone(),
            _ => None,
        };
        desk.heard.borrow().iter().rev().find_map(of).expect("an autosave")
    };
    let mut first = ShardServer::start(CorpusChoice::BuiltIn);
    let every_second = Command::Runs { command: RunsCommand::Copies { every_seconds: Some(1) } };
    first.tell(every_second.clone());
    first.tell(Command::Runs { command: RunsCommand::Name { run: 1, name: "wide".into() } });
    first.rules(3);
    first.tell(Command::Train);
    let file = copied(&first);
    assert_eq!(read(&file).expect("a record").name, "wide");
    let mut second = ShardServer::start(CorpusChoice::BuiltIn);
    second.tell(every_second);
    let resume = RunsCommand::Resume { run: 2, backend: BackendChoice::Cpu, probe: "a cat".into() };
    block_on(second.session.handle(Command::Runs { command: resume }, Some(file)));
    second.rules(6);
    second.tell(Command::Train);
    assert_eq!(read(&copied(&second)).expect("a record").name, "wide");

    // A file from before names were stored takes the name from the list of saved runs.
    let mut page = State::default();
    page.apply(Action::Started);
    page.apply(Action::Runs(RunsAction::Loading(Some("listed".into()))));
    let resumed = second.heard.borrow().iter().find_map(|(event, _)| match event {
        Event::Runs { event: RunsEvent::Resumed { record, config }, .. } => Some((record.clone(), config.clone())),
        _ => None,
    });
    let (mut record, config) = resumed.expect("it was resumed");
    record.name.clear();
    page.apply(Action::Events(vec![(Event::Runs { run: 2, event: RunsEvent::Resumed { record, config } }, None)]));
    assert_eq!(page.runs.name, "listed");
}
