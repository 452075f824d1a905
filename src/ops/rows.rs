//! Rows of a head in registers, for several lengths: `shaders/lib/row.wgsl` with one line per vector.

/// The template for a row of `$vectors` vectors.
macro_rules! row {
    ($vectors:literal) => {{
        const TEMPLATE: &[u8] = wgsl!("../../shaders/lib/row.wgsl").as_bytes();
        const LEN: usize = expand(TEMPLATE, $vectors, &mut []);
        const EXPANDED: [u8; LEN] = {
            let mut expanded = [0; LEN];
            expand(TEMPLATE, $vectors, &mut expanded);
            expanded
        };
        match std::str::from_utf8(&EXPANDED) {
            Ok(text) => text,
            Err(_) => panic!("only ASCII is inserted"),
        }
    }};
}
/// Row of 16 elements.
pub(super) const ROW_16: &str = row!(4);
/// Row of 32 elements.
pub(super) const ROW_32: &str = row!(8);
/// Row of 64 elements.
pub(super) const ROW_64: &str = row!(16);

/// Writes the template for `vectors` vectors into `out`, as far as it fits; returns the full length. A line with `{i}` or `{4i}`
/// is repeated for every vector, one with `{j}` or `{4j}` for every vector but the first; `{n}` is the number of elements.
pub const fn expand(template: &[u8], vectors: usize, out: &mut [u8]) -> usize {
    let (mut start, mut len) = (0, 0);
    while start < template.len() {
        let mut end = start;
        let (mut index, mut last) = (0, 0);
        while end < template.len() && template[end] != b'\n' {
            if let Some((name, _)) = place(template, end)
                && name != b'n'
            {
                (index, last) = (if name == b'j' { 1 } else { 0 }, vectors - 1);
            }
            end += 1;
        }
        while index <= last {
            len = line(template, [start, end], [index, vectors], out, len);
            index += 1;
        }
        start = end + 1;
    }
    len
}

/// Writes the line at `[start, end]` for vector `index` of `vectors`; returns the new length of the text.
const fn line(
    template: &[u8],
    [mut at, end]: [usize; 2],
    [index, vectors]: [usize; 2],
    out: &mut [u8],
    mut len: usize,
) -> usize {
    while at < end {
        match place(template, at) {
            Some((b'n', size)) => {
                len = decimal(4 * vectors, out, len);
                at += size;
            }
            Some((_, size)) => {
                len = decimal(if size == 4 { 4 * index } else { index }, out, len);
                at += size;
            }
            None => {
                len = put(template[at], out, len);
                at += 1;
            }
        }
    }
    put(b'\n', out, len)
}

/// The name of the placeholder that begins at `at`, and its length.
const fn place(template: &[u8], at: usize) -> Option<(u8, usize)> {
    let size = if at + 1 < template.len() && template[at + 1] == b'4' { 4 } else { 3 };
    if template[at] != b'{' || at + size > template.len() || template[at + size - 1] != b'}' {
        return None;
    }
    Some((template[at + size - 2], size))
}

const fn decimal(number: usize, out: &mut [u8], mut len: usize) -> usize {
    if number >= 10 {
        len = decimal(number / 10, out, len);
    }
    put(b'0' + (number % 10) as u8, out, len)
}

const fn put(byte: u8, out: &mut [u8], len: usize) -> usize {
    if len < out.len() {
        out[len] = byte;
    }
    len + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_repeated_for_each_vector() {
        let template = b"row {n}\nx{i} {4i}\ny{j} {4j}\n{ end }\n";
        let mut out = [0; 64];
        let len = expand(template, 3, &mut out);
        let expected = "row 12\nx0 0\nx1 4\nx2 8\ny1 4\ny2 8\n{ end }\n";
        assert_eq!((std::str::from_utf8(&out[..len]).unwrap(), len), (expected, expand(template, 3, &mut [])));
    }

    #[test]
    fn rows_have_as_many_vectors_as_their_length_needs() {
        for (text, vectors) in [(ROW_16, 4), (ROW_32, 8), (ROW_64, 16)] {
            assert!(text.contains(&format!("const ROW: u32 = {}u;", 4 * vectors)));
            assert_eq!(text.matches(": vec4<f32>,").count(), vectors);
            assert_eq!(text.matches("store_grad(").count(), vectors, "a call per vector");
        }
    }
}
