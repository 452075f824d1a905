//! What class names, ids and roles say about a part of a page.

/// Names of parts that are no content.
const UNLIKELY: [&str; 44] = [
    "banner",
    "breadcrumb",
    "combx",
    "comment",
    "community",
    "consent",
    "cookie",
    "disqus",
    "extra",
    "foot",
    "gdpr",
    "legend",
    "menu",
    "modal",
    "navbar",
    "navigation",
    "newsletter",
    "pagination",
    "pager",
    "popup",
    "promo",
    "recommend",
    "related",
    "remark",
    "replies",
    "rss",
    "share",
    "shoutbox",
    "sidebar",
    "skyscraper",
    "social",
    "sponsor",
    "subscribe",
    "supplemental",
    "tags",
    "toolbar",
    "widget",
    "advert",
    "masthead",
    "overlay",
    "login",
    "signup",
    "cart",
    "tracking",
];

/// Names of parts that may be content although they have an unlikely name too.
const MAYBE: [&str; 7] = ["article", "body", "column", "content", "main", "story", "text"];

const POSITIVE: [&str; 10] = ["article", "body", "content", "entry", "main", "page", "post", "text", "blog", "story"];

const NEGATIVE: [&str; 12] = [
    "hidden", "banner", "comment", "contact", "foot", "meta", "outbrain", "promo", "related", "sidebar", "widget",
    "sponsor",
];

fn any(names: &str, list: &[&str]) -> bool {
    list.iter().any(|part| names.contains(part))
}

/// Whether a part is a menu, banner, footer or the like, by its class names and id in lower case.
pub(super) fn is_unlikely(names: &str) -> bool {
    let word = names.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| matches!(word, "nav" | "ad" | "ads"));
    (word || any(names, &UNLIKELY)) && !any(names, &MAYBE)
}

/// The weight of a part as content.
pub(super) fn weight(names: &str) -> f64 {
    25.0 * f64::from(i8::from(any(names, &POSITIVE)) - i8::from(any(names, &NEGATIVE)))
}
