//! Settings of the filters and the source in a link and in the browser's storage: `path:value` pairs.

use std::collections::BTreeMap;

use super::state::Source;

/// At most this many settings are read from a link, more than there are.
const MAX_CHANGES: usize = 100;

/// At most this many characters of a value are read.
const MAX_CHARACTERS: usize = 2_000;

/// Settings as one text: pairs of path and value, separated by semicolons.
pub fn write(changes: &BTreeMap<String, String>) -> String {
    changes.iter().map(|(path, value)| format!("{path}:{}", value.replace(';', ","))).collect::<Vec<_>>().join(";")
}

/// The settings of a text; parts that are no pairs are ignored. Whether paths and values are valid is checked by the worker.
pub fn read(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(';').filter_map(|pair| pair.split_once(':')).take(MAX_CHANGES);
    pairs.map(|(path, value)| (path.into(), value.chars().take(MAX_CHARACTERS).collect())).collect()
}

/// Generated pages as a text; `None` for files, which no link holds.
pub fn write_source(source: &Source) -> Option<String> {
    match source {
        Source::Generated { seed, megabytes } => Some(format!("{seed}:{megabytes}")),
        Source::Files { .. } | Source::None => None,
    }
}

/// The generated pages that a text describes.
pub fn read_source(text: &str) -> Option<Source> {
    let (seed, megabytes) = text.split_once(':')?;
    let megabytes = megabytes.parse().ok().filter(|megabytes| (1..=MAX_MEGABYTES).contains(megabytes))?;
    Some(Source::Generated { seed: seed.parse().ok()?, megabytes })
}

/// The maximum size of generated pages.
pub const MAX_MEGABYTES: u32 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_generated_pages_survive_a_link() {
        let changes =
            BTreeMap::from([("gopher.min_words".into(), "120".into()), ("language.keep".into(), "en, de".into())]);
        assert_eq!(read(&write(&changes)), changes);
        assert_eq!(read("nonsense;a:b"), BTreeMap::from([("a".into(), "b".into())]));
        assert!(read(&"x:y;".repeat(1000)).len() <= MAX_CHANGES);
        let source = Source::Generated { seed: 7, megabytes: 20 };
        assert_eq!(read_source(&write_source(&source).unwrap()), Some(source));
        for wrong in ["", "7", "7:0", "7:9999", "x:1"] {
            assert_eq!(read_source(wrong), None, "{wrong}");
        }
    }
}
