//! The parts around a text: head, menu, cookie banner, side column, comments and footer, in the styles of several sites.

use super::Label;
use crate::rng::Rng;

const SITES: [&str; 10] = [
    "oldbarn",
    "harbor-news",
    "shop-garden",
    "cup-results",
    "my-kitchen",
    "green-valley",
    "daily-notes",
    "city-forum",
    "travel-log",
    "small-tales",
];
const WORDS: [&str; 12] = [
    "apples", "ferry", "menu", "spring", "story", "red-ball", "weather", "market", "letters", "garden", "night", "boat",
];

/// The address of a page.
pub(super) fn url(at: usize, label: Label, rng: &mut Rng) -> String {
    let part = match label {
        Label::Seo => "deals",
        Label::Boilerplate => "legal",
        Label::List => "results",
        _ => "posts",
    };
    format!("https://{}.example/{part}/{}/{}-{at}", rng.choose(&SITES), 2005 + rng.below(20), rng.choose(&WORDS))
}

/// Names of the classes of one site.
struct Style {
    menu: &'static str,
    main: &'static str,
    side: &'static str,
    foot: &'static str,
}

const STYLES: [Style; 4] = [
    Style { menu: "navbar", main: "entry-content", side: "sidebar", foot: "site-footer" },
    Style { menu: "main-menu", main: "post-body", side: "widget-area", foot: "footer" },
    Style { menu: "topnav", main: "article", side: "related-posts", foot: "bottom footer-links" },
    Style { menu: "c1 menu", main: "content", side: "promo-box", foot: "copyright footer" },
];

const LINKS: [&str; 16] = [
    "Home",
    "About",
    "Contact",
    "Archive",
    "Shop",
    "Login",
    "Newsletter",
    "Recipes",
    "Sports",
    "Culture",
    "Weather",
    "Jobs",
    "Photos",
    "Videos",
    "Help",
    "Search",
];

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
}

fn links(n: usize, rng: &mut Rng, out: &mut String) {
    out.push_str("<ul>");
    for _ in 0..n {
        let link = rng.choose(&LINKS);
        out.push_str(&format!(
            "<li class=\"item\"><a href=\"/{0}/{1}\" title=\"{0}\">{0}</a></li>\n",
            link,
            rng.below(900)
        ));
    }
    out.push_str("</ul>");
}

/// The page around a text.
pub(super) fn html(text: &str, label: Label, rng: &mut Rng) -> String {
    let style = &STYLES[rng.below(STYLES.len())];
    let title = rng.choose(&WORDS);
    let mut out = String::with_capacity(text.len() + 6000);
    out.push_str(&format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <meta name=\"description\" content=\"{title}\">\n<style>.{0} {{ color: #333; margin: 0 auto }} .{1} a {{ display: block }}</style>\n\
         <script>window.dataLayer = window.dataLayer || []; function track(a) {{ dataLayer.push(a); }} track({2});</script>\n</head>\n<body>\n",
        style.main.split(' ').next().unwrap_or_default(), style.menu.split(' ').next().unwrap_or_default(), rng.below(9999),
    ));
    if rng.chance(0.7) {
        out.push_str("<div id=\"cookie-banner\" class=\"cookie-consent\"><p>We use cookies to improve your experience. <a href=\"/privacy\">Learn more</a></p><button>Accept all</button></div>\n");
    }
    out.push_str(&format!(
        "<header class=\"masthead\"><a href=\"/\" class=\"logo\">Site</a><nav class=\"{}\">",
        style.menu
    ));
    links(5 + rng.below(12), rng, &mut out);
    out.push_str("</nav></header>\n<div class=\"wrapper\">\n");
    let tag = if rng.chance(0.5) { "article" } else { "div" };
    out.push_str(&format!("<{tag} class=\"{}\">\n<h1>{title}</h1>\n", style.main));
    body(text, label, rng, &mut out);
    out.push_str(&format!("</{tag}>\n<div class=\"{}\"><h3>Related</h3>", style.side));
    links(4 + rng.below(10), rng, &mut out);
    out.push_str("</div>\n");
    if rng.chance(0.4) {
        out.push_str("<div class=\"comments\"><p>Leave a comment</p><form><textarea></textarea><input type=\"submit\"></form></div>\n");
    }
    out.push_str(&format!(
        "</div>\n<div class=\"{}\"><p>© {} Site. All rights reserved.</p>",
        style.foot,
        2005 + rng.below(20)
    ));
    links(3 + rng.below(6), rng, &mut out);
    out.push_str("</div>\n<script async src=\"/static/app.js\"></script>\n</body>\n</html>\n");
    out
}

fn body(text: &str, label: Label, rng: &mut Rng, out: &mut String) {
    let linked = label == Label::Menu;
    let listed = matches!(label, Label::List | Label::Menu);
    if listed {
        out.push_str("<ul>");
    }
    for line in text.split('\n') {
        match (listed, linked) {
            (true, true) => out.push_str("<li><a href=\"/x\">"),
            (true, false) => out.push_str("<li>"),
            _ => out.push_str("<p>"),
        }
        // Long texts have several paragraphs.
        for (at, sentence) in line.split_inclusive(". ").enumerate() {
            if !listed && at > 0 && at % 8 == 0 && rng.chance(0.6) {
                out.truncate(out.trim_end().len());
                out.push_str("</p>\n<p>");
            }
            escape(sentence, out);
        }
        out.push_str(match (listed, linked) {
            (true, true) => "</a></li>\n",
            (true, false) => "</li>\n",
            _ => "</p>\n",
        });
    }
    if listed {
        out.push_str("</ul>");
    }
}
