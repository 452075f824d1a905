//! Character classes and line breaks as Python's `str` defines them, because the published filters are written in
//! Python and their thresholds count its lines and words.

/// Whether Python's `str.strip` removes this character.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Removes white space at both ends, as `str.strip`.
pub fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The lines of a text without their ends, as `str.splitlines`.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(end) = rest.find(is_line_break) else {
            return Some(std::mem::take(&mut rest));
        };
        let line = &rest[..end];
        let tail = &rest[end..];
        let width = if tail.starts_with("\r\n") { 2 } else { tail.chars().next().map_or(0, char::len_utf8) };
        rest = &tail[width..];
        Some(line)
    })
}

/// The number of characters.
pub fn count(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

/// Punctuation that datatrove removes from words and texts, without control characters and sentence ends.
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«´»–—’“”„…∶━►、。〈〉《》「」【】！％（），．１：；？～";

/// Characters with Unicode's property `Sentence_Terminal`, and the full stops of scripts that lack it.
const TERMINAL: &str = "!.?\u{589}\u{61d}\u{61e}\u{61f}\u{6d4}\u{700}\u{701}\u{702}\u{7f9}\u{837}\u{839}\u{83d}\u{83e}\u{964}\u{965}\u{104a}\u{104b}\u{1362}\u{1367}\u{1368}\u{166e}\u{1735}\u{1736}\u{17d4}\u{17d5}\u{17d6}\u{17d9}\u{17da}\u{1803}\u{1809}\u{1944}\u{1945}\u{1aa8}\u{1aa9}\u{1aaa}\u{1aab}\u{1b5a}\u{1b5b}\u{1b5e}\u{1b5f}\u{1b7d}\u{1b7e}\u{1c3b}\u{1c3c}\u{1c7e}\u{1c7f}\u{203c}\u{203d}\u{2047}\u{2048}\u{2049}\u{2e2e}\u{2e3c}\u{2e53}\u{2e54}\u{3002}\u{a4ff}\u{a60e}\u{a60f}\u{a6f3}\u{a6f7}\u{a876}\u{a877}\u{a8ce}\u{a8cf}\u{a92f}\u{a9c8}\u{a9c9}\u{aa5d}\u{aa5e}\u{aa5f}\u{aaf0}\u{aaf1}\u{abeb}\u{fe52}\u{fe56}\u{fe57}\u{ff01}\u{ff0e}\u{ff1f}\u{ff61}\u{10a56}\u{10a57}\u{10f55}\u{10f56}\u{10f57}\u{10f58}\u{10f59}\u{10f86}\u{10f87}\u{10f88}\u{10f89}\u{11047}\u{11048}\u{110be}\u{110bf}\u{110c0}\u{110c1}\u{11141}\u{11142}\u{11143}\u{111c5}\u{111c6}\u{111cd}\u{111de}\u{111df}\u{11238}\u{11239}\u{1123b}\u{1123c}\u{112a9}\u{1144b}\u{1144c}\u{115c2}\u{115c3}\u{115c9}\u{115ca}\u{115cb}\u{115cc}\u{115cd}\u{115ce}\u{115cf}\u{115d0}\u{115d1}\u{115d2}\u{115d3}\u{115d4}\u{115d5}\u{115d6}\u{115d7}\u{11641}\u{11642}\u{1173c}\u{1173d}\u{1173e}\u{11944}\u{11946}\u{11a42}\u{11a43}\u{11a9b}\u{11a9c}\u{11c41}\u{11c42}\u{11ef7}\u{11ef8}\u{11f43}\u{11f44}\u{16a6e}\u{16a6f}\u{16af5}\u{16b37}\u{16b38}\u{16b44}\u{16e98}\u{1bc9f}\u{1da88}";

/// Whether a character ends a sentence in some script.
pub fn is_terminal(c: char) -> bool {
    if c.is_ascii() { matches!(c, '!' | '.' | '?') } else { TERMINAL.contains(c) }
}

/// Whether a character is no part of a word: punctuation, a sentence end or a control character other than the line
/// feed.
pub fn is_symbol(c: char) -> bool {
    match c {
        '\t' | '\n' => false,
        '\0'..='\x1f' => true,
        '\u{7f}'..='\u{9f}' => true,
        ' '..='\x7e' => c.is_ascii_punctuation(),
        _ => PUNCTUATION.contains(c) || TERMINAL.contains(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_python_ends_them() {
        let split = |text| lines(text).collect::<Vec<_>>();
        assert_eq!(split("a\r\nb\rc\nd\u{2028}e\x0cf\n"), ["a", "b", "c", "d", "e", "f"]);
        assert_eq!(split("\n\na"), ["", "", "a"]);
        assert_eq!(split(""), [""; 0]);
    }

    #[test]
    fn symbols_are_those_of_datatrove() {
        // range(0, 9), range(11, 13), range(13, 32), range(127, 160): without the tab and the line feed.
        for (c, symbol) in [('\0', true), ('\t', false), ('\n', false), ('\x0b', true), ('\x1f', true), (' ', false)] {
            assert_eq!(is_symbol(c), symbol, "{c:?}");
        }
        for (c, symbol) in
            [('$', true), ('a', false), ('…', true), ('।', true), ('é', false), ('\u{85}', true), ('•', false)]
        {
            assert_eq!(is_symbol(c), symbol, "{c:?}");
        }
    }
}
