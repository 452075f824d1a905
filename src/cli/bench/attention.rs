//! `glasshead bench attention`: the speed and memory of attention over contexts and head sizes, and training of models
//! with long contexts.

use clap::Args;
use serde_json::{Value, json};

use super::{Machine, median, reference_workload, timed};
use crate::cli::{BackendArg, preset, sentence, tune};
use crate::config::Preset;
use crate::gpu::recording::{Buffers, Recording};
use crate::ops::attention_scores::{self, MASKED};
use crate::ops::cost::costs;
use crate::ops::flash_attention::{Params, flash_attention, flash_attention_grad};
use crate::ops::{softmax, weighted_sum};
use crate::rng::Rng;
use crate::train::trainer::Trainer;

/// Options of the attention benchmark.
#[derive(Args)]
pub(in crate::cli) struct AttentionArgs {
    /// T: context lengths, measured in turn.
    #[arg(long, value_delimiter = ',', default_values_t = [128, 256, 512, 1024],
          value_parser = clap::value_parser!(u32).range(1..=1 << 14))]
    context: Vec<u32>,
    /// D: head sizes, each combined with every context length.
    #[arg(long, value_delimiter = ',', default_values_t = [16, 32, 64, 128],
          value_parser = clap::value_parser!(u32).range(1..=1 << 10))]
    d_head: Vec<u32>,
    /// H: the number of heads.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1 << 10))]
    heads: u32,
    /// The model to train on one sequence of each context length; the reference workload by default.
    #[arg(long, value_parser = preset)]
    config: Option<Preset>,
    /// The backend.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: BackendArg,
    /// The number of runs; the median is reported.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) async fn attention(args: AttentionArgs) -> Result<(), String> {
    if args.runs == 0 {
        return Err("--runs has to be at least 1".into());
    }
    let machine = Machine::open(args.backend).await?;
    let mut rows = Vec::new();
    for &d_head in &args.d_head {
        for &n in &args.context {
            rows.push(measure(&machine, [n, args.heads, d_head].map(|size| size as usize), args.runs).await?);
        }
    }
    let mut models = Vec::new();
    for &n in &args.context {
        models.push(train(&machine, args.config, n as usize).await?);
    }
    if args.json {
        let best = rows.iter().filter_map(|row| row["gflops"].as_f64()).fold(0.0, f64::max);
        let mut line = machine.describe();
        line["gflops"] = best.into();
        line["attention"] = rows.into();
        line["training"] = models.into();
        say!("{line}");
        return Ok(());
    }
    say!("{machine}: attention, forward and backward, one sequence, {} heads", args.heads);
    print(&rows, &["d_head", "context", "naive_ms", "forward_ms", "backward_ms", "gflops", "mib", "mib_of_weights"]);
    say!("a model on one sequence");
    print(&models, &["context", "memory_mib", "tokens_per_s", "loss_first", "loss_last"]);
    Ok(())
}

/// Prints a table with these columns.
fn print(rows: &[Value], columns: &[&str]) {
    say!("{}", columns.iter().map(|column| format!("{column:>15}")).collect::<String>());
    for row in rows {
        let cell = |column: &&str| match row[*column].as_u64() {
            Some(whole) => format!("{whole:>15}"),
            None => format!("{:>15.3}", row[*column].as_f64().unwrap_or(f64::NAN)),
        };
        say!("{}", columns.iter().map(cell).collect::<String>());
    }
}

const MIB: f64 = (1 << 20) as f64;

/// Measures attention alone.
async fn measure(machine: &Machine, [n, h, d]: [usize; 3], runs: usize) -> Result<Value, String> {
    let mut buffers = Buffers::default();
    let [qkv, qkv_grad] = ["qkv", "qkv_grad"].map(|name| buffers.add(name, n * 3 * h * d));
    let [out, out_grad] = ["out", "out_grad"].map(|name| buffers.add(name, n * h * d));
    let (lse, cos_sin) = (buffers.add("lse", h * n), buffers.add("cos_sin", (n * d).max(4)));
    machine.check(&buffers)?;
    let params = Params::new(n, h, h, d);
    let mut recording = Recording::new("bench");
    flash_attention(&mut recording, [qkv, out, lse], 1, params);
    flash_attention_grad(&mut recording, [qkv, out, out_grad, lse, cos_sin, qkv_grad], 1, params);
    machine.tune(&recording).await?;
    let flops: f64 = costs(&recording).iter().map(|cost| cost.flops).sum();
    let mut backend = machine.backend(&buffers).await?;
    let mut rng = Rng::new(1);
    for slice in [qkv, out_grad] {
        let numbers: Vec<f32> = (0..slice.len).map(|_| (2.0 * rng.uniform() - 1.0) as f32).collect();
        backend.write_f32(slice, &numbers);
    }
    let program = backend.prepare(recording);
    timed(&mut backend, program).await?;
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let seconds = timed(&mut backend, program).await?;
        forward.push(seconds[0] * 1e3);
        backward.push(seconds[1..].iter().sum::<f64>() * 1e3);
    }
    let [forward, backward] = [median(&forward), median(&backward)];
    let naive = naive(machine, [n, h, d], runs).await?;
    Ok(json!({
        "context": n, "heads": h, "d_head": d, "naive_ms": naive, "forward_ms": forward, "backward_ms": backward,
        "gflops": flops / 1e6 / (forward + backward), "mib": buffers.total_bytes() as f64 / MIB,
        // The memory that storing the attention weights and their gradients would take.
        "mib_of_weights": (2 * 4 * h * n * n) as f64 / MIB,
    }))
}

/// The median milliseconds of a forward pass that stores the attention weights: scores, softmax, weighted sums. `None` where the
/// weights exceed the device's limits.
async fn naive(machine: &Machine, [n, h, d]: [usize; 3], runs: usize) -> Result<Option<f64>, String> {
    let mut buffers = Buffers::default();
    let (qkv, weights, out) =
        (buffers.add("qkv", n * 3 * h * d), buffers.add("weights", h * n * n), buffers.add("out", n * h * d));
    if machine.check(&buffers).is_err() {
        return Ok(None);
    }
    let [context_length, n_heads, d_head] = [n, h, d].map(|size| size as u32);
    let scores = attention_scores::Params {
        context_length,
        n_heads,
        n_kv_heads: n_heads,
        d_head,
        causal: 1,
        scale: 1.0 / (d as f32).sqrt(),
        masked_value: MASKED,
    };
    let sums = weighted_sum::Params { context_length, n_heads, n_kv_heads: n_heads, d_head, causal: 1 };
    let mut recording = Recording::new("naive attention");
    attention_scores::attention_scores(&mut recording, [qkv, weights], 1, scores);
    softmax::softmax(&mut recording, weights, softmax::Params { n_rows: (h * n) as u32, n_cols: context_length });
    weighted_sum::weighted_sum(&mut recording, [weights, qkv, out], 1, sums);
    let mut backend = machine.backend(&buffers).await?;
    let mut rng = Rng::new(1);
    let numbers: Vec<f32> = (0..qkv.len).map(|_| (2.0 * rng.uniform() - 1.0) as f32).collect();
    backend.write_f32(qkv, &numbers);
    let program = backend.prepare(recording);
    let mut times = Vec::new();
    // The first run compiles and allocates.
    for _ in 0..=runs {
        times.push(timed(&mut backend, program).await?.iter().sum::<f64>() * 1e3);
    }
    Ok(Some(median(&times[1..])))
}

/// Trains a model for a few steps on one sequence of this length.
async fn train(machine: &Machine, named: Option<Preset>, context_length: usize) -> Result<Value, String> {
    const STEPS: usize = 3;
    let mut config = named.map_or_else(reference_workload, Preset::config);
    (config.model.context_length, config.train.batch_size) = (context_length, 1);
    let mut rng = Rng::new(config.train.seed);
    let tokens: Vec<u32> = (0..2 * context_length).map(|_| rng.below(config.model.vocab_size as u32)).collect();
    let tokens_per_step = config.tokens_per_step();
    tune(&config, machine.context.as_ref()).await?;
    let trainer = Trainer::new(config, machine.context.as_ref(), &tokens, &tokens).await;
    let mut trainer = trainer.map_err(sentence)?;
    trainer.submit(1);
    let mut points = trainer.collect().await.map_err(sentence)?;
    let began = std::time::Instant::now();
    trainer.submit(STEPS);
    points.extend(trainer.collect().await.map_err(sentence)?);
    let tokens_per_s = (STEPS * tokens_per_step) as f64 / began.elapsed().as_secs_f64();
    Ok(json!({
        "context": context_length, "memory_mib": trainer.memory_bytes() as f64 / MIB, "tokens_per_s": tokens_per_s,
        "loss_first": points.first().map(|point| point.loss), "loss_last": points.last().map(|point| point.loss),
    }))
}
