//! Paints the loss chart.

use std::rc::Rc;

use wasm_bindgen::JsCast as _;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use super::chart::{Scale, apart, columns, smoothed};
use crate::protocol::Baselines;
use crate::ui::state::{History, Theme};

/// What the chart shows.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Losses.
    pub history: Rc<History>,
    /// Lines to beat.
    pub baselines: Option<Baselines>,
    /// The step under the pointer.
    pub pointed: Option<f64>,
    /// What else changes its look: the count of resizes, and the theme.
    pub look: (u32, Theme),
}

impl PartialEq for Picture {
    fn eq(&self, other: &Self) -> bool {
        let same = |picture: &Self| (picture.baselines, picture.pointed, picture.look);
        Rc::ptr_eq(&self.history, &other.history) && same(self) == same(other)
    }
}

const LEFT: f64 = 40.0;
const RIGHT: f64 = 92.0;
/// Between the baselines of two labels at the right.
const LABEL_HEIGHT: f64 = 13.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 22.0;

/// Colours, from the style sheet's variables.
struct Ink {
    text: String,
    grid: String,
    train: String,
    val: String,
}

impl Ink {
    fn of(canvas: &HtmlCanvasElement) -> Option<Self> {
        let style = web_sys::window()?.get_computed_style(canvas).ok()??;
        let color = |name: &str| style.get_property_value(name).unwrap_or_default();
        Some(Self { text: color("--muted"), grid: color("--line"), train: color("--train"), val: color("--val") })
    }
}

/// The step at a pixel of the canvas.
pub fn step_at(canvas: &HtmlCanvasElement, picture: &Picture, x: f64) -> f64 {
    scales(picture, f64::from(canvas.client_width()), f64::from(canvas.client_height())).0.value(x)
}

fn scales(picture: &Picture, width: f64, height: f64) -> (Scale, Scale) {
    let History { points, validation } = &*picture.history;
    let last = points.last().map_or(0, |point| point.step).max(10);
    let losses = points.iter().map(|point| point.loss).chain(validation.iter().map(|val| val.loss));
    let low = losses.clone().fold(f32::INFINITY, f32::min);
    let high = losses.fold(f32::NEG_INFINITY, f32::max);
    let mut low = f64::from(if low.is_finite() { low } else { 0.0 });
    let mut high = f64::from(if high.is_finite() { high } else { 1.0 });
    if let Some(baselines) = picture.baselines {
        (low, high) = (low.min(baselines.bigram), high.max(baselines.uniform));
    }
    let margin = 0.05 * (high - low).max(0.1);
    let x = Scale { low: 0.0, high: last as f64, from: LEFT, to: (width - RIGHT).max(LEFT + 1.0) };
    let y = Scale { low: (low - margin).max(0.0), high: high + margin, from: height - BOTTOM, to: TOP };
    (x, y)
}

/// Paints the whole chart at the screen's own resolution.
pub fn paint(canvas: &HtmlCanvasElement, picture: &Picture) {
    let (width, height) = (f64::from(canvas.client_width()), f64::from(canvas.client_height()));
    let ratio = web_sys::window().map_or(1.0, |window| window.device_pixel_ratio());
    canvas.set_width((width * ratio) as u32);
    canvas.set_height((height * ratio) as u32);
    let context = canvas.get_context("2d").ok().flatten();
    let context = context.and_then(|context| context.dyn_into::<CanvasRenderingContext2d>().ok());
    let (Some(context), Some(ink)) = (context, Ink::of(canvas)) else { return };
    drop(context.scale(ratio, ratio)); // fails only for numbers that are none
    context.set_font("11px system-ui, sans-serif");
    let (x, y) = scales(picture, width, height);
    axes(&context, &ink, &x, &y);
    if let Some(baselines) = picture.baselines {
        baseline_lines(&context, &ink, &x, &y, baselines);
    }
    losses(&context, &ink, &x, &y, &picture.history);
    labels(&context, &ink, x.to, &y, picture);
    if let Some(step) = picture.pointed {
        context.set_stroke_style_str(&ink.text);
        line(&context, [(x.pixel(step), TOP), (x.pixel(step), y.from)].into_iter());
    }
}

fn line(context: &CanvasRenderingContext2d, points: impl Iterator<Item = (f64, f64)>) {
    context.begin_path();
    for (i, (x, y)) in points.enumerate() {
        if i == 0 { context.move_to(x, y) } else { context.line_to(x, y) }
    }
    context.stroke();
}

fn text(context: &CanvasRenderingContext2d, text: &str, x: f64, y: f64) {
    drop(context.fill_text(text, x, y)); // fails only for numbers that are none
}

fn axes(context: &CanvasRenderingContext2d, ink: &Ink, x: &Scale, y: &Scale) {
    context.set_line_width(1.0);
    context.set_stroke_style_str(&ink.grid);
    context.set_fill_style_str(&ink.text);
    context.set_text_align("right");
    for tick in y.ticks(5) {
        line(context, [(x.from, y.pixel(tick)), (x.to, y.pixel(tick))].into_iter());
        text(context, &format!("{tick:.1}"), x.from - 6.0, y.pixel(tick) + 4.0);
    }
    context.set_text_align("center");
    for tick in x.ticks(6) {
        text(context, &format!("{tick}"), x.pixel(tick), y.from + 16.0);
    }
}

fn baseline_lines(context: &CanvasRenderingContext2d, ink: &Ink, x: &Scale, y: &Scale, baselines: Baselines) {
    let Baselines { uniform, unigram, bigram } = baselines;
    context.set_stroke_style_str(&ink.text);
    let dashes = js_sys::Array::of2(&4.0.into(), &3.0.into());
    drop(context.set_line_dash(&dashes)); // fails only for what is no list of numbers
    for value in [uniform, unigram, bigram] {
        line(context, [(x.from, y.pixel(value)), (x.to, y.pixel(value))].into_iter());
    }
    drop(context.set_line_dash(&js_sys::Array::new()));
}

fn losses(context: &CanvasRenderingContext2d, ink: &Ink, x: &Scale, y: &Scale, history: &History) {
    context.set_stroke_style_str(&ink.train);
    context.set_global_alpha(0.35);
    let spread = columns(&history.points, x);
    line(context, spread.iter().flat_map(|&(at, low, high)| [(at, y.pixel(low)), (at, y.pixel(high))]));
    context.set_global_alpha(1.0);
    context.set_line_width(2.0);
    let window = (history.points.len() as f64 / 30.0).clamp(1.0, 100.0);
    line(context, smoothed(&history.points, x, window).into_iter().map(|(at, loss)| (at, y.pixel(loss))));
    context.set_stroke_style_str(&ink.val);
    context.set_fill_style_str(&ink.val);
    let validation = history.validation.iter().map(|val| (x.pixel(val.step as f64), y.pixel(f64::from(val.loss))));
    line(context, validation.clone());
    for (at, loss) in validation {
        context.fill_rect(at - 2.5, loss - 2.5, 5.0, 5.0);
    }
}

/// Names every line at its right end, moved apart where they would overlap.
fn labels(context: &CanvasRenderingContext2d, ink: &Ink, at: f64, y: &Scale, picture: &Picture) {
    let mut labels = Vec::new();
    if let Some(Baselines { uniform, unigram, bigram }) = picture.baselines {
        for (name, value) in [("uniform", uniform), ("unigram", unigram), ("bigram", bigram)] {
            labels.push((name, value, &ink.text));
        }
    }
    let History { points, validation } = &*picture.history;
    labels.extend(validation.last().map(|val| ("held-out", f64::from(val.loss), &ink.val)));
    labels.extend(points.last().map(|point| ("train", f64::from(point.loss), &ink.train)));
    labels.sort_by(|(_, a, _), (_, b, _)| b.total_cmp(a));
    let wanted: Vec<f64> = labels.iter().map(|&(_, value, _)| y.pixel(value)).collect();
    context.set_text_align("left");
    for ((name, value, color), place) in labels.into_iter().zip(apart(&wanted, LABEL_HEIGHT, y.from)) {
        context.set_fill_style_str(color);
        text(context, &format!("{name} {value:.2}"), at + 4.0, place + 4.0);
    }
}
