//! The visible part of a square map, and which of its labels are shown.

/// The visible part of a map. Lengths are fractions of the map's side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// The left edge.
    pub left: f64,
    /// The top edge.
    pub top: f64,
    /// The side length; 1 is the whole map.
    pub size: f64,
}

/// Number of cells a side that are visible at maximum zoom.
const FEWEST_CELLS: f64 = 6.0;

impl Window {
    /// The whole map.
    pub const WHOLE: Self = Self { left: 0.0, top: 0.0, size: 1.0 };

    /// Whether the whole map is visible.
    pub fn is_whole(&self) -> bool {
        self.size >= 1.0
    }

    /// Zooms in by `factor`, for a map of n cells a side, keeping the point (`x`, `y`) of the window, from 0 to 1,
    /// fixed.
    pub fn zoomed(self, factor: f64, [x, y]: [f64; 2], n: usize) -> Self {
        let smallest = (FEWEST_CELLS / n.max(1) as f64).min(1.0);
        let size = (self.size / factor.max(1e-3)).clamp(smallest, 1.0);
        let (left, top) = (self.left + x * (self.size - size), self.top + y * (self.size - size));
        Self { left, top, size }.inside()
    }

    /// Moves by fractions of the window.
    pub fn moved(self, [x, y]: [f64; 2]) -> Self {
        Self { left: self.left + x * self.size, top: self.top + y * self.size, ..self }.inside()
    }

    /// Moves by the minimum that makes the cell in row `query` and column `key` of n visible.
    pub fn showing(self, (query, key): (usize, usize), n: usize) -> Self {
        let follow = |begin: f64, at: usize| {
            let (first, last) = (at as f64 / n.max(1) as f64, (at + 1) as f64 / n.max(1) as f64);
            if first < begin { first } else { begin.max(last - self.size) }
        };
        Self { left: follow(self.left, key), top: follow(self.top, query), ..self }.inside()
    }

    /// The cell (query, key) at a position in the window, from 0 to 1 from its left and top.
    pub fn cell_at(&self, [x, y]: [f64; 2], n: usize) -> Option<(usize, usize)> {
        let index = |begin: f64, place: f64| {
            let at = ((begin + place * self.size) * n as f64).floor();
            ((0.0..1.0).contains(&place) && at < n as f64).then_some(at as usize)
        };
        Some((index(self.top, y)?, index(self.left, x)?))
    }

    /// The center of a row or column of n as a position in the window, from 0 to 1; `begin` is the window's top or
    /// left.
    pub fn middle(&self, begin: f64, at: usize, n: usize) -> f64 {
        ((at as f64 + 0.5) / n.max(1) as f64 - begin) / self.size
    }

    fn inside(self) -> Self {
        let most = 1.0 - self.size;
        Self { left: self.left.clamp(0.0, most), top: self.top.clamp(0.0, most), ..self }
    }
}

/// Which of n rows (or columns) get a label: as many, evenly thinned, as fit with `apart` pixels each. The window
/// starts at `begin`, shows the fraction `size`, and is `pixels` long.
pub fn labelled(n: usize, begin: f64, size: f64, pixels: f64, apart: f64) -> Vec<usize> {
    let each = pixels / (size * n.max(1) as f64);
    let step = (apart / each.max(1e-6)).ceil().max(1.0) as usize;
    let window = Window { left: begin, top: begin, size };
    (0..n).step_by(step).filter(|&at| (0.0..=1.0).contains(&window.middle(begin, at, n))).collect()
}
