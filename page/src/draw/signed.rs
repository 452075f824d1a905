//! Signed numbers as colors: red for negative, blue for positive, transparent at 0, so that the page shows through.

/// The RGBA pixels of numbers; the largest magnitude has full color.
pub fn signed_pixels(numbers: &[f32]) -> Vec<u8> {
    let largest = numbers.iter().fold(0.0f32, |most, x| most.max(x.abs())).max(1e-12);
    let pixel = |x: &f32| {
        let [r, g, b] = if *x < 0.0 { [209, 73, 62] } else { [45, 116, 200] };
        [r, g, b, (x.abs() / largest * 255.0).round() as u8]
    };
    numbers.iter().flat_map(pixel).collect()
}
