//! Heatmaps: maps numbers to colors, and square tables of numbers to pixels. Pure, so that the page, files and films
//! show the same.

use super::colors::{ColorMap, Colors, Rgb};
use glasshead::types::inspect::visible_keys;

/// Number of colors that a table uses, indexed by a number's position in the domain.
const SHADES: usize = 256;

/// The fraction of its color that a cell below the threshold keeps.
const FADED: f32 = 0.12;

/// The numbers at the two ends of the color scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Domain {
    /// The same domain for all cells.
    Fixed {
        /// The number at the low end.
        low: f32,
        /// The number at the high end.
        high: f32,
    },
    /// From 0 to the largest number of each row.
    EachRow,
}

/// How numbers become colors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColorScale {
    /// The color series.
    pub colors: Colors,
    /// The numbers at its ends.
    pub domain: Domain,
    /// The exponent applied to a position in the domain: below 1, small numbers get more of the color range. Diverging
    /// scales apply it on both sides of the center.
    pub gamma: f32,
    /// Numbers whose magnitude is below this are faded.
    pub threshold: f32,
    /// The color that faded cells fade to.
    pub paper: Rgb,
}

impl ColorScale {
    /// A scale for weights from 0 to 1, without fading.
    pub fn weights(map: ColorMap) -> Self {
        let domain = Domain::Fixed { low: 0.0, high: 1.0 };
        Self { colors: Colors::Sequential(map), domain, gamma: 1.0, threshold: 0.0, paper: [255; 3] }
    }

    /// A scale for numbers from −`most` to `most`, without fading.
    pub fn around_zero(most: f32) -> Self {
        let domain = Domain::Fixed { low: -most, high: most };
        Self { colors: Colors::Diverging, domain, gamma: 1.0, threshold: 0.0, paper: [255; 3] }
    }

    /// The same scale on a dark or a light page: the middle of a diverging scale is as neutral as the page.
    pub fn on_page(self, dark: bool) -> Self {
        let colors = if dark && self.colors == Colors::Diverging { Colors::DivergingDark } else { self.colors };
        Self { colors, ..self }
    }

    /// The color at a position in the domain, from 0 to 1.
    pub fn at(&self, place: f32) -> Rgb {
        let place = place.clamp(0.0, 1.0);
        let curved = match self.colors {
            Colors::Sequential(_) => place.powf(self.gamma),
            Colors::Diverging | Colors::DivergingDark => {
                let side = 2.0 * place - 1.0;
                0.5 + 0.5 * side.signum() * side.abs().powf(self.gamma)
            }
        };
        self.colors.at(curved)
    }

    /// The same color, faded.
    pub fn faded_at(&self, place: f32) -> Rgb {
        faded(self.at(place), self.paper)
    }

    /// The color of a number; `row_high` is the largest of its row.
    pub fn color(&self, value: f32, row_high: f32) -> Rgb {
        let (low, high) = self.ends(row_high);
        let color = self.at((value - low) / (high - low).max(f32::MIN_POSITIVE));
        if value.abs() < self.threshold { faded(color, self.paper) } else { color }
    }

    /// The scale as a CSS gradient from left to right.
    pub fn gradient(&self) -> String {
        let color = |i: u8| {
            let [r, g, b] = self.at(f32::from(i) / 16.0);
            format!("rgb({r},{g},{b})")
        };
        format!("linear-gradient(to right,{})", (0..=16).map(color).collect::<Vec<_>>().join(","))
    }

    fn ends(&self, row_high: f32) -> (f32, f32) {
        match self.domain {
            Domain::Fixed { low, high } => (low, high),
            Domain::EachRow => (0.0, row_high),
        }
    }
}

fn faded(color: Rgb, paper: Rgb) -> Rgb {
    std::array::from_fn(|i| (FADED * f32::from(color[i]) + (1.0 - FADED) * f32::from(paper[i])).round() as u8)
}

/// The RGBA pixels of n × n numbers, one pixel per cell; `value` receives row and column. With a causal mask, cells
/// whose column comes after their row are transparent, so the hatching behind them shows.
pub fn pixels(n: usize, causal: bool, scale: &ColorScale, value: impl Fn(usize, usize) -> f32) -> Vec<u8> {
    let shades: Vec<Rgb> = (0..SHADES).map(|i| scale.at(i as f32 / (SHADES - 1) as f32)).collect();
    let pale: Vec<Rgb> = shades.iter().map(|&shade| faded(shade, scale.paper)).collect();
    let mut pixels = vec![0; 4 * n * n];
    for (row, line) in pixels.chunks_exact_mut(4 * n.max(1)).enumerate() {
        let visible = visible_keys(causal, n, row);
        let row_high = match scale.domain {
            Domain::Fixed { .. } => 0.0,
            Domain::EachRow => (0..visible).map(|column| value(row, column)).fold(0.0, f32::max),
        };
        let (low, high) = scale.ends(row_high);
        let steps = (SHADES - 1) as f32 / (high - low).max(f32::MIN_POSITIVE);
        for (column, pixel) in line.chunks_exact_mut(4).take(visible).enumerate() {
            let value = value(row, column);
            // A float cast to usize saturates at 0 and `usize::MAX`.
            let shade = (((value - low) * steps + 0.5) as usize).min(SHADES - 1);
            let [r, g, b] = if value.abs() < scale.threshold { pale[shade] } else { shades[shade] };
            pixel.copy_from_slice(&[r, g, b, 255]);
        }
    }
    pixels
}

/// Shrinks a table to at most `most` pixels a side: returns the side m and (m, m) numbers, each the maximum of the
/// cells in its pixel, so that a single strong cell stays visible.
pub fn shrunk(weights: &[u8], n: usize, most: usize) -> (usize, Vec<u8>) {
    let block = n.div_ceil(most.max(1)).max(1);
    if block == 1 {
        return (n, weights.to_vec());
    }
    let m = n.div_ceil(block);
    let mut small = vec![0; m * m];
    for (row, weights) in weights.chunks_exact(n).enumerate() {
        let line = &mut small[row / block * m..][..m];
        for (column, &weight) in weights.iter().enumerate() {
            let largest = &mut line[column / block];
            *largest = weight.max(*largest);
        }
    }
    (m, small)
}
