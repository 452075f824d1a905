//! Batches shared by several instances: the run is the same as with one, wherever a shard is computed.

use std::cell::RefCell;
use std::rc::Rc;

use glasshead::config::{Optimizer, RunConfig};
use glasshead::parallel::measure::{date_ms, spin, useful_workers, workers_for};
use glasshead::parallel::pool::{Answer, PoolError, Rounds, SharedPool, WorkerPool};
use glasshead::parallel::shard::{ShardError, ShardGradients, ShardServer, shard_config, shard_sizes};
use glasshead::run::pace::Pace;
use glasshead::serve::Session;
use glasshead::train::trainer::{Trainer, TrainingState};
use glasshead::types::{BackendChoice, CorpusChoice, StepPoint, VocabularyChoice};
use glasshead::wire::Message;
use glasshead::wire::workers::{WorkersCommand, WorkersEvent};
use glasshead::wire::{Command, Event};
use glasshead_page::state::workers::{Wanted, WorkersState};
use pollster::block_on;
use proptest::prelude::*;

use crate::common::ids;
use crate::step::awkward;

/// Helpers in this process, which receive the same messages as workers.
#[derive(Default)]
struct Local {
    desks: Vec<ShardServer>,
    answers: Vec<Option<Result<Vec<u8>, PoolError>>>,
    /// Number of shards that are still computed before every helper fails; `None` for no limit.
    left: Option<usize>,
}

impl WorkerPool for Local {
    fn call(&mut self, n: usize) {
        self.desks.resize_with(n, ShardServer::default);
    }

    fn spin(&mut self, n: usize, _: u32) -> Rounds {
        Box::pin(async move { vec![1; n] })
    }

    fn prepare(&mut self, config: &RunConfig, sizes: &[usize]) -> Result<(), PoolError> {
        self.call(sizes.len());
        self.answers = sizes.iter().map(|_| None).collect();
        self.desks
            .iter_mut()
            .zip(sizes)
            .try_for_each(|(desk, &size)| desk.prepare(&shard_config(config, size)).map_err(failed))
    }

    fn send(&mut self, helper: usize, params: &[f32], windows: &[u32]) {
        let bytes = [bytemuck::cast_slice(params), bytemuck::cast_slice(windows)].concat();
        let gone = self.left == Some(0);
        self.left = self.left.map(|left| left.saturating_sub(1));
        let answer = if gone {
            Err(PoolError::Failed("it was taken away".into()))
        } else {
            self.desks[helper].gradients(&bytes).map_err(failed)
        };
        self.answers[helper] = Some(answer);
    }

    fn receive(&mut self, helper: usize) -> Answer {
        let answer = self.answers[helper].take().unwrap_or(Err(PoolError::Missing));
        Box::pin(async { ShardGradients::from_bytes(&answer?).ok_or(PoolError::Empty) })
    }
}

fn failed(error: ShardError) -> PoolError {
    PoolError::Failed(error.to_string())
}

fn pool(left: Option<usize>) -> SharedPool {
    Rc::new(RefCell::new(Local { left, ..Local::default() }))
}

struct Trained {
    points: Vec<StepPoint>,
    state: TrainingState,
    deserted: Option<String>,
    n_workers: usize,
}

/// Ten steps in chunks of two, with one chunk always in flight, as in a run.
fn train(config: RunConfig, n: usize, pool: SharedPool) -> Trained {
    let tokens = ids(1, 400, 300);
    block_on(async {
        let mut trainer = Trainer::new(config, None, &tokens, &tokens).await.unwrap();
        trainer.share(Some(pool), n).unwrap();
        let mut points = Vec::new();
        trainer.submit(2);
        for _ in 0..4 {
            trainer.submit(2);
            points.extend(trainer.collect().await.unwrap());
        }
        // The state includes all submitted steps, collected or not.
        let state = trainer.state().await.unwrap();
        points.extend(trainer.collect().await.unwrap());
        assert_eq!(trainer.collect().await.unwrap(), []);
        Trained { points, state, deserted: trainer.deserted(), n_workers: trainer.n_workers() }
    })
}

fn configs() -> [RunConfig; 3] {
    let mut plain = awkward();
    (plain.train.warmup_steps, plain.train.max_lr) = (5, 1e-2);
    let (mut accumulating, mut sgd) = (plain.clone(), plain.clone());
    accumulating.train.accumulation_steps = 2;
    (sgd.train.optimizer, sgd.train.batch_size) = (Optimizer::Sgd, 5);
    [plain, accumulating, sgd]
}

#[test]
fn shared_batches_train_as_whole_ones_and_repeat_to_the_bit() {
    for config in configs() {
        let alone = train(config.clone(), 1, pool(None));
        assert_eq!(alone.n_workers, 1);
        for n in [2, 3] {
            let [shared, again] = [(); 2].map(|()| train(config.clone(), n, pool(None)));
            assert_eq!((shared.n_workers, shared.deserted), (n, None));
            assert!(shared.points == again.points && shared.state == again.state, "{n} workers do not repeat");
            let steps: Vec<u64> = shared.points.iter().map(|point| point.step).collect();
            assert_eq!(steps, (1..=10).collect::<Vec<_>>());
            for (one, many) in alone.points.iter().zip(&shared.points) {
                assert!((one.loss - many.loss).abs() < 1e-3, "step {}: {} and {}", one.step, one.loss, many.loss);
                assert!((one.grad_norm - many.grad_norm).abs() < 1e-2 * one.grad_norm, "step {}", one.step);
                assert_eq!(one.lr, many.lr);
            }
            assert!((alone.points[0].loss - shared.points[0].loss).abs() < 1e-5);
        }
    }
}

#[test]
fn a_helper_that_goes_away_changes_nothing_but_the_number() {
    let config = configs()[0].clone();
    let whole = train(config.clone(), 3, pool(None));
    // Two shards of each of the first four steps, and one of the fifth.
    let lost = train(config.clone(), 3, pool(Some(9)));
    assert_eq!((lost.n_workers, lost.deserted.as_deref()), (1, Some("it was taken away")));
    assert_eq!(lost.points[..5], whole.points[..5], "until then, to the bit");
    for (one, other) in whole.points.iter().zip(&lost.points) {
        assert_eq!(one.step, other.step);
        assert!((one.loss - other.loss).abs() < 1e-3, "step {}: {} and {}", one.step, one.loss, other.loss);
    }
    assert_eq!(lost.state.step, 10);
}

#[test]
fn a_poisoned_shard_is_reported() {
    let tokens = ids(1, 400, 300);
    block_on(async {
        let mut trainer = Trainer::new(configs()[0].clone(), None, &tokens, &tokens).await.unwrap();
        trainer.share(Some(pool(None)), 3).unwrap();
        let mut values = trainer.params().await.unwrap();
        let width = trainer.config().model.d_model;
        values[..300 * width].iter_mut().step_by(width).for_each(|value| *value = f32::NAN); // of every embedding
        trainer.set_params(&values);
        trainer.submit(2);
        let result = trainer.collect().await;
        assert!(result.is_err_and(|error| error.to_string().contains("at step 1 the loss is NaN")));
        let after = trainer.params().await.unwrap();
        assert_eq!(after.iter().filter(|value| !value.is_finite()).count(), 300, "the poison has spread");
    });
}

#[test]
fn a_helper_refuses_what_it_cannot_compute() {
    let (config, mut desk) = (configs()[0].clone(), ShardServer::default());
    assert!(desk.gradients(&[]).is_err_and(|error| error == ShardError::NoModel));
    desk.prepare(&shard_config(&config, 2)).unwrap();
    assert_eq!(desk.gradients(&[0; 12]), Err(ShardError::CutOff));
    let bytes = vec![0; 4 * (glasshead::model::params::ParamTable::new(&config.model).buffer_len() + 5)];
    assert!(desk.gradients(&bytes).is_err_and(|error| error.to_string().contains("tokens was given")));
    assert_eq!(ShardGradients::from_bytes(&[1, 2]), None);
}

/// Pausing, evaluating, inspecting and generating work as before, and the page receives the number of workers.
#[test]
fn a_session_shares_its_run() {
    let events: Rc<RefCell<Vec<Message>>> = Rc::default();
    let (sink, began) = (events.clone(), std::time::Instant::now());
    let mut session = Session::new(
        Box::new(move |event, bytes| sink.borrow_mut().push((event, bytes))),
        Box::new(move || began.elapsed().as_secs_f64()),
    );
    session.lend(pool(Some(11)));
    let start = Command::Start {
        run: 1,
        config: configs()[0].clone(),
        corpus: CorpusChoice::BuiltIn,
        vocabulary: VocabularyChoice::Trained,
        backend: BackendChoice::Cpu,
        probe: "Tom saw a cat.".into(),
    };
    block_on(async {
        session.handle(Command::Workers(WorkersCommand::Share { n: 2 }), None).await;
        session.handle(start, None).await;
        session.handle(Command::Step, None).await;
        while session.work().await {}
        session.handle(Command::Train, None).await;
        for _ in 0..20 {
            assert!(session.work().await);
        }
        session.handle(Command::Pause, None).await;
        while session.work().await {}
    });
    let events = events.borrow();
    let told: Vec<usize> = events
        .iter()
        .filter_map(|(event, _)| match event {
            Event::Workers { run: 1, event: WorkersEvent::Computing { n } } => Some(*n),
            _ => None,
        })
        .collect();
    assert_eq!(told, [2, 1], "two, until one of them was gone");
    let notices = events.iter().filter(|(event, _)| match event {
        Event::Notice { message, .. } => message.contains("goes on with one worker"),
        _ => false,
    });
    assert_eq!(notices.count(), 1);
    let steps: Vec<u64> = events
        .iter()
        .flat_map(|(event, _)| match event {
            Event::Progress { points, .. } => points.iter().map(|point| point.step).collect(),
            _ => Vec::new(),
        })
        .collect();
    assert_eq!(steps, (1..=steps.len() as u64).collect::<Vec<_>>());
    assert!(steps.len() > 20);
    assert!(events.iter().any(|(event, _)| matches!(event, Event::Attention { step, .. } if *step > 1)));
    assert!(!events.iter().any(|(event, _)| matches!(event, Event::Failed { .. })));
}

/// Helpers on a machine with a known number of cores that other programs use at times.
struct Cores {
    cores: f64,
    /// The fraction of the machine that other programs leave free, per trial.
    free: Vec<f64>,
    trial: usize,
    helpers: usize,
}

impl WorkerPool for Cores {
    fn call(&mut self, n: usize) {
        self.helpers = n;
    }

    fn spin(&mut self, n: usize, ms: u32) -> Rounds {
        self.call(self.helpers.max(n - 1));
        let free = self.free[self.trial % self.free.len()];
        self.trial += 1;
        let each = 30.0 * f64::from(ms) * free * (self.cores / n as f64).min(1.0);
        Box::pin(async move { vec![each as u64; n] })
    }

    fn prepare(&mut self, _: &RunConfig, _: &[usize]) -> Result<(), PoolError> {
        Err(PoolError::Missing)
    }

    fn send(&mut self, _: usize, _: &[f32], _: &[u32]) {}

    fn receive(&mut self, _: usize) -> Answer {
        Box::pin(async { Err(PoolError::Missing) })
    }
}

#[test]
fn only_workers_that_add_throughput_are_used() {
    let measured = |reported, cores, free: &[f64]| {
        let pool = Rc::new(RefCell::new(Cores { cores, free: free.to_vec(), trial: 0, helpers: 0 }));
        let shared: SharedPool = pool.clone();
        let n = block_on(useful_workers(&shared, reported));
        let pool = pool.borrow();
        assert!(pool.trial == 0 || pool.helpers == n - 1, "the others are dismissed");
        (n, pool.trial > 0)
    };
    // WebKitGTK reports 4 on machines of one, two, and four cores.
    assert_eq!([1.0, 2.0, 4.0].map(|cores| measured(4, cores, &[1.0]).0), [1, 2, 4]);
    assert_eq!(measured(16, 2.0, &[1.0]).0, 2);
    assert_eq!(measured(8, 3.0, &[1.0]).0, 3);
    // Cores that slow each other down a little are still worth using.
    assert_eq!(measured(8, 6.6, &[1.0]).0, 8);
    // Other programs use part of the machine in most trials.
    assert_eq!(measured(4, 2.0, &[0.4, 0.5, 0.7, 1.0, 0.8]).0, 2);
    // A report of two cores is used without a measurement; zero counts as one.
    assert_eq!(
        [measured(2, 1.0, &[1.0]), measured(1, 1.0, &[1.0]), measured(0, 1.0, &[1.0])],
        [(2, false), (1, false), (1, false)]
    );
    // Helpers that compute nothing are not an error.
    assert_eq!(workers_for(4, 0, 0), 1);
}

#[test]
fn a_window_of_time_bounds_the_work() {
    let now = date_ms();
    assert_eq!(spin(now - 20.0, now - 10.0), 0, "it is over");
    let rounds = spin(now, now + 20.0);
    assert!(rounds > 0);
    assert!(date_ms() >= now + 20.0);
    assert_eq!(spin(f64::MAX, date_ms() + 5.0), 0, "it never begins");
}

/// A run on the CPU measures the reported number of cores once, and reports the result to the page.
#[test]
fn a_session_measures_what_the_browser_reports() {
    let events: Rc<RefCell<Vec<Event>>> = Rc::default();
    let sink = events.clone();
    let mut session = Session::new(Box::new(move |event, _| sink.borrow_mut().push(event)), Box::new(|| 0.0));
    let pool = Rc::new(RefCell::new(Cores { cores: 2.0, free: vec![1.0], trial: 0, helpers: 0 }));
    session.lend(pool.clone());
    let start = |run| Command::Start {
        run,
        config: configs()[0].clone(),
        corpus: CorpusChoice::BuiltIn,
        vocabulary: VocabularyChoice::Trained,
        backend: BackendChoice::Cpu,
        probe: "Tom saw a cat.".into(),
    };
    block_on(async {
        session.handle(Command::Workers(WorkersCommand::Measure { reported: 4 }), None).await;
        assert_eq!(pool.borrow().trial, 0, "without a run nothing is measured");
        session.handle(start(1), None).await;
        let trials = pool.borrow().trial;
        assert!(trials > 0);
        session.handle(start(2), None).await;
        assert_eq!(pool.borrow().trial, trials, "once is enough");
        // As a helper, it responds with its own rounds.
        let from_ms = date_ms();
        let spin = WorkersCommand::Spin { order: 7, from_ms, to_ms: from_ms + 5.0 };
        session.handle(Command::Workers(spin), None).await;
    });
    let told: Vec<WorkersEvent> = events
        .borrow()
        .iter()
        .filter_map(|event| match event {
            Event::Workers { event, .. } => Some(event.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(
        told[..3],
        [WorkersEvent::Measured { n: 2 }, WorkersEvent::Computing { n: 2 }, WorkersEvent::Computing { n: 2 }]
    );
    assert!(matches!(told[3], WorkersEvent::Spun { order: 7, rounds } if rounds > 0));
}

#[test]
fn the_page_has_a_report_measured_unless_the_user_chose() {
    let mut state = WorkersState::default();
    state.want(Wanted::Reported(4));
    assert_eq!(state.command(), Command::Workers(WorkersCommand::Measure { reported: 4 }));
    assert_eq!(state.doubted(), None);
    state.hear(&WorkersEvent::Measured { n: 2 });
    assert_eq!((state.wanted, state.doubted()), (2, Some(4)));
    assert_eq!(
        state.command(),
        Command::Workers(WorkersCommand::Share { n: 2 }),
        "a new worker need not measure again"
    );
    state.want(Wanted::Measured { n: 3, reported: 8 });
    assert_eq!((state.command(), state.doubted()), (Command::Workers(WorkersCommand::Share { n: 3 }), Some(8)));
    state.want(Wanted::Chosen(5));
    state.hear(&WorkersEvent::Measured { n: 2 });
    assert_eq!((state.wanted, state.doubted()), (5, None), "what the user chose meanwhile stays");
    state.want(Wanted::Chosen(99));
    assert_eq!(state.wanted, 16);
}

proptest! {
    #[test]
    fn shards_are_a_batch_cut_evenly(batch_size in 1usize..100, n in 0usize..40) {
        let sizes = shard_sizes(batch_size, n);
        prop_assert_eq!(sizes.iter().sum::<usize>(), batch_size);
        prop_assert_eq!(sizes.len(), n.clamp(1, batch_size));
        prop_assert!(sizes[0] - sizes[sizes.len() - 1] <= 1 && sizes[sizes.len() - 1] > 0);
    }

    /// A day of training on a simulated clock: whatever steps and map updates cost, the maps keep to their share of the time,
    /// and cheap ones come ten times a second.
    #[test]
    fn looking_keeps_to_its_share(step in 1e-3f64..3.0, look in 1e-4f64..2.0, uneven in 0.0f64..0.5) {
        let (mut pace, mut now, mut looking, mut looks) = (Pace::new(0.1, 0.1), 0.0, 0.0, 0);
        // As in a run: steps for a period of time, at least one, then possibly a map update.
        let chunk = (0.08 / step).floor().max(1.0) * step;
        let mut round = 0;
        let whole = 400.0 * (chunk + look);
        while now < whole {
            now += chunk;
            pace.trained(chunk);
            if pace.is_due(now) {
                round += 1;
                let took = look * if round % 2 == 0 { 1.0 + uneven } else { 1.0 - uneven };
                pace.looked(now, now + took);
                (now, looking, looks) = (now + took, looking + took, looks + 1);
            }
        }
        // The first update happens before its cost is known.
        prop_assert!(looking <= 0.1 * now + look * 2.0, "{looking} of {now} s went into {looks} looks");
        prop_assert!(looks > 3);
        let affordable = 0.1 * now / look;
        let wanted = affordable.min(now / (0.1f64.max(chunk) + chunk + look));
        prop_assert!(f64::from(looks) > 0.6 * wanted, "{looks} looks where {wanted} were possible");
    }
}
