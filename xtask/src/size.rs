//! The download size of a first visit. It is measured with brotli at its highest level, as served by static hosts.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The maximum number of bytes that a first visit may transfer before the first heatmap, compressed with brotli.
///
/// The aim is 1,300,000; the settings drawer, the menus, the palette and the experiments took it beyond that
/// (docs/performance.md).
const MAX_BYTES: usize = 1_380_000;

/// The name prefixes and suffixes of the files that a first visit transfers.
const FIRST_VISIT: [(&str, &str); 5] =
    [("index", ".html"), ("boot-", ".js"), ("glasshead-", ".js"), ("glasshead-", ".wasm"), ("style-", ".css")];

/// The files that the data view loads when it opens, and the maximum of their bytes, compressed with brotli.
const DATA_VIEW: [(&str, &str); 3] = [("data-", ".js"), ("filter-", ".js"), ("filter-", ".wasm")];
const MAX_DATA_BYTES: usize = 600_000;

/// Reports the transfer size of a first visit to the built page in `dist`, without the wasm's function names.
///
/// # Errors
/// When it exceeds [`MAX_BYTES`] with brotli, or the data view's files exceed [`MAX_DATA_BYTES`].
pub fn check(dist: &Path) -> Result<(), String> {
    let first = total(dist, &FIRST_VISIT)?;
    println!("first visit: {first} bytes with brotli, at most {MAX_BYTES}");
    let data = total(dist, &DATA_VIEW)?;
    println!("data view: {data} bytes with brotli, at most {MAX_DATA_BYTES}");
    for (name, total, max) in [("a first visit", first, MAX_BYTES), ("the data view", data, MAX_DATA_BYTES)] {
        if total > max {
            return Err(format!(
                "{name} transfers {total} bytes with brotli, and more than {max} are a long wait; find out what has been added \
                 to the wasm, and which crate brought it"
            ));
        }
    }
    Ok(())
}

/// Reports the sizes of files, and returns the sum with brotli.
fn total(dist: &Path, files: &[(&str, &str)]) -> Result<usize, String> {
    let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", dist.display());
    let names = fs::read_dir(dist).and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect());
    let names: Vec<std::ffi::OsString> = names.map_err(unreadable)?;
    let mut total = 0;
    for &(start, end) in files {
        let is_it = |name: &&str| name.starts_with(start) && name.ends_with(end);
        let name = names.iter().filter_map(|name| name.to_str()).find(is_it);
        let name = name.ok_or_else(|| format!("{} has no file {start}…{end}", dist.display()))?;
        let bytes = fs::read(dist.join(name)).map_err(unreadable)?;
        let bytes = match end {
            ".wasm" => without_names(&bytes).ok_or_else(|| format!("{name} is no wasm"))?,
            _ => bytes,
        };
        let [gzip, brotli] = compressed(&bytes).map_err(|error| format!("{name} cannot be compressed: {error}"))?;
        println!("{name}: {} bytes, {gzip} with gzip, {brotli} with brotli", bytes.len());
        total += brotli;
    }
    Ok(total)
}

/// The wasm without its custom sections, one of which contains the function names; `None` if the bytes are not wasm.
fn without_names(wasm: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 8;
    let mut kept = wasm.get(..HEADER).filter(|header| header.starts_with(b"\0asm"))?.to_vec();
    let mut at = HEADER;
    while at < wasm.len() {
        let (len, content) = number(wasm, at + 1)?;
        let section = wasm.get(at..content.checked_add(len)?)?;
        if wasm[at] != 0 {
            kept.extend_from_slice(section);
        }
        at += section.len();
    }
    Some(kept)
}

/// The LEB128 number at `at`, and the position after it.
fn number(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut value = 0;
    for shift in (0..32).step_by(7) {
        let byte = *bytes.get(at)?;
        at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((value, at));
        }
    }
    None
}

/// The sizes with gzip and brotli, both at their highest level.
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
    fn names_do_not_count() {
        // Two code sections around a name section whose length takes more than one byte.
        let [header, code] = [&b"\0asm\x01\0\0\0"[..], &[10, 2, 1, 2]];
        let names = [&[0, 0xac, 0x02][..], &[7; 300]].concat();
        let wasm = [header, code, &names, code].concat();
        assert_eq!(without_names(&wasm), Some([header, code, code].concat()));
        assert_eq!(without_names(&wasm[..100]), None, "it ends in a section");
        assert_eq!(without_names(b"<html>"), None);
    }

    #[test]
    fn what_repeats_becomes_small_and_noise_does_not() {
        let [gzip, brotli] = compressed(&[7; 100_000]).unwrap();
        assert!(gzip < 1000 && brotli < 1000, "{gzip} {brotli}");
        // The high bits of a linear congruential generator.
        let next = |x: &u64| Some(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
        let noise: Vec<u8> = std::iter::successors(Some(1), next).take(100_000).map(|x| (x >> 56) as u8).collect();
        let [gzip, brotli] = compressed(&noise).unwrap();
        assert!(gzip > 99_000 && brotli > 99_000, "{gzip} {brotli}");
    }
}
