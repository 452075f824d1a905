//! Color maps: sequential for weights from 0 to 1, diverging for signed numbers.

/// A perceptually ordered color map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorMap {
    /// Blue to yellow; looks the same with color-vision deficiencies.
    Cividis,
    /// Violet to yellow.
    Viridis,
    /// Black through red to cream.
    Magma,
    /// Black to white.
    Grey,
}

/// Red, green, blue.
pub type Rgb = [u8; 3];

// Sample points of the published maps; colors between them are interpolated.
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

/// Red for negative numbers, neutral for 0, blue for positive ones; distinguishable with every color-vision deficiency.
const DIVERGING: &[Rgb] =
    &[[178, 24, 43], [214, 96, 77], [244, 165, 130], [247, 247, 247], [146, 197, 222], [67, 147, 195], [33, 102, 172]];

/// The same on a dark page, where the neutral middle is dark.
const DIVERGING_DARK: &[Rgb] = &[[255, 154, 138], [181, 79, 68], [38, 45, 54], [56, 110, 182], [163, 204, 255]];

impl ColorMap {
    /// All color maps, the default first.
    pub const ALL: [ColorMap; 4] = [Self::Cividis, Self::Viridis, Self::Magma, Self::Grey];

    /// The name in the list, in links and in the preferences.
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

    /// The color of a weight, byte / 255.
    pub fn color(self, weight: u8) -> Rgb {
        between(self.points(), f32::from(weight) / 255.0)
    }
}

/// A sequential or diverging series of colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colors {
    /// From low to high.
    Sequential(ColorMap),
    /// Negative through 0 to positive.
    Diverging,
    /// The same for a dark page.
    DivergingDark,
}

impl Colors {
    /// The color at a position from 0 (low end) to 1.
    pub fn at(self, place: f32) -> Rgb {
        match self {
            Self::Sequential(map) => between(map.points(), place),
            Self::Diverging => between(DIVERGING, place),
            Self::DivergingDark => between(DIVERGING_DARK, place),
        }
    }
}

/// The interpolated color at a position from 0 to 1 among evenly spaced points.
fn between(points: &[Rgb], place: f32) -> Rgb {
    let at = place.clamp(0.0, 1.0) * (points.len() - 1) as f32;
    let low = (at as usize).min(points.len() - 2);
    let part = at - low as f32;
    std::array::from_fn(|i| {
        let (a, b) = (f32::from(points[low][i]), f32::from(points[low + 1][i]));
        (a + part * (b - a)).round() as u8
    })
}
