//! Parquet files: files of common writers are read, and damaged ones give an error message.

use std::fs;
use std::io::Read as _;

use glasshead::data::{DataError, END_OF_TEXT, is_parquet, open_files, read_parquet};
pub use kinds::{file, kinds};
use parquet::basic::Compression;
use proptest::prelude::*;

mod kinds;

fn expected(name: &str, rows: &[usize], n_groups: usize) -> String {
    let rows = (0..n_groups).flat_map(|group| rows.iter().map(move |row| (group, row)));
    rows.map(|(group, row)| format!("{name} {group}.{row} é{END_OF_TEXT}\n")).collect()
}

#[test]
fn a_column_of_texts_is_read_from_every_kind_of_file() {
    for bytes in kinds() {
        let read = read_parquet(bytes.clone(), None).unwrap();
        let n_groups = read.text.matches(".0 ").count();
        assert!((1..=3).contains(&n_groups));
        assert_eq!(read.text, expected("text", &[0, 1, 3, 4, 6], n_groups));
        assert_eq!(read.skipped, 2 * n_groups as u64, "missing texts are counted");
        assert_eq!(read.fields, ["text", "story"], "what is chosen comes first; bytes and numbers are no text");
    }
    let bytes = file(|properties| properties, 2);
    let read = read_parquet(bytes.clone(), Some("story")).unwrap();
    assert_eq!(read.text, expected("story", &[0, 1, 2, 3, 4, 5, 6], 2));
    assert_eq!(read.fields, ["story", "text"]);
    let missing = DataError::NoColumn { field: "body".into(), there: "story, text".into() };
    assert_eq!(read_parquet(bytes, Some("body")), Err(missing));
    assert!(is_parquet("A.Parquet") && !is_parquet("a.txt"));
}

#[test]
fn files_on_disk_are_joined_with_others() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a.parquet", "b.txt", "c.parquet"].map(|name| folder.path().join(name));
    fs::write(&paths[0], file(|properties| properties.set_compression(Compression::SNAPPY), 1)).unwrap();
    fs::write(&paths[1], "plain").unwrap();
    fs::write(&paths[2], file(|properties| properties, 1)).unwrap();
    let mut text = String::new();
    open_files(&paths, Some("story")).unwrap().read_to_string(&mut text).unwrap();
    let part = expected("story", &[0, 1, 2, 3, 4, 5, 6], 1);
    assert_eq!(text, format!("{part}plain{END_OF_TEXT}\n{part}"));
    let error = open_files(&paths, Some("body")).err().unwrap().to_string();
    assert!(error.contains("a.parquet") && error.contains("story, text"), "{error}");
}

#[test]
fn what_cannot_be_read_says_what_to_do() {
    let good = file(|properties| properties, 1);
    let mut gzip = good.clone();
    // The codec of the column: a small number after the path of the column in the footer.
    let at = gzip.windows(7).rposition(|window| window == b"story\x15\0").expect("field 4 is 0: no compression");
    gzip[at + 6] = 4;
    let said = read_parquet(gzip, Some("story")).unwrap_err().to_string();
    assert!(said.contains("compressed with GZIP") && said.contains("snappy"), "{said}");
    let mut encrypted = good.clone();
    encrypted.splice(good.len() - 4.., *b"PARE");
    assert!(read_parquet(encrypted, None).unwrap_err().to_string().contains("encrypted"));
    for length in [0, 3, 11, good.len() / 2, good.len() - 1] {
        let said = read_parquet(good[..length].to_vec(), None).unwrap_err().to_string();
        assert!(said.contains("it is cut") && said.contains("write it again"), "{said}");
    }
    let mut long = good.clone();
    let at = good.len() - 8;
    long[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(read_parquet(long, None).unwrap_err().to_string().contains("cut"));
}

/// The crate assumes that a dictionary precedes the pages that use it.
#[test]
fn pages_whose_dictionary_is_missing_are_refused() {
    let mut bytes = file(|properties| properties.set_dictionary_enabled(false), 1);
    assert!(read_parquet(bytes.clone(), Some("story")).is_ok());
    // Page headers with seven plain values and run-length encoded levels; changed to dictionary indices.
    let header = [0x15, 14, 0x15, 0, 0x15, 6, 0x15, 6];
    let places: Vec<usize> = (0..bytes.len() - 8).filter(|&at| bytes[at..at + 8] == header).collect();
    assert!(places.len() >= 3, "a page of each column: {places:?}");
    places.iter().for_each(|at| bytes[at + 3] = 16);
    let said = read_parquet(bytes, Some("story")).unwrap_err().to_string();
    assert!(said.contains("its texts stand in a dictionary that is not there"), "{said}");
}

/// The crate iterates over lists of any claimed length, even in fields that no header has; found by fuzzing.
#[test]
fn lists_in_headers_of_pages_are_refused() {
    let mut bytes = file(|properties| properties.set_dictionary_enabled(false), 1);
    let header = [0x15, 14, 0x15, 0, 0x15, 6, 0x15, 6];
    let places: Vec<usize> = (0..bytes.len() - 8).filter(|&at| bytes[at..at + 8] == header).collect();
    assert!(places.len() >= 3, "a page of each column: {places:?}");
    for header in [
        // A field with a list of two billion lists of as many strings.
        [0x19, 0xf9, 0xff, 0xff, 0xff, 0xff, 0x07, 0xf8],
        // Six bytes in place of a number; a reader that expects the number finds a list of booleans, which take no bytes.
        [0x18, 6, 0xf9, 0xf1, 0xff, 0xff, 0xff, 0x7f],
    ] {
        for at in &places {
            bytes[*at..at + 8].copy_from_slice(&header);
        }
        let said = read_parquet(bytes.clone(), Some("story")).unwrap_err().to_string();
        assert!(said.contains("header of a page is damaged"), "{said}");
    }
}

/// A schema of nested groups, deep enough to overflow the stack of a recursive reader.
#[test]
fn deeply_nested_columns_are_refused() {
    let mut footer = vec![0x15, 2, 0x19, 0xfc];
    let n: u32 = 200_000;
    footer.extend([n as u8 | 128, (n >> 7) as u8 | 128, (n >> 14) as u8]);
    // Each: required, an empty name, one child.
    (0..n).for_each(|_| footer.extend([0x35, 0, 0x18, 0, 0x15, 2, 0]));
    let mut bytes = b"PAR1".to_vec();
    bytes.extend(&footer);
    bytes.extend((footer.len() as u32).to_le_bytes());
    bytes.extend(b"PAR1");
    assert!(read_parquet(bytes, None).unwrap_err().to_string().contains("nested too deeply"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    /// Any mutation of a file gives a text or an error message, never a panic.
    #[test]
    fn damaged_files_never_panic(
        kind in 0usize..12,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let kinds = KINDS.get_or_init(kinds);
        let mut bytes = kinds[kind].clone();
        let n_bytes = bytes.len();
        for (at, byte) in changes {
            bytes[at.index(n_bytes)] = byte;
        }
        if let Some(cut) = cut {
            bytes.drain(..cut.index(n_bytes));
        }
        match read_parquet(bytes, None) {
            Ok(read) => prop_assert!(read.text.is_empty() || read.text.ends_with('\n')),
            Err(error) => prop_assert!(error.to_string().len() > 20),
        }
    }
}

static KINDS: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
