//! The precision lab: four sums, and what 16 bits make of a tensor of the running model.

use yew::prelude::*;

use super::format::percent;
use crate::core::context::Cx;
use crate::shared::size::use_size;
use crate::shared::{grouped, value_of};
use crate::state::Action;
use crate::state::profile::SystemsAction;
use glasshead::systems::precision::{FOUR_SUMS, Format, Histogram, MAX_POWER, MIN_POWER, N_BINS, Rounding, Sum};

/// Number of additions of 0.01.
const N: usize = 1000;

/// The tile with the sums.
#[component]
pub fn Sums(_: &()) -> Html {
    let node = use_node_ref();
    let (width, height) = use_size(&node);
    let sums = use_memo((), |()| FOUR_SUMS.map(|sum| (sum, sum.run(0.01, N))));
    let colors = ["--s3", "--s2", "--s1", "--s4"];
    let row = |(index, (sum, values)): (usize, &(Sum, Vec<f32>))| {
        let last = values.last().copied().unwrap_or_default();
        let error = f64::from(last) / 10.0 - 1.0;
        html! {
            <tr>
                <th scope="row"><i class="dot" style={format!("background:var({})", colors[index])}></i>{sum.title()}</th>
                <td>{format!("{last:.4}")}</td>
                <td>{format!("{:+.3} %", 100.0 * error).replace('-', "−")}</td>
            </tr>
        }
    };
    html! {
        <section class="tile sums" aria-labelledby="sums-title">
            <header><h2 id="sums-title">{"Four sums"}</h2><small>{"1,000 × 0.01; exactly 10"}</small></header>
            <table data-testid="sums-table">
                <thead><tr><th scope="col">{"Term and accumulator"}</th><th scope="col">{"Sum"}</th><th scope="col">{"Error"}</th></tr></thead>
                <tbody>{for sums.iter().enumerate().map(row)}</tbody>
            </table>
            <div class="lanes" ref={node}>
                if width > 100 && height > 60 { {errors(&sums, colors, [f64::from(width), f64::from(height)])} }
            </div>
            <p class="note">{"The accumulator decides: near 8, neighbors in f16 are 2⁻⁷ apart, so that each 0.01 becomes 0.0078. A term rounded to f16 costs \
                little, because its error is the same every time: 0.01 becomes 0.010002."}</p>
        </section>
    }
}

/// The errors of the sums over the additions.
fn errors(sums: &[(Sum, Vec<f32>); 4], colors: [&'static str; 4], [width, height]: [f64; 2]) -> Html {
    use crate::draw::chart::Scale;
    let x = Scale { low: 0.0, high: N as f64, from: 52.0, to: width - 12.0 };
    let y = Scale { low: -0.05, high: 0.01, from: height - 22.0, to: 10.0 };
    let line = |(index, (_, values)): (usize, &(Sum, Vec<f32>))| {
        let point = |i: usize| {
            let error = f64::from(values[i]) - 0.01 * (i + 1) as f64;
            format!("{:.1},{:.1}", x.pixel((i + 1) as f64), y.pixel(error.clamp(y.low, y.high)))
        };
        let points: Vec<String> = (0..values.len()).step_by(4).map(point).collect();
        html! { <polyline points={points.join(" ")} style={format!("stroke:var({})", colors[index])} /> }
    };
    let ticks = [-0.04, -0.02, 0.0].map(|value| {
        let at = y.pixel(value);
        html! {
            <>
                <line class="grid" x1="52" x2={format!("{:.0}", width - 12.0)} y1={format!("{at:.1}")} y2={format!("{at:.1}")} />
                <text x="46" y={format!("{:.1}", at + 4.0)} text-anchor="end">{format!("{value:.2}").replace('-', "−")}</text>
            </>
        }
    });
    let columns = [0, 250, 500, 750, 1000].map(|n: usize| {
        html! { <text x={format!("{:.0}", x.pixel(n as f64))} y={format!("{:.0}", height - 6.0)} text-anchor={if n == 1000 { "end" } else { "middle" }}>{grouped(n)}</text> }
    });
    html! {
        <svg class="curves" role="img" aria-label="Error of each sum over the number of additions">
            {for ticks}{for columns}{for sums.iter().enumerate().map(line)}
        </svg>
    }
}

/// The tile with the tensor.
#[component]
pub fn Tensor(cx: &Cx) -> Html {
    let node = use_node_ref();
    let (width, height) = use_size(&node);
    let state = &cx.state.profile;
    {
        let cx = cx.clone();
        let key = (state.tensor.clone(), state.scale, state.trace.as_ref().map(|trace| trace.step));
        use_effect_with(key, move |_| {
            if let Some(command) = cx.state.profile.round_command() {
                cx.send(&command);
            }
        });
    }
    let choose = cx.call(|cx, event: Event| cx.act(Action::Systems(SystemsAction::Tensor(value_of(&event)))));
    let scale = cx.call(|cx, event: InputEvent| {
        if let Ok(power) = value_of(&event).parse() {
            cx.act(Action::Systems(SystemsAction::Scale(power)));
        }
    });
    let option = |name: &String| {
        html! { <option value={name.clone()} selected={state.tensor.as_ref() == Some(name)}>{name}</option> }
    };
    let factor = grouped(1usize << state.scale.clamp(0, 24));
    html! {
        <section class="tile tensor" aria-labelledby="tensor-title">
            <header><h2 id="tensor-title">{"A tensor in 16 bits"}</h2>
                if let Some(histogram) = &state.histogram { <small>{format!("{} numbers of the latest batch", grouped(histogram.n as usize))}</small> }
            </header>
            if state.tensors.is_empty() {
                <p class="empty">{"Measure a step to round its tensors."}</p>
            } else {
                <div class="row choices">
                    <select data-testid="tensor" aria-label="Tensor" onchange={choose}>{for state.tensors.iter().map(option)}</select>
                    <label class="scale"><span>{"Loss scale"}</span><b>{factor.clone()}</b>
                        <input type="range" min="0" max="24" step="1" value={state.scale.to_string()} oninput={scale}
                            aria-valuetext={factor} data-testid="loss-scale" /></label>
                </div>
                <div class="lanes" ref={node}>
                    if let Some(histogram) = state.histogram.as_ref().filter(|_| width > 100 && height > 60) {
                        {bars(histogram, [f64::from(width), f64::from(height)])}
                    }
                </div>
                if let Some(histogram) = &state.histogram { {roundings(histogram)} }
                <p class="note">{"Loss scaling: multiply the loss, divide the gradients before clipping. A step whose gradients overflow is skipped and the scale \
                    halved; after 2,000 good steps it is doubled."}</p>
            }
        </section>
    }
}

fn bars(histogram: &Histogram, [width, height]: [f64; 2]) -> Html {
    let most = histogram.bins.iter().copied().max().unwrap_or(1).max(1) as f64;
    let (left, right, top, bottom) = (12.0, width - 12.0, 28.0, height - 22.0);
    let x = |power: f64| left + (right - left) * (power - f64::from(MIN_POWER)) / N_BINS as f64;
    let bar = |(index, count): (usize, &u64)| {
        let power = MIN_POWER + index as i32;
        let tall = (bottom - top) * *count as f64 / most;
        let value = (power as f32).exp2();
        let lost = Format::F16.round(value * 1.5);
        let class = if lost == 0.0 || lost.is_infinite() {
            "lost"
        } else if value < Format::F16.min_normal() {
            "rough"
        } else {
            ""
        };
        html! {
            <rect {class} x={format!("{:.1}", x(f64::from(power)))} y={format!("{:.1}", bottom - tall)} width={format!("{:.1}", (x(1.0) - x(0.0) - 1.0).max(1.0))}
                height={format!("{tall:.1}")}><title>{format!("2^{power}: {}", grouped(*count as usize))}</title></rect>
        }
    };
    let mark = |power: f64, name: &'static str, anchor: &'static str, offset: f64| {
        let at = x(power);
        html! {
            <>
                <line class="peak" x1={format!("{at:.1}")} x2={format!("{at:.1}")} y1="8" y2={format!("{bottom:.0}")} />
                <text class="ink" x={format!("{:.1}", at + offset)} y="18" text-anchor={anchor}>{name}</text>
            </>
        }
    };
    let ticks = (MIN_POWER..=MAX_POWER).filter(|power| power % 10 == 0).map(|power| {
        html! { <text x={format!("{:.1}", x(f64::from(power)))} y={format!("{:.0}", height - 6.0)} text-anchor="middle">{format!("2^{power}").replace('-', "−")}</text> }
    });
    html! {
        <svg class="bins" role="img" aria-label="Magnitudes of the tensor by powers of two, with the limits of f16" data-testid="histogram">
            {for histogram.bins.iter().enumerate().map(bar)}
            {mark(-25.0, "f16: becomes 0", "end", -5.0)}{mark(-14.0, "fewer digits", "end", -5.0)}{mark(16.0, "infinite", "end", -5.0)}
            {for ticks}
        </svg>
    }
}

fn roundings(histogram: &Histogram) -> Html {
    let row = |rounding: &Rounding| {
        let of =
            |count: u64| format!("{} ({})", grouped(count as usize), percent(count as f64 / histogram.n.max(1) as f64));
        html! {
            <tr>
                <th scope="row">{rounding.format.name()}</th><td>{of(rounding.underflow)}</td><td>{of(rounding.subnormal)}</td>
                <td>{of(rounding.overflow)}</td><td>{format!("{:.4} %", 100.0 * rounding.relative_error)}</td>
            </tr>
        }
    };
    let columns = ["Format", "Become 0", "Fewer digits", "Become infinite", "Relative error"];
    html! {
        <table data-testid="roundings-table">
            <thead><tr>{for columns.map(|name| html! { <th scope="col">{name}</th> })}</tr></thead>
            <tbody>{for histogram.roundings.iter().map(row)}</tbody>
        </table>
    }
}
