//! How tokens are displayed: invisible characters as symbols, and incomplete characters as their bytes.
//!
//! A grapheme is what a reader perceives as one character: 👩‍👧 has 11 bytes and é may have 3. Byte-level tokens may
//! start and end inside a grapheme. Such neighbors form one [`Group`], which is shown with the whole grapheme.

use unicode_segmentation::UnicodeSegmentation as _;

pub use glasshead::types::spelling::hex;
use glasshead::types::spelling::spelled;
use glasshead::types::tokenizer::TokenBytes;

/// The tokens between two grapheme boundaries: usually one, several if they share a grapheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The index of the first token.
    pub first: usize,
    /// The text of each token.
    pub labels: Vec<String>,
    /// The text of all tokens together.
    pub whole: String,
}

/// A grapheme, or invalid bytes: start, end, and text.
struct Unit<'b> {
    start: usize,
    end: usize,
    text: Option<&'b str>,
}

/// Groups tokens by shared graphemes.
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

/// The label of bytes `at..end`; `units` starts at the one that contains `at`.
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

/// Bytes for display: as text where they are valid, else as hexadecimal digits.
pub fn readable(bytes: &[u8]) -> String {
    visible(&spelled(bytes))
}

/// Text with a symbol for every invisible character: white space, control characters, layout marks.
pub fn visible(text: &str) -> String {
    shown(text, |character| match character {
        ' ' => Some('·'),
        '\n' => Some('↵'),
        '\t' => Some('→'),
        _ => None,
    })
}

/// Like [`visible`] for running text: spaces, tabs and line breaks are unchanged.
pub fn flowing(text: &str) -> String {
    shown(text, |character| Some(character).filter(|character| matches!(character, ' ' | '\n' | '\t')))
}

/// Text in which `known` replaces some characters, and all other invisible ones are replaced by symbols.
fn shown(text: &str, known: impl Fn(char) -> Option<char>) -> String {
    let mut out = String::with_capacity(text.len());
    for grapheme in text.graphemes(true) {
        let kept = joined(grapheme);
        out.push_str(&grapheme[..kept]);
        for character in grapheme[kept..].chars() {
            match known(character) {
                Some(replaced) => out.push(replaced),
                None => push_sign(&mut out, character),
            }
        }
    }
    out
}

/// How many bytes of a grapheme belong to one emoji, in which joiners and selectors determine the glyph: 👩‍👧, ❤️, 1️⃣.
fn joined(grapheme: &str) -> usize {
    let keycap = grapheme.ends_with('\u{20e3}');
    let first = grapheme.chars().next().map_or(0, char::len_utf8);
    // Only a pictogram forms one grapheme with a joiner and a pictogram after it.
    let is_pictogram = || format!("{}\u{200d}👧", &grapheme[..first]).graphemes(true).count() == 1;
    if grapheme.len() > first && (keycap || is_pictogram()) {
        return grapheme.trim_end_matches('\u{200d}').len();
    }
    0
}

fn push_sign(out: &mut String, character: char) {
    match character {
        '\u{0}'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(character)).unwrap_or('�')),
        '\u{7f}' => out.push('␡'),
        '\u{a0}' => out.push('⍽'),
        _ if is_invisible(character) => out.push_str(&format!("⟨U+{:04X}⟩", u32::from(character))),
        _ => out.push(character),
    }
}

/// Invisible characters beyond ASCII, as of Unicode 16: C1 controls, spaces, and default-ignorable characters (joiners,
/// direction marks, selectors, fillers, tags); also the blank Braille pattern, a filler in some texts.
fn is_invisible(character: char) -> bool {
    matches!(u32::from(character),
        0x80..=0x9f | 0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x1680 | 0x17b4..=0x17b5 | 0x180b..=0x180f
        | 0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f | 0x2800 | 0x3000 | 0x3164 | 0xfe00..=0xfe0f | 0xfeff
        | 0xffa0 | 0xfff0..=0xfffb | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}
