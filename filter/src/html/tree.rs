//! The tree of a page: nodes in one vector, filled by html5ever, with limits against pages that are made to be slow.

use std::borrow::Cow;
use std::cell::{Cell, Ref, RefCell};

use html5ever::interface::{ElemName, ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::{StrTendril, TendrilSink as _};
use html5ever::{Attribute, LocalName, Namespace, ParseOpts, QualName, parse_document};

use super::{HtmlError, MAX_PAGE_BYTES};

/// The maximum depth of a node. Browsers stop at 512.
pub(super) const MAX_DEPTH: u32 = 512;
/// The maximum number of nodes.
pub(super) const MAX_NODES: usize = 400_000;
/// The maximum number of attributes of one tag, whose names the parser compares with each other.
pub(super) const MAX_ATTRIBUTES: usize = 2000;

/// The parser runs on pieces of this many bytes, and limits are checked between them.
const PIECE_BYTES: usize = 16 << 10;

const NONE: u32 = u32::MAX;

/// What a node is.
#[derive(Debug)]
pub(super) enum Kind {
    Element(QualName, Vec<Attribute>),
    Text(StrTendril),
    Other,
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    parent: u32,
    first: u32,
    last: u32,
    previous: u32,
    next: u32,
    depth: u32,
}

/// A parsed page.
#[derive(Debug)]
pub struct Tree {
    nodes: Vec<Node>,
}

/// A step of a walk through the tree in document order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Enter(u32),
    Leave(u32),
}

impl Tree {
    /// Parses a page.
    ///
    /// # Errors
    /// When the page exceeds a limit.
    pub fn parse(html: &str) -> Result<Self, HtmlError> {
        if html.len() > MAX_PAGE_BYTES {
            return Err(HtmlError::TooLong);
        }
        let mut parser = parse_document(Sink::new(), ParseOpts::default());
        let mut pending = Pending::default();
        let mut rest = html;
        while !rest.is_empty() {
            let mut end = rest.len().min(PIECE_BYTES);
            while !rest.is_char_boundary(end) {
                end += 1;
            }
            let (piece, tail) = rest.split_at(end);
            parser.process(StrTendril::from_slice(piece));
            rest = tail;
            let sink = &parser.tokenizer.sink.sink;
            sink.check()?;
            pending.check(piece, sink.n_calls.get())?;
        }
        let sink = parser.finish();
        sink.check()?;
        Ok(Self { nodes: sink.nodes.into_inner() })
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn kind(&self, node: u32) -> &Kind {
        &self.nodes[node as usize].kind
    }

    /// The local name of an element; empty for other nodes.
    pub(super) fn name(&self, node: u32) -> &str {
        match self.kind(node) {
            Kind::Element(name, _) => &name.local,
            _ => "",
        }
    }

    /// The value of an element's attribute.
    pub(super) fn attribute(&self, node: u32, name: &str) -> Option<&str> {
        let Kind::Element(_, attributes) = self.kind(node) else { return None };
        attributes.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| &*attribute.value)
    }

    pub(super) fn parent(&self, node: u32) -> Option<u32> {
        Some(self.nodes[node as usize].parent).filter(|&parent| parent != NONE)
    }

    pub(super) fn children(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let mut next = self.nodes[node as usize].first;
        std::iter::from_fn(move || {
            let child = next;
            (child != NONE).then(|| {
                next = self.nodes[child as usize].next;
                child
            })
        })
    }

    /// Walks through a node and everything in it. `enter` decides whether the children of a node are visited.
    pub(super) fn walk(&self, root: u32, mut visit: impl FnMut(Step) -> bool) {
        let mut node = root;
        loop {
            let inside = visit(Step::Enter(node));
            let first = self.nodes[node as usize].first;
            if inside && first != NONE {
                node = first;
                continue;
            }
            loop {
                visit(Step::Leave(node));
                if node == root {
                    return;
                }
                let next = self.nodes[node as usize].next;
                if next != NONE {
                    node = next;
                    break;
                }
                node = self.nodes[node as usize].parent;
            }
        }
    }
}

/// Notices a tag that is not finished for many bytes and has many attributes.
#[derive(Default)]
struct Pending {
    n_calls: usize,
    n_spaces: usize,
}

impl Pending {
    fn check(&mut self, piece: &str, n_calls: usize) -> Result<(), HtmlError> {
        if n_calls != self.n_calls {
            *self = Self { n_calls, n_spaces: 0 };
            return Ok(());
        }
        self.n_spaces += piece.bytes().filter(|byte| byte.is_ascii_whitespace() || *byte == b'/').count();
        if self.n_spaces > MAX_ATTRIBUTES { Err(HtmlError::TooManyAttributes) } else { Ok(()) }
    }
}

/// Receives the nodes from the parser.
struct Sink {
    nodes: RefCell<Vec<Node>>,
    depth: Cell<u32>,
    n_calls: Cell<usize>,
}

/// An element's name, borrowed from the tree.
#[derive(Debug)]
struct Name<'a>(Ref<'a, QualName>);

impl ElemName for Name<'_> {
    fn ns(&self) -> &Namespace {
        &self.0.ns
    }

    fn local_name(&self) -> &LocalName {
        &self.0.local
    }
}

impl Sink {
    fn new() -> Self {
        let sink = Self { nodes: RefCell::default(), depth: Cell::new(0), n_calls: Cell::new(0) };
        sink.create(Kind::Other);
        sink
    }

    fn check(&self) -> Result<(), HtmlError> {
        if self.depth.get() > MAX_DEPTH {
            Err(HtmlError::TooDeep)
        } else if self.nodes.borrow().len() > MAX_NODES {
            Err(HtmlError::TooManyNodes)
        } else {
            Ok(())
        }
    }

    fn create(&self, kind: Kind) -> u32 {
        self.n_calls.set(self.n_calls.get() + 1);
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(Node { kind, parent: NONE, first: NONE, last: NONE, previous: NONE, next: NONE, depth: 0 });
        nodes.len() as u32 - 1
    }

    /// Takes a node out of its parent.
    fn detach(&self, node: u32) {
        let nodes = &mut *self.nodes.borrow_mut();
        let Node { parent, previous, next, .. } = nodes[node as usize];
        match previous {
            NONE if parent != NONE => nodes[parent as usize].first = next,
            NONE => {}
            previous => nodes[previous as usize].next = next,
        }
        match next {
            NONE if parent != NONE => nodes[parent as usize].last = previous,
            NONE => {}
            next => nodes[next as usize].previous = previous,
        }
        let node = &mut nodes[node as usize];
        (node.parent, node.previous, node.next) = (NONE, NONE, NONE);
    }

    /// Puts a node into a parent, before a sibling or, with `NONE`, at the end.
    fn attach(&self, parent: u32, node: u32, before: u32) {
        self.detach(node);
        let nodes = &mut *self.nodes.borrow_mut();
        let previous = if before == NONE { nodes[parent as usize].last } else { nodes[before as usize].previous };
        let depth = nodes[parent as usize].depth + 1;
        self.depth.set(self.depth.get().max(depth));
        let entry = &mut nodes[node as usize];
        (entry.parent, entry.previous, entry.next, entry.depth) = (parent, previous, before, depth);
        match previous {
            NONE => nodes[parent as usize].first = node,
            previous => nodes[previous as usize].next = node,
        }
        match before {
            NONE => nodes[parent as usize].last = node,
            before => nodes[before as usize].previous = node,
        }
    }

    fn insert(&self, parent: u32, child: NodeOrText<u32>, before: u32) {
        match child {
            NodeOrText::AppendNode(node) => self.attach(parent, node, before),
            NodeOrText::AppendText(text) => {
                let previous = {
                    let nodes = self.nodes.borrow();
                    if before == NONE { nodes[parent as usize].last } else { nodes[before as usize].previous }
                };
                self.n_calls.set(self.n_calls.get() + 1);
                if previous != NONE
                    && let Kind::Text(earlier) = &mut self.nodes.borrow_mut()[previous as usize].kind
                {
                    earlier.push_tendril(&text);
                    return;
                }
                let node = self.create(Kind::Text(text));
                self.attach(parent, node, before);
            }
        }
    }
}

impl TreeSink for Sink {
    type Handle = u32;
    type Output = Self;
    type ElemName<'a> = Name<'a>;

    fn finish(self) -> Self {
        self
    }

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn get_document(&self) -> u32 {
        0
    }

    fn elem_name<'a>(&'a self, target: &'a u32) -> Name<'a> {
        Name(Ref::map(self.nodes.borrow(), |nodes| match &nodes[*target as usize].kind {
            Kind::Element(name, _) => name,
            // The parser asks for the names of elements only.
            _ => unreachable!("node {target} is no element"),
        }))
    }

    fn create_element(&self, name: QualName, attrs: Vec<Attribute>, _: ElementFlags) -> u32 {
        self.create(Kind::Element(name, attrs))
    }

    fn create_comment(&self, _: StrTendril) -> u32 {
        self.create(Kind::Other)
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> u32 {
        self.create(Kind::Other)
    }

    fn append(&self, parent: &u32, child: NodeOrText<u32>) {
        self.insert(*parent, child, NONE);
    }

    fn append_based_on_parent_node(&self, element: &u32, previous: &u32, child: NodeOrText<u32>) {
        let has_parent = self.nodes.borrow()[*element as usize].parent != NONE;
        if has_parent { self.append_before_sibling(element, child) } else { self.append(previous, child) }
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}

    fn get_template_contents(&self, target: &u32) -> u32 {
        *target
    }

    fn same_node(&self, x: &u32, y: &u32) -> bool {
        x == y
    }

    fn set_quirks_mode(&self, _: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &u32, child: NodeOrText<u32>) {
        let parent = self.nodes.borrow()[*sibling as usize].parent;
        if parent != NONE {
            self.insert(parent, child, *sibling);
        }
    }

    fn add_attrs_if_missing(&self, target: &u32, attrs: Vec<Attribute>) {
        if let Kind::Element(_, present) = &mut self.nodes.borrow_mut()[*target as usize].kind {
            let missing = |attribute: &Attribute| present.iter().all(|other| other.name != attribute.name);
            let new: Vec<Attribute> = attrs.into_iter().filter(missing).take(MAX_ATTRIBUTES).collect();
            if present.len() < MAX_ATTRIBUTES {
                present.extend(new);
            }
        }
    }

    fn remove_from_parent(&self, target: &u32) {
        self.detach(*target);
    }

    fn reparent_children(&self, node: &u32, new_parent: &u32) {
        loop {
            let first = self.nodes.borrow()[*node as usize].first;
            if first == NONE {
                return;
            }
            self.attach(*new_parent, first, NONE);
        }
    }
}
