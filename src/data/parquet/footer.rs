//! Whether a Parquet file's footer and the headers of its pages are what they should be, before the parquet crate reads
//! them: it follows columns by recursion, reserves room for as many children as a group claims to have, and gives each
//! column a copy of the names of all groups around it.

use super::format::{FOOTER, PAGE_HEADER, SCHEMA_ELEMENT};
use super::thrift::{Walk, kind};

/// Columns may be nested this deeply.
const MAX_DEPTH: usize = 64;

/// The names of all columns, each with those of the groups around it, may take so many bytes for each byte of the footer,
/// which holds them once more for every part of the file …
const MAX_NAMES_RATIO: u64 = 64;

/// … and so many besides.
const MIN_NAMES_BYTES: u64 = 1 << 16;

/// What a name takes in memory besides its bytes.
const NAME_BYTES: u64 = size_of::<String>() as u64;

/// The footer's field with the schema: a list of elements in depth-first order, each with its number of children.
const SCHEMA: i16 = 2;

/// Fields of an element.
const NAME: i16 = 4;
const CHILDREN: i16 = 5;

const UNREADABLE: &str = "its footer cannot be read";

/// Looks whether the footer can be read.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(footer: &[u8]) -> Result<(), &'static str> {
    let most_names = MAX_NAMES_RATIO * footer.len() as u64 + MIN_NAMES_BYTES;
    let (mut walk, mut id) = (Walk { bytes: footer }, 0);
    loop {
        let kind;
        (id, kind) = walk.field(id).ok_or(UNREADABLE)?;
        match (id, kind) {
            (_, kind::STOP) => return Ok(()),
            (SCHEMA, kind::LIST) => check_schema(&mut walk, most_names)?,
            (SCHEMA, _) => return Err(UNREADABLE),
            _ => walk.known_field(id, kind, FOOTER).ok_or(UNREADABLE)?,
        }
    }
}

/// Whether a page's header can be read.
pub(super) fn is_page_header(bytes: &[u8]) -> bool {
    Walk { bytes }.known(kind::STRUCT, PAGE_HEADER).is_some()
}

/// A group on the way down.
struct Group {
    /// How many of its children are still to come.
    left: u64,
    /// What its name and those of the groups around it take.
    names: u64,
}

/// Looks whether the schema can be followed.
fn check_schema(walk: &mut Walk<'_>, most_names: u64) -> Result<(), &'static str> {
    let (n_elements, kind) = walk.list().ok_or(UNREADABLE)?;
    if n_elements > 0 && kind != kind::STRUCT {
        return Err(UNREADABLE);
    }
    let mut open: Vec<Group> = Vec::new();
    // Children that are still to come, and what the names of all columns so far take.
    let (mut to_come, mut all_names) = (0, 0u64);
    for left in (0..n_elements).rev() {
        let (children, name) = element(walk).ok_or(UNREADABLE)?;
        let mut names = name + NAME_BYTES;
        if let Some(group) = open.last_mut() {
            (group.left, to_come, names) = (group.left - 1, to_come - 1, names + group.names);
        }
        if children == 0 {
            all_names += names;
        }
        open.push(Group { left: children, names });
        to_come += children;
        if open.len() > MAX_DEPTH {
            return Err("its columns are nested too deeply");
        }
        while open.last().is_some_and(|group| group.left == 0) {
            open.pop();
        }
        if to_come > left {
            return Err("its schema claims to have more columns than it has");
        }
        if all_names > most_names {
            return Err("the names of its columns are too long");
        }
    }
    Ok(())
}

/// An element of the schema: its number of children, and the length of its name.
fn element(walk: &mut Walk<'_>) -> Option<(u64, u64)> {
    let (mut id, mut children, mut name) = (0, 0, 0);
    loop {
        let kind;
        (id, kind) = walk.field(id)?;
        match (id, kind) {
            (_, kind::STOP) => return Some((children, name)),
            (NAME, kind::BINARY) => name = walk.binary()? as u64,
            (CHILDREN, kind::I32) => children = u32::try_from(walk.integer()?).ok()?.into(),
            (NAME | CHILDREN, _) => return None,
            _ => walk.known_field(id, kind, SCHEMA_ELEMENT)?,
        }
    }
}
