//! Texts in JSON Lines: one object per line, with the text in one field. The other fields may hold any JSON at any
//! depth, including the NaN and Infinity that Python's `json` writes.

use std::fmt;
use std::io::{self, BufRead, Read};

use rustc_hash::FxHashSet;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::DataError;
use super::source::Source;
use super::tokenizer::END_OF_TEXT;

/// The field with the text, by default.
pub const TEXT_FIELD: &str = "text";

/// The number of lines that [`jsonl_fields`] reads.
const SAMPLED_LINES: usize = 20;

/// Limits on the fields in a message or list: their number, and the total bytes of their names.
const MAX_FIELDS: usize = 30;
const MAX_FIELD_BYTES: usize = 1000;

/// The maximum depth at which fields are listed; deeper ones can be selected by name.
const MAX_DEPTH: usize = 4;

/// Python's `json` writes these for numbers that JSON cannot represent.
const NO_NUMBERS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// The text fields in the first lines of a file, in order of appearance, but `text` first. Nested fields are written
/// with dots.
pub fn jsonl_fields(bytes: &[u8]) -> Vec<String> {
    let mut fields = Fields::default();
    for line in bytes.split(|&byte| byte == b'\n').take(SAMPLED_LINES) {
        fields.add(&String::from_utf8_lossy(line));
    }
    let at = fields.names.iter().position(|name| name == TEXT_FIELD);
    at.into_iter().for_each(|at| fields.names[..=at].rotate_right(1));
    fields.names
}

/// Whether a line is a single JSON object.
pub(super) fn is_object(line: &str) -> bool {
    line.trim_start().starts_with('{') && line_text(line, "").is_ok()
}

/// The text in a field of a line; `None` if the field is missing or null.
fn line_text(line: &str, field: &str) -> Result<Option<String>, serde_json::Error> {
    let parse = |line: &str| {
        let mut json = serde_json::Deserializer::from_str(line);
        let text = json.deserialize_map(Object { field })?;
        json.end().map(|()| text)
    };
    parse(line).or_else(|error| match without_no_numbers(line) {
        Some(line) => parse(&line).map_err(|_| error),
        None => Err(error),
    })
}

/// The line with `null` in place of NaN and Infinity; `None` if it contains neither.
pub(crate) fn without_no_numbers(line: &str) -> Option<String> {
    let (mut out, mut rest, mut quoted, mut found) = (String::with_capacity(line.len()), line, false, false);
    while let Some(character) = rest.chars().next() {
        if !quoted && let Some(word) = NO_NUMBERS.iter().find(|word| rest.starts_with(**word)) {
            (found, rest) = (true, &rest[word.len()..]);
            out.push_str("null");
            continue;
        }
        let n_bytes = match character {
            // The escaped character is part of the string.
            '\\' if quoted => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            _ => character.len_utf8(),
        };
        quoted ^= character == '"';
        out.push_str(&rest[..n_bytes]);
        rest = &rest[n_bytes..];
    }
    found.then_some(out)
}

/// Deserializes an object with the text in `field`, either directly or, with dots, in nested objects.
struct Object<'f> {
    field: &'f str,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut text, mut exact) = (None, false);
        // If a name is repeated, the last field wins, as in Python.
        while let Some(key) = map.next_key_seed(Text)? {
            let rest = self.field.strip_prefix(&key).filter(|_| !key.is_empty());
            match rest {
                Some("") => (text, exact) = (map.next_value_seed(TextOrNull)?, true),
                Some(rest) if !exact && rest.starts_with('.') => {
                    text = map.next_value_seed(Within { field: &rest[1..] })?
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(text)
    }
}

/// A value that is an [`Object`] or has no text.
struct Within<'f> {
    field: &'f str,
}

impl<'de> DeserializeSeed<'de> for Within<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        value.deserialize_any(self)
    }
}

/// Scalars have no text in a nested field.
macro_rules! nothing_in_simple_values {
    ($($visit:ident $kind:ty),*) => {
        $(fn $visit<E: serde::de::Error>(self, _: $kind) -> Result<Self::Value, E> {
            Ok(Default::default())
        })*

        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Ok(Default::default())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Default::default())
        }
    };
}

impl<'de> Visitor<'de> for Within<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    nothing_in_simple_values!(visit_bool bool, visit_i64 i64, visit_u64 u64, visit_f64 f64, visit_str &str);

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Object { field: self.field }.visit_map(map)
    }
}

/// A string or null.
struct TextOrNull;

impl<'de> DeserializeSeed<'de> for TextOrNull {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        value.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for TextOrNull {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or null")
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        Text.deserialize(value).map(Some)
    }
}

/// A string. Lone surrogates, which JSON can express and UTF-8 cannot, become U+FFFD.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        value.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or null")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Ok(text.into());
        }
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            // The three bytes of a surrogate arrive as three invalid chunks; this is the first.
            if chunk.invalid().first() == Some(&0xed) {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        Ok(text)
    }
}

/// Collects the names of fields with text.
#[derive(Default)]
struct Fields {
    names: Vec<String>,
    known: FxHashSet<String>,
    bytes: usize,
}

impl Fields {
    /// Adds the fields of a line: none if it is not an object, and those before the error if it is malformed.
    fn add(&mut self, line: &str) {
        let sane = without_no_numbers(line);
        let mut json = serde_json::Deserializer::from_str(sane.as_deref().unwrap_or(line));
        let _ = json.deserialize_map(FieldsIn { fields: self, prefix: String::new(), depth: 0 });
    }

    fn push(&mut self, name: String) {
        let fits = self.names.len() < MAX_FIELDS && self.bytes + name.len() <= MAX_FIELD_BYTES;
        if fits && self.known.insert(name.clone()) {
            self.bytes += name.len();
            self.names.push(name);
        }
    }
}

/// A value to search for fields.
struct FieldsIn<'f> {
    fields: &'f mut Fields,
    /// The name of the field itself.
    prefix: String,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for FieldsIn<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        if self.depth > MAX_DEPTH {
            return IgnoredAny::deserialize_from(value);
        }
        value.deserialize_any(self)
    }
}

/// Parses and discards a value.
trait DeserializeFrom<'de> {
    fn deserialize_from<D: Deserializer<'de>>(value: D) -> Result<(), D::Error>;
}

impl<'de> DeserializeFrom<'de> for IgnoredAny {
    fn deserialize_from<D: Deserializer<'de>>(value: D) -> Result<(), D::Error> {
        value.deserialize_ignored_any(IgnoredAny).map(drop)
    }
}

impl<'de> Visitor<'de> for FieldsIn<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    nothing_in_simple_values!(visit_bool bool, visit_i64 i64, visit_u64 u64, visit_f64 f64);

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Self::Value, E> {
        self.fields.push(self.prefix);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while let Some(key) = map.next_key_seed(Text)? {
            let prefix = if self.prefix.is_empty() { key } else { format!("{}.{key}", self.prefix) };
            if prefix.len() > MAX_FIELD_BYTES {
                return Err(A::Error::custom("a name is too long"));
            }
            map.next_value_seed(FieldsIn { fields: &mut *self.fields, prefix, depth: self.depth + 1 })?;
        }
        Ok(())
    }
}

/// Reads the texts of a `.jsonl` file as one text, each followed by [`END_OF_TEXT`] and a newline, with one line in
/// memory at a time. Rows without text are skipped.
pub struct JsonlReader<R> {
    reader: R,
    field: String,
    line: usize,
    skipped: u64,
    /// The first skipped rows.
    fields: Fields,
    text: Vec<u8>,
    /// The number of bytes of `text` already returned.
    at: usize,
}

impl<R: BufRead> JsonlReader<R> {
    /// Reads the texts in `field`.
    pub fn new(reader: R, field: &str) -> Self {
        let (fields, text) = Default::default();
        Self { reader, field: field.into(), line: 0, skipped: 0, fields, text, at: 0 }
    }

    /// The next text with its terminator; empty at the end of the file.
    fn next_text(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        while self.reader.read_until(b'\n', &mut line)? > 0 {
            self.line += 1;
            if let Some(text) = self.text_of(&line).map_err(io::Error::other)? {
                return Ok(text + END_OF_TEXT + "\n");
            }
            line.clear();
        }
        Ok(String::new())
    }

    fn text_of(&mut self, line: &[u8]) -> Result<Option<String>, DataError> {
        let number = self.line;
        let bad = |problem: String| DataError::JsonLine { line: number, problem };
        let line = std::str::from_utf8(line).map_err(|_| bad("it is not UTF-8".into()))?;
        if line.trim().is_empty() {
            return Ok(None);
        }
        let text = line_text(line, &self.field).map_err(|error| {
            let (problem, column) = (error.to_string(), error.column());
            let problem = problem.rsplit_once(" at line ").map_or(problem.as_str(), |(problem, _)| problem);
            bad(format!("{problem} at column {column}"))
        })?;
        if text.is_none() {
            if (self.skipped as usize) < SAMPLED_LINES {
                self.fields.add(line);
            }
            self.skipped += 1;
        }
        Ok(text)
    }
}

impl<R: BufRead + Send> Source for JsonlReader<R> {
    fn skipped(&self) -> u64 {
        self.skipped
    }

    fn no_text(&self) -> DataError {
        if self.skipped == 0 {
            return DataError::Empty;
        }
        DataError::NoField { rows: self.skipped, field: self.field.clone(), there: self.fields.names.join(", ") }
    }
}

impl<R: BufRead> Read for JsonlReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.text.len() {
            (self.text, self.at) = (self.next_text()?.into_bytes(), 0);
        }
        let n = out.len().min(self.text.len() - self.at);
        out[..n].copy_from_slice(&self.text[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}
