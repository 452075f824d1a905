//! Validates a Parquet file's footer and page headers before the parquet crate reads them: the crate descends into
//! columns recursively, reserves memory for as many children as a group claims, and gives each column a copy of the
//! names of all its parent groups.

use super::format::{FOOTER, PAGE_HEADER, SCHEMA_ELEMENT};
use super::thrift::{Walk, kind};

/// The maximum nesting depth of columns.
const MAX_DEPTH: usize = 64;

/// The maximum total size of all columns' names, including those of their parent groups, per byte of the footer, which
/// repeats them for every row group …
const MAX_NAMES_RATIO: u64 = 64;

/// … plus this many bytes.
const MIN_NAMES_BYTES: u64 = 1 << 16;

/// The memory of a name besides its bytes.
const NAME_BYTES: u64 = size_of::<String>() as u64;

/// The footer's schema field: a list of elements in depth-first order, each with its number of children.
const SCHEMA: i16 = 2;

/// The fields of a schema element.
const NAME: i16 = 4;
const CHILDREN: i16 = 5;

const UNREADABLE: &str = "its footer cannot be read";

/// Checks that the footer can be read safely.
///
/// # Errors
/// A description of the problem.
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

/// Whether the bytes start with a valid page header.
pub(super) fn is_page_header(bytes: &[u8]) -> bool {
    Walk { bytes }.known(kind::STRUCT, PAGE_HEADER).is_some()
}

/// A group in the depth-first traversal.
struct Group {
    /// The number of its remaining children.
    left: u64,
    /// The size of its name and of its parents' names, in bytes.
    names: u64,
}

/// Checks the schema.
fn check_schema(walk: &mut Walk<'_>, most_names: u64) -> Result<(), &'static str> {
    let (n_elements, kind) = walk.list().ok_or(UNREADABLE)?;
    if n_elements > 0 && kind != kind::STRUCT {
        return Err(UNREADABLE);
    }
    let mut open: Vec<Group> = Vec::new();
    // The number of announced children, and the size of the names of all columns so far.
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

/// Reads a schema element: its number of children and the length of its name.
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
