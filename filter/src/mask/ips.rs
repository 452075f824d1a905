//! IP addresses in their usual notation.

use std::net::Ipv6Addr;

/// The byte ranges of IPv4 addresses, with `ipv6` also of IPv6 addresses. An IPv4 address at the end of an IPv6 address
/// is no address of its own.
pub(super) fn find(text: &str, ipv6: bool) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let in_run =
        |at: usize| bytes.get(at).is_some_and(|&b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'_'));
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if !in_run(at) {
            at += 1;
            continue;
        }
        let start = at;
        while in_run(at) {
            at += 1;
        }
        // A letter of another script makes it part of a word.
        let joined = text[..start].chars().next_back().is_some_and(char::is_alphanumeric)
            || text[at..].chars().next().is_some_and(char::is_alphanumeric);
        if !joined {
            let run = &text[start..at];
            let before = &text[..start];
            found.extend(in_text(run, before, ipv6).map(|(from, len)| (start + from, start + from + len)));
        }
    }
    found
}

/// The position and length of the address in a run of letters, digits, `.`, `:` and `_`.
fn in_text(run: &str, before: &str, ipv6: bool) -> Option<(usize, usize)> {
    let trimmed = run.trim_end_matches(['.', ':']);
    if trimmed.matches(':').count() >= 2 {
        let six = run.trim_end_matches('.');
        let six = if six.ends_with("::") { six } else { trimmed };
        return (ipv6 && six.parse::<Ipv6Addr>().is_ok()).then_some((0, six.len()));
    }
    // "host:192.0.2.1" and "192.0.2.1:8080".
    let (offset, mut address) = match trimmed.split_once(':') {
        Some((label, rest)) if !label.contains('.') => (label.len() + 1, rest),
        _ => (0, trimmed),
    };
    if let Some((host, port)) = address.split_once(':') {
        if port.is_empty() || port.len() > 5 || !port.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        address = host;
    }
    if offset == 0 && is_version(before) {
        return None;
    }
    is_ipv4(address).then_some((offset, address.len()))
}

/// Four numbers from 0 to 255, of at most three digits.
fn is_ipv4(text: &str) -> bool {
    let mut n = 0;
    let octets = text.split('.').all(|part| {
        n += 1;
        (1..=3).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.parse::<u16>().is_ok_and(|v| v < 256)
    });
    octets && n == 4
}

/// Whether the text before a number announces a version, section or release.
fn is_version(before: &str) -> bool {
    let word =
        before.trim_end_matches([' ', '\u{a0}']).rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or("");
    let word = word.trim_end_matches([':', '.']).to_ascii_lowercase();
    matches!(
        word.as_str(),
        "version" | "versions" | "ver" | "v" | "release" | "build" | "firmware" | "section" | "chapter" | "§"
    )
}
