//! Text of web pages: decoding, parsing with html5ever, and extraction of the whole text or the main content.

use thiserror::Error;

mod classes;
mod content;
mod decode;
mod render;
mod tree;

#[cfg(target_arch = "wasm32")]
pub use decode::DECODER;
pub use decode::{decode, windows_1252};
pub use tree::Tree;

/// The maximum length of a page in bytes; pages of articles are shorter than a tenth of it.
pub const MAX_PAGE_BYTES: usize = 8 << 20;

/// Why a page cannot be parsed in reasonable time and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HtmlError {
    /// The page is too long.
    #[error("the page has more than {MAX_PAGE_BYTES} bytes")]
    TooLong,
    /// The elements are nested too deeply.
    #[error("the page nests more than {} elements", tree::MAX_DEPTH)]
    TooDeep,
    /// The parser creates more nodes than the page's length justifies.
    #[error("the page expands to more than {} nodes", tree::MAX_NODES)]
    TooManyNodes,
    /// A tag has too many attributes.
    #[error("a tag of the page has more than {} attributes", tree::MAX_ATTRIBUTES)]
    TooManyAttributes,
}

/// The whole visible text of a page, with line breaks between blocks and bullets before list items. Menus, headers and
/// footers are part of it.
///
/// # Errors
/// When the page is made to exhaust the parser.
pub fn plain_text(html: &str) -> Result<String, HtmlError> {
    Ok(render::render(&Tree::parse(html)?, None))
}

/// The text of the page's main content, without menus, banners, side columns and footers.
///
/// # Errors
/// When the page is made to exhaust the parser.
pub fn main_text(html: &str) -> Result<String, HtmlError> {
    let tree = Tree::parse(html)?;
    let content = content::find(&tree);
    Ok(render::render(&tree, Some(&content)))
}

/// Whether bytes look like HTML: one of its usual tags is near the start.
pub fn is_html(bytes: &[u8]) -> bool {
    let start = bytes[..bytes.len().min(1024)].to_ascii_lowercase();
    let contains = |tag: &[u8]| start.windows(tag.len()).any(|window| window == tag);
    [&b"<!doctype html"[..], b"<html", b"<head", b"<body", b"<title", b"<meta", b"<div", b"<p>"]
        .into_iter()
        .any(contains)
}
