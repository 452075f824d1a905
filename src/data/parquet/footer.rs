//! How deeply the columns of a Parquet file are nested, before the parquet crate follows them by recursion; and whether
//! headers of pages are what they should be.
//!
//! The footer is a structure of Thrift's compact protocol whose first two fields are the version and the schema: a list
//! of elements in depth-first order, each with its number of children.

use super::varint;

/// Columns may be nested this deeply.
const MOST_DEPTH: usize = 64;

/// Statistics lie in the header of a kind of page, which lies in the page's.
const MOST_DEPTH_OF_HEADERS: usize = 4;

/// Types of fields in Thrift's compact protocol.
mod kind {
    pub const STOP: u8 = 0;
    pub const TRUE: u8 = 1;
    pub const FALSE: u8 = 2;
    pub const I8: u8 = 3;
    pub const I16: u8 = 4;
    pub const I32: u8 = 5;
    pub const I64: u8 = 6;
    pub const BINARY: u8 = 8;
    pub const LIST: u8 = 9;
    pub const STRUCT: u8 = 12;
}

/// Number of the footer's field with the schema, and of an element's with its number of children.
const SCHEMA: i64 = 2;
const CHILDREN: i64 = 5;

/// Looks whether the schema can be followed.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(footer: &[u8]) -> Result<(), &'static str> {
    Walk { bytes: footer }.footer().unwrap_or(Err("its footer cannot be read"))
}

/// Whether a page's header can be read: a structure of numbers, texts and such structures, and no lists, which the crate would
/// go through as long as they claim to be.
pub(super) fn is_page_header(bytes: &[u8]) -> bool {
    Walk { bytes }.skip(kind::STRUCT, MOST_DEPTH_OF_HEADERS).is_some()
}

/// What is left of the bytes. Methods return none where they do not fit.
struct Walk<'b> {
    bytes: &'b [u8],
}

impl Walk<'_> {
    fn footer(&mut self) -> Option<Result<(), &'static str>> {
        let (mut id, mut kind) = self.field(0)?;
        while id != SCHEMA {
            // The schema comes before everything that nests.
            self.skip(kind, 1)?;
            (id, kind) = self.field(id)?;
        }
        if kind != kind::LIST {
            return None;
        }
        let header = self.byte()?;
        let n_elements = if header >> 4 == 15 { self.varint()? } else { u64::from(header >> 4) };
        if header & 15 != kind::STRUCT || n_elements > self.bytes.len() as u64 {
            return None;
        }
        // How many children of each element on the way down are still to come.
        let mut open: Vec<u64> = Vec::new();
        for _ in 0..n_elements {
            open.push(self.element()?);
            if open.len() > MOST_DEPTH {
                return Some(Err("its columns are nested too deeply"));
            }
            while open.last() == Some(&0) {
                open.pop();
                open.iter_mut().last().into_iter().for_each(|left| *left -= 1);
            }
        }
        Some(Ok(()))
    }

    /// An element of the schema: its number of children.
    fn element(&mut self) -> Option<u64> {
        let (mut id, mut children) = (0, 0);
        loop {
            let kind;
            (id, kind) = self.field(id)?;
            match (id, kind) {
                (_, kind::STOP) => return Some(children),
                (CHILDREN, kind::I32) => children = u64::try_from(self.integer()?).unwrap_or(0),
                _ => self.skip(kind, 4)?,
            }
        }
    }

    /// The number and the type of the next field; `before` is the number of the one before it.
    fn field(&mut self, before: i64) -> Option<(i64, u8)> {
        let header = self.byte()?;
        let id = match header >> 4 {
            0 if header & 15 != kind::STOP => self.integer()?,
            step => before.checked_add(i64::from(step))?,
        };
        Some((id, header & 15))
    }

    /// Skips a value that is not a collection: neither version, schema nor headers of pages have any other.
    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            kind::TRUE | kind::FALSE => Some(()),
            kind::I8 => self.byte().map(drop),
            kind::I16 | kind::I32 | kind::I64 => self.varint().map(drop),
            kind::BINARY => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.bytes = self.bytes.get(length..)?;
                Some(())
            }
            kind::STRUCT if depth > 0 => {
                let mut id = 0;
                loop {
                    let kind;
                    (id, kind) = self.field(id)?;
                    if kind == kind::STOP {
                        return Some(());
                    }
                    self.skip(kind, depth - 1)?;
                }
            }
            _ => None,
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(first)
    }

    fn varint(&mut self) -> Option<u64> {
        varint(&mut self.bytes)
    }

    /// 0, −1, 1, −2 …
    fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}
