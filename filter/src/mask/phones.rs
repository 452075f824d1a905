//! Phone numbers in the notations of many countries.
//!
//! A candidate is a run of groups of digits. It is a phone number if it has an international prefix, or the grouping of
//! North America, or a trunk prefix 0, or is one of the national forms without either. The characters around it must not
//! make it part of a word, an address, a domain name or a longer number.

/// A group of digits.
#[derive(Clone, Copy)]
struct Group {
    start: usize,
    end: usize,
    /// Enclosed in parentheses.
    enclosed: bool,
    /// The separator before it contains white space.
    spaced: bool,
}

impl Group {
    fn len(&self) -> usize {
        self.end - self.start
    }
}

/// The byte ranges of phone numbers.
pub(super) fn find(text: &str) -> Vec<(usize, usize)> {
    let (bytes, mut found, mut at) = (text.as_bytes(), Vec::new(), 0);
    while let Some(next) = text[at..].find(|c: char| c.is_ascii_digit()) {
        let first = at + next;
        let groups = groups(text, first);
        at = groups.last().map_or(first + 1, |group| group.end);
        let mut from = 0;
        while from < groups.len() {
            let rest = &groups[from..];
            // The longest part of the run that is a number.
            let fits = |n: &usize| {
                let (start, end) = extent(bytes, &rest[..*n]);
                let apart = rest.get(*n).is_none_or(|next| next.spaced && !next.enclosed);
                apart && is_number(text, &rest[..*n]) && bounded(text, start, end)
            };
            let length = (1..=rest.len().min(7)).rev().find(fits);
            match length {
                Some(n) => {
                    found.push(extent(bytes, &rest[..n]));
                    from += n;
                }
                None => from += 1,
            }
            // A number may only start after white space.
            while from > 0 && from < groups.len() && !groups[from].spaced {
                from += 1;
            }
        }
    }
    found
}

/// The groups of digits from `first` on that belong together.
fn groups(text: &str, first: usize) -> Vec<Group> {
    let bytes = text.as_bytes();
    let digits = |at: usize| bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
    let (mut groups, mut start, mut spaced) = (Vec::new(), first, false);
    loop {
        let end = start + digits(start);
        let enclosed = start > 0 && bytes[start - 1] == b'(' && bytes.get(end) == Some(&b')');
        groups.push(Group { start, end, enclosed, spaced });
        // Up to three separators: ") ", " (", " - ".
        let (mut next, mut n) = (end, 0);
        spaced = false;
        while n < 3
            && let Some(c) = text[next..].chars().next()
            && is_separator(c)
        {
            spaced |= matches!(c, ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}');
            next += c.len_utf8();
            n += 1;
        }
        // More than this many groups are a table.
        if n == 0 || next >= bytes.len() || !bytes[next].is_ascii_digit() || groups.len() == 64 {
            return groups;
        }
        start = next;
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '-' | '.' | '/' | '(' | ')' | '\u{a0}' | '\u{2009}' | '\u{202f}' | '\u{2010}' | '\u{2011}' | '–')
}

/// From the plus sign or parenthesis before the first group to the end of the last group.
fn extent(bytes: &[u8], groups: &[Group]) -> (usize, usize) {
    let mut start = groups[0].start;
    if groups[0].enclosed {
        start -= 1;
    }
    if start > 0 && bytes[start - 1] == b'+' {
        start -= 1;
    }
    // "(+49)".
    if start > 0 && bytes[start] == b'+' && bytes[start - 1] == b'(' {
        start -= 1;
    }
    let last = groups[groups.len() - 1];
    (start, last.end + usize::from(groups.len() == 1 && groups[0].enclosed))
}

/// Whether the characters around a number leave it a number of its own.
fn bounded(text: &str, start: usize, end: usize) -> bool {
    let mut before = text[..start].chars().rev();
    let (last, second) = (before.next(), before.next());
    let ok_before = match last {
        Some(c) if c.is_alphanumeric() || "_@/=#$€£¥%~&\\^+".contains(c) => false,
        // The end of a number or word, "1,2831823829", "a-2831823829"; but "tel.283…".
        Some(',' | '-') => !second.is_some_and(char::is_alphanumeric),
        Some('.' | ':') => !second.is_some_and(|c| c.is_ascii_digit()),
        _ => true,
    };
    let mut after = text[end..].chars();
    let (next, second) = (after.next(), after.next());
    let ok_after = match next {
        Some('x') => second.is_some_and(|c| c.is_ascii_digit()),
        Some(c) if c.is_alphanumeric() || "_@%°$€£¥".contains(c) => false,
        Some('.' | '-' | ',' | ':' | '/') => !second.is_some_and(char::is_alphanumeric),
        _ => true,
    };
    ok_before && ok_after && !announced(&text[..start])
}

/// Whether the word before a number says that it counts or names something else.
fn announced(before: &str) -> bool {
    let before = before.trim_end_matches([' ', '\u{a0}', ':', '#', '.']);
    let word = before.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or("").to_ascii_lowercase();
    matches!(
        word.as_str(),
        "isbn"
            | "issn"
            | "doi"
            | "id"
            | "version"
            | "order"
            | "invoice"
            | "item"
            | "sku"
            | "ean"
            | "upc"
            | "serial"
            | "timestamp"
            | "usd"
            | "eur"
            | "gbp"
            | "account"
            | "iban"
            | "pp"
    )
}

/// Whether groups of digits form a phone number.
fn is_number(text: &str, groups: &[Group]) -> bool {
    let bytes = text.as_bytes();
    let n_digits: usize = groups.iter().map(Group::len).sum();
    let lens: Vec<usize> = groups.iter().map(Group::len).collect();
    let digit = |at: usize| bytes[groups[0].start + at];
    let (start, _) = extent(bytes, groups);
    let international =
        bytes[start..groups[0].start].contains(&b'+') || text[groups[0].start..groups[0].end].starts_with("00");
    if international {
        return (8..=15).contains(&n_digits) && groups.len() <= 7 && (bytes[start] != b'0' || groups.len() > 1);
    }
    if is_date(text, groups) {
        return false;
    }
    let one_separator = groups.len() < 3 || separators_agree(text, groups);
    let first = digit(0);
    match lens[..] {
        [10] => !matches!(first, b'0' | b'1') || is_japanese_or_korean(text, groups),
        // Mobile numbers of China.
        [11] | [3, 4, 4] if first == b'1' && (b'3'..=b'9').contains(&digit(1)) => true,
        [3, 3, 4] => first != b'0' || one_separator,
        [3, 7] | [3, 4, 4] | [3, 8] | [4, 7] | [4, 8] if first == b'0' => true,
        [1, 3, 3, 4] | [1, 10] => matches!(first, b'1') || groups.get(1).is_some_and(|group| group.enclosed),
        [1, 3, 3, 2, 2] | [1, 3, 7] => matches!(first, b'7' | b'8'),
        // India, and Brazil without its area code.
        [5, 5] => (b'6'..=b'9').contains(&first),
        [11] if first == b'8' && matches!(digit(1), b'4' | b'8' | b'9') => true,
        _ if first == b'0' => trunk(&lens, n_digits) && one_separator,
        _ if groups[0].enclosed => {
            let year = lens[0] == 4 && matches!(first, b'1' | b'2');
            !year
                && (2..=5).contains(&lens[0])
                && (8..=11).contains(&n_digits)
                && lens[1..].iter().all(|len| (2..=8).contains(len))
        }
        _ => false,
    }
}

/// Groupings behind the trunk prefix 0, as in Europe and Australia: "020 7946 0958", "0171 1234567", "01 23 45 67 89".
fn trunk(lens: &[usize], n_digits: usize) -> bool {
    let groups = (2..=5).contains(&lens.len())
        && (2..=5).contains(&lens[0])
        && lens[1..].iter().all(|len| (2..=8).contains(len));
    groups && (9..=12).contains(&n_digits) || lens == [11]
}

/// Ten digits without separators that start with 0.
fn is_japanese_or_korean(text: &str, groups: &[Group]) -> bool {
    let number = &text[groups[0].start..groups[0].end];
    number.starts_with("0") && !number.starts_with("00")
}

/// Whether all separators between groups are alike, as in a number and not in a row of several numbers. One after a
/// parenthesis may differ.
fn separators_agree(text: &str, groups: &[Group]) -> bool {
    let between = |pair: &[Group]| text[pair[0].end..pair[1].start].trim_matches(['(', ')']).chars().next();
    let enclosed = usize::from(groups[0].enclosed);
    let mut all = groups[enclosed..].windows(2).map(between);
    let first = all.next().flatten();
    // The first one may be a slash, as in "0171/123 45 67".
    let mut rest = all.collect::<Vec<_>>().into_iter();
    let second = rest.next();
    second.is_none_or(|second| (second == first || matches!(first, Some('/' | '-'))) && rest.all(|next| next == second))
}

/// "01.02.2023 10", "2023-01-02 1030": a date at the start.
fn is_date(text: &str, groups: &[Group]) -> bool {
    let number = |at: usize| groups.get(at).and_then(|group| text[group.start..group.end].parse::<u32>().ok());
    let lens: Vec<usize> = groups.iter().take(3).map(Group::len).collect();
    let (Some(a), Some(b), Some(c)) = (number(0), number(1), number(2)) else { return false };
    let year = |value: u32| (1500..2200).contains(&value);
    let tight = !groups[1].spaced && !groups[2].spaced;
    let day_first = lens[0] <= 2 && lens[1] <= 2 && lens[2] == 4 && a <= 31 && b <= 31 && year(c);
    let year_first = lens[0] == 4 && lens[1] <= 2 && lens[2] <= 2 && year(a) && b <= 12 && c <= 31;
    tight && (day_first || year_first)
}
