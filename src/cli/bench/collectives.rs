//! `glasshead bench collectives`: collectives over real links next to the formula, the strategies of parallel training executed
//! on ranks next to one rank and to the simulator, and the bounds of the calculator.

use std::time::Instant;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{StepModel, median};
use crate::cli::sentence;
use crate::config::RunConfig;
use crate::model::params::ParamTable;
use crate::parallel::collectives;
use crate::parallel::ranks::{Beginning, Plan, RankResult, StepReport, alone, train};
use crate::parallel::transport::{Kind, Transport, ring};
use crate::rng::Rng;
use crate::systems::bounds::Layer;
use crate::systems::cluster::{PUBLISHED, Published};
use crate::systems::link::Link;
use crate::systems::ring::Collective;
use crate::systems::simulate::Strategy;

/// How ranks are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Links {
    /// Shared memory between threads.
    Threads,
    /// TCP over the loopback interface.
    Tcp,
}

impl From<Links> for Kind {
    fn from(links: Links) -> Self {
        match links {
            Links::Threads => Self::Threads,
            Links::Tcp => Self::Tcp,
        }
    }
}

/// The strategy with this name.
pub(in crate::cli) fn strategy(name: &str) -> Result<Strategy, String> {
    let known = Strategy::ALL.into_iter().filter(|strategy| *strategy != Strategy::TensorParallel);
    known.clone().find(|strategy| strategy.name() == name).ok_or_else(|| {
        let names: Vec<&str> = known.map(Strategy::name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// Options of the collectives benchmark.
#[derive(Args)]
pub(in crate::cli) struct CollectivesArgs {
    #[command(flatten)]
    model: StepModel,
    /// Numbers of ranks, measured in turn.
    #[arg(long, value_delimiter = ',', default_values_t = [2, 4], value_parser = clap::value_parser!(u16).range(1..=64))]
    ranks: Vec<u16>,
    /// The links between ranks.
    #[arg(long, value_enum, default_value = "threads")]
    links: Links,
    /// Slow the links down to this many megabytes per second.
    #[arg(long)]
    mb_per_s: Option<f64>,
    /// Slow the links down to this many microseconds per message.
    #[arg(long, default_value_t = 0.0)]
    latency_us: f64,
    /// Slow the links down so that the all-reduce of all gradients takes this fraction of the computation of a step.
    #[arg(long, conflicts_with = "mb_per_s")]
    link_share: Option<f64>,
    /// The bucket of the bucketed strategy in KiB.
    #[arg(long, default_value_t = 256.0)]
    bucket_kib: f64,
    /// The number of steps of each strategy.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    steps: u16,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn collectives(args: CollectivesArgs) -> Result<(), String> {
    let config = args.model.config()?;
    let table = ParamTable::new(&config.model);
    let bytes = 4.0 * table.buffer_len() as f64;
    let (mut moved, mut trained) = (Vec::new(), Vec::new());
    for &n in &args.ranks {
        let n = usize::from(n);
        let link = link(&args, &config, &table, n, bytes)?;
        for collective in Collective::ALL {
            moved.push(measure(collective, n, args.links.into(), link, bytes)?);
        }
        for strategy in Strategy::ALL.into_iter().filter(|strategy| *strategy != Strategy::TensorParallel) {
            let plan =
                Plan { strategy, ranks: n, kind: args.links.into(), link, bucket_bytes: 1024.0 * args.bucket_kib };
            trained.push(execute(&config, &table, plan, args.steps.into())?);
        }
    }
    let bounds = bounds();
    if args.json {
        say!("{}", json!({ "collectives": moved, "strategies": trained, "bounds": bounds, "clusters": clusters() }));
        return Ok(());
    }
    say!("collectives of {:.2} MB, the size of all gradients", bytes / 1e6);
    print(&moved, &["collective", "ranks", "ms", "formula_ms", "messages", "mb_sent"]);
    say!(
        "training: seconds of a step, of which the rank waited for its link; equal to one rank that adds in the ring's order"
    );
    print(
        &trained,
        &["strategy", "ranks", "step_ms", "waited_ms", "equal_bits", "largest_difference", "memory_mib", "mb_sent"],
    );
    say!("the largest number of ranks whose communication stays hidden: formula 1 + B·W/C, and the simulator");
    print(&bounds, &["tokens", "gb_per_s", "tflops", "formula", "simulated", "ratio"]);
    say!("clusters: TFLOP/s per GPU as simulated and as published; the constant is fitted to the first run alone");
    print(&clusters(), &["run", "gpus", "step_s", "tflops", "published", "ratio", "fitted"]);
    Ok(())
}

fn print(rows: &[Value], columns: &[&str]) {
    say!("{}", columns.iter().map(|column| format!("{column:>19}")).collect::<String>());
    for row in rows {
        let cell = |column: &&str| match &row[*column] {
            Value::String(text) => format!("{text:>19}"),
            Value::Bool(yes) => format!("{:>19}", if *yes { "yes" } else { "no" }),
            value => match (value.as_u64(), value.as_f64()) {
                (Some(whole), _) => format!("{whole:>19}"),
                (_, Some(number)) if number != 0.0 && number.abs() < 1e-3 => format!("{number:>19.1e}"),
                (_, number) => format!("{:>19.3}", number.unwrap_or(f64::NAN)),
            },
        };
        say!("{}", columns.iter().map(cell).collect::<String>());
    }
}

/// The link that the options describe; `None` for the machine's own.
fn link(
    args: &CollectivesArgs,
    config: &RunConfig,
    table: &ParamTable,
    n: usize,
    bytes: f64,
) -> Result<Option<Link>, String> {
    let latency_s = args.latency_us / 1e6;
    let valid = |value: f64| value.is_finite() && value > 0.0;
    if !(latency_s.is_finite() && latency_s >= 0.0) || args.mb_per_s.is_some_and(|value| !valid(value)) {
        return Err("--mb-per-s has to be greater than 0, and --latency-us at least 0".into());
    }
    if let Some(share) = args.link_share {
        if !valid(share) || n < 2 {
            return Err("--link-share has to be greater than 0, and --ranks at least 2".into());
        }
        // The computation alone: flat, without a link, minus the time in which the rank waited.
        let kind = args.links.into();
        let plan = Plan { strategy: Strategy::Flat, ranks: n, kind, link: None, bucket_bytes: 0.0 };
        let results = run(config, table, plan, 3)?;
        let computed: Vec<f64> = results[0].steps.iter().map(|step| step.seconds - step.waited_s).collect();
        let seconds = share * median(&computed);
        let bytes_per_s = Collective::AllReduce.n_rounds(n) as f64 * bytes / n as f64 / seconds;
        return Ok(Some(Link { bytes_per_s, latency_s }));
    }
    let bytes_per_s = args.mb_per_s.map_or(f64::INFINITY, |mb| mb * 1e6);
    Ok((args.mb_per_s.is_some() || latency_s > 0.0).then_some(Link { bytes_per_s, latency_s }))
}

/// One collective over real links.
fn measure(collective: Collective, n: usize, kind: Kind, link: Option<Link>, bytes: f64) -> Result<Value, String> {
    let places = ring(kind, n, link).map_err(sentence)?;
    let began = Instant::now();
    let sent = std::thread::scope(|scope| {
        let spawn = |(rank, mut place): (usize, Box<dyn Transport>)| {
            scope.spawn(move || {
                let mut values = vec![1.0f32; bytes as usize / 4];
                collectives::run(&mut *place, [rank, n], collective, &mut values)
            })
        };
        let ranks: Vec<_> = places.into_iter().enumerate().map(spawn).collect();
        let ended = |_| "a rank has ended".to_string();
        ranks.into_iter().map(|rank| rank.join().map_err(ended)?.map_err(sentence)).collect::<Result<Vec<_>, String>>()
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let formula = link.map_or(f64::NAN, |link| link.collective_s(collective, n, bytes) * 1e3);
    let sent = sent.first().copied().unwrap_or_default();
    Ok(json!({
        "collective": collective.name(), "ranks": n, "ms": seconds * 1e3, "formula_ms": formula,
        "messages": sent.messages, "mb_sent": sent.bytes as f64 / 1e6,
    }))
}

/// Windows of random tokens, the same for every rank.
fn windows(config: &RunConfig, step: usize) -> Vec<u32> {
    let n = config.train.batch_size * (config.model.context_length + 1);
    let mut rng = Rng::with_stream(config.train.seed, 7 + step as u64);
    (0..n).map(|_| rng.below(config.model.vocab_size as u32)).collect()
}

fn run(config: &RunConfig, table: &ParamTable, plan: Plan, n_steps: usize) -> Result<Vec<RankResult>, String> {
    let beginning = Beginning { params: table.initial_values(config.train.seed), ..Beginning::default() };
    train(config, plan, &beginning, (n_steps, &|step| windows(config, step)), &|_, _| ()).map_err(sentence)
}

fn execute(config: &RunConfig, table: &ParamTable, plan: Plan, n_steps: usize) -> Result<Value, String> {
    let results = run(config, table, plan, n_steps)?;
    let beginning = Beginning { params: table.initial_values(config.train.seed), ..Beginning::default() };
    let one = alone(config, plan, &beginning, (n_steps, &|step| windows(config, step))).map_err(sentence)?;
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
    let equal = results.iter().all(|rank| {
        bits(&rank.params) == bits(&one.params)
            && rank.moments.iter().zip(&one.moments).all(|(ours, theirs)| bits(ours) == bits(theirs))
    });
    let whole = Plan { ranks: 1, ..plan };
    let whole = alone(config, whole, &beginning, (n_steps, &|step| windows(config, step))).map_err(sentence)?;
    let difference = whole.params.iter().zip(&one.params).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
    let of = |value: fn(&StepReport) -> f64| 1e3 * median(&results[0].steps.iter().map(value).collect::<Vec<_>>());
    Ok(json!({
        "strategy": plan.strategy.name(), "ranks": plan.ranks, "step_ms": of(|step| step.seconds),
        "waited_ms": of(|step| step.waited_s), "equal_bits": equal, "largest_difference": difference,
        "memory_mib": results[0].memory.total() / f64::from(1 << 20), "mb_sent": results[0].sent_bytes as f64 / 1e6,
    }))
}

/// Predicted and published speeds of runs on clusters.
fn clusters() -> Vec<Value> {
    let row = |run: Published| {
        let step = run.training.step(run.gpu)?;
        Some(json!({
            "run": run.name, "gpus": run.training.gpus, "step_s": step.seconds(), "tflops": step.flops_per_s / 1e12,
            "published": run.flops_per_s / 1e12, "ratio": step.flops_per_s / run.flops_per_s, "fitted": run.fitted,
            "source": run.source,
        }))
    };
    PUBLISHED.into_iter().filter_map(row).collect()
}

/// The knee of data parallelism by formula and by simulation, for three devices.
fn bounds() -> Vec<Value> {
    let layer = |tokens: f64, bytes_per_s: f64, flops_per_s: f64| Layer {
        tokens,
        d_model: 4096.0,
        d_ff: 14_336.0,
        flops_per_s,
        bytes_per_s,
    };
    let layers = [layer(131_072.0, 450e9, 990e12), layer(1e6, 50e9, 990e12), layer(4e6, 25e9, 312e12)];
    let row = |layer: Layer| {
        let (formula, simulated) = (layer.bounds().data, layer.simulated_knee(64, 1 << 20) as f64);
        json!({
            "tokens": layer.tokens, "gb_per_s": layer.bytes_per_s / 1e9, "tflops": layer.flops_per_s / 1e12,
            "formula": formula, "simulated": simulated, "ratio": (simulated - 1.0) / (formula - 1.0),
        })
    };
    layers.map(row).into()
}
