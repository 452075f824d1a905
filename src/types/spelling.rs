//! Displays tokens as text. Byte-level tokens may begin or end in the middle of a character; the bytes of incomplete characters
//! are spelled as hexadecimal digits: `⟨e6 97⟩`.

/// Bytes as pairs of hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// The text of `bytes`, with bytes that do not form a complete character in hexadecimal.
pub fn spelled(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut pieces: Vec<u8> = Vec::new();
    for chunk in bytes.utf8_chunks() {
        if !chunk.valid().is_empty() {
            flush(&mut pieces, &mut text);
            text.push_str(chunk.valid());
        }
        pieces.extend(chunk.invalid());
    }
    flush(&mut pieces, &mut text);
    text
}

fn flush(pieces: &mut Vec<u8>, text: &mut String) {
    if !pieces.is_empty() {
        text.push_str(&format!("⟨{}⟩", hex(pieces)));
        pieces.clear();
    }
}

/// The bytes that [`spelled`] was given. Hexadecimal digits in such brackets in the original text are also decoded.
pub fn unspelled(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('⟨') {
        let pieces = after.split_once('⟩').and_then(|(digits, after)| Some((from_hex(digits)?, after)));
        bytes.extend(before.bytes());
        rest = match pieces {
            Some((pieces, after)) => {
                bytes.extend(pieces);
                after
            }
            None => {
                bytes.extend("⟨".bytes());
                after
            }
        };
    }
    bytes.extend(rest.bytes());
    bytes
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let byte = |pair: &str| u8::from_str_radix(pair, 16).ok().filter(|_| pair.len() == 2);
    digits.split(' ').map(byte).collect()
}
