//! Signed numbers as colors: blue for negative, orange for positive, transparent at 0.

/// The RGBA pixels of numbers; the largest magnitude has full color.
pub fn signed_pixels(numbers: &[f32]) -> Vec<u8> {
    let largest = numbers.iter().fold(0.0f32, |most, x| most.max(x.abs())).max(1e-12);
    let pixel = |x: &f32| {
        let [r, g, b] = if *x < 0.0 { [31, 111, 196] } else { [224, 112, 16] };
        [r, g, b, (x.abs() / largest * 255.0).round() as u8]
    };
    numbers.iter().flat_map(pixel).collect()
}
