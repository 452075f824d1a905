//! The roofline of this device with every kernel on it.

use yew::prelude::*;

use super::format::{amount, percent};
use super::state::{Point, Roofline};
use crate::core::context::Cx;
use crate::shared::size::use_size;
use crate::state::Action;
use crate::state::profile::SystemsAction;

/// The tile with the chart.
#[component]
pub fn RooflineTile(cx: &Cx) -> Html {
    let node = use_node_ref();
    let (width, height) = use_size(&node);
    let Some(profile) = &cx.state.profile.profile else { return html! {} };
    let roofline = Roofline::new(profile);
    let peaks = format!(
        "measured: {}, {}",
        amount(profile.peak_flops_per_s, "FLOP/s"),
        amount(profile.peak_bytes_per_s, "B/s")
    );
    html! {
        <section class="tile roofline" aria-labelledby="roofline-title">
            <header><h2 id="roofline-title">{"Roofline"}</h2><span class="grow"></span><small>{peaks}</small></header>
            <div class="lanes" ref={node}>
                if let Some(roofline) = roofline.filter(|_| width > 80 && height > 80) {
                    {chart(cx, &roofline, [f64::from(width), f64::from(height)])}
                }
            </div>
        </section>
    }
}

/// The chart, both axes logarithmic.
fn chart(cx: &Cx, roofline: &Roofline, size: [f64; 2]) -> Html {
    let [x0, x1, y0, y1] = roofline.range();
    let (left, right, top, bottom) = (50.0, size[0] - 16.0, 26.0, size[1] - 38.0);
    let x = |intensity: f64| left + (right - left) * (intensity.log10() - f64::from(x0)) / f64::from(x1 - x0);
    let y = |speed: f64| bottom - (bottom - top) * (speed.log10() - f64::from(y0)) / f64::from(y1 - y0);
    let power = |power: i32| 10f64.powi(power);
    let rows = (y0..=y1).map(|at| {
        let place = format!("{:.1}", y(power(at)));
        html! {
            <>
                <line class="grid" x1={format!("{left}")} x2={format!("{right:.0}")} y1={place.clone()} y2={place} />
                <text x={format!("{:.0}", left - 6.0)} y={format!("{:.1}", y(power(at)) + 4.0)} text-anchor="end">{short(power(at))}</text>
            </>
        }
    });
    let columns = (x0..=x1).map(|at| {
        let name = if at < 0 { power(at).to_string() } else { format!("{:.0}", power(at)) };
        html! { <text x={format!("{:.1}", x(power(at)))} y={format!("{:.0}", bottom + 16.0)} text-anchor="middle">{name}</text> }
    });
    let corners = [power(x0), roofline.ridge().clamp(power(x0), power(x1)), power(x1)];
    let roof = corners.map(|at| format!("{:.1},{:.1}", x(at), y(roofline.roof(at)).min(bottom))).join(" ");
    let selected = cx.state.profile.selected.as_deref();
    let point = |point: &Point| {
        let radius = 4.0 + 11.0 * point.share.sqrt();
        let of_roof = point.speed / roofline.roof(point.intensity);
        let description = format!(
            "{}: {} at {:.1} FLOP per byte, {} of the roof",
            point.kernel,
            amount(point.speed, "FLOP/s"),
            point.intensity,
            percent(of_roof)
        );
        let on = selected == Some(&point.kernel);
        let next = (!on).then(|| point.kernel.clone());
        let (px, py) = (x(point.intensity), y(point.speed).min(bottom));
        let roof_y = y(roofline.roof(point.intensity));
        let near_right = px > right - 110.0;
        let below =
            if of_roof < 0.95 { format!("{:.1}× below the roof", 1.0 / of_roof) } else { "at the roof".into() };
        html! {
            <>
                if on {
                    <line class="drop" x1={format!("{px:.1}")} x2={format!("{px:.1}")} y1={format!("{roof_y:.1}")} y2={format!("{py:.1}")} />
                    <text class="ink strong" x={format!("{:.0}", if near_right { px - radius - 4.0 } else { px + radius + 4.0 })} y={format!("{:.0}", py + 16.0)}
                        text-anchor={if near_right { "end" } else { "start" }}>{below}</text>
                }
                <circle class={classes!(on.then_some("selected"))} cx={format!("{px:.1}")} cy={format!("{py:.1}")} r={format!("{radius:.1}")}
                    onclick={cx.on(Action::Systems(SystemsAction::Select(next)))}
                    style={format!("fill:var({})", point.family.color())}><title>{description}</title></circle>
            </>
        }
    };
    let label = format!(
        "Roofline with {} kernels; computation bounds those above {:.1} FLOP per byte.",
        roofline.points.len(),
        roofline.ridge()
    );
    let (mx, my) =
        ((x(power(x0)) + x(corners[1])) / 2.0, (y(roofline.roof(power(x0))) + y(roofline.flops_per_s)) / 2.0);
    let angle =
        (y(roofline.flops_per_s) - y(roofline.roof(power(x0)))).atan2(x(corners[1]) - x(power(x0))).to_degrees();
    html! {
        <svg class="roof" role="img" aria-label={label}>
            {for rows}{for columns}
            <polyline points={roof} />
            <text class="ink" x={format!("{right:.0}")} y={format!("{:.0}", y(roofline.flops_per_s) - 8.0)} text-anchor="end">{"Compute bound"}</text>
            if corners[1] > power(x0) * 3.0 {
                <text class="ink" text-anchor="middle" transform={format!("translate({mx:.0} {:.0}) rotate({angle:.1})", my - 8.0)}>{"Memory bound"}</text>
            }
            {for roofline.points.iter().map(point)}
            <text x="12" y="14">{"FLOP/s"}</text>
            <text x={format!("{right:.0}")} y={format!("{:.0}", size[1] - 6.0)} text-anchor="end">{"FLOP per byte"}</text>
        </svg>
    }
}

fn short(value: f64) -> String {
    amount(value, "").replace(".00", "").replace(".0", "").trim_end().into()
}
