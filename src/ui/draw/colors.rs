//! Colour maps for weights from 0 to 1, and heatmaps as pixels.

/// A perceptually ordered series of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorMap {
    /// Blue to yellow; reads the same with colour-vision deficiency.
    Cividis,
    /// Violet to yellow.
    Viridis,
    /// Black through red to cream.
    Magma,
    /// Black to white.
    Grey,
}

type Rgb = [u8; 3];

// A few points of each published map; colours between them are mixed.
const CIVIDIS: &[Rgb] = &[
    [0, 34, 78],
    [18, 53, 112],
    [59, 73, 108],
    [87, 93, 109],
    [112, 113, 115],
    [138, 134, 121],
    [165, 156, 117],
    [195, 179, 105],
    [225, 204, 85],
    [254, 232, 56],
];
const VIRIDIS: &[Rgb] = &[
    [68, 1, 84],
    [72, 40, 120],
    [62, 74, 137],
    [49, 104, 142],
    [38, 130, 142],
    [31, 158, 137],
    [53, 183, 121],
    [110, 206, 88],
    [181, 222, 43],
    [253, 231, 37],
];
const MAGMA: &[Rgb] = &[
    [0, 0, 4],
    [24, 15, 61],
    [68, 15, 118],
    [114, 31, 129],
    [158, 47, 127],
    [205, 64, 113],
    [241, 96, 93],
    [253, 150, 104],
    [254, 202, 141],
    [252, 253, 191],
];
const GREY: &[Rgb] = &[[0, 0, 0], [255, 255, 255]];

impl ColorMap {
    /// All maps, the default first.
    pub const ALL: [ColorMap; 4] = [Self::Cividis, Self::Viridis, Self::Magma, Self::Grey];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cividis => "cividis",
            Self::Viridis => "viridis",
            Self::Magma => "magma",
            Self::Grey => "grey",
        }
    }

    /// The map with this name, else the default.
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|map| map.name() == name).unwrap_or(Self::Cividis)
    }

    fn points(self) -> &'static [Rgb] {
        match self {
            Self::Cividis => CIVIDIS,
            Self::Viridis => VIRIDIS,
            Self::Magma => MAGMA,
            Self::Grey => GREY,
        }
    }

    /// The colour of a weight, byte / 255.
    pub fn color(self, weight: u8) -> Rgb {
        let points = self.points();
        let at = f32::from(weight) / 255.0 * (points.len() - 1) as f32;
        let low = (at as usize).min(points.len() - 2);
        let part = at - low as f32;
        std::array::from_fn(|i| {
            let (a, b) = (f32::from(points[low][i]), f32::from(points[low + 1][i]));
            (a + part * (b - a)).round() as u8
        })
    }

    /// The map as a CSS gradient from left to right.
    pub fn gradient(self) -> String {
        let color = |[r, g, b]: &Rgb| format!("rgb({r},{g},{b})");
        let colors: Vec<_> = self.points().iter().map(color).collect();
        format!("linear-gradient(to right,{})", colors.join(","))
    }
}

/// The pixels (RGBA) of one head's weights (n, n). Masked cells, where the key comes after the query, are transparent:
/// the hatching behind shows through.
pub fn pixels(weights: &[u8], n: usize, map: ColorMap) -> Vec<u8> {
    let table: Vec<Rgb> = (0..=255).map(|weight| map.color(weight)).collect();
    let mut pixels = Vec::with_capacity(4 * weights.len());
    for (cell, &weight) in weights.iter().enumerate() {
        let masked = cell % n > cell / n;
        let [r, g, b] = table[weight as usize];
        pixels.extend(if masked { [0; 4] } else { [r, g, b, 255] });
    }
    pixels
}
