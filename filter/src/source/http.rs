//! HTTP responses in archives: the header decides whether the body is a page, and how it is coded.

use std::io::Read as _;

use crate::document::MAX_DOCUMENT_BYTES;

/// The body of a response that is a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) bytes: Vec<u8>,
    pub(super) charset: Option<String>,
}

/// Why a response has no usable body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    TooLong,
    Damaged,
}

/// The page of a response; `None` if it is an error, a redirect or not HTML.
pub(super) fn page(response: Vec<u8>) -> Result<Option<Page>, Unusable> {
    if !response.starts_with(b"HTTP/") {
        return Err(Unusable::Damaged);
    }
    let Some((head, body)) = split_head(&response) else { return Err(Unusable::Damaged) };
    let head = String::from_utf8_lossy(head).to_string();
    let mut lines = head.lines();
    let ok = lines
        .next()
        .and_then(|status| status.split_ascii_whitespace().nth(1))
        .is_some_and(|code| code.starts_with('2'));
    let (mut content_type, mut coding, mut chunked) = (String::new(), String::new(), false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match name.trim().to_ascii_lowercase().as_str() {
            "content-type" => content_type = value.trim().to_ascii_lowercase(),
            "content-encoding" => coding = value.trim().to_ascii_lowercase(),
            "transfer-encoding" => chunked = value.to_ascii_lowercase().contains("chunked"),
            _ => {}
        }
    }
    let is_page = if content_type.is_empty() { crate::html::is_html(body) } else { content_type.contains("html") };
    if !ok || !is_page {
        return Ok(None);
    }
    let charset =
        content_type.split_once("charset=").map(|(_, label)| label.trim_matches(['"', '\'', ' ', ';']).to_string());
    let mut bytes = if chunked { unchunked(body).unwrap_or_else(|| body.to_vec()) } else { body.to_vec() };
    // Archives usually hold the decoded body and keep the header.
    if coding.contains("gzip") && bytes.starts_with(&[0x1f, 0x8b]) {
        bytes = inflated(&bytes)?;
    }
    Ok(Some(Page { bytes, charset }))
}

fn split_head(response: &[u8]) -> Option<(&[u8], &[u8])> {
    let at =
        |mark: &[u8]| response.windows(mark.len()).position(|window| window == mark).map(|at| (at, at + mark.len()));
    let crlf = at(b"\r\n\r\n");
    let lf = at(b"\n\n");
    let (head, body) = [crlf, lf].into_iter().flatten().min()?;
    Some((&response[..head], &response[body..]))
}

fn inflated(bytes: &[u8]) -> Result<Vec<u8>, Unusable> {
    let mut out = Vec::new();
    let limit = MAX_DOCUMENT_BYTES as u64 + 1;
    flate2::bufread::MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut out).map_err(|_| Unusable::Damaged)?;
    if out.len() > MAX_DOCUMENT_BYTES { Err(Unusable::TooLong) } else { Ok(out) }
}

/// The body without the lengths of its chunks; `None` if it is not chunked.
fn unchunked(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len());
    loop {
        let end = body.iter().position(|&byte| byte == b'\n')?;
        let line = std::str::from_utf8(&body[..end]).ok()?;
        let length = usize::from_str_radix(line.trim().split(';').next()?, 16).ok()?;
        body = &body[end + 1..];
        if length == 0 {
            return Some(out);
        }
        out.extend_from_slice(body.get(..length)?);
        body = &body[length..];
        body = body.strip_prefix(b"\r\n").or_else(|| body.strip_prefix(b"\n")).unwrap_or(body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_decoded() {
        let response = |head: &str, body: &[u8]| [head.as_bytes(), b"\r\n\r\n", body].concat();
        let html = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8";
        let expected = Page { bytes: b"<p>a".to_vec(), charset: Some("utf-8".into()) };
        assert_eq!(
            page(response(html, b"<p>a")),
            Ok(Some(Page { bytes: b"<p>a".to_vec(), charset: Some("utf-8".into()) }))
        );
        let chunked = format!("{html}\r\nTransfer-Encoding: chunked");
        assert_eq!(page(response(&chunked, b"2\r\n<p\r\n2\r\n>a\r\n0\r\n\r\n")), Ok(Some(expected)));
        assert_eq!(page(response("HTTP/1.1 404 Not Found\r\nContent-Type: text/html", b"x")), Ok(None));
        assert_eq!(page(response("HTTP/1.1 200 OK\r\nContent-Type: image/png", b"x")), Ok(None));
        assert_eq!(page(b"nonsense".to_vec()), Err(Unusable::Damaged));
    }
}
