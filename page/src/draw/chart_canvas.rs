//! Paints the loss chart: the present run, the finished runs shown with it, and the baselines.

use wasm_bindgen::JsCast as _;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use super::chart::{Scale, apart, columns, place_of, short, smoothed};
pub use super::picture::Picture;
use crate::state::runs::{Axis, ShownRun};
use crate::state::seeds::SeedSeries;
use glasshead::types::series::Band;
use glasshead::types::{Baselines, ValidationPoint};

const LEFT: f64 = 32.0;
const RIGHT: f64 = 84.0;
/// Minimum distance between the baselines of two labels on the right, in pixels.
const LABEL_HEIGHT: f64 = 13.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 24.0;

/// Dash patterns of finished runs, so that runs are not distinguished by hue alone.
const DASHES: [&[f64]; 4] = [&[7.0, 3.0], &[2.0, 3.0], &[9.0, 3.0, 2.0, 3.0], &[4.0, 2.0]];

/// The line style of a finished run: the name of its color in the style sheet, and its dashes.
pub fn look_of(id: u32) -> (String, &'static [f64]) {
    let id = id.saturating_sub(1) as usize;
    (format!("--s{}", id % 4 + 3), DASHES[(id / 4 + id) % DASHES.len()])
}

struct Ink {
    text: String,
    strong: String,
    bad: String,
    edge: String,
    pane: String,
    grid: String,
    train: String,
    val: String,
    runs: Vec<String>,
}

impl Ink {
    fn of(canvas: &HtmlCanvasElement, picture: &Picture) -> Option<Self> {
        let style = web_sys::window()?.get_computed_style(canvas).ok()??;
        let color = |name: &str| style.get_property_value(name).unwrap_or_default();
        let runs = picture.runs.iter().map(|run| color(&look_of(run.id).0)).collect();
        let (text, grid) = (color("--ink-3"), color("--grid"));
        let (strong, bad, edge, pane) = (color("--ink"), color("--bad"), color("--edge"), color("--pane"));
        Some(Self { text, strong, bad, edge, pane, grid, train: color("--train"), val: color("--val"), runs })
    }
}

/// The x value at a pixel of the canvas.
pub fn place_at(canvas: &HtmlCanvasElement, picture: &Picture, x: f64) -> f64 {
    let (scale, _) = scales(picture, f64::from(canvas.client_width()), f64::from(canvas.client_height()));
    picture.value(scale.value(x))
}

/// The largest x value.
pub fn last_place(picture: &Picture) -> f64 {
    let last = |run: &ShownRun| {
        run.history.points.last().map_or(0.0, |point| picture.axis.of(point, run.config.tokens_per_step()))
    };
    let least = if picture.axis == Axis::Seconds { 1.0 } else { 10.0 };
    let bands = picture
        .bands
        .iter()
        .filter_map(|series| picture.step_at(series.series.validation.last()?.step, series.tokens_per_step));
    picture.runs.iter().map(last).chain(bands).fold(least, f64::max)
}

/// The lowest and the highest loss of all runs, if there is any.
fn range(picture: &Picture) -> Option<(f64, f64)> {
    let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
    for run in &picture.runs {
        let losses = run.history.points.iter().map(|point| point.loss);
        for loss in losses.chain(run.history.validation.iter().map(|val| val.loss)).filter(|loss| loss.is_finite()) {
            (low, high) = (low.min(loss), high.max(loss));
        }
    }
    for one in picture.bands.iter().flat_map(|series| series.series.validation.iter()) {
        (low, high) = (low.min(one.min), high.max(one.max));
    }
    (low <= high).then_some((f64::from(low), f64::from(high)))
}

/// The highest loss that the axis reaches: above it, a curve leaves the chart at the top, so that a run that explodes does not
/// flatten everything else.
fn cap(picture: &Picture) -> f64 {
    picture.baselines.map_or(f64::INFINITY, |baselines| 2.0 * baselines.uniform)
}

fn scales(picture: &Picture, width: f64, height: f64) -> (Scale, Scale) {
    let (mut low, mut high) = range(picture).unwrap_or((0.0, 1.0));
    high = high.min(cap(picture));
    if let Some(baselines) = picture.baselines {
        (low, high) = (low.min(baselines.bigram), high.max(baselines.uniform));
    }
    let margin = 0.05 * (high - low).max(0.1);
    let low_x = if picture.linear { 0.0 } else { picture.place(picture.floor()) };
    let x =
        Scale { low: low_x, high: picture.place(last_place(picture)), from: LEFT, to: (width - RIGHT).max(LEFT + 1.0) };
    let y = Scale { low: (low - margin).max(0.0), high: high + margin, from: height - BOTTOM, to: TOP };
    (x, y)
}

/// The font of charts.
const FONT: &str = "11px Inter, \"Segoe UI\", system-ui, sans-serif";

/// Sizes a canvas to the device pixel ratio and scales its context to CSS pixels; returns context, width, height.
pub fn sharp(canvas: &HtmlCanvasElement) -> Option<(CanvasRenderingContext2d, f64, f64)> {
    let (width, height) = (f64::from(canvas.client_width()), f64::from(canvas.client_height()));
    let ratio = web_sys::window().map_or(1.0, |window| window.device_pixel_ratio());
    canvas.set_width((width * ratio) as u32);
    canvas.set_height((height * ratio) as u32);
    let context = canvas.get_context("2d").ok().flatten()?.dyn_into::<CanvasRenderingContext2d>().ok()?;
    drop(context.scale(ratio, ratio)); // fails only for non-numeric arguments
    context.set_font(FONT);
    Some((context, width, height))
}

/// Paints the whole chart at device resolution.
pub fn paint(canvas: &HtmlCanvasElement, picture: &Picture) {
    let (Some((context, width, height)), Some(ink)) = (sharp(canvas), Ink::of(canvas, picture)) else { return };
    let (x, y) = scales(picture, width, height);
    let empty = picture.baselines.is_none() && range(picture).is_none();
    if !empty {
        axes(&context, &ink, (&x, &y), picture);
    }
    if let Some(baselines) = picture.baselines {
        baseline_lines(&context, &ink, &x, &y, baselines);
    }
    context.save();
    context.begin_path();
    context.rect(0.0, y.to - 6.0, width, y.from - y.to + 12.0);
    context.clip();
    for (i, series) in picture.bands.iter().enumerate() {
        band(&context, &ink, (&x, &y), picture, (i, series));
    }
    for (run, color) in picture.runs.iter().zip(&ink.runs).filter(|(run, _)| run.id > 0) {
        over(&context, color, (&x, &y), picture, run);
    }
    for run in picture.runs.iter().filter(|run| run.id == 0) {
        present(&context, &ink, (&x, &y), picture, run);
    }
    context.restore();
    if picture.runs.iter().all(|run| run.history.points.is_empty()) {
        nothing_yet(&context, &ink, (&x, &y));
    }
    labels(&context, &ink, x.to, &y, picture);
    if let Some(place) = picture.pointed {
        let at = x.pixel(picture.place(place));
        context.set_stroke_style_str(&ink.edge);
        line(&context, [(at, TOP), (at, y.from)].into_iter());
    }
}

/// What the chart will show.
fn nothing_yet(context: &CanvasRenderingContext2d, ink: &Ink, (x, y): (&Scale, &Scale)) {
    let (middle, height) = ((x.from + x.to) / 2.0, 0.55 * y.from + 0.45 * y.to);
    context.set_text_align("center");
    context.set_fill_style_str(&ink.strong);
    text(context, "The curve appears with the first step.", middle, height);
    context.set_fill_style_str(&ink.text);
    text(context, "Dashed: what plain counting reaches.", middle, height + 17.0);
}

/// Strokes a polyline; points are in pixels.
pub fn line(context: &CanvasRenderingContext2d, points: impl Iterator<Item = (f64, f64)>) {
    context.begin_path();
    for (i, (x, y)) in points.enumerate() {
        if i == 0 { context.move_to(x, y) } else { context.line_to(x, y) }
    }
    context.stroke();
}

/// Writes text at a pixel position.
pub fn text(context: &CanvasRenderingContext2d, text: &str, x: f64, y: f64) {
    drop(context.fill_text(text, x, y)); // fails only for non-numeric arguments
}

fn dashed(context: &CanvasRenderingContext2d, pattern: &[f64]) {
    let list: js_sys::Array = pattern.iter().map(|&length| wasm_bindgen::JsValue::from(length)).collect();
    drop(context.set_line_dash(&list)); // fails only if the argument is not a list of numbers
}

fn axes(context: &CanvasRenderingContext2d, ink: &Ink, (x, y): (&Scale, &Scale), picture: &Picture) {
    context.set_line_width(1.0);
    context.set_stroke_style_str(&ink.grid);
    context.set_fill_style_str(&ink.text);
    context.set_text_align("right");
    for tick in y.ticks(6) {
        line(context, [(x.from, y.pixel(tick)), (x.to, y.pixel(tick))].into_iter());
        text(context, &short(tick), x.from - 6.0, y.pixel(tick) + 4.0);
    }
    context.set_text_align("center");
    for tick in x.ticks(5) {
        // A logarithmic axis has its ticks at powers of ten.
        if picture.linear || tick.fract() == 0.0 {
            text(context, &short(picture.value(tick)), x.pixel(tick), y.from + 16.0);
        }
    }
    context.set_text_align("left");
    let peak =
        range(picture).filter(|(_, high)| *high > cap(picture)).map(|(_, high)| format!(" · up to {}", short(high)));
    text(context, &format!("nats per token{}", peak.unwrap_or_default()), 12.0, 11.0);
}

fn baseline_lines(context: &CanvasRenderingContext2d, ink: &Ink, x: &Scale, y: &Scale, baselines: Baselines) {
    let Baselines { uniform, unigram, bigram } = baselines;
    context.set_stroke_style_str(&ink.edge);
    dashed(context, &[3.0, 3.0]);
    for value in [uniform, unigram, bigram] {
        line(context, [(x.from, y.pixel(value)), (x.to, y.pixel(value))].into_iter());
    }
    dashed(context, &[]);
}

/// Draws several seeds: the range of their held-out losses as a band, and its mean.
fn band(
    context: &CanvasRenderingContext2d,
    ink: &Ink,
    (x, y): (&Scale, &Scale),
    picture: &Picture,
    (i, series): (usize, &SeedSeries),
) {
    let color = if i % 2 == 0 { &ink.val } else { &ink.train };
    let place = |step: u64| picture.step_at(step, series.tokens_per_step).map(|at| x.pixel(picture.place(at)));
    let bands = &series.series.validation;
    let side =
        |loss: fn(&Band) -> f64| bands.iter().filter_map(move |one| Some((place(one.step)?, y.pixel(loss(one)))));
    context.begin_path();
    let (low, high) = (side(|one| f64::from(one.min)), side(|one| f64::from(one.max)).collect::<Vec<_>>());
    for (i, (x, y)) in low.chain(high.into_iter().rev()).enumerate() {
        if i == 0 { context.move_to(x, y) } else { context.line_to(x, y) }
    }
    context.set_fill_style_str(color);
    context.set_global_alpha(0.18);
    context.fill();
    context.set_global_alpha(1.0);
    context.set_stroke_style_str(color);
    context.set_line_width(1.5);
    dashed(context, &[5.0, 2.0]);
    line(context, side(|one| one.mean));
    dashed(context, &[]);
    context.set_line_width(1.0);
    if let (Some(last), Some((at, height))) = (bands.last(), side(|one| one.mean).next_back()) {
        context.set_fill_style_str(&ink.text);
        context.set_text_align("right");
        text(context, &format!("{}: {:.3}", series.name, last.mean), at, height - 6.0);
        context.set_text_align("left");
    }
}

/// Draws a finished run: its smoothed loss as a dashed line, and its held-out losses as hollow squares.
fn over(context: &CanvasRenderingContext2d, color: &str, (x, y): (&Scale, &Scale), picture: &Picture, run: &ShownRun) {
    let (history, at) = (&run.history, picture.at(run));
    context.set_stroke_style_str(color);
    context.set_line_width(1.5);
    dashed(context, look_of(run.id).1);
    let points = history.points.iter().map(|point| (at(point), f64::from(point.loss)));
    let window = (history.points.len() as f64 / 30.0).clamp(1.0, 100.0);
    line(context, smoothed(points, x, window).into_iter().map(|(at, loss)| (at, y.pixel(loss))));
    dashed(context, &[]);
    context.set_line_width(1.0);
    for val in &history.validation {
        let place = x.pixel(place_of(&history.points, &at, val.step));
        context.stroke_rect(place - 2.0, y.pixel(f64::from(val.loss)) - 2.0, 4.0, 4.0);
    }
}

fn present(context: &CanvasRenderingContext2d, ink: &Ink, (x, y): (&Scale, &Scale), picture: &Picture, run: &ShownRun) {
    let (history, at) = (&run.history, picture.at(run));
    let points = || history.points.iter().map(|point| (at(point), f64::from(point.loss)));
    context.set_line_width(1.0);
    context.set_stroke_style_str(&ink.train);
    context.set_global_alpha(0.28);
    let spread = columns(points(), x);
    line(context, spread.iter().flat_map(|&(at, low, high)| [(at, y.pixel(low)), (at, y.pixel(high))]));
    context.set_global_alpha(1.0);
    context.set_line_width(2.0);
    let window = (history.points.len() as f64 / 30.0).clamp(1.0, 100.0);
    line(context, smoothed(points(), x, window).into_iter().map(|(at, loss)| (at, y.pixel(loss))));
    context.set_stroke_style_str(&ink.val);
    context.set_fill_style_str(&ink.val);
    let place = |step: u64| x.pixel(place_of(&history.points, &at, step));
    let validation = history.validation.iter().map(|val| (place(val.step), y.pixel(f64::from(val.loss))));
    line(context, validation.clone());
    for (at, loss) in validation {
        dot(context, at, loss, 2.5);
        context.fill();
    }
    events(context, ink, (x, y), picture, run);
    context.set_line_width(1.0);
}

fn dot(context: &CanvasRenderingContext2d, x: f64, y: f64, radius: f64) {
    context.begin_path();
    // Fails only for a negative radius.
    drop(context.arc(x, y, radius, 0.0, std::f64::consts::TAU));
}

/// The word at the point where a run diverged.
const DIVERGED: &str = "Diverged";

/// Marks where the held-out loss passed the counts, and where the run diverged.
fn events(context: &CanvasRenderingContext2d, ink: &Ink, (x, y): (&Scale, &Scale), picture: &Picture, run: &ShownRun) {
    let (history, at) = (&run.history, picture.at(run));
    let passed = |baseline: f64| history.validation.iter().find(|val| val.step > 0 && f64::from(val.loss) < baseline);
    let mut marks: Vec<(&str, f64, f64)> = Vec::new();
    let inside = |loss: f32| y.pixel(f64::from(loss)).max(y.to);
    if let Some(Baselines { unigram, bigram, .. }) = picture.baselines {
        for (word, baseline) in [("Beats unigram", unigram), ("Beats bigram", bigram)] {
            let place = |val: &ValidationPoint| x.pixel(place_of(&history.points, &at, val.step));
            let Some(val) = passed(baseline) else { continue };
            // One evaluation may pass both.
            marks.retain(|&(_, at, _)| at != place(val));
            marks.push((word, place(val), inside(val.loss)));
        }
    }
    if let Some(last) = history.points.iter().rev().find(|point| picture.diverged && point.loss.is_finite()) {
        marks.push((DIVERGED, x.pixel(at(last)), inside(last.loss)));
    }
    for (word, at, height) in marks {
        let diverged = word == DIVERGED;
        let color = if diverged { &ink.bad } else { &ink.strong };
        dot(context, at, height, 4.0);
        context.set_fill_style_str(if diverged { color } else { &ink.pane });
        context.fill();
        context.set_stroke_style_str(color);
        context.set_line_width(1.5);
        context.stroke();
        context.set_fill_style_str(color);
        let right = at < (x.from + x.to) / 2.0;
        context.set_text_align(if right { "left" } else { "right" });
        text(context, word, if right { at + 9.0 } else { at - 9.0 }, height + if right { -4.0 } else { 14.0 });
    }
}

/// Labels every line at its right end; labels that would overlap are moved apart.
fn labels(context: &CanvasRenderingContext2d, ink: &Ink, at: f64, y: &Scale, picture: &Picture) {
    let mut labels: Vec<(&str, f64, &str)> = Vec::new();
    if let Some(Baselines { uniform, unigram, bigram }) = picture.baselines {
        for (name, value) in [("Uniform", uniform), ("Unigram", unigram), ("Bigram", bigram)] {
            labels.push((name, value, &ink.text));
        }
    }
    for (run, color) in picture.runs.iter().zip(&ink.runs) {
        let train = run.history.points.last().map(|point| f64::from(point.loss));
        let val = run.history.validation.last().map(|val| f64::from(val.loss));
        if run.id == 0 {
            // Named in the legend by the same colors.
            labels.extend(val.map(|val| ("", val, ink.val.as_str())));
            labels.extend(train.map(|train| ("", train, ink.train.as_str())));
        } else {
            labels.extend(train.map(|train| (run.name.as_str(), train, color.as_str())));
        }
    }
    labels.sort_by(|(_, a, _), (_, b, _)| b.total_cmp(a));
    let wanted: Vec<f64> = labels.iter().map(|&(_, value, _)| y.pixel(value).max(y.to)).collect();
    context.set_text_align("left");
    for ((name, value, color), place) in labels.into_iter().zip(apart(&wanted, LABEL_HEIGHT, y.from)) {
        context.set_fill_style_str(color);
        if name.is_empty() {
            context.set_font(&format!("600 {FONT}"));
            let value = if value < 1e4 { format!("{value:.3}") } else { short(value) };
            text(context, &value, at + 6.0, place + 4.0);
            context.set_font(FONT);
        } else {
            let name: String = name.chars().take(11).collect();
            text(context, &format!("{name} {value:.2}"), at + 6.0, place + 4.0);
        }
    }
}
