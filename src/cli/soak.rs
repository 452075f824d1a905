//! `glasshead soak`: trains for a long time through the page's own loop, then starts, loads and drops runs, and checks
//! that neither time per step nor memory grows.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::{BackendArg, preset};
use crate::config::Preset;
use crate::config::rules::Rules;
use crate::serve::Session;
use crate::types::{BackendChoice, CorpusChoice, VocabularyChoice};
use crate::wire::export::ExportEvent;
use crate::wire::runs::{RunsCommand, RunsEvent};
use crate::wire::{Command, Event};

mod rounds;

/// The number of parts of the steps. The first part warms up caches and pools; the others are compared.
const PARTS: u64 = 10;

/// The allowed growth of memory after the second part: losses are stored, and allocators round sizes up.
const ROOM_BYTES: u64 = 24 << 20;

/// The sentence whose attention maps are computed during training.
const PROBE: &str = "Lily had a red ball.";

/// Options of the soak test.
#[derive(Args)]
pub(super) struct SoakArgs {
    /// Total number of steps.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(20..))]
    steps: u64,
    /// Number of rounds, each of which starts runs of two sizes, loads one from a file, and trains each for a step.
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// The model for the long run: nano, tiny, small or cs336.
    #[arg(long, default_value = "nano", value_parser = preset)]
    preset: Preset,
    /// The backend.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: BackendArg,
    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,
}

/// The events received from the session.
#[derive(Default)]
struct Heard {
    steps: u64,
    maps: u64,
    loss: f32,
    tokens_per_step: usize,
    stopped: bool,
    /// An exported model.
    file: Option<Vec<u8>>,
    problem: Option<String>,
}

impl Heard {
    fn hear(&mut self, event: Event, bytes: Option<Vec<u8>>) {
        match event {
            Event::Ready { summary, .. } => self.tokens_per_step = summary.config.tokens_per_step(),
            Event::Progress { points, .. } => {
                self.steps += points.len() as u64;
                self.loss = points.last().map_or(self.loss, |point| point.loss);
            }
            Event::Attention { .. } => self.maps += 1,
            Event::Runs { event: RunsEvent::Stopped { .. }, .. } => self.stopped = true,
            Event::Export { event: ExportEvent::Model { .. }, .. } => self.file = bytes,
            Event::Failed { message, .. }
            | Event::Diverged { message, .. }
            | Event::Export { event: ExportEvent::NoModel { message }, .. }
            | Event::Runs { event: RunsEvent::ResumeFailed { message }, .. } => self.problem = Some(message),
            _ => (),
        }
    }
}

/// A session and its events.
struct Soak {
    session: Session,
    heard: Rc<RefCell<Heard>>,
    backend: BackendChoice,
    json: bool,
}

pub(super) async fn soak(args: SoakArgs) -> Result<(), String> {
    let (heard, began): (Rc<RefCell<Heard>>, _) = (Rc::default(), Instant::now());
    let session = {
        let heard = heard.clone();
        let sink = Box::new(move |event, bytes| heard.borrow_mut().hear(event, bytes));
        Session::new(sink, Box::new(move || began.elapsed().as_secs_f64()))
    };
    let backend = if args.backend == BackendArg::Gpu { BackendChoice::Gpu } else { BackendChoice::Cpu };
    let mut soak = Soak { session, heard, backend, json: args.json };
    soak.train(args.preset, args.steps).await?;
    soak.change_runs(args.rounds).await
}

impl Soak {
    async fn send(&mut self, command: Command, bytes: Option<Vec<u8>>) {
        self.session.handle(command, bytes).await;
    }

    async fn start(&mut self, run: u32, preset: Preset) {
        let start = Command::Start {
            run,
            config: preset.config(),
            corpus: CorpusChoice::BuiltIn,
            vocabulary: VocabularyChoice::Trained,
            backend: self.backend,
            probe: PROBE.into(),
        };
        self.send(start, None).await;
    }

    /// Performs one unit of work and returns whether there is more; fails with any error that the session reported.
    async fn work(&mut self) -> Result<bool, String> {
        let more = self.session.work().await;
        self.heard.borrow().problem.clone().map_or(Ok(more), Err)
    }

    /// Trains for `steps` steps without a pause.
    async fn train(&mut self, preset: Preset, steps: u64) -> Result<(), String> {
        let rules = Rules { stop_steps: Some(steps), ..Rules::default() };
        self.send(Command::Runs { command: RunsCommand::Rules(rules) }, None).await;
        self.start(1, preset).await;
        self.send(Command::Train, None).await;
        let (mut part, mut at, mut settled, mut speeds) = (1, (0, Instant::now(), 0), None, Vec::new());
        while !self.heard.borrow().stopped {
            self.work().await?;
            let heard = self.heard.borrow();
            if heard.steps < steps * part / PARTS {
                continue;
            }
            let seconds = at.1.elapsed().as_secs_f64();
            let speed = ((heard.steps - at.0) as usize * heard.tokens_per_step) as f64 / seconds;
            let maps_per_s = (heard.maps - at.2) as f64 / seconds;
            let memory = resident_bytes();
            if part == 2 {
                settled = memory;
            }
            tell(self.json, heard.steps, speed, maps_per_s, heard.loss, memory);
            speeds.push(speed);
            (part, at) = (part + 1, (heard.steps, Instant::now(), heard.maps));
        }
        tell_halves(&speeds);
        judge(settled, resident_bytes(), self.backend)
    }
}

fn tell(json: bool, steps: u64, tokens_per_s: f64, maps_per_s: f64, loss: f32, memory: Option<u64>) {
    if json {
        let line = json!({ "step": steps, "tokens_per_s": tokens_per_s, "maps_per_s": maps_per_s, "loss": loss,
                           "memory_bytes": memory });
        return say!("{line}");
    }
    let memory = memory.map_or("memory unknown".into(), |bytes| format!("{:.1} MiB", bytes as f64 / 1048576.0));
    say!("step {steps}: {tokens_per_s:.0} tokens/s, {maps_per_s:.1} maps/s, loss {loss:.3}, {memory}");
}

/// Compares the speeds of the two halves, without the first part.
fn tell_halves(speeds: &[f64]) {
    let half = |speeds: &[f64]| speeds.iter().sum::<f64>() / speeds.len().max(1) as f64;
    let (first, second) = speeds[1.min(speeds.len())..].split_at(speeds.len().saturating_sub(1) / 2);
    say!("first half {:.0} tokens/s, second half {:.0} tokens/s", half(first), half(second));
}

/// An error if memory has grown too much.
fn judge(settled: Option<u64>, now: Option<u64>, backend: BackendChoice) -> Result<(), String> {
    let Some((settled, now)) = settled.zip(now).filter(|(settled, now)| *now > settled + ROOM_BYTES) else {
        return Ok(());
    };
    let driver = match backend {
        BackendChoice::Cpu => "",
        _ => "; the threads of a software GPU keep heaps of their own, so set MALLOC_ARENA_MAX=1 for one",
    };
    Err(format!("memory has grown from {settled} to {now} bytes, and at most {ROOM_BYTES} more are right{driver}"))
}

/// The resident memory of this process, where the system reports it.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}
