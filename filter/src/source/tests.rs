use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::document::{Content, MAX_DOCUMENT_BYTES};

type Read1 = (Vec<Document>, Skipped, Option<SourceError>);

fn read(name: &str, bytes: &[u8]) -> Read1 {
    let mut reader = match open(name, bytes, "text") {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Skipped::default(), Some(error)),
    };
    let mut documents = Vec::new();
    loop {
        match reader.next_document() {
            Ok(Some(document)) => documents.push(document),
            Ok(None) => return (documents, reader.skipped(), None),
            Err(error) => return (documents, reader.skipped(), Some(error)),
        }
    }
}

fn texts(documents: &[Document]) -> Vec<String> {
    let text = |document: &Document| match &document.content {
        Content::Text(text) => text.clone(),
        Content::Html { bytes, .. } => String::from_utf8_lossy(bytes).into(),
    };
    documents.iter().map(text).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn record(kind: &str, body: &str) -> String {
    format!(
        "WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: https://a.example/\r\nContent-Length: {}\r\n\r\n{body}\r\n\r\n",
        body.len()
    )
}

fn response(html: &str) -> String {
    record("response", &format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{html}"))
}

#[test]
fn archives_of_many_members_are_read() {
    let parts =
        [record("warcinfo", "software"), record("request", "GET /"), response("<p>one"), record("conversion", "two")];
    let members: Vec<u8> = parts.iter().flat_map(|part| gzip(part.as_bytes())).collect();
    for bytes in [parts.concat().into_bytes(), members.clone()] {
        let (documents, skipped, error) = read("a.warc.gz", &bytes);
        assert_eq!(texts(&documents), ["<p>one", "two"]);
        assert_eq!((skipped.total(), documents[0].url.as_str()), (0, "https://a.example/"));
        assert!(error.is_none());
    }
    let (documents, _, error) = read("a.warc.gz", &members[..members.len() - 60]);
    assert_eq!(texts(&documents), ["<p>one"]);
    assert!(error.unwrap().to_string().contains("ends early"));
}

#[test]
fn damaged_records_are_passed_over() {
    let archive =
        [&response("<p>one")[..], "garbage\r\nmore\r\n", "WARC/1.0\r\nContent-Length: x\r\n\r\n", &response("<p>two")]
            .concat();
    let (documents, skipped, error) = read("a.warc", archive.as_bytes());
    assert_eq!(texts(&documents), ["<p>one", "<p>two"]);
    assert_eq!(skipped.damaged, 2);
    assert!(error.is_none());
}

#[test]
fn rows_of_json_lines_are_documents() {
    let rows = "{\"text\":\"one\",\"url\":\"u\"}\n\n{\"id\":7,\"text\":\"two\"}\n{\"text\":null}\nno json\n{\"html\":\"<p>x\"}\n{\"text\":3}";
    let (documents, skipped, _) = read("a.jsonl", rows.as_bytes());
    assert_eq!(texts(&documents), ["one", "two", "<p>x", "3"]);
    let urls: Vec<&str> = documents.iter().map(|document| document.url.as_str()).collect();
    assert_eq!(urls, ["u", "7", "a.jsonl:6", "a.jsonl:7"]);
    assert_eq!((skipped.no_text, skipped.damaged), (1, 1));
    let (documents, _, _) = read("a.jsonl.gz", &gzip(rows.as_bytes()));
    assert_eq!(documents.len(), 4);
    let mut nested = open("a.jsonl", &b"{\"meta\":{\"text\":\"deep\"}}"[..], "meta.text").unwrap();
    assert_eq!(texts(&[nested.next_document().unwrap().unwrap()]), ["deep"]);
}

#[test]
fn zstandard_frames_are_unpacked() {
    // Two frames with one raw block each: magic, descriptor of a single segment, size, block header, content.
    let frame = |text: &[u8]| {
        let header = (text.len() as u32) << 3 | 1;
        [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, text.len() as u8][..], &header.to_le_bytes()[..3], text].concat()
    };
    let bytes = [frame(b"{\"text\":\"one\"}\n{\"te"), frame(b"xt\":\"two\"}\n")].concat();
    let (documents, _, error) = read("a.jsonl.zst", &bytes);
    assert_eq!(texts(&documents), ["one", "two"], "{error:?}");
}

#[test]
fn text_files_are_cut_at_the_mark() {
    let (documents, skipped, _) = read("a.txt", b"one\ntwo<|endoftext|>\nthree\n<|endoftext|><|endoftext|>");
    assert_eq!(texts(&documents), ["one\ntwo", "three"]);
    assert_eq!(skipped.total(), 0);
    let (documents, skipped, _) = read("a.txt", b"caf\xe9");
    assert_eq!((texts(&documents), skipped.total()), (vec!["café".to_string()], 0));
    let (documents, skipped, _) = read("a.txt", b" \n");
    assert_eq!((documents.len(), skipped.no_text), (0, 1));
}

#[test]
fn long_lines_and_documents_are_skipped_and_counted() {
    let long = vec![b'a'; 2 * MAX_DOCUMENT_BYTES + 100];
    let rows = [&b"{\"text\":\"one\"}\n"[..], &long, b"\n{\"text\":\"two\"}\n"].concat();
    let (documents, skipped, error) = read("a.jsonl", &rows);
    assert_eq!((texts(&documents), skipped.too_long), (vec!["one".to_string(), "two".to_string()], 1));
    assert!(error.is_none());
    let (documents, skipped, _) = read("a.txt", &[&b"one<|endoftext|>\n"[..], &long, b"\n<|endoftext|>two"].concat());
    assert_eq!((texts(&documents), skipped.too_long), (vec!["one".to_string(), "two".to_string()], 1));
    let (documents, skipped, _) = read("a.html", &long);
    assert_eq!((documents.len(), skipped.too_long), (0, 1));
}

#[test]
fn bombs_end_as_a_sentence() {
    let zeros = vec![b'a'; 1 << 20];
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    (0..200).for_each(|_| encoder.write_all(&zeros).unwrap());
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 300_000);
    let (documents, _, error) = read("a.txt.gz", &bomb);
    assert_eq!(documents.len(), 0);
    assert!(error.unwrap().to_string().contains("expands"), "200 MB from {} bytes", bomb.len());
}

#[test]
fn other_types_are_named() {
    let (_, _, error) = read("a.pdf", b"%PDF-1.7");
    assert!(error.unwrap().to_string().contains("is a PDF"));
}
