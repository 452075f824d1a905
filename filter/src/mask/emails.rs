//! E-mail addresses: a local part, `@`, and a domain with a top-level domain of letters.

/// The byte ranges of e-mail addresses.
pub(super) fn find(text: &str) -> Vec<(usize, usize)> {
    let (mut found, mut from) = (Vec::new(), 0);
    for (at, _) in text.match_indices('@') {
        if at < from {
            continue;
        }
        let local = &text[from..at];
        let start = from + local.len() - local_part(local);
        let domain = domain(&text[at + 1..]);
        if start < at && domain > 0 {
            found.push((start, at + 1 + domain));
            from = at + 1 + domain;
        }
    }
    found
}

/// Letters of scripts with spaces between words; addresses stand next to other letters without a space.
fn is_letter_or_digit(c: char) -> bool {
    c.is_alphanumeric() && c < '\u{2e80}'
}

/// The length of the local part that a text ends with.
fn local_part(before: &str) -> usize {
    let allowed = |c: char| is_letter_or_digit(c) || "!#$%&'*+/=?^_`{|}~-.".contains(c);
    let part = &before[before.trim_end_matches(allowed).len()..];
    if part.ends_with('.') {
        return 0;
    }
    // Marks that only surround an address, as in 'tom@example.org', |tom@example.org| or =tom@example.org.
    part.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_').rsplit("..").next().map_or(0, str::len)
}

/// The length of the domain that a text starts with; 0 if there is none.
fn domain(after: &str) -> usize {
    let end = after.find(|c: char| !(is_letter_or_digit(c) || c == '-' || c == '.')).unwrap_or(after.len());
    let mut host = &after[..end];
    // The longest part that ends in a top-level domain.
    loop {
        host = host.trim_end_matches(['.', '-']);
        let Some((labels, top)) = host.rsplit_once('.') else { return 0 };
        let is_label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
        let is_top = top.chars().count() >= 2 && (top.chars().all(char::is_alphabetic) || top.starts_with("xn--"));
        if !labels.split('.').all(is_label) {
            return 0;
        }
        if is_top {
            return host.len();
        }
        host = labels;
    }
}
