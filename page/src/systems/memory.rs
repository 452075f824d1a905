//! Memory in use over a step, as a stacked chart on the timeline's axis, and what makes the peak.

use yew::prelude::*;

use super::format::{mebibytes, percent};
use super::geometry::{BANDS, outline, stacks};
use crate::draw::chart::Scale;
use glasshead::systems::memory::{Group, MemoryTimeline};
use glasshead::systems::trace::Trace;

/// The chart; `pointed` is the dispatch under the pointer.
pub fn chart(
    trace: &Trace,
    memory: &MemoryTimeline,
    x: &Scale,
    [width, height]: [f64; 2],
    pointed: Option<usize>,
) -> Html {
    let Some(peak) = memory.peak() else { return html! {} };
    let stacks = stacks(memory);
    let most = (peak.bytes as f64 * 1.18).max(1.0);
    let y = Scale { low: 0.0, high: most, from: height - 10.0, to: 10.0 };
    let mib = f64::from(1 << 20);
    let ticks = Scale { low: 0.0, high: most / mib, ..y }.ticks((height / 45.0).max(1.0) as usize);
    let tick = |value: f64| {
        let at = y.pixel(value * mib);
        html! {
            <>
                <line class="grid" x1={format!("{:.0}", x.from)} x2={format!("{:.0}", x.to)} y1={format!("{at:.1}")} y2={format!("{at:.1}")} />
                <text x={format!("{:.0}", x.from - 6.0)} y={format!("{:.1}", at + 4.0)} text-anchor="end">{format!("{value} MiB")}</text>
            </>
        }
    };
    let band = |index: usize| {
        let style = format!("fill:var({})", BANDS[index].1);
        html! { <polygon class="band" points={outline(trace, &stacks, index, x, &y)} {style} /> }
    };
    let at = trace.spans.get(peak.dispatch).map_or(0.0, |span| x.pixel(span.start_ns));
    let visible = (x.from..=x.to).contains(&at);
    let (anchor, beside) = if at > (x.from + x.to) / 2.0 { ("end", at - 6.0) } else { ("start", at + 6.0) };
    let named = |index: usize| {
        let (from, to) = (stacks.get(peak.dispatch)?, index.checked_sub(1));
        let below = to.map_or(0.0, |below| from[below]);
        let thick = y.pixel(below) - y.pixel(from[index]);
        let middle = (y.pixel(below) + y.pixel(from[index])) / 2.0 + 4.0;
        let place = if index < 2 { x.from + 14.0 } else { (at - 14.0).clamp(x.from + 100.0, x.to) };
        let anchor = if index < 2 { "start" } else { "end" };
        (thick > 14.0).then(|| html! {
            <text class="ink" x={format!("{place:.0}")} y={format!("{middle:.1}")} text-anchor={anchor}>{BANDS[index].0}</text>
        })
    };
    let cursor = pointed.and_then(|pointed| Some((trace.spans.get(pointed)?, stacks.get(pointed)?))).map(|(span, stack)| {
        let at = x.pixel(span.start_ns).clamp(x.from, x.to);
        html! {
            <>
                <line class="cursor" x1={format!("{at:.1}")} x2={format!("{at:.1}")} y1="0" y2={format!("{height:.0}")} />
                <text class="ink" x={format!("{width:.0}")} dx="-20" y="14" text-anchor="end">{mebibytes(stack[3])}</text>
            </>
        }
    });
    let label = format!(
        "Memory in use: at most {}, of {} allocated",
        mebibytes(peak.bytes as f64),
        mebibytes(memory.allocated_bytes as f64)
    );
    html! {
        <svg role="img" aria-label={label} data-testid="memory-chart">
            {for ticks.into_iter().map(tick)}
            {for (0..BANDS.len()).map(band)}
            {for (0..BANDS.len()).filter_map(named)}
            if visible {
                <line class="peak" x1={format!("{at:.1}")} x2={format!("{at:.1}")} y1="0" y2={format!("{:.0}", height - 10.0)} />
                <text class="ink strong" x={format!("{beside:.0}")} y="12" text-anchor={anchor}>{peak_name(trace, memory)}</text>
            }
            <text class="lane" x="12" y={format!("{:.0}", height / 2.0 + 4.0)}>{"Memory"}</text>
            {cursor}
        </svg>
    }
}

fn peak_name(trace: &Trace, memory: &MemoryTimeline) -> String {
    let Some(peak) = memory.peak() else { return String::new() };
    let kernel = trace.spans.get(peak.dispatch).map_or("", |span| span.kernel.as_str());
    let place = if kernel.contains("cross_entropy") { "the loss" } else { kernel };
    format!("Peak {}, at {place}", mebibytes(peak.bytes as f64))
}

/// The table of what makes the peak, and how it compares with the allocation.
pub fn table(trace: &Trace, memory: &MemoryTimeline) -> Html {
    let Some(peak) = memory.peak() else { return html! {} };
    let row = |name: &str, bytes: u64| {
        html! {
            <tr><th scope="row">{name.to_string()}</th><td>{mebibytes(bytes as f64)}</td>
                <td>{percent(bytes as f64 / peak.bytes.max(1) as f64)}</td></tr>
        }
    };
    let groups = Group::ALL.iter().zip(peak.groups).filter(|(_, bytes)| *bytes > 0);
    let difference = memory.planned_bytes() as f64 / memory.allocated_bytes.max(1) as f64 - 1.0;
    html! {
        <section class="tile peak-table" aria-labelledby="peak-title">
            <header><h2 id="peak-title">{"What makes the peak"}</h2><small>{peak_name(trace, memory)}</small></header>
            <div class="table" tabindex="0" role="region" aria-label="Memory at the peak">
                <table data-testid="peak-table">
                    <thead><tr><th scope="col">{"For"}</th><th scope="col">{"Size"}</th><th scope="col">{"Of the peak"}</th></tr></thead>
                    <tbody>
                        {for groups.map(|(group, bytes)| row(group.name(), bytes))}
                        <tr class="rule"><th scope="row" colspan="3">{"Largest tensors"}</th></tr>
                        {for peak.largest.iter().map(|(name, bytes)| row(name, *bytes))}
                    </tbody>
                </table>
                <p class="note">{format!(
                    "All buffers exist from the start: {} allocated. The plan has {} ({}), of which this step uses {}; the rest is for inspection, evaluation and generation.",
                    mebibytes(memory.allocated_bytes as f64), mebibytes(memory.planned_bytes() as f64),
                    percent(difference), mebibytes(memory.step_bytes() as f64))}</p>
                <p class="note">{"To need less, set Checkpoint every in All settings: activations are then computed again in the backward pass, and the losses stay the same."}</p>
            </div>
        </section>
    }
}
