//! Small SVG plots with curves, points and arrows; both ends of each axis are labeled.

use yew::prelude::*;

/// Width and height of a plot in SVG units.
const SIZE: (f32, f32) = (440.0, 220.0);

/// Space for the labels on the left and at the bottom.
const MARGIN: (f32, f32) = (44.0, 24.0);

/// The axis ranges of a plot.
#[derive(Clone, Copy)]
pub struct Plot {
    /// The x range, left to right.
    pub x: [f32; 2],
    /// The y range, bottom to top.
    pub y: [f32; 2],
}

impl Plot {
    /// The position of a point; points outside the ranges are clamped to the border.
    pub fn at(&self, x: f32, y: f32) -> (f32, f32) {
        let part = |value: f32, [from, to]: [f32; 2]| ((value - from) / (to - from).max(1e-9)).clamp(0.0, 1.0);
        let (width, height) = (SIZE.0 - MARGIN.0 - 8.0, SIZE.1 - MARGIN.1 - 8.0);
        (MARGIN.0 + width * part(x, self.x), 8.0 + height * (1.0 - part(y, self.y)))
    }

    /// A curve through points.
    pub fn curve(&self, points: impl Iterator<Item = (f32, f32)>, class: &'static str) -> Html {
        let points: Vec<String> = points
            .map(|(x, y)| {
                let (x, y) = self.at(x, y);
                format!("{x:.1},{y:.1}")
            })
            .collect();
        html! { <polyline {class} points={points.join(" ")} /> }
    }

    /// A labeled point.
    pub fn point(&self, x: f32, y: f32, class: &'static str, word: &str) -> Html {
        let (x, y) = self.at(x, y);
        html! {
            <>
                <circle {class} cx={format!("{x:.1}")} cy={format!("{y:.1}")} r="4.5" />
                {text(x + 6.0, y - 6.0, "start", word)}
            </>
        }
    }

    /// The plot around its contents. `name` is the accessible description.
    pub fn frame(&self, name: String, [x_name, y_name]: [&str; 2], contents: Html) -> Html {
        let (left, bottom) = self.at(self.x[0], self.y[0]);
        let (right, top) = self.at(self.x[1], self.y[1]);
        let line = format!("{left},{top} {left},{bottom} {right},{bottom}");
        let zero = (self.y[0] < 0.0 && self.y[1] > 0.0).then(|| self.at(0.0, 0.0).1);
        html! {
            <svg class="plot" viewBox={format!("0 0 {} {}", SIZE.0, SIZE.1)} role="img" aria-label={name}>
                <polyline class="axis" points={line} />
                if let Some(y) = zero {
                    <polyline class="axis zero" points={format!("{left},{y} {right},{y}")} />
                }
                {text(left - 4.0, top + 8.0, "end", &short(self.y[1]))}
                {text(left - 4.0, bottom, "end", &short(self.y[0]))}
                {text(left, bottom + 16.0, "start", &short(self.x[0]))}
                {text(right, bottom + 16.0, "end", &short(self.x[1]))}
                {text((left + right) / 2.0, bottom + 16.0, "middle", x_name)}
                {text(left + 6.0, top + 8.0, "start", y_name)}
                {contents}
            </svg>
        }
    }
}

fn short(value: f32) -> String {
    let text = if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    text.replace('-', "−")
}

/// Text in a plot.
pub fn text(x: f32, y: f32, anchor: &'static str, words: &str) -> Html {
    html! { <text x={format!("{x:.1}")} y={format!("{y:.1}")} text-anchor={anchor}>{words.to_string()}</text> }
}

/// Horizontal bars: a label, a bar for a number from 0 to `most`, and the text after it.
pub fn bars(name: String, most: f32, rows: Vec<(String, f32, String)>) -> Html {
    let row = |(word, value, said): &(String, f32, String)| {
        let width = format!("width:{:.1}%", 100.0 * (value / most.max(1e-9)).clamp(0.0, 1.0));
        html! {
            <div class="bar-row">
                <span>{word}</span><span class="bar-room"><span class="bar-part" style={width}></span></span><span>{said}</span>
            </div>
        }
    };
    html! { <div class="bars" role="img" aria-label={name}>{for rows.iter().map(row)}</div> }
}
