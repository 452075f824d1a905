//! The pictures of the cards, painted from maps and curves of real runs.

use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};
use yew::prelude::*;

use crate::draw::chart_canvas::sharp;
use crate::draw::colors::ColorMap;
use crate::draw::heat::ColorScale;
use crate::state::Theme;
use crate::state::experiments::catalogue::Picture;
use crate::state::experiments::thumbnails::{CURVE_POINTS, MAP_SIDE, curve, map};

#[derive(Properties, PartialEq)]
pub struct Props {
    /// What is shown.
    pub picture: Picture,
    /// The theme, and a count of window resizes.
    pub look: (Theme, u32),
}

/// The picture of a card.
#[component]
pub fn Thumbnail(props: &Props) -> Html {
    let canvas = use_node_ref();
    {
        let canvas = canvas.clone();
        use_effect_with((props.picture, props.look), move |(picture, _)| {
            if let Some(canvas) = canvas.cast::<HtmlCanvasElement>() {
                paint(&canvas, *picture);
            }
        });
    }
    html! { <canvas ref={canvas} class="thumbnail" aria-hidden="true"></canvas> }
}

fn paint(canvas: &HtmlCanvasElement, picture: Picture) {
    let style = web_sys::window().and_then(|window| window.get_computed_style(canvas).ok().flatten());
    let (Some((context, width, height)), Some(style)) = (sharp(canvas), style) else { return };
    let color = |name: &str| style.get_property_value(name).unwrap_or_default();
    match picture {
        Picture::Maps(numbers) => maps(&context, [width, height], numbers, &color("--mask-b")),
        Picture::Curves(numbers) => {
            context.set_stroke_style_str(&color("--grid"));
            for part in [0.08, 0.5, 0.92] {
                stroke(&context, [(14.0, part * height), (width - 14.0, part * height)].into_iter(), 1.0);
            }
            for (&number, name) in numbers.iter().zip(["--s1", "--s2", "--s3"]) {
                context.set_stroke_style_str(&color(name));
                curve_line(&context, [width, height], curve(number));
            }
        }
    }
}

/// Squares side by side, centered.
fn maps(context: &CanvasRenderingContext2d, [width, height]: [f64; 2], numbers: &[usize], masked: &str) {
    let side = (height - 20.0).min((width - 20.0) / numbers.len().max(1) as f64 - 8.0);
    let scale = ColorScale::weights(ColorMap::Cividis);
    let step = side + 8.0;
    let left = (width - step * numbers.len() as f64 + 8.0) / 2.0;
    for (place, &number) in numbers.iter().enumerate() {
        let x0 = left + step * place as f64;
        for (at, &weight) in map(number).iter().enumerate() {
            let (row, column) = (at / MAP_SIDE, at % MAP_SIDE);
            let full = number_shows_all(number);
            if column > row && !full {
                context.set_fill_style_str(masked);
                context.set_global_alpha(0.35);
            } else {
                let [r, g, b] = scale.at(f32::from(weight) / 255.0);
                context.set_fill_style_str(&format!("rgb({r},{g},{b})"));
                context.set_global_alpha(1.0);
            }
            let cell = side / MAP_SIDE as f64;
            let (x, y) = (x0 + cell * column as f64, (height - side) / 2.0 + cell * row as f64);
            context.fill_rect(x, y, cell + 0.5, cell + 0.5);
        }
    }
    context.set_global_alpha(1.0);
}

/// Whether a map has weights above its diagonal.
fn number_shows_all(number: usize) -> bool {
    map(number).iter().enumerate().any(|(at, &weight)| at % MAP_SIDE > at / MAP_SIDE && weight > 0)
}

fn curve_line(context: &CanvasRenderingContext2d, [width, height]: [f64; 2], heights: &[u8]) {
    let x = |at: usize| 14.0 + (width - 28.0) * at as f64 / (CURVE_POINTS - 1) as f64;
    let y = |value: u8| height * (0.92 - 0.84 * f64::from(value) / 255.0);
    let points = heights.iter().enumerate().map(|(at, &value)| (x(at), y(value)));
    stroke(context, points, 2.0);
}

fn stroke(context: &CanvasRenderingContext2d, points: impl Iterator<Item = (f64, f64)>, width: f64) {
    context.set_line_width(width);
    context.begin_path();
    points.for_each(|(x, y)| context.line_to(x, y));
    context.stroke();
}
