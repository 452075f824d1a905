//! Extraction from pages, and pages that are made to be slow.

use std::time::{Duration, Instant};

use glasshead_filter::html::{HtmlError, main_text, plain_text};

#[test]
fn plain_text_is_that_of_resiliparse() {
    // Seen in resiliparse 2.0.1, `extract_plain_text`.
    for (html, expected) in [
        ("<p>a</p><p></p><p>b</p>", "a\n\nb"),
        ("<div><p>a</p></div><div><p>b</p></div>", "a\n\nb"),
        ("a<br><br>b<br><br><br>c", "a\n\nb\n\n\nc"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>x", "  • a\n    • b\n  • c\nx"),
        ("<ol><li>a<li>b</ol>", "  1. a\n  2. b"),
        ("<p>a&nbsp;b  c</p>", "a\u{a0}b c"),
        ("a<span> b</span> <b>c</b>d", "a b cd"),
        ("<pre>a\n  b</pre>c", "a\n  b\nc"),
        ("<p>a<div>b</div>c</p>", "a\n\nb\nc"),
        ("<h1>t</h1><ul><li>a</li></ul><p>z</p>", "t\n\n  • a\n\nz"),
        ("<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>", "a\t\tb\n1\t\t2"),
        ("<script>x</script><style>y</style><img alt=x><noscript>n</noscript>", "x"),
        ("<div>a</div><button>x</button><label>y</label><div>b</div>", "a\nb"),
    ] {
        let page = format!("<html><head><title>t</title></head><body>{html}</body></html>");
        assert_eq!(plain_text(&page).unwrap(), expected, "{html}");
    }
    let page = "<!DOCTYPE html>\n<html>\n  <body>\n      <h1>Herman Melville - Moby-Dick</h1>\n\n      <div>\n        <p>\n          Availing \
                himself of the mild\n        </p>\n      </div>\n  </body>\n</html>";
    assert_eq!(plain_text(page).unwrap(), "Herman Melville - Moby-Dick\n\nAvailing himself of the mild");
}

const STORY: &str = "The tree behind the barn was planted by my grandfather, and every autumn we carried baskets of apples to \
                     the cellar, where they stayed cold until spring. The ones with spots were pressed the same day.";

#[test]
fn main_text_leaves_menus_out() {
    let page = format!(
        "<body><div class='cookie-banner'><p>We use cookies, many of them, to improve what you see here.</p></div>\
         <nav><ul><li><a href=a>Home</a><li><a href=b>Shop</a></ul></nav>\
         <div class=wrap><div class='entry-content'><h1>Apples</h1><p>{STORY}</p><p>{STORY}</p></div>\
         <div class=sidebar><h3>Related</h3><ul><li><a href=c>Pears</a></ul></div></div>\
         <div style='display: none'><p>{STORY} hidden</p></div><footer><p>All rights reserved, forever.</p></footer></body>"
    );
    assert_eq!(main_text(&page).unwrap(), format!("Apples\n\n{STORY}\n\n{STORY}"));
    assert_eq!(main_text("<p>short</p>").unwrap(), "short");
    assert_eq!(main_text("").unwrap(), "");
}

fn quick(html: &str) -> Result<String, HtmlError> {
    let start = Instant::now();
    let result = main_text(html);
    plain_text(html).ok();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?} for {:.60}", start.elapsed(), html);
    result
}

#[test]
fn pages_that_are_made_to_be_slow_end_soon() {
    assert_eq!(quick(&"<div>".repeat(1_000_000)), Err(HtmlError::TooDeep));
    assert_eq!(quick(&"<b>".repeat(300_000)), Err(HtmlError::TooDeep));
    quick(&"<table>".repeat(300_000)).ok();
    quick(&"<table><tr><td>".repeat(100_000)).ok();
    let attributes: String = (0..400_000).map(|at| format!(" a{at}=1")).collect();
    assert_eq!(quick(&format!("<p{attributes}>x</p>")), Err(HtmlError::TooManyAttributes));
    assert_eq!(quick(&"x".repeat(9 << 20)), Err(HtmlError::TooLong));
    let formats: String = (0..3000).map(|at| format!("<font size={at}>")).collect();
    assert!(quick(&format!("{formats}{}", "<p>x".repeat(100_000))).is_err());
    assert!(quick(&"<p>a</p>".repeat(250_000)).is_err(), "too many nodes");
    assert_eq!(quick(&format!("<img src='data:image/png;base64,{}'>ok", "A".repeat(1 << 20))), Ok("ok".into()));
    quick(&"</p>".repeat(500_000)).ok();
    quick(&"<a href='".repeat(100_000)).ok();
    quick(&"<!--".repeat(500_000)).ok();
    quick(&"&#x41;&amp;&bogus;".repeat(100_000)).ok();
    quick(&"<svg><math><template>".repeat(50_000)).ok();
}
