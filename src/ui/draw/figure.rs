//! A map as a figure for a page or a film: title, token labels on both axes, cells, legend. Pure: what stands where, and
//! the same as an SVG that needs nothing else.

use super::colors::ColorMap;
use crate::ui::state::Maps;
use crate::ui::state::difference::{head_difference, most};

/// Up to so many tokens every cell is a rectangle of the SVG; beyond, all are one embedded picture.
const MOST_RECTS: usize = 64;

/// A label is cut after so many characters.
const MOST_CHARACTERS: usize = 14;

/// Width of a character and height of a line of labels.
const LETTER: [f64; 2] = [6.1, 11.0];

/// Steps of the legend's ramp.
const SHADES: usize = 32;

/// Less than 0, 0, more than 0: told apart with every colour-vision deficiency.
const DIVERGING: [[f32; 3]; 3] = [[33.0, 102.0, 172.0], [247.0, 247.0, 247.0], [179.0, 88.0, 6.0]];

/// Which map of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// One head.
    Head,
    /// The mean over the heads of its layer.
    Mean,
    /// The largest weight of any head of its layer.
    Max,
}

impl Pick {
    /// All.
    pub const ALL: [Self; 3] = [Self::Head, Self::Mean, Self::Max];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Mean => "mean",
            Self::Max => "max",
        }
    }

    /// What it is called for this (layer, head).
    pub fn title(self, (layer, head): (usize, usize)) -> String {
        match self {
            Self::Head => format!("layer {}, head {}", layer + 1, head + 1),
            Self::Mean => format!("layer {}, mean over its heads", layer + 1),
            Self::Max => format!("layer {}, largest of its heads", layer + 1),
        }
    }

    /// Its weights as bytes (n, n).
    pub fn weights(self, maps: &Maps, (layer, head): (usize, usize)) -> Vec<u8> {
        let heads: Vec<&[u8]> = (0..maps.n_heads).map(|head| maps.head((layer, head))).collect();
        let cells = 0..maps.head((layer, head)).len();
        match self {
            Self::Head => maps.head((layer, head)).to_vec(),
            Self::Max => cells.map(|at| heads.iter().map(|head| head[at]).max().unwrap_or(0)).collect(),
            Self::Mean => {
                let sum = |at: usize| heads.iter().map(|head| usize::from(head[at])).sum::<usize>();
                // A mean of bytes is a byte.
                cells.map(|at| ((sum(at) + heads.len() / 2) / heads.len().max(1)) as u8).collect()
            }
        }
    }
}

/// The colour of a number from −1 to 1.
pub fn diverging(value: f32) -> [u8; 3] {
    let to = if value < 0.0 { DIVERGING[0] } else { DIVERGING[2] };
    let part = value.abs().min(1.0);
    std::array::from_fn(|i| (DIVERGING[1][i] + part * (to[i] - DIVERGING[1][i])).round() as u8)
}

/// The pixels (RGBA) of the differences (n, n) within ±`most`; masked cells are transparent.
pub fn difference_pixels(difference: &[f32], n: usize, most: f32) -> Vec<u8> {
    causal_pixels(n, |cell| diverging(difference[cell] / most))
}

/// The pixels (RGBA) of weights (n, n); masked cells are transparent.
pub fn weight_pixels(weights: &[u8], n: usize, map: ColorMap) -> Vec<u8> {
    causal_pixels(n, |cell| map.color(weights[cell]))
}

fn causal_pixels(n: usize, color: impl Fn(usize) -> [u8; 3]) -> Vec<u8> {
    let mut pixels = vec![0; 4 * n * n];
    for (cell, pixel) in pixels.chunks_exact_mut(4).enumerate().filter(|(cell, _)| cell % n <= cell / n) {
        let [r, g, b] = color(cell);
        pixel.copy_from_slice(&[r, g, b, 255]);
    }
    pixels
}

/// What the colours stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct Legend {
    /// From low to high.
    pub colors: Vec<[u8; 3]>,
    /// The low end.
    pub low: String,
    /// The high end.
    pub high: String,
    /// What is measured.
    pub what: &'static str,
}

/// A map with everything around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The first line.
    pub title: String,
    /// The second line.
    pub note: String,
    /// For both axes.
    pub tokens: Vec<String>,
    /// (n, n) pixels (RGBA); transparent where masked.
    pub cells: Vec<u8>,
    /// Under the map.
    pub legend: Legend,
}

/// A piece of a figure. Lengths are pixels, from the upper left corner.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A rectangle: left, top, width, height, colour.
    Rect([f64; 4], [u8; 3]),
    /// A text that begins or ends at a point, on its middle line.
    Text {
        /// Where.
        at: [f64; 2],
        /// What.
        text: String,
        /// Whether it is one of the labels.
        small: bool,
        /// Whether it ends there.
        end: bool,
        /// Whether it runs upwards.
        up: bool,
    },
    /// All cells on their hatched ground: left, top, side.
    Cells([f64; 3]),
}

impl Figure {
    /// A map of softmax weights.
    pub fn of_weights(
        maps: &Maps,
        pick: Pick,
        at: (usize, usize),
        map: ColorMap,
        tokens: Vec<String>,
        note: String,
    ) -> Self {
        let cells = weight_pixels(&pick.weights(maps, at), maps.tokens.len(), map);
        let colors = (0..SHADES).map(|i| map.color((i * 255 / (SHADES - 1)) as u8)).collect();
        let legend = Legend { colors, low: "0".into(), high: "1".into(), what: "softmax weight; hatched: masked" };
        Self { title: pick.title(at), note, tokens, cells, legend }
    }

    /// What a head has changed between two moments.
    pub fn of_difference(held: &Maps, shown: &Maps, at: (usize, usize), tokens: Vec<String>, note: String) -> Self {
        let difference = head_difference(held, shown, at);
        let most = most(&difference);
        let cells = difference_pixels(&difference, shown.tokens.len(), most);
        let colors = (0..SHADES).map(|i| diverging(2.0 * i as f32 / (SHADES - 1) as f32 - 1.0)).collect();
        let (low, high) = (format!("−{most:.3}"), format!("+{most:.3}"));
        let legend = Legend { colors, low, high, what: "change of the softmax weight; hatched: masked" };
        Self { title: format!("{}, B − A", Pick::Head.title(at)), note, tokens, cells, legend }
    }

    fn n(&self) -> usize {
        self.tokens.len()
    }

    fn cell(&self) -> f64 {
        (560 / self.n().max(1)).clamp(3, 24) as f64
    }

    /// Left and top of the cells.
    fn corner(&self) -> [f64; 2] {
        let longest = self.tokens.iter().map(|token| token.chars().count().min(MOST_CHARACTERS)).max().unwrap_or(0);
        let labels = longest as f64 * LETTER[0] + 10.0;
        [labels + 22.0, labels + 62.0]
    }

    /// Width and height.
    pub fn size(&self) -> [f64; 2] {
        let ([left, top], side) = (self.corner(), self.n() as f64 * self.cell());
        [(left + side + 14.0).max(380.0), top + side + 46.0]
    }

    /// Everything, in the order of painting.
    pub fn shapes(&self) -> Vec<Shape> {
        let ([left, top], cell) = (self.corner(), self.cell());
        let side = self.n() as f64 * cell;
        let text = |at, text: String, small, end, up| Shape::Text { at, text, small, end, up };
        let mut shapes = vec![
            text([12.0, 16.0], self.title.clone(), false, false, false),
            text([12.0, 34.0], self.note.clone(), true, false, false),
            text([left, 52.0], "key →".into(), true, false, false),
            text([12.0, top + 8.0], "query ↓".into(), true, true, true),
            Shape::Cells([left, top, side]),
        ];
        let apart = (LETTER[1] / cell).ceil().max(1.0) as usize;
        for (at, token) in self.tokens.iter().enumerate().step_by(apart) {
            let label: String = token.chars().take(MOST_CHARACTERS).collect();
            let middle = (at as f64 + 0.5) * cell;
            shapes.push(text([left + middle, top - 4.0], label.clone(), true, false, true));
            shapes.push(text([left - 4.0, top + middle], label, true, true, false));
        }
        let (line, ramp) = (top + side + 24.0, 120.0);
        let start = 12.0 + self.legend.low.chars().count() as f64 * LETTER[0] + 6.0;
        shapes.push(text([12.0, line], self.legend.low.clone(), true, false, false));
        let shade = ramp / self.legend.colors.len().max(1) as f64;
        for (i, &color) in self.legend.colors.iter().enumerate() {
            // Half a pixel more, so that no gap shows between two of them.
            shapes.push(Shape::Rect([start + i as f64 * shade, line - 6.0, shade + 0.5, 12.0], color));
        }
        let end = format!("{} · {}", self.legend.high, self.legend.what);
        shapes.push(text([start + ramp + 6.0, line], end, true, false, false));
        shapes
    }

    /// Whether the SVG needs its cells as a picture.
    pub fn needs_image(&self) -> bool {
        self.n() > MOST_RECTS
    }

    /// The figure as a file that opens alone; `image` is a data URI of the cells where [`Figure::needs_image`].
    pub fn svg(&self, image: &str) -> String {
        let [width, height] = self.size();
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"ui-monospace, monospace\" fill=\"#1d2126\"><title>{}</title>\
             <defs><pattern id=\"masked\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" \
             patternTransform=\"rotate(45)\"><rect width=\"5\" height=\"5\" fill=\"#efefec\"/>\
             <rect width=\"1\" height=\"5\" fill=\"#b9bcbb\"/></pattern></defs>\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
            escaped(&format!("{}, {}", self.title, self.note))
        );
        for shape in self.shapes() {
            svg.push_str(&match shape {
                Shape::Rect([x, y, w, h], color) => rect([x, y, w, h], color),
                Shape::Text { at: [x, y], text, small, end, up } => {
                    let size = if small { 10 } else { 14 };
                    let anchor = if end { " text-anchor=\"end\"" } else { "" };
                    let turn = if up { format!(" transform=\"rotate(-90 {x} {y})\"") } else { String::new() };
                    format!(
                        "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" dominant-baseline=\"central\"{anchor}{turn}>{}\
                         </text>\n",
                        escaped(&text)
                    )
                }
                Shape::Cells([x, y, side]) => self.svg_cells([x, y, side], image),
            });
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn svg_cells(&self, [x, y, side]: [f64; 3], image: &str) -> String {
        let mut svg = format!("<rect x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\" fill=\"url(#masked)\"/>\n");
        if self.needs_image() {
            svg.push_str(&format!(
                "<image x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\" href=\"{}\" style=\"image-rendering:pixelated\"/>\n",
                escaped(image)
            ));
            return svg;
        }
        let cell = self.cell();
        for (at, pixel) in self.cells.chunks_exact(4).enumerate().filter(|(_, pixel)| pixel[3] > 0) {
            let (row, column) = ((at / self.n()) as f64, (at % self.n()) as f64);
            svg.push_str(&rect([x + column * cell, y + row * cell, cell, cell], [pixel[0], pixel[1], pixel[2]]));
        }
        svg
    }
}

fn rect([x, y, w, h]: [f64; 4], [r, g, b]: [u8; 3]) -> String {
    format!("<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{w:.2}\" height=\"{h:.2}\" fill=\"#{r:02x}{g:02x}{b:02x}\"/>\n")
}

/// A text inside XML: markup as entities, and what XML 1.0 forbids as U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            control if control < ' ' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}
