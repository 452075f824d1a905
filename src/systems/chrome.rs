//! Timelines as Chrome trace events (JSON), which ui.perfetto.dev and chrome://tracing open, and back.

use serde_json::{Value, json};
use thiserror::Error;

use super::memory::{Group, MemoryTimeline};
use super::trace::{Phase, Trace};

/// Why a file is no trace of Glasshead.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ChromeError {
    /// The file is not JSON.
    #[error("the file is not JSON ({0}); choose a trace that Glasshead has exported")]
    Json(String),
    /// The JSON has no trace of Glasshead.
    #[error("the file has no Glasshead trace in \"otherData\"; choose a trace that Glasshead has exported")]
    Foreign,
}

/// Process ids: the host, the device.
const HOST: u32 = 1;
const DEVICE: u32 = 2;

/// The thread of a phase.
fn lane(phase: Phase) -> u32 {
    match phase {
        Phase::Forward => 1,
        Phase::Recompute | Phase::Backward => 2,
        Phase::Update => 3,
    }
}

/// Beginning and duration in microseconds, rounded to nanoseconds so that consecutive events do not overlap.
fn micros(start_ns: f64, ns: f64) -> [f64; 2] {
    let (start, end) = (start_ns.round(), (start_ns + ns).round());
    [start / 1e3, (end - start) / 1e3]
}

fn named(what: &str, pid: u32, tid: u32, name: &str) -> Value {
    json!({ "ph": "M", "name": what, "pid": pid, "tid": tid, "args": { "name": name } })
}

/// The trace as JSON, with the memory in use as counters where it is known. The trace itself is stored under `otherData`, so
/// that [`read`] loses nothing.
pub fn write(trace: &Trace, memory: Option<&MemoryTimeline>) -> Value {
    let mut events = vec![
        named("process_name", HOST, 0, "Host"),
        named("thread_name", HOST, 1, "Host"),
        named("process_name", DEVICE, 0, &format!("Device: {}", trace.device)),
        named("thread_name", DEVICE, 1, "Forward"),
        named("thread_name", DEVICE, 2, "Backward"),
        named("thread_name", DEVICE, 3, "Update"),
    ];
    for span in &trace.host {
        let [ts, dur] = micros(span.start_ns, span.ns);
        events.push(
            json!({ "ph": "X", "name": span.work.name(), "cat": "host", "pid": HOST, "tid": 1, "ts": ts, "dur": dur }),
        );
    }
    for span in &trace.spans {
        let [ts, dur] = micros(span.start_ns, span.ns);
        events.push(json!({
            "ph": "X", "name": span.kernel, "cat": span.work.phase.name(), "pid": DEVICE, "tid": lane(span.work.phase),
            "ts": ts, "dur": dur,
            "args": {
                "layer": span.work.layer.map_or(-1, |layer| layer as i64 + 1), "tensor": span.work.tensor,
                "flops": span.work.flops, "bytes": span.work.bytes, "share_of_roof": span.share_of_roof(),
            },
        }));
    }
    for (at, span) in trace.spans.iter().enumerate() {
        let Some(live) = memory.and_then(|memory| memory.live(at)) else { break };
        let groups: serde_json::Map<String, Value> =
            Group::ALL.iter().zip(live).map(|(group, bytes)| (group.name().into(), bytes.into())).collect();
        let [ts, _] = micros(span.start_ns, 0.0);
        events.push(json!({ "ph": "C", "name": "memory in use", "pid": DEVICE, "ts": ts, "args": groups }));
    }
    json!({ "traceEvents": events, "displayTimeUnit": "ms", "otherData": { "glasshead": trace } })
}

/// The trace in a file that [`write()`] made.
///
/// # Errors
/// If the file is not such a file.
pub fn read(text: &str) -> Result<Trace, ChromeError> {
    let mut value: Value = serde_json::from_str(text).map_err(|error| ChromeError::Json(error.to_string()))?;
    let trace = value.get_mut("otherData").and_then(|other| other.get_mut("glasshead")).map(Value::take);
    let trace: Trace = serde_json::from_value(trace.ok_or(ChromeError::Foreign)?).map_err(|_| ChromeError::Foreign)?;
    let numbers =
        trace.spans.iter().flat_map(|span| [span.start_ns, span.ns, span.least_ns, span.work.flops, span.work.bytes]);
    let host = trace.host.iter().flat_map(|span| [span.start_ns, span.ns]);
    // A model has at most 1,024 layers.
    let layers = trace.spans.iter().filter_map(|span| span.work.layer).all(|layer| layer < 1024);
    let valid = layers
        && numbers.chain(host).chain([trace.plain_ns, trace.wall_ns]).all(|number| (0.0..1e18).contains(&number));
    if valid { Ok(trace) } else { Err(ChromeError::Foreign) }
}
