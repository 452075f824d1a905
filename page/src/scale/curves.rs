//! The two charts: loss against size at equal compute, and the best size over compute.

use std::rc::Rc;

use yew::prelude::*;

use super::fits::{Fitted, run_text};
use super::geometry::{Axis, amount, flops, series, value_text};
use super::state::Quantity;
use crate::shared::size::use_size;
use glasshead::scaling::sealed::Prediction;
use glasshead::scaling::variable::Variable;

/// Space around a plot: left, right, top, bottom.
const MARGIN: [f64; 4] = [44.0, 74.0, 14.0, 34.0];

/// A run that is being trained: budget, size, latest held-out loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Live {
    pub c: f64,
    pub n: f64,
    pub loss: f64,
}

#[derive(Clone, Properties, PartialEq)]
pub struct IsoProps {
    pub fitted: Rc<Fitted>,
    pub live: Option<Live>,
    pub variable: Variable,
    /// The sealed prediction, and the check run's loss.
    pub sealed: Option<Prediction>,
}

fn text(x: f64, y: f64, anchor: &'static str, content: String) -> Html {
    html! { <text x={format!("{x:.1}")} y={format!("{y:.1}")} text-anchor={anchor}>{content}</text> }
}

/// Values on an axis, with their labels.
type Ticks = Vec<(f64, String)>;

fn grid(x: &Axis, y: &Axis, ticks: (Ticks, Ticks)) -> Html {
    let row = |(value, label): (f64, String)| {
        let at = y.pixel(value);
        html! {
            <>
                <line class="grid" x1={x.from.to_string()} x2={x.to.to_string()} y1={format!("{at:.1}")} y2={format!("{at:.1}")} />
                {text(x.from - 6.0, at + 4.0, "end", label)}
            </>
        }
    };
    let column = |(value, label): (f64, String)| text(x.pixel(value), y.from + 15.0, "middle", label);
    html! { <>{for ticks.1.into_iter().map(row)}{for ticks.0.into_iter().map(column)}</> }
}

fn polyline(points: impl Iterator<Item = (f64, f64)>, style: String, class: &'static str) -> Html {
    let points: Vec<String> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    html! { <polyline {class} points={points.join(" ")} {style} /> }
}

/// A star around a point.
fn star(x: f64, y: f64) -> Html {
    let corner = |i: u32| {
        let (radius, angle) =
            (if i.is_multiple_of(2) { 7.0 } else { 3.0 }, std::f64::consts::PI * (f64::from(i) / 5.0 - 0.5));
        format!("{:.1},{:.1}", x + radius * angle.cos(), y + radius * angle.sin())
    };
    html! { <polygon class="star" points={(0..10).map(corner).collect::<Vec<_>>().join(" ")} /> }
}

/// Ticks of a linear loss axis, with as many decimals as they need.
fn losses(axis: &Axis) -> Vec<(f64, String)> {
    let ticks = axis.ticks(7);
    let apart = ticks.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    let decimals = (-apart.log10().floor()).clamp(0.0, 4.0) as usize;
    ticks.into_iter().map(|value| (value, format!("{value:.decimals$}"))).collect()
}

#[component]
pub fn IsoFlop(props: &IsoProps) -> Html {
    let IsoProps { fitted, live, variable, sealed } = props;
    let variable = *variable;
    let node = use_node_ref();
    let (width, height) = use_size(&node);
    let pointed = use_state(|| None::<(usize, usize)>);
    let (width, height) = (f64::from(width.max(260)), f64::from(height.max(160)));
    let [left, right, top, bottom] = MARGIN;
    let all = || fitted.series.iter().flat_map(|series| series.runs.iter());
    let sizes = all().map(|run| run.n).chain(live.map(|live| live.n));
    let x = Axis::around(sizes, (left, width - right), true, 0.03);
    let curves = fitted.series.iter().flat_map(|series| series.curve.iter().map(|point| point.1));
    let top_loss = all().map(|run| run.loss).fold(0.0, f64::max);
    let y_values = all().map(|run| run.loss).chain(curves.filter(|&loss| loss < 1.15 * top_loss && loss > 0.0));
    let y = Axis::around(
        y_values.chain(live.map(|live| live.loss.min(1.3 * top_loss.max(1.0)))),
        (height - bottom, top),
        false,
        0.04,
    );
    let minima: Vec<(f64, f64)> = fitted
        .series
        .iter()
        .filter_map(|series| series.optimum.map(|best| (x.pixel(best.n), y.pixel(best.loss))))
        .collect();
    let budget = |(i, one): (usize, &super::fits::Series)| {
        let (color, dashes) = series(i);
        let style = format!("stroke:{color};stroke-dasharray:{dashes}");
        let inside = |&&(_, loss): &&(f64, f64)| loss >= y.low && loss <= y.high;
        let points: Vec<(f64, f64)> =
            one.curve.iter().filter(inside).map(|&(n, loss)| (x.pixel(n), y.pixel(loss))).collect();
        let end = points.last().copied().or(one.runs.last().map(|run| (x.pixel(run.n), y.pixel(run.loss))));
        let dot = |(j, run): (usize, &glasshead::scaling::table::Run)| {
            let enter = {
                let pointed = pointed.clone();
                Callback::from(move |_: PointerEvent| pointed.set(Some((i, j))))
            };
            let leave = {
                let pointed = pointed.clone();
                Callback::from(move |_: PointerEvent| pointed.set(None))
            };
            html! {
                <circle class="run" cx={format!("{:.1}", x.pixel(run.n))} cy={format!("{:.1}", y.pixel(run.loss))} r="4.5"
                    style={format!("fill:{color}")} onpointerenter={enter} onpointerleave={leave} />
            }
        };
        html! {
            <>
                {polyline(points.into_iter(), style, "curve")}
                {for one.runs.iter().enumerate().map(dot)}
                if let Some((at, height)) = end {
                    <text class="name" x={format!("{:.1}", at + 6.0)} y={format!("{:.1}", height + 4.0)} style={format!("fill:{color}")}>{flops(one.c)}</text>
                }
            </>
        }
    };
    let x_ticks = x.ticks(8).into_iter().map(|value| (value, value_text(variable, value))).collect();
    let tip = (*pointed).and_then(|(i, j)| fitted.series.get(i)?.runs.get(j));
    let summary: Vec<String> = fitted
        .series
        .iter()
        .map(|series| match series.optimum {
            Some(best) => {
                format!("{} FLOPs: lowest at {} parameters, loss {:.3}", flops(series.c), amount(best.n), best.loss)
            }
            None => format!("{} FLOPs: no bracketed minimum", flops(series.c)),
        })
        .collect();
    html! {
        <div class="chart-box" ref={node}>
            <svg width={width.to_string()} height={height.to_string()} role="img" data-testid="iso-chart"
                aria-label={format!("Held-out loss over model size. {}", summary.join("; "))}>
                {grid(&x, &y, (x_ticks, losses(&y)))}
                {text(width / 2.0, height - 4.0, "middle", axis_title(variable))}
                {for fitted.series.iter().enumerate().map(budget)}
                {polyline(minima.iter().copied(), String::new(), "path")}
                {for minima.iter().map(|&(x, y)| star(x, y))}
                if let Some(live) = live {
                    <circle class="live" cx={format!("{:.1}", x.pixel(live.n))} cy={format!("{:.1}", y.pixel(live.loss.min(y.high)))} r="6" />
                }
                if let Some(sealed) = sealed { {seal_mark(&x, &y, sealed)} }
            </svg>
            if let Some(run) = tip {
                <div class="tip" style={place(x.pixel(run.n), y.pixel(run.loss), width)}>{run_text(run, variable)}</div>
            }
        </div>
    }
}

fn axis_title(variable: Variable) -> String {
    match variable {
        Variable::Size => "Parameters, embeddings included".into(),
        Variable::LearningRate => "Maximum learning rate".into(),
        Variable::BatchSize => "Sequences per step".into(),
        Variable::Depth => "Layers".into(),
        Variable::Vocabulary => "Vocabulary size; losses in nats per byte".into(),
        Variable::Epochs => "Epochs of the training text".into(),
    }
}

/// The law with the symbol of its variable.
pub fn law_text(law: &str, variable: Variable) -> String {
    let symbol = match variable {
        Variable::Size => return law.into(),
        Variable::LearningRate => "lr",
        Variable::BatchSize => "B",
        Variable::Depth => "layers",
        Variable::Vocabulary => "V",
        Variable::Epochs => "epochs",
    };
    law.strip_prefix("N = ").map_or_else(String::new, |rest| format!("{symbol} = {rest}"))
}

fn place(x: f64, y: f64, width: f64) -> String {
    let side =
        if x > width / 2.0 { format!("right:{:.0}px", width - x + 12.0) } else { format!("left:{:.0}px", x + 12.0) };
    format!("{side};top:{:.0}px", (y + 10.0).max(0.0))
}

/// The predicted loss, if it is inside of the chart.
fn seal_mark(x: &Axis, y: &Axis, sealed: &Prediction) -> Html {
    let n = sealed.n_params as f64;
    if n > x.high || sealed.loss < y.low || sealed.loss > y.high {
        return html! {};
    }
    diamond(x.pixel(n), y.pixel(sealed.loss))
}

fn diamond(x: f64, y: f64) -> Html {
    let points = format!("{:.1},{y:.1} {x:.1},{:.1} {:.1},{y:.1} {x:.1},{:.1}", x - 7.0, y - 7.0, x + 7.0, y + 7.0);
    html! { <polygon class="sealed" {points} /> }
}

#[derive(Clone, Properties, PartialEq)]
pub struct BestProps {
    pub fitted: Rc<Fitted>,
    pub quantity: Quantity,
    pub variable: Variable,
    pub sealed: Option<Prediction>,
    /// The measured loss of the check run.
    pub measured: Option<f64>,
    /// The budget of the check run.
    pub check: Option<f64>,
    /// The same law by the other methods: name, and its fit.
    pub others: Vec<(AttrValue, Rc<Fitted>)>,
}

#[component]
pub fn BestSize(props: &BestProps) -> Html {
    let BestProps { fitted, quantity, variable, sealed, measured, check, others } = props;
    let variable = *variable;
    let node = use_node_ref();
    let (width, height) = use_size(&node);
    let (width, height) = (f64::from(width.max(220)), f64::from(height.max(150)));
    let budgets = fitted.series.iter().map(|series| series.c);
    let (low, high) = budgets.chain(*check).fold((f64::INFINITY, 0.0f64), |(low, high), c| (low.min(c), high.max(c)));
    if low > high {
        return html! { <div class="chart-box" ref={node}></div> };
    }
    let trend = fitted.trend(*quantity, low / 1.3, 1.5 * high);
    let [left, _, top, bottom] = MARGIN;
    let predicted = sealed.as_ref().map(|sealed| match quantity {
        Quantity::Size => (sealed.n_optimal, sealed.n_interval),
        Quantity::Tokens => (
            sealed.budget / (6.0 * sealed.n_optimal),
            glasshead::scaling::bootstrap::Interval {
                low: sealed.budget / (6.0 * sealed.n_interval.high),
                high: sealed.budget / (6.0 * sealed.n_interval.low),
            },
        ),
        Quantity::Loss => (sealed.loss, sealed.interval),
    });
    let x = Axis::around([low / 1.3, 1.5 * high].into_iter(), (left, width - 16.0), true, 0.0);
    let center = trend.points.iter().map(|point| point.1).chain(trend.line.iter().map(|point| point[1]));
    let y_values =
        center.chain(predicted.map(|(value, _)| value)).chain(measured.filter(|_| *quantity == Quantity::Loss));
    let y = Axis::around(y_values, (height - bottom, top), true, 0.15);
    let clamp = |value: f64| y.pixel(value.clamp(y.low, y.high));
    let band = trend
        .line
        .iter()
        .map(|&[c, _, low, _]| (x.pixel(c), clamp(low)))
        .chain(trend.line.iter().rev().map(|&[c, _, _, high]| (x.pixel(c), clamp(high))));
    let band: Vec<String> = band.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let largest = fitted.series.last().map_or(high, |series| series.c);
    let part = |beyond: bool| {
        trend
            .line
            .iter()
            .filter(move |point| {
                (point[0] >= largest / 1.04) == beyond
                    || point[0] <= largest * 1.04 && beyond && point[0] >= largest / 1.1
            })
            .map(|&[c, value, ..]| (x.pixel(c), clamp(value)))
    };
    let name = match quantity {
        Quantity::Loss => losses_log(&y),
        Quantity::Size => y.ticks(6).into_iter().map(|value| (value, value_text(variable, value))).collect(),
        Quantity::Tokens => y.ticks(6).into_iter().map(|value| (value, amount(value))).collect(),
    };
    let x_ticks = x.ticks(4).into_iter().map(|value| (value, flops(value))).collect();
    let dot = |(i, &(c, value)): (usize, &(f64, f64))| {
        let at = fitted.series.iter().position(|series| (series.c / c - 1.0).abs() < 1e-6).unwrap_or(i);
        html! { <circle class="run" cx={format!("{:.1}", x.pixel(c))} cy={format!("{:.1}", clamp(value))} r="4.5" style={format!("fill:{}", series(at).0)} /> }
    };
    let title = match quantity {
        Quantity::Size => "Best size",
        Quantity::Tokens => "Tokens of the best size",
        Quantity::Loss => "Loss of the best size",
    };
    let at_check = |fitted: &Fitted| check.and_then(|c| fitted.size.map(|law| law.at(c)));
    let others = others.iter().filter_map(|(name, fitted)| Some(format!("{name}: {}", amount(at_check(fitted)?))));
    let others: Vec<String> = if *quantity == Quantity::Size { others.collect() } else { Vec::new() };
    html! {
        <div class="chart-box" ref={node}>
            <svg width={width.to_string()} height={height.to_string()} role="img" data-testid="best-chart"
                aria-label={format!("{title} over compute. {}", fitted.law)}>
                {grid(&x, &y, (x_ticks, name))}
                {text((left + width) / 2.0, height - 4.0, "middle", "Compute, FLOPs".into())}
                <polygon class="band" points={band.join(" ")} />
                {polyline(part(false), String::new(), "law")}
                {polyline(part(true), "stroke-dasharray:6 4".into(), "law")}
                {for trend.points.iter().enumerate().map(dot)}
                if *quantity == Quantity::Size && !fitted.law.is_empty() {
                    <text class="strong" x={format!("{:.1}", left + 12.0)} y={format!("{:.1}", top + 12.0)}>{law_text(&fitted.law, variable)}</text>
                }
                if let Some((sealed, (value, interval))) = sealed.as_ref().zip(predicted) {
                    <line class="sealed" x1={format!("{:.1}", x.pixel(sealed.budget))} x2={format!("{:.1}", x.pixel(sealed.budget))}
                        y1={format!("{:.1}", clamp(interval.low))} y2={format!("{:.1}", clamp(interval.high))} />
                    {diamond(x.pixel(sealed.budget), clamp(value))}
                    <text class="sealed" x={format!("{:.1}", x.pixel(sealed.budget) - 12.0)} y={format!("{:.1}", clamp(value) - 12.0)} text-anchor="end">
                        {format!("Sealed: {}", if *quantity == Quantity::Loss { format!("{value:.3}") } else { amount(value) })}
                    </text>
                    if let Some(measured) = measured.filter(|_| *quantity == Quantity::Loss) {
                        <circle class="measured" cx={format!("{:.1}", x.pixel(sealed.budget))} cy={format!("{:.1}", clamp(measured))} r="5" />
                    }
                }
                {for others.into_iter().enumerate().map(|(i, line)| text(width - 22.0, height - bottom - 10.0 - 15.0 * i as f64, "end", line))}
            </svg>
        </div>
    }
}

fn losses_log(axis: &Axis) -> Vec<(f64, String)> {
    let linear = Axis { log: false, ..*axis };
    losses(&linear)
}
