//! Where a step spends its time: a table of kernels, each with bars for its share and for its fraction of the device's
//! peak.

use yew::prelude::*;

use crate::shared::grouped;
use crate::core::context::Cx;
use crate::state::Action;
use crate::state::profile::ProfileState;
use glasshead::types::profile::{KernelTime, Profile, TimedBy};

#[component]
pub fn SystemsView(cx: &Cx) -> Html {
    let state = &cx.state.profile;
    let measure = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| {
            cx.send(&ProfileState::command());
            cx.act(Action::Profile);
        })
    };
    let label = if state.measuring { "measuring …" } else { "measure one step" };
    html! {
        <section class="panel profile" aria-labelledby="profile-title">
            <h2 id="profile-title">{"Where the time goes"}</h2>
            <p class="count">
                {"One training step of the present run, kernel by kernel, beside the most that this device was seen to \
                  do a moment before. The run stays as it is: what the measured step learns is taken back."}
            </p>
            <p>
                <button data-testid="measure" class="primary" onclick={measure}
                    disabled={state.measuring || !cx.state.has_run()}>{label}</button>
            </p>
            <div role="status" aria-live="polite">
                if let Some(problem) = &state.problem { <p class="banner" data-testid="no-profile">{problem}</p> }
                if let Some(profile) = &state.profile { {summary(profile)} }
            </div>
            if let Some(profile) = &state.profile { {table(profile)} }
        </section>
    }
}

fn summary(profile: &Profile) -> Html {
    let total = profile.total();
    let how = match profile.timed_by {
        TimedBy::Timestamps => "by timestamps on the device",
        TimedBy::Clock => "by the clock, on one worker",
    };
    html! {
        <>
            <p data-testid="profile-summary">
                {format!("Behind step {}: {} in {} dispatches, timed {how}; {} done, {} of what the peaks allow. Peaks \
                          measured here: {}, {}.",
                    grouped(profile.step as usize), milliseconds(total.ns), total.times, amount(total.flops, "FLOP"),
                    percent(total.share_of_peak()), amount(profile.peak_flops_per_s, "FLOP/s"),
                    amount(profile.peak_bytes_per_s, "B/s"))}
            </p>
            if let Some(step_ns) = profile.coarse_ns() {
                <p class="count" data-testid="coarse">
                    {format!("This browser rounds timestamps to {}, so that times of short kernels are rough; Chrome's \
                              flag “WebGPU Developer Features” lifts that.", milliseconds(step_ns))}
                </p>
            }
        </>
    }
}

fn table(profile: &Profile) -> Html {
    let total = profile.total();
    let columns = [
        ("kernel", "entry point of the shader, and its twin on the CPU"),
        ("times", "dispatches in one step"),
        ("time", "of all of them together"),
        ("share", "of the step's time"),
        ("operations", "multiplications and additions of products; a dash where a kernel only goes over its data"),
        ("bytes", "everything that the kernel binds, once"),
        ("a second", "operations a second, or bytes where there are none"),
        ("of peak", "the least time that the measured peaks allow, divided by the time"),
    ];
    html! {
        <div class="table" tabindex="0" role="region" aria-label="kernels">
            <table data-testid="profile-table">
                <thead><tr>
                    {for columns.map(|(name, help)| html! { <th scope="col" title={help}>{name}</th> })}
                </tr></thead>
                <tbody>{for profile.kernels.iter().map(|kernel| row(kernel, total.ns))}</tbody>
                <tfoot>{row(&total, total.ns)}</tfoot>
            </table>
        </div>
    }
}

fn row(kernel: &KernelTime, total_ns: f64) -> Html {
    let share = kernel.ns / total_ns.max(1.0);
    let speed = match (kernel.ns > 0.0, kernel.flops > 0.0) {
        (false, _) => "–".into(),
        (true, true) => amount(kernel.flops / kernel.ns * 1e9, "FLOP/s"),
        (true, false) => amount(kernel.bytes / kernel.ns * 1e9, "B/s"),
    };
    let operations = if kernel.flops > 0.0 { amount(kernel.flops, "FLOP") } else { "–".into() };
    let of_peak = if kernel.ns > 0.0 {
        bar(kernel.share_of_peak())
    } else {
        html! { {"–"} }
    };
    html! {
        <tr>
            <th scope="row">{&kernel.kernel}</th>
            <td>{kernel.times}</td>
            <td>{milliseconds(kernel.ns)}</td>
            <td>{bar(share)}</td>
            <td>{operations}</td>
            <td>{amount(kernel.bytes, "B")}</td>
            <td>{speed}</td>
            <td>{of_peak}</td>
        </tr>
    }
}

/// A fraction as a number over a bar of that length.
fn bar(share: f64) -> Html {
    let width = format!("width: {:.1}%", 100.0 * share.clamp(0.0, 1.0));
    html! { <span class="share"><span style={width}></span><b>{percent(share)}</b></span> }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn milliseconds(ns: f64) -> String {
    if ns >= 1e8 { format!("{:.0} ms", ns / 1e6) } else { format!("{:.2} ms", ns / 1e6) }
}

/// A value with three digits and an SI prefix.
fn amount(value: f64, unit: &str) -> String {
    let (scaled, prefix) = match value {
        _ if value >= 1e12 => (value / 1e12, "T"),
        _ if value >= 1e9 => (value / 1e9, "G"),
        _ if value >= 1e6 => (value / 1e6, "M"),
        _ if value >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = if scaled >= 100.0 {
        0
    } else if scaled >= 10.0 {
        1
    } else {
        2
    };
    format!("{scaled:.digits$} {prefix}{unit}")
}
