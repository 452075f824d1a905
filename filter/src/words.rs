//! Words as the published filters count them: the tokens of spaCy's rule-based English tokenizer, which datatrove uses.
//! A word that ends in a full stop is two tokens, and so is "don't".

use crate::chars::is_space;
use crate::contractions::{abbreviation, parts};

/// The tokens of a text, as slices of it, without white space.
pub fn words(text: &str) -> Vec<&str> {
    let mut out = Vec::with_capacity(text.len() / 5);
    for chunk in text.split(is_space).filter(|chunk| !chunk.is_empty()) {
        tokens(chunk, &mut out);
    }
    out
}

/// The number of sentences, as spaCy's sentencizer counts them: a sentence starts at the first token that is no
/// punctuation after a `.`, `!` or `?`.
pub fn sentences(text: &str) -> usize {
    let (mut count, mut ended) = (0, true);
    for word in words(text) {
        let mut characters = word.chars();
        let first = characters.next().unwrap_or(' ');
        let ends = characters.next().is_none() && crate::chars::is_terminal(first);
        if ended && (count == 0 || !(ends || word.chars().all(is_punctuation))) {
            count += 1;
            ended = false;
        }
        ended |= ends;
    }
    count
}

/// Whether Unicode's general category of a character is punctuation, for the characters that spaCy's tokens hold.
fn is_punctuation(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation() && !"$+<=>^`|~".contains(c);
    }
    matches!(c, '¡' | '§' | '«' | '¶' | '·' | '»' | '¿' | '‐'..='‧' | '‰'..='⁃' | '⁅'..='⁑' | '、'..='〃' | '〈'..='】' | '〔'..='〟')
        || matches!(c, '！'..='＃' | '％'..='＊' | '，'..='／' | '：' | '；' | '？' | '＠' | '［'..='］' | '＿' | '｛' | '｝')
        || (crate::chars::is_terminal(c) && !c.is_alphanumeric())
}

fn tokens<'t>(chunk: &'t str, out: &mut Vec<&'t str>) {
    if special(chunk, out) {
        return;
    }
    if chunk.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        out.push(chunk);
        return;
    }
    let (mut rest, mut suffixes) = (chunk, Vec::new());
    while !rest.is_empty() {
        let (before, after) = (prefix(rest), suffix(rest));
        if before > 0 && is_special(&rest[before..]) {
            out.push(&rest[..before]);
            rest = &rest[before..];
            break;
        }
        if after > 0 && is_special(&rest[..rest.len() - after]) {
            suffixes.push(&rest[rest.len() - after..]);
            rest = &rest[..rest.len() - after];
            break;
        }
        if before == 0 && after == 0 {
            break;
        }
        if before > 0 {
            out.push(&rest[..before]);
            rest = &rest[before..];
        }
        // A suffix that overlaps the prefix is found again in what is left.
        if after > 0 && after <= rest.len() {
            suffixes.push(&rest[rest.len() - after..]);
            rest = &rest[..rest.len() - after];
        }
        if is_special(rest) {
            break;
        }
    }
    if !rest.is_empty() && !special(rest, out) {
        if is_url(rest) { out.push(rest) } else { infixes(rest, out) }
    }
    out.extend(suffixes.into_iter().rev());
}

/// Whether a chunk has parts that the general rules do not give.
fn is_special(chunk: &str) -> bool {
    abbreviation(chunk) || parts(chunk).is_some()
}

fn special<'t>(chunk: &'t str, out: &mut Vec<&'t str>) -> bool {
    if abbreviation(chunk) {
        out.push(chunk);
        return true;
    }
    let Some(ends) = parts(chunk) else { return false };
    let mut start = 0;
    for end in ends.into_iter().filter(|&end| end > 0) {
        out.push(&chunk[start..end]);
        start = end;
    }
    out.push(&chunk[start..]);
    true
}

const CURRENCY: &str = "$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₶₷₸₹₺₻₼₾₿";
const QUOTES: &str = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉⟦⟧";
const PUNCT: &str = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪";

/// Pictographs and other symbols, which are tokens of their own.
fn is_icon(c: char) -> bool {
    matches!(c, '¦' | '©' | '®' | '°' | '\u{2100}'..='\u{2101}' | '\u{2103}'..='\u{2106}' | '\u{2116}'..='\u{2117}'
        | '\u{211e}'..='\u{2123}' | '\u{2195}'..='\u{2199}' | '\u{219c}'..='\u{21f3}' | '\u{2300}'..='\u{2307}'
        | '\u{230c}'..='\u{23fa}' | '\u{2400}'..='\u{244a}' | '\u{249c}'..='\u{24e9}' | '\u{2500}'..='\u{25b6}'
        | '\u{25b8}'..='\u{25c0}' | '\u{25c2}'..='\u{25f7}' | '\u{2600}'..='\u{266e}' | '\u{2670}'..='\u{2767}'
        | '\u{2794}'..='\u{27bf}' | '\u{2800}'..='\u{28ff}' | '\u{2b00}'..='\u{2bfe}' | '\u{fffc}'..='\u{fffd}'
        | '\u{1f000}'..='\u{1f3fa}' | '\u{1f400}'..='\u{1f9ff}')
}

/// The length in bytes of the token that a chunk starts with; 0 if it starts with a word.
fn prefix(chunk: &str) -> usize {
    let mut characters = chunk.chars();
    let Some(first) = characters.next() else { return 0 };
    match first {
        '+' => usize::from(!characters.next().is_some_and(|next| next.is_ascii_digit())),
        '.' => match chunk.len() - chunk.trim_start_matches('.').len() {
            0 | 1 => 0,
            dots => dots,
        },
        'U' if chunk.starts_with("US$") => 3,
        'C' | 'A' if chunk[1..].starts_with('$') => 2,
        _ if first.is_ascii_alphanumeric() => 0,
        '§' | '%' | '=' | '—' | '–' => first.len_utf8(),
        _ if PUNCT.contains(first) || QUOTES.contains(first) || CURRENCY.contains(first) || is_icon(first) => {
            first.len_utf8()
        }
        _ => 0,
    }
}

const UNITS: [&str; 52] = [
    "km", "km²", "km³", "m", "m²", "m³", "dm", "dm²", "dm³", "cm", "cm²", "cm³", "mm", "mm²", "mm³", "ha", "µm", "nm",
    "yd", "in", "ft", "kg", "g", "mg", "µg", "t", "lb", "oz", "m/s", "km/h", "kmh", "mph", "hPa", "Pa", "mbar", "mb",
    "MB", "kb", "KB", "gb", "GB", "tb", "TB", "T", "G", "M", "K", "%", "км", "м", "кг", "г",
];

/// The length in bytes of the token that a chunk ends with; 0 if it ends with a word.
fn suffix(chunk: &str) -> usize {
    let mut characters = chunk.chars().rev();
    let (Some(last), before) = (characters.next(), characters.next()) else { return 0 };
    let dots = chunk.len() - chunk.trim_end_matches('.').len();
    if dots >= 2 {
        return dots;
    }
    if last == '.' {
        return usize::from(full_stop(before, characters.next()));
    }
    if matches!(last, 's' | 'S') {
        return match before {
            Some('\'') => 2,
            Some('’') => 4,
            _ => 0,
        };
    }
    if !last.is_ascii_alphanumeric()
        && (matches!(last, '—' | '–') || PUNCT.contains(last) || QUOTES.contains(last) || is_icon(last))
    {
        return last.len_utf8();
    }
    if !chunk.bytes().any(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    let after_digit = before.is_some_and(|c| c.is_ascii_digit());
    if after_digit && (last == '+' || CURRENCY.contains(last)) {
        return last.len_utf8();
    }
    let digit_before = |unit: &&&str| {
        let stem = chunk.strip_suffix(**unit);
        stem.is_some_and(|stem| stem.ends_with(|c: char| c.is_ascii_digit()))
    };
    UNITS.iter().filter(digit_before).map(|unit| unit.len()).max().unwrap_or(0)
}

/// Whether a full stop after these two characters, the last one first, is a token of its own.
fn full_stop(before: Option<char>, second: Option<char>) -> bool {
    let Some(c) = before else { return false };
    if c.is_uppercase() {
        return second.is_some_and(char::is_uppercase);
    }
    c.is_ascii_digit() || c.is_alphabetic() || "%²-+|".contains(c) || PUNCT.contains(c) || QUOTES.contains(c)
}

/// Splits a word at tokens inside of it, such as the hyphen of "well-known".
fn infixes<'t>(word: &'t str, out: &mut Vec<&'t str>) {
    let (mut start, mut at) = (0, 0);
    while at < word.len() {
        let len = infix(word, at);
        if len == 0 {
            at += word[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        if at > start {
            out.push(&word[start..at]);
        }
        out.push(&word[at..at + len]);
        at += len;
        start = at;
    }
    if start < word.len() {
        out.push(&word[start..]);
    }
}

/// The length in bytes of the token inside a word that starts at `at`; 0 if there is none.
fn infix(word: &str, at: usize) -> usize {
    let rest = &word[at..];
    let Some(c) = rest.chars().next() else { return 0 };
    if c.is_alphanumeric() {
        return 0;
    }
    let dots = rest.len() - rest.trim_start_matches('.').len();
    if dots >= 2 {
        return dots;
    }
    if c == '…' || is_icon(c) {
        return c.len_utf8();
    }
    let before = word[..at].chars().next_back();
    let after = |len: usize| rest[len..].chars().next();
    let alpha = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let quote = |c: Option<char>| c.is_some_and(|c| QUOTES.contains(c));
    let next = after(c.len_utf8());
    if "+-*^".contains(c) && digit(before) && (digit(next) || next == Some('-')) {
        return 1;
    }
    if c == '.' {
        let lower = before.is_some_and(|c| c.is_alphabetic() && !c.is_uppercase());
        let upper = next.is_some_and(|c| c.is_alphabetic() && !c.is_lowercase());
        return usize::from((lower || quote(before)) && (upper || quote(next)));
    }
    if c == ',' && alpha(before) && alpha(next) {
        return 1;
    }
    if alpha(before) {
        for hyphen in ["-", "–", "—", "--", "---", "——", "~"] {
            if rest.starts_with(hyphen) && alpha(after(hyphen.len())) {
                return hyphen.len();
            }
        }
    }
    usize::from(":<>=/".contains(c) && (alpha(before) || digit(before)) && alpha(next))
}

/// Whether a chunk is an address: an optional scheme and user, a domain that ends in lower-case letters, and optionally a
/// port and a path.
fn is_url(chunk: &str) -> bool {
    let rest = match chunk.split_once("://") {
        Some((scheme, rest)) if scheme.len() >= 2 => rest,
        Some(_) => return false,
        None => chunk,
    };
    let rest = rest.rsplit_once('@').filter(|(user, _)| !user.is_empty()).map_or(rest, |(_, host)| host);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let mut host = &rest[..end];
    if let Some((name, port)) = host.rsplit_once(':') {
        if !(2..=5).contains(&port.len()) || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return false;
        }
        host = name;
    }
    let Some((labels, top)) = host.rsplit_once('.') else { return false };
    let is_label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c >= '\u{a1}' || c == '-' || c == '_';
        !label.is_empty() && label.chars().all(inner) && !label.starts_with(['-', '_']) && !label.ends_with(['-', '_'])
    };
    let lower = |c: char| c.is_alphabetic() && !c.is_uppercase();
    let named = top.chars().count() >= 2 && top.chars().all(lower);
    (named && labels.split('.').all(is_label)) || is_public_ip(host)
}

fn is_public_ip(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| {
        let [first, _, _, last] = ip.octets();
        !ip.is_private()
            && !ip.is_loopback()
            && !ip.is_link_local()
            && (1..224).contains(&first)
            && last > 0
            && last < 255
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_those_of_spacy() {
        // Seen in spaCy 3.8, `spacy.blank("en")`.
        for (text, expected) in [
            ("Hello, world.", "Hello|,|world|."),
            ("I don't know (yet).", "I|do|n't|know|(|yet|)|."),
            ("She'll say: \"It's Tom's.\"", "She|'ll|say|:|\"|It|'s|Tom|'s|.|\""),
            (
                "A well-known U.S. firm, e.g. Acme Inc., paid $5.50!",
                "A|well|-|known|U.S.|firm|,|e.g.|Acme|Inc.|,|paid|$|5.50|!",
            ),
            ("Wait... what?!", "Wait|...|what|?|!"),
            ("end.Next text.", "end|.|Next|text|."),
            (
                "see http://a.example/b-c?d=e, or www.example.com.",
                "see|http://a.example/b-c?d=e|,|or|www.example.com|.",
            ),
            ("mail tom@example.org now", "mail|tom@example.org|now"),
            ("5km 10-20 3+4 50%", "5|km|10|-|20|3|+|4|50|%"),
            ("cannot gonna Mr. Smith", "can|not|gon|na|Mr.|Smith"),
            ("-- #tag @user a/b", "--|#|tag|@user|a|/|b"),
        ] {
            assert_eq!(words(text).join("|"), expected, "{text}");
        }
    }

    #[test]
    fn sentences_are_counted() {
        for (text, n) in [
            ("One. Two! Three?", 3),
            ("He said \"no.\" Then he left.", 2),
            ("No end", 1),
            ("Mr. Smith left.", 1),
            ("", 0),
        ] {
            assert_eq!(sentences(text), n, "{text}");
        }
    }
}
