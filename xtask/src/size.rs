//! How much a browser has to fetch before the program can start.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The most bytes that the compressed wasm should have.
const MOST_BYTES: usize = 1_200_000;

/// Tells the size of the wasm as it is and as hosts send it, and when that is too much.
pub fn tell(wasm: &Path) -> Result<(), String> {
    let bytes = fs::read(wasm).map_err(|error| format!("{} cannot be read: {error}", wasm.display()))?;
    let [gzip, brotli] = compressed(&bytes).map_err(|error| format!("the wasm cannot be compressed: {error}"))?;
    println!("wasm: {} bytes, {gzip} with gzip, {brotli} with brotli", bytes.len());
    if brotli > MOST_BYTES {
        println!(
            "more than {MOST_BYTES} are a long wait: look for what has become part of it, and what brought that in"
        );
    }
    Ok(())
}

/// Sizes with gzip and with brotli, both at their best.
fn compressed(bytes: &[u8]) -> std::io::Result<[usize; 2]> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes)?;
    let mut brotli = CompressorWriter::new(Vec::new(), 1 << 16, 11, 24);
    brotli.write_all(bytes)?;
    brotli.flush()?;
    Ok([gzip.finish()?.len(), brotli.into_inner().len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_becomes_small_and_noise_does_not() {
        let [gzip, brotli] = compressed(&[7; 100_000]).unwrap();
        assert!(gzip < 1000 && brotli < 1000, "{gzip} {brotli}");
        // The highest bits of a multiplicative generator.
        let next = |x: &u64| Some(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
        let noise: Vec<u8> = std::iter::successors(Some(1), next).take(100_000).map(|x| (x >> 56) as u8).collect();
        let [gzip, brotli] = compressed(&noise).unwrap();
        assert!(gzip > 99_000 && brotli > 99_000, "{gzip} {brotli}");
    }
}
