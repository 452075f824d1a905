//! Validates Thrift's compact protocol exactly as the parquet crate will read it.
//!
//! The crate trusts the length of a list, and reads known fields as their expected types regardless of the types in
//! their headers. So lists must be as long as they claim, and known fields must have the expected types; otherwise this
//! module and the crate would interpret the same bytes differently.

/// The maximum nesting depth of unknown values.
const MAX_DEPTH: usize = 16;

/// Field types.
pub(super) mod kind {
    pub const STOP: u8 = 0;
    pub const TRUE: u8 = 1;
    pub const FALSE: u8 = 2;
    pub const I8: u8 = 3;
    pub const I16: u8 = 4;
    pub const I32: u8 = 5;
    pub const I64: u8 = 6;
    pub const DOUBLE: u8 = 7;
    pub const BINARY: u8 = 8;
    pub const LIST: u8 = 9;
    pub const SET: u8 = 10;
    pub const STRUCT: u8 = 12;
    pub const UUID: u8 = 13;
}

/// The expected type of a known field.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Bool,
    Byte,
    /// 16, 32 or 64 bits, which are encoded alike.
    Number,
    Double,
    Binary,
    List(&'static Shape),
    Struct(Fields),
}

/// The known fields of a structure, by number.
pub(super) type Fields = &'static [(i16, Shape)];

/// A reader over the remaining bytes. Methods return `None` if the bytes are invalid.
pub(super) struct Walk<'b> {
    pub bytes: &'b [u8],
}

impl Walk<'_> {
    /// Skips a value of type `kind`, which must match `shape`.
    pub fn known(&mut self, kind: u8, shape: Shape) -> Option<()> {
        match (shape, kind) {
            (Shape::Bool, kind::TRUE | kind::FALSE)
            | (Shape::Byte, kind::I8)
            | (Shape::Number, kind::I16 | kind::I32 | kind::I64)
            | (Shape::Double, kind::DOUBLE)
            | (Shape::Binary, kind::BINARY) => self.skip(kind, 0),
            (Shape::List(shape), kind::LIST) => {
                let (n, kind) = self.list()?;
                (0..n).try_for_each(|_| self.known(kind, *shape))
            }
            (Shape::Struct(fields), kind::STRUCT) => {
                let mut id = 0;
                loop {
                    let kind;
                    (id, kind) = self.field(id)?;
                    if kind == kind::STOP {
                        return Some(());
                    }
                    self.known_field(id, kind, fields)?;
                }
            }
            _ => None,
        }
    }

    /// Skips the value of a field, which must match the expected shape if the field is known.
    pub fn known_field(&mut self, id: i16, kind: u8, fields: Fields) -> Option<()> {
        match fields.iter().find(|(number, _)| *number == id) {
            Some((_, shape)) => self.known(kind, *shape),
            None => self.skip(kind, MAX_DEPTH),
        }
    }

    /// The number and type of the next field; `before` is the number of the previous one.
    pub fn field(&mut self, before: i16) -> Option<(i16, u8)> {
        let header = self.byte()?;
        let kind = header & 15;
        let id = match header >> 4 {
            _ if kind == kind::STOP => 0,
            0 => self.integer()?.try_into().ok()?,
            step => before.checked_add(step.into())?,
        };
        Some((id, kind))
    }

    /// The number of a list's elements, and their type.
    pub fn list(&mut self) -> Option<(u64, u8)> {
        let header = self.byte()?;
        let n_elements = if header >> 4 == 15 { self.varint()? } else { u64::from(header >> 4) };
        let kind = header & 15;
        // Every element takes at least a byte, except booleans, of which the crate reads none: such a list could claim
        // any length. No list in this format contains booleans.
        let fits = n_elements <= self.bytes.len() as u64 && (n_elements == 0 || kind > kind::FALSE);
        fits.then_some((n_elements, kind))
    }

    /// Skips a value of this type with at most `depth` nested structures and lists.
    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            kind::TRUE | kind::FALSE => Some(()),
            kind::I8 => self.byte().map(drop),
            kind::I16 | kind::I32 | kind::I64 => self.varint().map(drop),
            kind::DOUBLE => self.take(8),
            kind::UUID => self.take(16),
            kind::BINARY => self.binary().map(drop),
            kind::LIST | kind::SET if depth > 0 => {
                let (n, kind) = self.list()?;
                (0..n).try_for_each(|_| self.skip(kind, depth - 1))
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

    /// Skips length-prefixed bytes and returns their length.
    pub fn binary(&mut self) -> Option<usize> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.take(length)?;
        Some(length)
    }

    fn take(&mut self, n_bytes: usize) -> Option<()> {
        self.bytes = self.bytes.get(n_bytes..)?;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(first)
    }

    fn varint(&mut self) -> Option<u64> {
        super::varint(&mut self.bytes)
    }

    /// A zigzag integer: 0, −1, 1, −2 …
    pub fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}
