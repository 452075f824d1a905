//! Bytes to text: the declared encoding, else UTF-8, else Windows-1252.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// The number of bytes in which a page declares its encoding.
const PRESCAN_BYTES: usize = 1024;

/// Decodes a page. `charset` is the encoding that the server declared, if any. A byte order mark wins, then the server,
/// then the page; a declaration of UTF-8 that is wrong is ignored.
pub fn decode<'b>(bytes: &'b [u8], charset: Option<&str>) -> Cow<'b, str> {
    if Encoding::for_bom(bytes).is_none()
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        // Whatever is declared: text in another encoding is hardly ever valid UTF-8, unless it is ASCII.
        return text.into();
    }
    let declared = charset.and_then(|label| Encoding::for_label(label.as_bytes())).or_else(|| declared(bytes));
    let encoding = match declared {
        Some(encoding) if encoding != UTF_8 => encoding,
        // Mostly valid UTF-8 with damage, or not UTF-8 at all.
        _ if is_mostly_utf8(bytes) => UTF_8,
        _ => WINDOWS_1252,
    };
    encoding.decode(bytes).0
}

/// Whether most characters beyond ASCII are valid UTF-8.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut valid, mut invalid) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        valid += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        invalid += usize::from(!chunk.invalid().is_empty());
    }
    valid > invalid
}

/// The encoding that a page declares in a `meta` tag.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = bytes[..bytes.len().min(PRESCAN_BYTES)].to_ascii_lowercase();
    let at = start.windows(8).position(|window| window == b"charset=")? + 8;
    let label: Vec<u8> = start[at..]
        .iter()
        .copied()
        .skip_while(|b| b"\"' ".contains(b))
        .take_while(|b| !b"\"' ;/>".contains(b))
        .collect();
    Encoding::for_label(&label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_found() {
        assert_eq!(decode("é".as_bytes(), Some("iso-8859-1")), "é", "valid UTF-8 wins");
        assert_eq!(decode(b"caf\xe9", None), "café");
        assert_eq!(decode(b"<meta charset=\"windows-1251\">\xcf\xf0", None), "<meta charset=\"windows-1251\">Пр");
        assert_eq!(decode(b"\xcf\xf0", Some("windows-1251")), "Пр");
        assert_eq!(decode(b"\xff\xfea\0b\0", None), "ab");
        assert_eq!(
            decode("éééé\u{1}".as_bytes().iter().copied().chain([0xff]).collect::<Vec<_>>().as_slice(), None),
            "éééé\u{1}\u{fffd}"
        );
    }
}
