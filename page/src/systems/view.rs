//! The table of kernels, and the roofline.

use yew::prelude::*;

use super::state::{Family, Point, Roofline};
use crate::core::context::Cx;
use crate::shared::grouped;
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
    html! {
        <div class="systems">
            <div class="setup-bar" role="group" aria-label="Measurement">
                <button data-testid="measure" class="primary" onclick={measure}
                    disabled={state.measuring || !cx.state.has_run()}>
                    {if state.measuring { "Measuring…" } else { "Measure a step" }}
                </button>
                <div role="status" aria-live="polite" class="said">
                    if let Some(profile) = &state.profile { {summary(profile)} } else {
                        <span>{"The measured step is undone, so your run stays as it is."}</span>
                    }
                </div>
            </div>
            if let Some(problem) = &state.problem { <p class="banner warn" data-testid="no-profile">{problem}</p> }
            <div class="tiles">
                {match &state.profile {
                    Some(profile) => html! {
                        <>
                            <section class="tile kernels" aria-labelledby="kernels-title">
                                <header><h2 id="kernels-title">{"Kernels"}</h2>{legend()}</header>
                                {table(profile)}
                            </section>
                            <section class="tile roofline" aria-labelledby="roofline-title">
                                <header>
                                    <h2 id="roofline-title">{"Roofline"}</h2>
                                    <span class="grow"></span>
                                    <small>{format!("measured: {}, {}", amount(profile.peak_flops_per_s, "FLOP/s"),
                                        amount(profile.peak_bytes_per_s, "B/s"))}</small>
                                </header>
                                {Roofline::new(profile).map(|roofline| chart(&roofline))}
                            </section>
                        </>
                    },
                    None => html! {
                        <section class="tile kernels" aria-label="Kernels">
                            <p class="empty">{"Measure a step to see where its time goes."}</p>
                        </section>
                    },
                }}
            </div>
        </div>
    }
}

fn summary(profile: &Profile) -> Html {
    let total = profile.total();
    let how = match profile.timed_by {
        TimedBy::Timestamps => "timed with timestamps on the device",
        TimedBy::Clock => "timed with the clock, on one worker",
    };
    let number = |name: &'static str, value: String| html! { <div><dt>{name}</dt><dd>{value}</dd></div> };
    html! {
        <>
            <dl class="stats" data-testid="profile-numbers">
                {number("One step", milliseconds(total.ns))}
                {number("Dispatches", total.times.to_string())}
                {number("Of the peak", percent(total.share_of_peak()))}
            </dl>
            <span data-testid="profile-summary">
                {format!("Step {}, {how}: {} done. Peaks: {}, {}. The measured step is undone.",
                    grouped(profile.step as usize), amount(total.flops, "FLOP"),
                    amount(profile.peak_flops_per_s, "FLOP/s"), amount(profile.peak_bytes_per_s, "B/s"))}
                if let Some(step_ns) = profile.coarse_ns() {
                    <small data-testid="coarse">
                        {format!(" This browser rounds timestamps to {}, so times of short kernels are rough; Chrome's flag \
                                  “WebGPU Developer Features” lifts that.", milliseconds(step_ns))}
                    </small>
                }
            </span>
        </>
    }
}

fn dot(family: Family) -> Html {
    html! { <i class="dot" style={format!("background:var({})", family.color())}></i> }
}

fn legend() -> Html {
    html! {
        <span class="legend">
            {for Family::ALL.map(|family| html! { <span>{dot(family)}{family.title()}</span> })}
        </span>
    }
}

fn table(profile: &Profile) -> Html {
    let total = profile.total();
    let columns = [
        ("Kernel", "Entry point of the shader, and the name of its CPU version."),
        ("Times", "Dispatches in one step."),
        ("Time", "Of all its dispatches together."),
        ("Share", "Of the step's time."),
        ("Operations", "Multiplications and additions of matmuls; a dash for kernels that only stream their data."),
        ("Bytes", "Everything that the kernel binds, once."),
        ("Per second", "Operations per second, or bytes where there are none."),
        ("Of peak", "The least time that the measured peaks allow, divided by the time."),
    ];
    html! {
        <div class="table" tabindex="0" role="region" aria-label="Table of kernels">
            <table data-testid="profile-table">
                <thead><tr>
                    {for columns.map(|(name, help)| html! { <th scope="col" title={help}>{name}</th> })}
                </tr></thead>
                <tbody>{for profile.kernels.iter().map(|kernel| row(kernel, total.ns, true))}</tbody>
                <tfoot>{row(&total, total.ns, false)}</tfoot>
            </table>
        </div>
    }
}

fn row(kernel: &KernelTime, total_ns: f64, marked: bool) -> Html {
    let share = kernel.ns / total_ns.max(1.0);
    let family = Family::of(&kernel.kernel);
    let speed = match (kernel.ns > 0.0, kernel.flops > 0.0) {
        (false, _) => "–".into(),
        (true, true) => amount(kernel.flops / kernel.ns * 1e9, "FLOP/s"),
        (true, false) => amount(kernel.bytes / kernel.ns * 1e9, "B/s"),
    };
    let operations = if kernel.flops > 0.0 { amount(kernel.flops, "FLOP") } else { "–".into() };
    let of_peak = if kernel.ns > 0.0 { percent(kernel.share_of_peak()) } else { "–".into() };
    html! {
        <tr>
            <th scope="row">if marked { {dot(family)} }{&kernel.kernel}</th>
            <td>{kernel.times}</td>
            <td>{milliseconds(kernel.ns)}</td>
            <td>{if marked { bar(share, family) } else { html! { {percent(share)} } }}</td>
            <td>{operations}</td>
            <td>{amount(kernel.bytes, "B")}</td>
            <td>{speed}</td>
            <td>{of_peak}</td>
        </tr>
    }
}

/// A fraction as a bar of that length and a number.
fn bar(share: f64, family: Family) -> Html {
    let style = format!("width:{:.1}%;background:var({})", 100.0 * share.clamp(0.0, 1.0), family.color());
    html! { <span class="share"><span class="room"><i {style}></i></span><b>{percent(share)}</b></span> }
}

/// The chart, both axes logarithmic.
fn chart(roofline: &Roofline) -> Html {
    const SIZE: [f64; 2] = [460.0, 360.0];
    let [x0, x1, y0, y1] = roofline.range();
    let x = |intensity: f64| 54.0 + (SIZE[0] - 70.0) * (intensity.log10() - f64::from(x0)) / f64::from(x1 - x0);
    let y = |speed: f64| SIZE[1] - 40.0 - (SIZE[1] - 60.0) * (speed.log10() - f64::from(y0)) / f64::from(y1 - y0);
    let power = |power: i32| 10f64.powi(power);
    let rows = (y0..=y1).map(|at| {
        let place = y(power(at));
        html! {
            <>
                <line class="grid" x1="54" x2={(SIZE[0] - 16.0).to_string()} y1={place.to_string()} y2={place.to_string()} />
                <text x="48" y={(place + 4.0).to_string()} text-anchor="end">{amount(power(at), "")}</text>
            </>
        }
    });
    let columns = (x0..=x1).map(|at| {
        html! { <text x={x(power(at)).to_string()} y={(SIZE[1] - 22.0).to_string()} text-anchor="middle">{power(at)}</text> }
    });
    let corners = [power(x0), roofline.ridge().clamp(power(x0), power(x1)), power(x1)];
    let roof = corners.map(|at| format!("{:.1},{:.1}", x(at), y(roofline.roof(at)).min(SIZE[1] - 40.0))).join(" ");
    let point = |point: &Point| {
        let radius = 4.0 + 22.0 * point.share.sqrt() / 2.0;
        let said = format!(
            "{}: {} at {:.1} FLOP per byte, {} of the roof",
            point.kernel,
            amount(point.speed, "FLOP/s"),
            point.intensity,
            percent(point.speed / roofline.roof(point.intensity))
        );
        html! {
            <circle cx={x(point.intensity).to_string()} cy={y(point.speed).to_string()} r={format!("{radius:.1}")}
                style={format!("fill:var({})", point.family.color())}><title>{said}</title></circle>
        }
    };
    let label = format!(
        "Roofline with {} kernels; computation bounds those above {:.1} FLOP per byte.",
        roofline.points.len(),
        roofline.ridge()
    );
    html! {
        <svg class="roof" viewBox={format!("0 0 {} {}", SIZE[0], SIZE[1])} role="img" aria-label={label}>
            {for rows}{for columns}
            <polyline points={roof} />
            <text x={(SIZE[0] - 16.0).to_string()} y={(y(roofline.flops_per_s) - 8.0).to_string()} text-anchor="end">{"compute bound"}</text>
            {for roofline.points.iter().map(point)}
            <text x="54" y="12">{"FLOP/s"}</text>
            <text x={(SIZE[0] - 16.0).to_string()} y={(SIZE[1] - 6.0).to_string()} text-anchor="end">{"FLOP per byte"}</text>
        </svg>
    }
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
