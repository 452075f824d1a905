//! Renders the icon as PNG files from the rectangles in `www/icon.svg`, because some systems do not install apps with
//! SVG icons.

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

/// An icon of the manifest.
pub struct Icon {
    /// Width and height in pixels.
    pub size: usize,
    /// Whether systems may crop it to their own shape. The background then fills the square, and the content is within
    /// a circle of four fifths of its width.
    pub maskable: bool,
}

/// The icons in the manifest besides the SVG.
pub const ICONS: [Icon; 3] =
    [Icon { size: 192, maskable: false }, Icon { size: 512, maskable: false }, Icon { size: 512, maskable: true }];

/// Width and height of the SVG's view box.
const SIDE: f64 = 32.0;

/// The width by which the background of a maskable icon extends beyond the view box on every side.
const MARGIN: f64 = 4.0;

/// Samples per pixel along each axis, for antialiasing.
const SAMPLES: usize = 4;

/// A rectangle of the SVG, in its units.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rect {
    from: [f64; 2],
    size: [f64; 2],
    radius: f64,
    color: [u8; 3],
}

impl Rect {
    fn holds(&self, point: [f64; 2]) -> bool {
        // The distance, per axis, outside the rectangle spanned by the centers of the rounded corners.
        let beyond = [0, 1].map(|axis| {
            let (from, to) = (self.from[axis] + self.radius, self.from[axis] + self.size[axis] - self.radius);
            (from - point[axis]).max(point[axis] - to).max(0.0)
        });
        let inside = |axis: usize| (0.0..=self.size[axis]).contains(&(point[axis] - self.from[axis]));
        inside(0) && inside(1) && beyond[0].hypot(beyond[1]) <= self.radius.max(f64::MIN_POSITIVE)
    }
}

/// Renders the icon as a PNG file.
///
/// # Errors
/// When the SVG contains anything but filled rectangles.
pub fn png(svg: &str, icon: &Icon) -> Result<Vec<u8>, String> {
    let mut rects = rects(svg)?;
    let margin = if icon.maskable { MARGIN } else { 0.0 };
    if let Some(ground) = rects.first_mut().filter(|_| icon.maskable) {
        (ground.from, ground.size, ground.radius) = ([-MARGIN; 2], [SIDE + 2.0 * MARGIN; 2], 0.0);
    }
    let unit = (SIDE + 2.0 * margin) / (icon.size * SAMPLES) as f64;
    let color = |x: usize, y: usize| -> Option<[u8; 3]> {
        let point = [x, y].map(|at| (at as f64 + 0.5) * unit - margin);
        rects.iter().rev().find(|rect| rect.holds(point)).map(|rect| rect.color)
    };
    let mut rows = Vec::with_capacity(icon.size * (4 * icon.size + 1));
    for y in 0..icon.size {
        rows.push(0); // no filter
        for x in 0..icon.size {
            let samples = (0..SAMPLES * SAMPLES).map(|i| (SAMPLES * x + i % SAMPLES, SAMPLES * y + i / SAMPLES));
            let seen: Vec<[u8; 3]> = samples.filter_map(|(x, y)| color(x, y)).collect();
            let mean = |channel: usize| seen.iter().map(|color| usize::from(color[channel])).sum::<usize>();
            rows.extend([0, 1, 2].map(|channel| (mean(channel) / seen.len().max(1)) as u8));
            rows.push((255 * seen.len() / (SAMPLES * SAMPLES)) as u8);
        }
    }
    encode(icon.size as u32, &rows).map_err(|error| error.to_string())
}

fn rects(svg: &str) -> Result<Vec<Rect>, String> {
    let rect = |tag: &str| {
        let attribute = |name: &str| tag.split_once(&format!(" {name}=\""))?.1.split_once('"').map(|(value, _)| value);
        let number = |name: &str| attribute(name).map_or(Some(0.0), |value| value.parse().ok());
        let color = u32::from_str_radix(attribute("fill")?.strip_prefix('#')?, 16).ok()?;
        let [_, red, green, blue] = color.to_be_bytes();
        Some(Rect {
            from: [number("x")?, number("y")?],
            size: [number("width")?, number("height")?],
            radius: number("rx")?,
            color: [red, green, blue],
        })
    };
    svg.split("<rect")
        .skip(1)
        .map(|tag| rect(tag).ok_or_else(|| format!("the icon's <rect{}> is not a filled rectangle", tag.trim_end())))
        .collect()
}

/// Encodes rows of RGBA, each after its filter byte, as a PNG file (ISO/IEC 15948).
fn encode(size: u32, rows: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(rows)?;
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(data);
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(kind);
        file.extend(data);
        file.extend(crc.sum().to_be_bytes());
    };
    // Four channels of eight bits.
    let header = [&size.to_be_bytes()[..], &size.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
    chunk(b"IHDR", &header);
    chunk(b"IDAT", &packed.finish()?);
    chunk(b"IEND", &[]);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SVG: &str = include_str!("../../www/icon.svg");

    #[test]
    fn the_icon_is_made_of_rectangles() {
        let all = rects(SVG).unwrap();
        assert_eq!(all.len(), SVG.matches("<rect").count());
        let ground = Rect { from: [0.0; 2], size: [32.0; 2], radius: 6.0, color: [0x00, 0x22, 0x4e] };
        assert_eq!(all[0], ground);
        assert!(ground.holds([16.0, 0.5]) && !ground.holds([0.5, 0.5]) && !ground.holds([33.0, 16.0]));
        // A maskable icon may be cropped to a circle of 4/5 of its width.
        let most = 0.4 * (SIDE + 2.0 * MARGIN);
        for rect in &all[1..] {
            for corner in [rect.from, [0, 1].map(|axis| rect.from[axis] + rect.size[axis])] {
                assert!((corner[0] - 16.0).hypot(corner[1] - 16.0) <= most, "{rect:?}");
            }
        }
        assert!(rects("<rect x=\"1\"/>").is_err());
    }

    #[test]
    fn a_png_has_its_size_and_what_was_drawn() {
        for icon in &ICONS {
            let file = png(SVG, icon).unwrap();
            assert_eq!(file[16..24], [(icon.size as u32).to_be_bytes(); 2].concat());
            assert!(file.len() < 20_000 && file.ends_with(&[0xae, 0x42, 0x60, 0x82]), "{} bytes", file.len());
            let data = &file[41..file.len() - 16];
            let mut rows = Vec::new();
            std::io::copy(&mut flate2::read::ZlibDecoder::new(data), &mut rows).unwrap();
            let pixel = |x: usize, y: usize| rows[y * (4 * icon.size + 1) + 1 + 4 * x..][..4].to_vec();
            let corner = if icon.maskable { vec![0x00, 0x22, 0x4e, 255] } else { vec![0, 0, 0, 0] };
            assert_eq!((pixel(0, 0), pixel(icon.size / 2, icon.size / 2)), (corner, vec![0xe1, 0xcc, 0x55, 255]));
        }
    }
}
