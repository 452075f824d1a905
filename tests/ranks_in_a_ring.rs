//! Training on ranks: every strategy equals one rank to the bit, over shared memory and TCP, and hides what it should.

use glasshead::config::{ModelConfig, Optimizer, RunConfig};
use glasshead::model::params::ParamTable;
use glasshead::parallel::collectives::{self, Sent};
use glasshead::parallel::ranks::{Beginning, Plan, RankError, RankResult, StepReport, alone, train};
use glasshead::parallel::tensor::Network;
use glasshead::parallel::transport::{Kind, ring};
use glasshead::rng::Rng;
use glasshead::systems::link::Link;
use glasshead::systems::ring::{Collective, chunk, execute, owned_chunk, sum_in_ring_order};
use glasshead::systems::simulate::Strategy;
use glasshead::train::trainer::Trainer;
use pollster::block_on;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use crate::common::ids;
use crate::step::awkward;

const EXECUTED: [Strategy; 6] =
    [Strategy::Naive, Strategy::Flat, Strategy::Overlapped, Strategy::Bucketed, Strategy::Sharded, Strategy::Fsdp];

fn config() -> RunConfig {
    let mut config = awkward();
    config.train.batch_size = 4;
    (config.train.warmup_steps, config.train.max_lr) = (5, 1e-2);
    config
}

fn beginning(config: &RunConfig) -> Beginning {
    Beginning { params: ParamTable::new(&config.model).initial_values(config.train.seed), ..Beginning::default() }
}

fn plan(strategy: Strategy, ranks: usize, kind: Kind) -> Plan {
    Plan { strategy, ranks, kind, link: None, bucket_bytes: 20_000.0 }
}

/// The windows of a step, and where they start.
fn windows(config: &RunConfig, tokens: &[u32], step: usize) -> (Vec<u32>, Vec<u32>) {
    let (window, mut rng) = (config.model.context_length + 1, Rng::new(step as u64));
    let starts: Vec<u32> = (0..config.train.batch_size).map(|_| rng.below((tokens.len() - window) as u32)).collect();
    let ids = starts.iter().flat_map(|&start| &tokens[start as usize..start as usize + window]).copied().collect();
    (ids, starts)
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn run(plan: Plan, config: &RunConfig, n_steps: usize) -> Vec<RankResult> {
    let tokens = ids(1, 400, 300);
    let batches = |step: usize| windows(config, &tokens, step).0;
    train(config, plan, &beginning(config), (n_steps, &batches), &|_, _| ()).unwrap()
}

#[test]
fn every_strategy_equals_one_rank() {
    let mut tied = config();
    tied.set("tied_embeddings", "true").unwrap();
    tied.set("bias", "true").unwrap();
    tied.train.max_grad_norm = 0.01;
    for config in [config(), tied] {
        let tokens = ids(1, 400, 300);
        let batches = |step: usize| windows(&config, &tokens, step).0;
        for (ranks, kind) in [(1, Kind::Threads), (2, Kind::Tcp), (4, Kind::Threads)] {
            for strategy in EXECUTED {
                let plan = plan(strategy, ranks, kind);
                let one = alone(&config, plan, &beginning(&config), (3, &batches)).unwrap();
                for rank in run(plan, &config, 3) {
                    let name = format!("{} on {ranks} ranks", strategy.name());
                    assert!(bits(&rank.params) == bits(&one.params), "parameters, {name}");
                    for (ours, theirs) in rank.moments.iter().zip(&one.moments) {
                        assert!(bits(ours) == bits(theirs), "moments, {name}");
                    }
                    let losses = |result: &RankResult| -> Vec<[u32; 2]> {
                        result.steps.iter().map(|step| [step.loss, step.grad_norm].map(f32::to_bits)).collect()
                    };
                    assert_eq!(losses(&rank), losses(&one), "losses and norms, {name}");
                }
            }
        }
    }
}

/// The whole batch in one pass adds in another order: the difference is that of rounding.
#[test]
fn ranks_train_as_the_trainer_does() {
    let (config, tokens) = (config(), ids(1, 400, 300));
    let mut trainer = block_on(Trainer::new(config.clone(), None, &tokens, &tokens)).unwrap();
    let ranks = run(plan(Strategy::Fsdp, 4, Kind::Threads), &config, 3);
    for step in 0..3 {
        let point = block_on(trainer.step_on(&windows(&config, &tokens, step).1)).unwrap();
        let ours = ranks[0].steps[step];
        assert!((point.loss - ours.loss).abs() < 1e-5 * point.loss, "{point:?} {ours:?}");
        assert!((point.grad_norm - ours.grad_norm).abs() < 1e-4 * point.grad_norm, "{point:?} {ours:?}");
    }
    let params = block_on(trainer.params()).unwrap();
    let difference = params.iter().zip(&ranks[0].params).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // Three steps of at most 0.6 · 10⁻² each.
    assert!(difference < 1e-4, "{difference}");
}

#[test]
fn a_sharded_rank_holds_less() {
    let mut config = config();
    config.model.n_layers = 6;
    let memory = |strategy, ranks| run(plan(strategy, ranks, Kind::Threads), &config, 1)[0].memory;
    let (flat, sharded, fsdp) = (memory(Strategy::Flat, 4), memory(Strategy::Sharded, 4), memory(Strategy::Fsdp, 4));
    assert!((sharded.moments / flat.moments - 0.25).abs() < 0.01);
    assert_eq!([sharded.parameters, sharded.gradients], [flat.parameters, flat.gradients]);
    // Sharded vectors leave out the padding between parameters.
    assert!((0.2..0.26).contains(&(fsdp.moments / flat.moments)), "{fsdp:?} {flat:?}");
    assert!(fsdp.parameters < flat.parameters && fsdp.gradients < flat.gradients, "{fsdp:?} {flat:?}");
    // A rank of four has a quarter of the batch.
    assert!((memory(Strategy::Naive, 1).activations / memory(Strategy::Naive, 4).activations - 4.0).abs() < 0.01);
}

/// Overlapped communication hides most of what naive communication shows. The link is slow enough that waiting for the other
/// rank, which competes for the same cores, matters little.
#[test]
fn overlapping_hides_communication() {
    let mut config = config();
    config.model = ModelConfig::cs336([64, 32], [32, 8, 4, 96]);
    config.train.batch_size = 16;
    let batches = |step: usize| {
        let mut rng = Rng::new(step as u64);
        (0..16 * 33).map(|_| rng.below(64)).collect()
    };
    let waited = |strategy, link| {
        let plan = Plan { strategy, ranks: 2, kind: Kind::Threads, link, bucket_bytes: 0.0 };
        let results = train(&config, plan, &beginning(&config), (6, &batches), &|_, _| ()).unwrap();
        let best = |value: fn(&StepReport) -> f64| results[0].steps.iter().map(value).fold(f64::INFINITY, f64::min);
        [best(|step| step.seconds - step.waited_s), best(|step| step.waited_s)]
    };
    let bytes = 4.0 * ParamTable::new(&config.model).buffer_len() as f64;
    let [computed_s, skew_s] = waited(Strategy::Flat, None);
    let link_s = (0.5 * computed_s).max(2.0 * skew_s);
    let link = Some(Link { bytes_per_s: bytes / link_s, latency_s: 0.0 });
    let [flat_s, overlapped_s] = [Strategy::Flat, Strategy::Overlapped].map(|strategy| waited(strategy, link)[1]);
    assert!(flat_s >= 0.8 * link_s, "the link is slow: {flat_s} s of {link_s} s");
    assert!(overlapped_s < 0.75 * flat_s, "{overlapped_s} s of {flat_s} s are visible");
}

#[test]
fn what_ranks_cannot_do_is_refused() {
    let config = config();
    let refusal = |config: &RunConfig, plan: Plan| plan.check(config).unwrap_err();
    let of = |ranks| plan(Strategy::Flat, ranks, Kind::Threads);
    assert!(matches!(refusal(&config, of(3)), RankError::Uneven { batch_size: 4, ranks: 3 }));
    assert!(matches!(refusal(&config, of(0)), RankError::Uneven { .. }));
    let mut other = config.clone();
    other.train.optimizer = Optimizer::Sgd;
    assert!(refusal(&other, of(2)).to_string().ends_with("change optimizer"));
    other = config.clone();
    other.train.accumulation_steps = 2;
    assert!(refusal(&other, of(2)).to_string().ends_with("change accumulation_steps"));
    let foreign = Beginning { params: vec![0.0; 3], ..Beginning::default() };
    let result = train(&config, of(2), &foreign, (1, &|_| Vec::new()), &|_, _| ());
    assert!(result.unwrap_err().to_string().contains("3 values"));
}

#[test]
fn a_tensor_parallel_network_equals_a_whole_one() {
    let sizes = [12, 16, 24];
    let [rows, c, f] = sizes;
    let mut rng = Rng::new(5);
    let mut draw = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.uniform() as f32 - 0.5).collect() };
    let network =
        Network { sizes, w1: draw(f * c), w3: draw(f * c), w2: draw(c * f), x: draw(rows * c), y_grad: draw(rows * c) };
    let whole = network.alone();
    for n in [2, 3, 4] {
        let ranks = network.parallel(n, Kind::Threads).unwrap();
        let near = |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        for (rank, own) in ranks.iter().enumerate() {
            assert!(near(&own.y, &whole.y) && near(&own.x_grad, &whole.x_grad), "rank {rank} of {n}");
            let part = chunk(f, n, rank);
            let gate = &whole.gate_up_grad[part.start * c..part.end * c];
            assert!(near(&own.gate_up_grad[..part.len() * c], gate), "gate of rank {rank} of {n}");
            assert!(own.weight_bytes < whole.weight_bytes);
        }
        let all: usize = ranks.iter().map(|rank| rank.weight_bytes).sum();
        assert_eq!(all, whole.weight_bytes);
    }
}

#[test]
fn a_neighbor_that_ends_is_reported() {
    let mut places = ring(Kind::Threads, 2, None).unwrap();
    drop(places.pop());
    let result = collectives::run(&mut *places[0], [0, 2], Collective::AllReduce, &mut [1.0, 2.0]);
    assert!(result.unwrap_err().to_string().contains("has ended"));
    let mut places = ring(Kind::Tcp, 2, None).unwrap();
    let (mut second, mut first) = (places.pop().unwrap(), places.pop().unwrap());
    first.send(&[1.0, 2.0, 3.0]).unwrap();
    assert!(second.receive(2).unwrap_err().to_string().contains("3 values instead of 2"));
}

proptest! {
    /// Messages over real links, and the same in one place: equal to the bit, for vectors of any length.
    #[test]
    fn collectives_give_every_rank_its_part(n in 1usize..7, len in 0usize..40, seed in 0u64..100, tcp in 0u8..10) {
        let mut rng = Rng::new(seed);
        let vectors: Vec<Vec<f32>> = (0..n).map(|_| (0..len).map(|_| rng.uniform() as f32 - 0.5).collect()).collect();
        let slices: Vec<&[f32]> = vectors.iter().map(Vec::as_slice).collect();
        let sum = sum_in_ring_order(&slices);
        for collective in Collective::ALL {
            let mut here = vectors.clone();
            execute(collective, &mut here);
            let places = ring(if tcp == 0 { Kind::Tcp } else { Kind::Threads }, n, None).unwrap();
            let there: Vec<(Vec<f32>, Sent)> = std::thread::scope(|scope| {
                let ranks: Vec<_> = places.into_iter().zip(vectors.clone()).enumerate().map(|(rank, (mut place, mut values))| {
                    scope.spawn(move || {
                        let sent = collectives::run(&mut *place, [rank, n], collective, &mut values).unwrap();
                        (values, sent)
                    })
                }).collect();
                ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
            });
            for (rank, (values, sent)) in there.iter().enumerate() {
                prop_assert!(bits(values) == bits(&here[rank]));
                prop_assert_eq!(sent.messages as usize, collective.n_rounds(n));
                let own = chunk(len, n, owned_chunk(rank, n));
                match collective {
                    Collective::AllReduce => prop_assert!(bits(values) == bits(&sum)),
                    Collective::ReduceScatter => prop_assert!(bits(&values[own.clone()]) == bits(&sum[own])),
                    Collective::AllGather => for other in 0..n {
                        let of = chunk(len, n, owned_chunk(other, n));
                        prop_assert!(bits(&values[of.clone()]) == bits(&vectors[other][of]));
                    },
                }
            }
        }
    }
}
