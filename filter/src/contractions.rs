//! English contractions and abbreviations, which the rules for prefixes and suffixes would split wrongly.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// Words that are followed by a contracted verb, and whether this is written with each of `'m 'll 'd 've 're 's`.
const STEMS: [&str; 21] = [
    "i", "you", "he", "she", "it", "we", "they", "who", "what", "when", "where", "why", "how", "there", "that", "this",
    "these", "those", "let", "so", "y",
];

/// Verbs that are followed by a contracted "not".
const NEGATED: [&str; 23] = [
    "ca", "could", "do", "does", "did", "had", "may", "might", "must", "need", "ought", "sha", "should", "wo", "would",
    "ai", "are", "is", "was", "were", "have", "has", "dare",
];

/// Words that only look like contractions without their apostrophe.
const NO_CONTRACTIONS: [&str; 14] =
    ["ill", "hell", "shell", "well", "shed", "were", "whore", "its", "lets", "sos", "yd", "sore", "sod", "soll"];

/// Abbreviations that keep their full stop.
const ABBREVIATIONS: [&str; 93] = [
    "Mt.", "Ak.", "Ala.", "Apr.", "Ariz.", "Ark.", "Aug.", "Calif.", "Colo.", "Conn.", "Dec.", "Del.", "Feb.", "Fla.",
    "Ga.", "Ia.", "Id.", "Ill.", "Ind.", "Jan.", "Jul.", "Jun.", "Kan.", "Kans.", "Ky.", "La.", "Mar.", "Mass.",
    "Mich.", "Minn.", "Miss.", "N.C.", "N.D.", "N.H.", "N.J.", "N.M.", "N.Y.", "Neb.", "Nebr.", "Nev.", "Nov.", "Oct.",
    "Okla.", "Ore.", "Pa.", "S.C.", "Sep.", "Sept.", "Tenn.", "Va.", "Wash.", "Wis.", "a.m.", "Adm.", "Bros.", "co.",
    "Co.", "Corp.", "D.C.", "Dr.", "e.g.", "E.g.", "E.G.", "Gen.", "Gov.", "i.e.", "I.e.", "I.E.", "Inc.", "Jr.",
    "Ltd.", "Md.", "Messrs.", "Mo.", "Mont.", "Mr.", "Mrs.", "Ms.", "p.m.", "Ph.D.", "Prof.", "Rep.", "Rev.", "Sen.",
    "St.", "vs.", "v.s.", "and/or", "w/o", "C++", "o'clock", "ma'am", "o.o",
];

const EMOTICONS: [&str; 24] = [
    ":)", ":(", ";)", ":D", ":P", ":p", ":-)", ":-(", ";-)", ":-D", ":-P", ":/", ":-/", ":|", ":O", ":o", "=)", "=(",
    "<3", "</3", "^_^", "8)", ":*", ":3",
];

/// Whether a chunk is one token although it contains punctuation.
pub fn abbreviation(chunk: &str) -> bool {
    let dotted = || chunk.ends_with('.') && ABBREVIATIONS.contains(&chunk);
    let letter = || chunk.len() == 2 && chunk.ends_with('.') && chunk.as_bytes()[0].is_ascii_lowercase();
    chunk.len() <= 8
        && !chunk.bytes().all(|b| b.is_ascii_alphanumeric())
        && (letter() || dotted() || EMOTICONS.contains(&chunk) || ABBREVIATIONS[87..].contains(&chunk))
}

/// The longest contraction in bytes.
const MAX_BYTES: usize = 14;

/// Contractions without an apostrophe, in lower case: "dont", "theyd", "cannot". Most words are looked up here.
static BARE: LazyLock<FxHashMap<Vec<u8>, [usize; 2]>> = LazyLock::new(|| {
    let verbs = ["m", "s", "re", "ve", "d", "ll", "llve", "dve"];
    let positive = STEMS.iter().flat_map(|stem| verbs.iter().map(move |verb| format!("{stem}{verb}")));
    let negative = NEGATED.iter().flat_map(|verb| [format!("{verb}nt"), format!("{verb}ntve")]);
    let words = positive.chain(negative).filter(|word| !NO_CONTRACTIONS.contains(&word.as_str()));
    let split = words.filter_map(|word| Some((negated(&word).or_else(|| contracted(&word))?, word.into_bytes())));
    let fused = ["cannot", "gonna", "gotta"].map(|word| ([3, 0], word.as_bytes().to_vec()));
    split.chain(fused).map(|(ends, word)| (word, ends)).collect()
});

/// Where the parts of a contraction end, except the last one; `None` if the chunk is no contraction. Unused entries are
/// 0.
pub fn parts(chunk: &str) -> Option<[usize; 2]> {
    let bytes = chunk.as_bytes();
    if bytes.len() > MAX_BYTES || !bytes.first()?.is_ascii_alphanumeric() {
        return None;
    }
    if bytes[0].is_ascii_digit() {
        return clock(chunk);
    }
    // Only the first letter may be a capital.
    if bytes[1..].iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let mut lower = [0; MAX_BYTES];
    let lower = &mut lower[..bytes.len()];
    lower.copy_from_slice(bytes);
    lower[0].make_ascii_lowercase();
    if bytes.iter().all(u8::is_ascii_alphabetic) {
        return BARE.get(&*lower).copied();
    }
    let lower = std::str::from_utf8(lower).ok().filter(|word| word.contains(['\'', '’']))?;
    negated(lower).or_else(|| contracted(lower))
}

/// "10am": a number up to 12 before am or pm.
fn clock(chunk: &str) -> Option<[usize; 2]> {
    let number = ["am", "pm", "a.m.", "p.m.", "a.m", "p.m"].iter().find_map(|half| chunk.strip_suffix(half))?;
    let hour: u32 = number.parse().ok()?;
    (1..=12).contains(&hour).then_some([number.len(), 0])
}

fn apostrophe(text: &str) -> usize {
    ['\'', '’'].into_iter().find(|&c| text.starts_with(c)).map_or(0, char::len_utf8)
}

/// "don't", "dont", "couldn't've".
fn negated(word: &str) -> Option<[usize; 2]> {
    let verb = NEGATED.iter().filter(|verb| word.starts_with(**verb)).find(|verb| {
        let rest = &word[verb.len()..];
        rest.strip_prefix('n').is_some_and(|rest| rest[apostrophe(rest)..].starts_with('t'))
    })?;
    let after_n = &word[verb.len() + 1..];
    let end = verb.len() + 1 + apostrophe(after_n) + 1;
    match &word[end..] {
        "" => Some([verb.len(), 0]),
        rest => (&rest[apostrophe(rest)..] == "ve").then_some([verb.len(), end]),
    }
}

/// "she'll", "shell" excepted, "theyd've", "ive".
fn contracted(word: &str) -> Option<[usize; 2]> {
    let is_verb = |rest: &str| matches!(&rest[apostrophe(rest)..], "m" | "ll" | "d" | "ve" | "re" | "s");
    for stem in STEMS.iter().filter(|stem| word.starts_with(**stem)) {
        let rest = &word[stem.len()..];
        let written = apostrophe(rest) > 0;
        if matches!(*stem, "let" | "so" | "y") && !written {
            continue;
        }
        if is_verb(rest) {
            let verb = &rest[apostrophe(rest)..];
            let fits = written || fits(stem, verb);
            return fits.then_some([stem.len(), 0]);
        }
        let first = ["ll", "d"].into_iter().find(|verb| rest[apostrophe(rest)..].starts_with(verb));
        if let Some(verb) = first {
            let end = stem.len() + apostrophe(rest) + verb.len();
            let tail = &word[end..];
            if &tail[apostrophe(tail)..] == "ve" {
                return Some([stem.len(), end]);
            }
        }
    }
    None
}

/// Whether a stem and a verb are joined without an apostrophe.
fn fits(stem: &str, verb: &str) -> bool {
    match verb {
        "m" => stem == "i",
        "s" => !matches!(stem, "i" | "you" | "we" | "they" | "it" | "these" | "those"),
        "re" => !matches!(stem, "i" | "he" | "she" | "it" | "we" | "who" | "that" | "this"),
        "ve" => !matches!(stem, "he" | "she" | "it" | "that" | "this"),
        "d" => !matches!(stem, "she"),
        _ => true,
    }
}
