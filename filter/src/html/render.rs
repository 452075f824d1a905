//! Text of a tree: white space collapses, blocks are separated by line breaks, paragraphs and headings by blank lines.

use super::tree::{Kind, Step, Tree};

/// Elements whose content is no text of the page.
const SKIPPED: [&str; 16] = [
    "script", "style", "head", "noscript", "template", "iframe", "frame", "button", "select", "option", "textarea",
    "input", "label", "datalist", "progress", "meter",
];

/// Blocks with blank lines around them.
const PARAGRAPHS: [&str; 7] = ["p", "h1", "h2", "h3", "h4", "h5", "h6"];

/// Blocks on lines of their own.
const BLOCKS: [&str; 31] = [
    "div",
    "section",
    "article",
    "ul",
    "ol",
    "li",
    "pre",
    "blockquote",
    "dl",
    "dt",
    "dd",
    "address",
    "figure",
    "figcaption",
    "form",
    "fieldset",
    "header",
    "footer",
    "main",
    "aside",
    "nav",
    "details",
    "center",
    "tr",
    "body",
    "html",
    "thead",
    "tbody",
    "tfoot",
    "hgroup",
    "search",
];

/// The parts of a page that are rendered.
pub(super) struct Content {
    /// The nodes whose content is rendered, in document order.
    pub(super) roots: Vec<u32>,
    /// By node: leave it out, with everything in it.
    pub(super) removed: Vec<bool>,
}

/// The text of a tree, or of its selected content.
pub(super) fn render(tree: &Tree, content: Option<&Content>) -> String {
    let mut writer = Writer::default();
    let roots = content.map_or(&[0][..], |content| &content.roots);
    for &root in roots {
        tree.walk(root, |step| match step {
            Step::Enter(node) => {
                let removed = content.is_some_and(|content| content.removed[node as usize]);
                !removed && writer.enter(tree, node)
            }
            Step::Leave(node) => {
                if !content.is_some_and(|content| content.removed[node as usize]) {
                    writer.leave(tree, node);
                }
                true
            }
        });
        writer.request_breaks(1);
    }
    writer.out.truncate(writer.out.trim_end().len());
    writer.out
}

/// Whether an element's content is left out of every text.
pub(super) fn is_skipped(name: &str) -> bool {
    SKIPPED.contains(&name)
}

/// Whether an element is a block.
pub(super) fn is_block(name: &str) -> bool {
    PARAGRAPHS.contains(&name) || BLOCKS.contains(&name) || matches!(name, "table" | "td" | "th")
}

#[derive(Default)]
struct Writer {
    out: String,
    /// Line breaks before the next text.
    breaks: usize,
    /// White space before the next text.
    space: bool,
    /// Cells have been left since the last text: tabs before the next text.
    cell: bool,
    /// The number of the next item of each open list; `None` for bullets.
    lists: Vec<Option<usize>>,
    /// The mark of an item that has no text yet.
    mark: Option<String>,
    preformatted: usize,
}

impl Writer {
    fn request_breaks(&mut self, n: usize) {
        self.breaks = self.breaks.max(n);
    }

    /// Starts a node; `false` if its content is left out.
    fn enter(&mut self, tree: &Tree, node: u32) -> bool {
        let name = match tree.kind(node) {
            Kind::Text(text) => {
                self.text(text);
                return false;
            }
            Kind::Element(name, _) => &*name.local,
            Kind::Other => return true,
        };
        if is_skipped(name) {
            return false;
        }
        self.request_breaks(block_breaks(name));
        match name {
            "br" => self.breaks += 1,
            "hr" => self.request_breaks(1),
            "img" | "area" => {
                if let Some(alternative) = tree.attribute(node, "alt") {
                    self.text(alternative);
                }
            }
            "pre" => self.preformatted += 1,
            "ul" => self.lists.push(None),
            "ol" => self.lists.push(Some(1)),
            "li" => self.mark = Some(self.item_mark()),
            _ => {}
        }
        true
    }

    fn leave(&mut self, tree: &Tree, node: u32) {
        let name = tree.name(node);
        if name.is_empty() || is_skipped(name) {
            return;
        }
        self.request_breaks(block_breaks(name));
        match name {
            "pre" => self.preformatted = self.preformatted.saturating_sub(1),
            "ul" | "ol" => {
                self.lists.pop();
            }
            "li" => self.mark = None,
            "td" | "th" => self.cell = true,
            "tr" | "table" => self.cell = false,
            _ => {}
        }
    }

    fn item_mark(&mut self) -> String {
        match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{}. ", *number - 1)
            }
            _ => "• ".into(),
        }
    }

    fn text(&mut self, text: &str) {
        if self.preformatted > 0 {
            if !text.is_empty() {
                self.separate();
                self.out.push_str(text);
                self.space = false;
            }
            return;
        }
        let mut rest = text;
        while !rest.is_empty() {
            let word = rest.trim_start_matches(is_html_space);
            self.space |= word.len() < rest.len();
            if word.is_empty() {
                return;
            }
            let end = word.find(is_html_space).unwrap_or(word.len());
            self.separate();
            self.out.push_str(&word[..end]);
            rest = &word[end..];
        }
    }

    /// Writes what separates the next text from the last one.
    fn separate(&mut self) {
        let start = self.out.is_empty();
        if self.breaks > 0 || start {
            while self.out.ends_with([' ', '\n']) && !start {
                self.out.pop();
            }
            if !start {
                self.out.extend(std::iter::repeat_n('\n', self.breaks));
            }
            self.out.extend(std::iter::repeat_n("  ", self.lists.len()));
        } else if self.space && !self.cell {
            self.out.push(' ');
        }
        if self.cell && !start {
            self.out.push_str("\t\t");
        }
        if let Some(mark) = self.mark.take() {
            self.out.push_str(&mark);
        }
        (self.breaks, self.space, self.cell) = (0, false, false);
    }
}

/// The white space that HTML collapses.
fn is_html_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

fn block_breaks(name: &str) -> usize {
    if PARAGRAPHS.contains(&name) { 2 } else { usize::from(BLOCKS.contains(&name) || name == "table") }
}
