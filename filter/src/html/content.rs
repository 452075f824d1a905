//! The main content of a page.
//!
//! The method is that of readability tools: parts with the names of menus and banners go, paragraphs give points to
//! their parents for length and commas, links take points away, and the part with the most points wins, together with
//! siblings that look like it. Where nothing wins clearly, the whole body is used.

use super::classes::{is_unlikely, weight};
use super::render::{Content, is_block, is_skipped};
use super::tree::{Kind, Step, Tree};

/// Paragraphs shorter than this many characters give no points.
const MIN_PARAGRAPH: usize = 25;

/// The winner has at least this many characters, else the whole body is used.
const MIN_CONTENT: usize = 140;

/// Elements that are never content.
const NO_CONTENT: [&str; 9] = ["nav", "aside", "footer", "svg", "math", "dialog", "object", "audio", "video"];

/// Facts about each node, with all nodes in it.
struct Facts {
    removed: Vec<bool>,
    /// Characters of text.
    chars: Vec<u32>,
    /// Characters of text in links.
    linked: Vec<u32>,
    commas: Vec<u32>,
    /// Contains a block.
    blocks: Vec<bool>,
}

/// Finds the main content.
pub(super) fn find(tree: &Tree) -> Content {
    let facts = facts(tree);
    let scores = scores(tree, &facts);
    let top = (0..tree.len() as u32)
        .filter(|&node| scores[node as usize] > 0.0)
        .max_by(|&a, &b| scores[a as usize].total_cmp(&scores[b as usize]).then(b.cmp(&a)));
    let whole = facts.chars.first().copied().unwrap_or(0) as usize;
    let roots = top.map(|top| with_siblings(tree, &facts, &scores, top)).filter(|roots| {
        let chars: usize = roots.iter().map(|&root| facts.chars[root as usize] as usize).sum();
        chars >= MIN_CONTENT.min(whole) && chars * 4 >= whole
    });
    let mut removed = facts.removed.clone();
    remove_link_lists(tree, &facts, &mut removed);
    Content { roots: roots.unwrap_or_else(|| vec![0]), removed }
}

fn names(tree: &Tree, node: u32) -> String {
    let part = |name| tree.attribute(node, name).unwrap_or("");
    if part("class").is_empty() && part("id").is_empty() {
        return String::new();
    }
    format!("{} {}", part("class"), part("id")).to_ascii_lowercase()
}

/// Whether an element and everything in it is left out before anything is scored.
fn is_removed(tree: &Tree, node: u32) -> bool {
    let Kind::Element(name, attributes) = tree.kind(node) else { return false };
    let name = &*name.local;
    if is_skipped(name) || NO_CONTENT.contains(&name) {
        return true;
    }
    if attributes.is_empty() || matches!(name, "html" | "body" | "article" | "main") {
        return false;
    }
    let value = |name| tree.attribute(node, name).unwrap_or("");
    let hidden = tree.attribute(node, "hidden").is_some()
        || value("aria-hidden") == "true"
        || value("style").replace(' ', "").contains("display:none");
    let role = matches!(
        value("role"),
        "menu"
            | "menubar"
            | "complementary"
            | "navigation"
            | "alert"
            | "alertdialog"
            | "dialog"
            | "banner"
            | "contentinfo"
            | "search"
    );
    hidden || role || (name != "a" && is_unlikely(&names(tree, node)))
}

fn facts(tree: &Tree) -> Facts {
    let n = tree.len();
    let mut facts = Facts {
        removed: vec![false; n],
        chars: vec![0; n],
        linked: vec![0; n],
        commas: vec![0; n],
        blocks: vec![false; n],
    };
    let mut links = 0;
    tree.walk(0, |step| match step {
        Step::Enter(node) => {
            let at = node as usize;
            facts.removed[at] = is_removed(tree, node);
            if facts.removed[at] {
                return false;
            }
            links += u32::from(tree.name(node) == "a");
            if let Kind::Text(text) = tree.kind(node) {
                let solid = text.split_ascii_whitespace().map(|word| word.chars().count() as u32 + 1).sum::<u32>();
                facts.chars[at] = solid.saturating_sub(1);
                facts.commas[at] = text.matches([',', '，', '、', '،']).count() as u32;
                facts.linked[at] = if links > 0 { facts.chars[at] } else { 0 };
            }
            true
        }
        Step::Leave(node) => {
            let at = node as usize;
            if facts.removed[at] {
                return true;
            }
            links -= u32::from(tree.name(node) == "a");
            if let Some(parent) = tree.parent(node) {
                let parent = parent as usize;
                facts.chars[parent] += facts.chars[at];
                facts.commas[parent] += facts.commas[at];
                facts.linked[parent] += facts.linked[at];
                facts.blocks[parent] |= facts.blocks[at] || is_block(tree.name(node));
            }
            true
        }
    });
    facts
}

impl Facts {
    /// The share of a node's text that is in links.
    fn link_density(&self, node: u32) -> f64 {
        f64::from(self.linked[node as usize]) / f64::from(self.chars[node as usize].max(1))
    }
}

/// The points of each node as the container of the content.
fn scores(tree: &Tree, facts: &Facts) -> Vec<f64> {
    let mut scores = vec![0.0; tree.len()];
    let mut weighed = vec![false; tree.len()];
    for node in 0..tree.len() as u32 {
        let at = node as usize;
        let name = tree.name(node);
        let paragraph = matches!(name, "p" | "pre" | "td" | "blockquote")
            || (matches!(name, "div" | "section" | "article") && !facts.blocks[at]);
        if !paragraph || (facts.chars[at] as usize) < MIN_PARAGRAPH || facts.removed[at] {
            continue;
        }
        let points = 1.0 + f64::from(facts.commas[at]) + (f64::from(facts.chars[at]) / 100.0).min(3.0);
        let mut ancestor = tree.parent(node);
        for share in [1.0, 0.5, 1.0 / 6.0, 1.0 / 9.0] {
            let Some(parent) = ancestor else { break };
            if !matches!(tree.kind(parent), Kind::Element(..)) {
                break;
            }
            if !std::mem::replace(&mut weighed[parent as usize], true) {
                scores[parent as usize] += base(tree.name(parent)) + weight(&names(tree, parent));
            }
            scores[parent as usize] += points * share;
            ancestor = tree.parent(parent);
        }
    }
    for (node, score) in scores.iter_mut().enumerate() {
        *score *= 1.0 - facts.link_density(node as u32);
    }
    scores
}

fn base(name: &str) -> f64 {
    match name {
        "article" | "main" => 10.0,
        "div" => 5.0,
        "pre" | "td" | "blockquote" => 3.0,
        "ul" | "ol" | "dl" | "li" | "dd" | "dt" | "form" | "address" => -3.0,
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "th" => -5.0,
        _ => 0.0,
    }
}

/// The winner and its siblings that belong to the content, in document order.
fn with_siblings(tree: &Tree, facts: &Facts, scores: &[f64], top: u32) -> Vec<u32> {
    let threshold = (scores[top as usize] * 0.2).max(10.0);
    let Some(parent) = tree.parent(top) else { return vec![top] };
    let belongs = |&node: &u32| {
        let at = node as usize;
        let density = facts.link_density(node);
        let chars = facts.chars[at];
        let prose = tree.name(node) == "p" && (chars > 80 && density < 0.25 || chars > 0 && density == 0.0);
        let heading = matches!(tree.name(node), "h1" | "h2" | "h3");
        node == top || !facts.removed[at] && (scores[at] >= threshold || prose || heading)
    };
    tree.children(parent).filter(belongs).collect()
}

/// Leaves out lists, tables and blocks in which most of the text is links.
fn remove_link_lists(tree: &Tree, facts: &Facts, removed: &mut [bool]) {
    for node in 0..tree.len() as u32 {
        let list = matches!(tree.name(node), "ul" | "ol" | "div" | "table" | "section" | "dl");
        let chars = facts.chars[node as usize];
        if list && chars > 0 && facts.link_density(node) > if chars < 200 { 0.6 } else { 0.8 } {
            removed[node as usize] = true;
        }
    }
}
