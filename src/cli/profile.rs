//! `glasshead profile`: the timeline of one training step, its export, and its comparison with an earlier one.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::bench::{Machine, StepModel};
use super::{BackendArg, in_file, sentence};
use crate::systems::chrome;
use crate::systems::compare::{Difference, differences};
use crate::systems::memory::Group;
use crate::systems::trace::{HostWork, Trace};
use crate::train::profile::{StepProfile, profile_whole_step};

/// Options of the profile.
#[derive(Args)]
pub(super) struct ProfileArgs {
    #[command(flatten)]
    model: StepModel,
    /// The backend.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: BackendArg,
    /// Steps before the measurement, so that compilation and first allocations do not count.
    #[arg(long, default_value_t = 3)]
    warmup: usize,
    /// Write the timeline as Chrome trace JSON, which ui.perfetto.dev opens.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Compare with a timeline that --trace has written.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

pub(super) async fn profile(args: ProfileArgs) -> Result<(), String> {
    let before = args.compare.as_ref().map(|path| {
        let text = fs::read_to_string(path).map_err(in_file(path))?;
        chrome::read(&text).map_err(|error| format!("{}: {error}", path.display()))
    });
    let before = before.transpose()?;
    let machine = Machine::open(args.backend).await?;
    let mut trainer = args.model.trainer(&machine, &args.model.config()?).await?;
    for _ in 0..args.warmup {
        trainer.submit(1);
        trainer.collect().await.map_err(sentence)?;
    }
    let measured = profile_whole_step(&mut trainer, machine.context.as_ref()).await.map_err(sentence)?;
    if let Some(path) = &args.trace {
        let json = chrome::write(&measured.trace, Some(&measured.memory));
        fs::write(path, json.to_string()).map_err(in_file(path))?;
    }
    let changes = before.as_ref().map(|before| differences(before, &measured.trace));
    if args.json {
        say!("{}", report(&measured, changes.as_deref()));
        return Ok(());
    }
    print(&machine.to_string(), &measured);
    if let Some((before, changes)) = before.as_ref().zip(changes) {
        print_changes(before, &measured.trace, &changes);
    }
    if let Some(path) = &args.trace {
        say!("The timeline is in {}; open it at https://ui.perfetto.dev.", path.display());
    }
    Ok(())
}

/// Milliseconds of the timeline as its parts add up: kernels and idle time.
fn sum_ms(trace: &Trace) -> f64 {
    (trace.busy_ns() + trace.idle_ns().iter().map(|(_, ns)| ns).sum::<f64>()) / 1e6
}

fn report(measured: &StepProfile, changes: Option<&[Difference]>) -> Value {
    let (trace, memory) = (&measured.trace, &measured.memory);
    let phases: serde_json::Map<String, Value> =
        trace.phase_ns().iter().map(|(phase, ns)| (phase.name().into(), json!(ns / 1e6))).collect();
    let idle: serde_json::Map<String, Value> =
        trace.idle_ns().iter().map(|(cause, ns)| (cause.name().into(), json!(ns / 1e6))).collect();
    let row = |row: &Difference| json!({ "name": row.name, "times": row.times, "ms": row.ns.map(|ns| ns / 1e6) });
    json!({
        "device": trace.device, "step_ms": trace.plain_ns / 1e6, "profiled_ms": trace.wall_ns / 1e6,
        "overhead": trace.overhead(), "sum_ms": sum_ms(trace), "dispatches": trace.spans.len(),
        "phases_ms": phases, "idle_ms": idle,
        "of_peak": measured.profile.total().share_of_peak(),
        "peak_bytes": memory.peak().map(|peak| peak.bytes), "planned_bytes": memory.planned_bytes(),
        "allocated_bytes": memory.allocated_bytes,
        "changes": changes.map(|changes| changes.iter().map(row).collect::<Vec<_>>()),
    })
}

fn print(machine: &str, measured: &StepProfile) {
    let trace = &measured.trace;
    say!(
        "{machine}: one step takes {:.2} ms, {:.2} ms while it is profiled ({:+.1} %)",
        trace.plain_ns / 1e6,
        trace.wall_ns / 1e6,
        100.0 * trace.overhead()
    );
    let share = |ns: f64| 100.0 * ns / trace.wall_ns.max(1.0);
    for (phase, ns) in trace.phase_ns() {
        let n = trace.spans.iter().filter(|span| span.work.phase == phase).count();
        if n > 0 {
            say!("{:<22}{:>10.2} ms{:>7.1} %{n:>6} dispatches", phase.name(), ns / 1e6, share(ns));
        }
    }
    for (cause, ns) in trace.idle_ns() {
        say!("{:<22}{:>10.2} ms{:>7.1} %", format!("idle: {}", cause.name()), ns / 1e6, share(ns));
    }
    say!("{:<22}{:>10.2} ms", "sum", sum_ms(trace));
    if let Some(submit) = trace.host.iter().find(|span| span.work == HostWork::Submit) {
        say!("The host needs {:.2} ms to write and submit the step.", submit.ns / 1e6);
    }
    say!("{:.1} % of what the device's peaks allow", 100.0 * measured.profile.total().share_of_peak());
    print_memory(measured);
}

const MIB: f64 = (1 << 20) as f64;

fn print_memory(measured: &StepProfile) {
    let memory = &measured.memory;
    let Some(peak) = memory.peak() else { return };
    let at = &measured.trace.spans[peak.dispatch];
    say!(
        "memory: at most {:.2} MiB in use, at {} ({}); {:.2} MiB allocated, {:.2} MiB planned",
        peak.bytes as f64 / MIB,
        at.kernel,
        at.work.phase.name(),
        memory.allocated_bytes as f64 / MIB,
        memory.planned_bytes() as f64 / MIB
    );
    for (group, bytes) in Group::ALL.iter().zip(peak.groups).filter(|(_, bytes)| *bytes > 0) {
        say!("{:<26}{:>8.2} MiB", group.name(), bytes as f64 / MIB);
    }
}

fn print_changes(before: &Trace, after: &Trace, changes: &[Difference]) {
    say!(
        "compared with the earlier timeline: {:.2} ms before, {:.2} ms now; largest changes first",
        before.wall_ns / 1e6,
        after.wall_ns / 1e6
    );
    say!("{:<32}{:>10}{:>10}{:>10}{:>9}", "", "before", "now", "change", "times");
    for row in changes.iter().take(12) {
        let [before, now] = row.ns.map(|ns| ns / 1e6);
        let times = format!("{} → {}", row.times[0], row.times[1]);
        say!("{:<32}{before:>10.3}{now:>10.3}{:>+10.3}{times:>9}", row.name, row.change_ns() / 1e6);
    }
}
