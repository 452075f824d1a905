//! Bytes to text: the declared encoding, else UTF-8, else Windows-1252.

use std::borrow::Cow;

#[cfg(target_arch = "wasm32")]
pub use browser::DECODER;
#[cfg(target_arch = "wasm32")]
use browser::decoded;

/// The number of bytes in which a page declares its encoding.
const PRESCAN_BYTES: usize = 1024;

/// The name of the encoding of text without a declaration.
const WINDOWS_1252: &str = "windows-1252";

/// Decodes a page. `charset` is the encoding that the server declared, if any. A byte order mark wins, then the server,
/// then the page; a declaration of UTF-8 that is wrong is ignored.
pub fn decode<'b>(bytes: &'b [u8], charset: Option<&str>) -> Cow<'b, str> {
    if let Some(encoding) = byte_order_mark(bytes) {
        return decoded(encoding, bytes).unwrap_or_default().into();
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        // Whatever is declared: text in another encoding is hardly ever valid UTF-8, unless it is ASCII.
        return text.into();
    }
    let known = |label: &str| if is_utf8(label) { None } else { decoded(label, bytes) };
    let text = charset.map_or_else(
        || known(&declared(bytes)?),
        |label| match is_utf8(label) {
            true => None,
            false => known(label).or_else(|| known(&declared(bytes)?)),
        },
    );
    text.map_or_else(
        || match is_mostly_utf8(bytes) {
            // Mostly valid UTF-8 with damage, or not UTF-8 at all.
            true => String::from_utf8_lossy(bytes),
            false => windows_1252(bytes).into(),
        },
        Cow::from,
    )
}

/// Bytes read as Windows-1252.
pub fn windows_1252(bytes: &[u8]) -> String {
    decoded(WINDOWS_1252, bytes).unwrap_or_default()
}

/// Whether a label means UTF-8.
fn is_utf8(label: &str) -> bool {
    ["utf-8", "utf8", "unicode-1-1-utf-8", "x-unicode20utf8"].iter().any(|name| label.trim().eq_ignore_ascii_case(name))
}

/// The encoding that a byte order mark names.
fn byte_order_mark(bytes: &[u8]) -> Option<&'static str> {
    const MARKS: [(&[u8], &str); 3] =
        [(b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16be"), (b"\xff\xfe", "utf-16le")];
    MARKS.iter().find(|(mark, _)| bytes.starts_with(mark)).map(|(_, encoding)| *encoding)
}

/// Text in the encoding with this label; `None` if there is no such encoding.
#[cfg(not(target_arch = "wasm32"))]
fn decoded(label: &str, bytes: &[u8]) -> Option<String> {
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes())?;
    Some(encoding.decode_with_bom_removal(bytes).0.into_owned())
}

/// Browsers have the tables of all encodings, which would make the module a third larger.
#[cfg(target_arch = "wasm32")]
mod browser {
    use std::sync::OnceLock;

    /// Decodes bytes in the encoding with a label; `None` if there is no such encoding.
    pub type Decoder = fn(&str, &[u8]) -> Option<String>;

    /// Set by the module.
    pub static DECODER: OnceLock<Decoder> = OnceLock::new();

    pub(super) fn decoded(label: &str, bytes: &[u8]) -> Option<String> {
        DECODER.get()?(label, bytes)
    }
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
fn declared(bytes: &[u8]) -> Option<String> {
    let start = bytes[..bytes.len().min(PRESCAN_BYTES)].to_ascii_lowercase();
    let at = start.windows(8).position(|window| window == b"charset=")? + 8;
    let label: Vec<u8> = start[at..]
        .iter()
        .copied()
        .skip_while(|b| b"\"' ".contains(b))
        .take_while(|b| !b"\"' ;/>".contains(b))
        .collect();
    String::from_utf8(label).ok()
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
