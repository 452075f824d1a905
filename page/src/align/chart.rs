//! Line charts: an SVG that fills its box, with labels in HTML, so that text is never stretched.

use yew::prelude::*;

use crate::state::align::curves::Curve;

/// Units of the SVG's sides.
const UNITS: f64 = 1000.0;

/// A curve of a chart.
#[derive(Clone, PartialEq)]
pub struct Line {
    /// Number of its color, from 1 to 6.
    pub color: u8,
    pub curve: Curve,
    /// `raw` for noisy values, `dots` for evaluations.
    pub class: &'static str,
}

#[derive(Properties, PartialEq)]
pub struct ChartProps {
    /// The accessible description.
    pub label: AttrValue,
    pub lines: Vec<Line>,
    /// Bands as (x, y, half width).
    #[prop_or_default]
    pub band: Vec<(f64, f64, f64)>,
    /// The right end of the x axis, which begins at 0.
    pub x_end: f64,
    pub y: [f64; 2],
    /// Labels of the y axis: value and text.
    pub ticks: Vec<(f64, String)>,
    /// The text at the right end of the x axis; empty for an axis without labels.
    #[prop_or_default]
    pub x_label: String,
    /// A dashed line with its name.
    #[prop_or_default]
    pub baseline: Option<(f64, String)>,
}

#[component]
pub fn Chart(props: &ChartProps) -> Html {
    let [low, high] = props.y;
    let (x_end, span) = (props.x_end, (high - low).max(1e-12));
    let x = move |value: f64| UNITS * (value / x_end).clamp(0.0, 1.0);
    let part = move |value: f64| ((value - low) / span).clamp(0.0, 1.0);
    let y = move |value: f64| UNITS * (1.0 - part(value));
    let at = |&(px, py): &(f64, f64)| format!("{:.1},{:.1}", x(px), y(py));
    let line = |line: &Line| {
        let finite: Vec<(f64, f64)> = line.curve.iter().copied().filter(|(_, value)| value.is_finite()).collect();
        let points: Vec<String> = finite.iter().map(at).collect();
        let style = format!("stroke:var(--s{})", line.color);
        let dots: String = match line.class {
            "dots" => finite.iter().map(|point| format!("M{}h0", at(point).replace(',', " "))).collect(),
            _ => String::new(),
        };
        html! {
            <>
                <polyline class={line.class} style={style.clone()} points={points.join(" ")} />
                if !dots.is_empty() { <path class="dot" {style} d={dots} /> }
            </>
        }
    };
    let tick = |(value, text): &(f64, String)| {
        html! { <span class="tick" style={format!("bottom:{:.1}%", 100.0 * part(*value))}>{text}</span> }
    };
    let grid = |(value, _): &(f64, String)| {
        let y = format!("{:.1}", y(*value));
        html! { <line class="grid" x1="0" x2="1000" y1={y.clone()} y2={y} /> }
    };
    let upper = props.band.iter().map(|&(px, py, half)| at(&(px, py + half)));
    let lower = props.band.iter().rev().map(|&(px, py, half)| at(&(px, py - half)));
    let band: Vec<String> = upper.chain(lower).collect();
    html! {
        <div class={classes!("chart", props.x_label.is_empty().then_some("small"))}>
            <div class="ticks" aria-hidden="true">{for props.ticks.iter().map(tick)}</div>
            <div class="plot">
                <svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" aria-label={props.label.clone()}>
                    {for props.ticks.iter().map(grid)}
                    if !band.is_empty() { <polygon class="band" points={band.join(" ")} /> }
                    if let Some((value, _)) = &props.baseline {
                        <line class="baseline" x1="0" x2="1000" y1={format!("{:.1}", y(*value))} y2={format!("{:.1}", y(*value))} />
                    }
                    {for props.lines.iter().map(line)}
                </svg>
                if let Some((value, name)) = &props.baseline {
                    <span class="named" style={format!("bottom:{:.1}%", 100.0 * part(*value))}>{name}</span>
                }
            </div>
            if !props.x_label.is_empty() {
                <div class="x-axis" aria-hidden="true"><span>{"0"}</span><span>{&props.x_label}</span></div>
            }
        </div>
    }
}
