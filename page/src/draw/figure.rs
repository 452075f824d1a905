//! A map as a figure for print or film: title, token labels on both axes, cells, and legend, in the colors of the
//! screen. Pure: computes the layout, and the same as a self-contained SVG.

use super::colors::Rgb;
use super::heat::pixels;
use crate::state::shown::{Legend, Table};

/// Up to this many tokens, every cell is an SVG rectangle; beyond it, the cells are one embedded image.
const MAX_RECTS: usize = 64;

/// Labels are truncated to this many characters.
const MAX_CHARACTERS: usize = 14;

/// Width of a character and height of a line of labels, in pixels.
const LETTER: [f64; 2] = [6.1, 11.0];

/// Number of steps in the legend's color ramp.
const SHADES: usize = 32;

/// The background of masked cells, and the color that faded cells fade to.
pub const PAPER: Rgb = [239, 239, 236];

/// A map with title, labels and legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The first line of text.
    pub title: String,
    /// The second line of text.
    pub note: String,
    /// The labels of both axes.
    pub tokens: Vec<String>,
    /// (n, n) pixels (RGBA); transparent where masked.
    pub cells: Vec<u8>,
    /// Whether keys after the query are masked.
    pub causal: bool,
    /// The legend below the map.
    pub legend: Legend,
}

/// A drawing primitive. Lengths are pixels from the upper left corner.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A rectangle: left, top, width, height; color.
    Rect([f64; 4], [u8; 3]),
    /// A text that starts or ends at a point and is vertically centered on it.
    Text {
        /// The anchor point.
        at: [f64; 2],
        /// The characters to draw.
        text: String,
        /// Whether to use the smaller font of the labels.
        small: bool,
        /// Whether the text ends at the point.
        end: bool,
        /// Whether the text runs upwards.
        up: bool,
    },
    /// All cells on their hatched background: left, top, side.
    Cells([f64; 3]),
}

impl Figure {
    /// The figure of a table, with the colors of the screen.
    pub fn of(table: &Table, legend: Legend, tokens: Vec<String>, note: String) -> Self {
        Self { title: table.title(), note, tokens, cells: table.pixels(&legend.scale), causal: table.causal(), legend }
    }

    /// The figure of the difference between two snapshots: (n, n) numbers.
    pub fn of_difference(
        difference: &[f32],
        causal: bool,
        legend: Legend,
        title: String,
        tokens: Vec<String>,
        note: String,
    ) -> Self {
        let n = tokens.len();
        let value = |row: usize, column: usize| difference.get(row * n + column).copied().unwrap_or(0.0);
        Self { title, note, cells: pixels(n, causal, &legend.scale, value), causal, tokens, legend }
    }

    fn n(&self) -> usize {
        self.tokens.len()
    }

    fn cell(&self) -> f64 {
        (560 / self.n().max(1)).clamp(3, 24) as f64
    }

    /// Left and top edge of the cells.
    fn corner(&self) -> [f64; 2] {
        let longest = self.tokens.iter().map(|token| token.chars().count().min(MAX_CHARACTERS)).max().unwrap_or(0);
        let labels = longest as f64 * LETTER[0] + 10.0;
        [labels + 22.0, labels + 62.0]
    }

    /// Width and height, with room for the cells and the longest line of text.
    pub fn size(&self) -> [f64; 2] {
        let ([left, top], side) = (self.corner(), self.n() as f64 * self.cell());
        let letters = |text: &str| text.chars().count() as f64 * LETTER[0];
        let legend = 150.0 + letters(&self.legend.low) + letters(&self.legend_text());
        let title = 24.0 + (letters(&self.title) * 1.4).max(letters(&self.note));
        [(left + side + 14.0).max(legend).max(title), top + side + 46.0]
    }

    /// All shapes, in painting order.
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
            let label: String = token.chars().take(MAX_CHARACTERS).collect();
            let middle = (at as f64 + 0.5) * cell;
            shapes.push(text([left + middle, top - 4.0], label.clone(), true, false, true));
            shapes.push(text([left - 4.0, top + middle], label, true, true, false));
        }
        shapes.extend(self.legend_shapes(top + side + 24.0));
        shapes
    }

    /// The legend's shapes; `line` is its vertical center.
    fn legend_shapes(&self, line: f64) -> Vec<Shape> {
        let (legend, ramp) = (&self.legend, 120.0);
        let text = |x, text| Shape::Text { at: [x, line], text, small: true, end: false, up: false };
        let start = 12.0 + legend.low.chars().count() as f64 * LETTER[0] + 6.0;
        let mut shapes = vec![text(12.0, legend.low.clone())];
        let shade = ramp / SHADES as f64;
        for i in 0..SHADES {
            let color = legend.scale.at(i as f32 / (SHADES - 1) as f32);
            // Half a pixel wider, so that no gap shows between neighbors.
            shapes.push(Shape::Rect([start + i as f64 * shade, line - 6.0, shade + 0.5, 12.0], color));
        }
        shapes.push(text(start + ramp + 6.0, self.legend_text()));
        shapes
    }

    /// The text after the color ramp.
    fn legend_text(&self) -> String {
        let Legend { high, what, .. } = &self.legend;
        let notes = self.legend.notes();
        let apart = if notes.is_empty() { "" } else { " · " };
        let mask = if self.causal { "hatched: masked" } else { "no causal mask" };
        format!("{high} · {what}{apart}{notes} · {mask}")
    }

    /// Whether the SVG embeds its cells as an image.
    pub fn needs_image(&self) -> bool {
        self.n() > MAX_RECTS
    }

    /// The figure as a self-contained SVG; `image` is a data URI of the cells if [`Figure::needs_image`].
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

/// Text escaped for XML: markup as entities, and characters that XML 1.0 forbids as U+FFFD.
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
