//! Rules for addresses: listed domains and words.

use serde::{Deserialize, Serialize};

use super::Sheet;

/// The lists. All are empty by default; published block lists are long, and the user chooses one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UrlRules {
    /// Whether the stage runs.
    pub enabled: bool,
    /// Domains whose pages, and those of their subdomains, are dropped.
    pub domains: Vec<String>,
    /// Words that drop a page if they occur in its address between characters that are no letters or digits.
    pub words: Vec<String>,
    /// Words of which `min_soft_words` different ones drop a page.
    pub soft_words: Vec<String>,
    /// See `soft_words`.
    pub min_soft_words: usize,
    /// Parts that drop a page if they occur anywhere in its address, ignoring all characters but letters and digits.
    pub parts: Vec<String>,
}

impl Default for UrlRules {
    fn default() -> Self {
        Self {
            enabled: true,
            domains: Vec::new(),
            words: Vec::new(),
            soft_words: Vec::new(),
            min_soft_words: 2,
            parts: Vec::new(),
        }
    }
}

/// Measures an address; a document without one is kept.
pub fn url(address: &str, rules: &UrlRules, sheet: &mut Sheet) {
    if address.is_empty() {
        return;
    }
    let host = host(address);
    let listed = |domain: &&String| {
        let domain = domain.trim().trim_start_matches('.');
        let rest = host.strip_suffix(domain);
        !domain.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let lower = address.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let occurs = |word: &&String| words.contains(&word.to_ascii_lowercase().as_str());
    let letters: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    let part = |part: &&String| !part.is_empty() && letters.contains(&part.to_ascii_lowercase());
    let number = |n: usize| n as f64;
    let _ = sheet.max("domain", number(rules.domains.iter().filter(listed).count()), 0.0)
        || sheet.max("hard_blacklisted", number(rules.words.iter().filter(occurs).count()), 0.0)
        || sheet.max(
            "soft_blacklisted",
            number(rules.soft_words.iter().filter(occurs).count()),
            number(rules.min_soft_words.saturating_sub(1)),
        )
        || sheet.max("blacklisted_subword", number(rules.parts.iter().filter(part).count()), 0.0);
}

/// The host of an address, in lower case.
pub(crate) fn host(address: &str) -> String {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host.split(':').next().unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_dropped_by_lists() {
        let list = |words: &[&str]| words.iter().map(|word| word.to_string()).collect::<Vec<_>>();
        let rules = UrlRules {
            domains: list(&["bad.example"]),
            words: list(&["casino"]),
            soft_words: list(&["free", "win"]),
            parts: list(&["pills"]),
            ..UrlRules::default()
        };
        for (address, reason) in [
            ("https://bad.example/x", Some("domain")),
            ("https://user@www.BAD.example:8080/x", Some("domain")),
            ("https://notbad.example/", None),
            ("https://a.example/best-casino/", Some("hard_blacklisted")),
            ("https://casinos.example/", None),
            ("https://a.example/free", None),
            ("https://a.example/free/win", Some("soft_blacklisted")),
            ("https://a.example/cheap-pil-ls", Some("blacklisted_subword")),
            ("", None),
        ] {
            let mut sheet = Sheet::new(false);
            url(address, &rules, &mut sheet);
            assert_eq!(sheet.reason().map(|measure| measure.rule), reason, "{address}");
        }
    }
}
