//! `glasshead bench`: performance measurements on this machine.

use std::fmt;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

pub(super) use self::collectives::{Links, strategy};
use super::train::apply;
use super::{BackendArg, open, preset, sentence, tune};
use crate::config::{ModelConfig, Preset, RunConfig, Schedule};
use crate::gpu::backend::{Backend, Program};
use crate::gpu::context::{Context, DeviceLimits};
use crate::gpu::recording::{Buffers, Recording};
use crate::ops::tuning;
use crate::rng::Rng;
use crate::run::native::remember_kernels;
use crate::threads;
use crate::train::trainer::Trainer;

mod attention;
mod bpe;
mod collectives;
mod generate;
mod gpu;
mod matmul;
mod memory;
mod step;

#[derive(Subcommand)]
pub(super) enum BenchCommand {
    /// Train BPE vocabularies on generated stories and encode with them.
    Bpe(bpe::BpeArgs),
    /// Train a model for a few steps and, with --profile, time every kernel.
    Step(step::StepArgs),
    /// Multiply matrices with every kernel that the device can run.
    Matmul(matmul::MatmulArgs),
    /// Run attention, forward and backward, over contexts and head sizes.
    Attention(attention::AttentionArgs),
    /// Plan the memory of a step, and measure what activation checkpointing makes of memory and time.
    Memory(memory::MemoryArgs),
    /// Move gradients over real links, and train on ranks with every strategy, next to one rank.
    Collectives(collectives::CollectivesArgs),
    /// Generate several texts at once.
    Generate(generate::GenerateArgs),
    /// Check and measure a GPU within eight minutes: every kernel and variant against the CPU, peaks, matmuls, attention,
    /// training steps by kernel, tuning.
    Gpu(gpu::GpuArgs),
}

pub(super) fn bench(command: BenchCommand) -> Result<(), String> {
    match command {
        BenchCommand::Bpe(args) => bpe::bpe(&args),
        BenchCommand::Step(args) => pollster::block_on(step::step(args)),
        BenchCommand::Matmul(args) => pollster::block_on(matmul::matmul_bench(args)),
        BenchCommand::Attention(args) => pollster::block_on(attention::attention(args)),
        BenchCommand::Memory(args) => pollster::block_on(memory::memory(args)),
        BenchCommand::Collectives(args) => collectives::collectives(args),
        BenchCommand::Generate(args) => pollster::block_on(generate::generate(args)),
        BenchCommand::Gpu(args) => gpu::gpu(&args),
    }
}

/// The workload for comparisons with other programs; must match `tests/bench/workload.json`.
fn reference_workload() -> RunConfig {
    let mut config = Preset::Nano.config();
    config.model = ModelConfig::cs336([512, 128], [128, 4, 4, 344]);
    config.train.batch_size = 8;
    config.train.schedule = Schedule::Constant;
    (config.train.max_lr, config.train.min_lr) = (1e-3, 1e-3);
    (config.train.warmup_steps, config.train.schedule_steps) = (0, 1);
    config
}

/// The model whose steps are measured.
#[derive(Args)]
pub(super) struct StepModel {
    /// nano, tiny, small or cs336; by default the reference workload: 4 layers, d_model 128, 4 heads, context 128,
    /// batch 8, vocabulary 512, d_ff 344.
    #[arg(long, value_parser = preset)]
    config: Option<Preset>,
    /// Change a field, for example --set batch_size=16.
    #[arg(long, value_name = "FIELD=VALUE")]
    set: Vec<String>,
}

impl StepModel {
    /// The configuration that the options describe.
    pub(super) fn config(&self) -> Result<RunConfig, String> {
        let mut config = self.config.map_or_else(reference_workload, Preset::config);
        apply(&mut config, &self.set)?;
        config.validate().map_err(sentence)?;
        Ok(config)
    }

    /// A model on random tokens, with the fastest kernels.
    pub(super) async fn trainer(&self, machine: &Machine, config: &RunConfig) -> Result<Trainer, String> {
        let mut rng = Rng::new(config.train.seed);
        let n_tokens = 100 * config.model.context_length;
        let tokens: Vec<u32> = (0..n_tokens).map(|_| rng.below(config.model.vocab_size as u32)).collect();
        tune(config, machine.context.as_ref()).await?;
        Trainer::new(config.clone(), machine.context.as_ref(), &tokens, &tokens).await.map_err(sentence)
    }
}

/// The device to measure.
pub(super) struct Machine {
    /// The GPU; `None` for the CPU.
    pub(super) context: Option<Context>,
}

impl Machine {
    pub(super) async fn open(backend: BackendArg) -> Result<Self, String> {
        Ok(Self { context: open(backend).await? })
    }

    /// Selects the fastest kernels for this recording.
    async fn tune(&self, recording: &Recording) -> Result<(), String> {
        let Some(context) = &self.context else { return Ok(()) };
        for wrong in tuning::tune(context, recording).await.map_err(sentence)? {
            eprintln!("{wrong}");
        }
        remember_kernels(context);
        Ok(())
    }

    /// Rejects buffers that exceed the device's limits.
    fn check(&self, buffers: &Buffers) -> Result<(), String> {
        let limits = self.context.as_ref().map_or(DeviceLimits::CPU, |context| context.adapter.limits);
        let most = limits.buffer_bytes.min(limits.binding_bytes);
        match buffers.specs.iter().find(|spec| spec.size_bytes() > most) {
            Some(spec) => Err(format!(
                "{} needs {} MiB in one buffer, and this device allows {} MiB; choose a smaller size",
                spec.name,
                spec.size_bytes() >> 20,
                most >> 20
            )),
            None => Ok(()),
        }
    }

    async fn backend(&self, buffers: &Buffers) -> Result<Backend, String> {
        match &self.context {
            Some(context) => Backend::gpu(context, buffers).await.map_err(sentence),
            None => Ok(Backend::cpu(buffers)),
        }
    }

    fn names(&self) -> [&str; 2] {
        self.context.as_ref().map_or(["CPU"; 2], |context| [&context.adapter.name, &context.adapter.backend])
    }

    /// The fields common to all reports.
    fn describe(&self) -> Value {
        let [adapter, backend] = self.names();
        json!({ "adapter": adapter, "backend": backend, "threads": threads::count() })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [adapter, backend] = self.names();
        match self.context {
            Some(_) => write!(f, "{adapter} ({backend})"),
            None => write!(f, "CPU, {} threads", threads::count()),
        }
    }
}

/// The time of each dispatch of a prepared recording in seconds: by timestamps on the GPU, by the clock on the CPU.
async fn timed(backend: &mut Backend, program: Program) -> Result<Vec<f64>, String> {
    let timings = backend.profile(program).await.map_err(sentence)?;
    Ok(timings.iter().map(|timing| timing.ns.max(1.0) / 1e9).collect())
}

/// The CPU time of this process so far in seconds, over all threads, where the system reports it (Linux). Unlike
/// wall-clock time, it is comparable on a busy machine.
fn cpu_seconds() -> Option<f64> {
    /// The unit in which Linux reports CPU times to programs.
    const TICKS_PER_S: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is a name in parentheses; user and system time are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some((ticks(14)? + ticks(15)?) / TICKS_PER_S)
}

/// The median; the upper one of two middle values.
fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_trains_the_same_workload() {
        let told = include_str!("../../../tests/bench/workload.json");
        assert_eq!(serde_json::from_str::<RunConfig>(told).unwrap(), reference_workload());
    }

    #[test]
    fn time_on_the_processor_goes_on() {
        if let Some(before) = cpu_seconds() {
            let began = std::time::Instant::now();
            while began.elapsed().as_millis() < 200 {
                std::hint::spin_loop();
            }
            assert!(cpu_seconds().is_some_and(|after| after > before));
        }
    }
}
