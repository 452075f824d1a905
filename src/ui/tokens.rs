//! How tokens are written for people: white space visible, and what is only a part of a character as its bytes.
//!
//! A grapheme is what a reader takes for one character: 👩‍👧 has 11 bytes and é may have 3. Byte-level tokens may begin
//! and end inside of one. Such neighbours make one [`Group`], and the whole grapheme is shown with them.

use unicode_segmentation::UnicodeSegmentation as _;

use crate::protocol::tokenizer::TokenBytes;

/// Tokens between two borders of graphemes: mostly one token, several where they share a grapheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The index of the first token.
    pub first: usize,
    /// How each token is written.
    pub labels: Vec<String>,
    /// What all together are written as.
    pub whole: String,
}

/// A grapheme, or bytes that are none: where it begins and ends, and its text.
struct Unit<'b> {
    start: usize,
    end: usize,
    text: Option<&'b str>,
}

/// Cuts `tokens` into groups.
pub fn groups(tokens: &[TokenBytes]) -> Vec<Group> {
    let bytes: Vec<u8> = tokens.iter().flat_map(|token| &token.bytes).copied().collect();
    let units = units(&bytes);
    let mut out: Vec<Group> = Vec::new();
    let (mut at, mut unit) = (0, 0);
    for (index, token) in tokens.iter().enumerate() {
        let end = at + token.bytes.len();
        while units.get(unit).is_some_and(|unit| unit.end <= at) {
            unit += 1;
        }
        let inside = units.get(unit).is_some_and(|unit| unit.start < at && unit.text.is_some());
        let label = label(&bytes, &units[unit..], at, end);
        match out.last_mut().filter(|_| inside) {
            Some(group) => group.labels.push(label),
            None => out.push(Group { first: index, labels: vec![label], whole: String::new() }),
        }
        at = end;
    }
    for group in &mut out {
        let tokens = &tokens[group.first..group.first + group.labels.len()];
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| &token.bytes).copied().collect();
        group.whole = visible(&String::from_utf8_lossy(&bytes));
    }
    out
}

fn units(bytes: &[u8]) -> Vec<Unit<'_>> {
    let (mut out, mut at) = (Vec::new(), 0);
    for chunk in bytes.utf8_chunks() {
        for grapheme in chunk.valid().graphemes(true) {
            out.push(Unit { start: at, end: at + grapheme.len(), text: Some(grapheme) });
            at += grapheme.len();
        }
        if !chunk.invalid().is_empty() {
            out.push(Unit { start: at, end: at + chunk.invalid().len(), text: None });
            at += chunk.invalid().len();
        }
    }
    out
}

/// Bytes `at..end`; `units` begin at the one that holds `at`.
fn label(bytes: &[u8], units: &[Unit], at: usize, end: usize) -> String {
    let mut out = String::new();
    for unit in units.iter().take_while(|unit| unit.start < end) {
        match unit.text {
            Some(text) if unit.start >= at && unit.end <= end => out.push_str(&visible(text)),
            _ => out.push_str(&format!("⟨{}⟩", hex(&bytes[unit.start.max(at)..unit.end.min(end)]))),
        }
    }
    if out.is_empty() { "∅".into() } else { out }
}

/// Bytes as pairs of hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// Bytes for people: as text where they are text, else as bytes.
pub fn readable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => visible(text),
        Err(_) => format!("⟨{}⟩", hex(bytes)),
    }
}

/// Text with visible white space and control characters.
pub fn visible(text: &str) -> String {
    let shown = |character| match character {
        ' ' => '·',
        '\n' => '↵',
        '\t' => '→',
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or('�'),
        '\u{7f}' => '␡',
        '\u{a0}' => '⍽',
        other => other,
    };
    text.chars().map(shown).collect()
}
