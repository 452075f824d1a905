//! The user's files: several at once, JSON Lines, unreadable files, and token files.

use std::fs;
use std::io::Read as _;

use glasshead::data::*;

fn problem(name: &str, bytes: &[u8], field: Option<&str>) -> String {
    read_files(&[(name, bytes)], field).unwrap_err().to_string()
}

/// The text of files in memory.
fn read(files: &[(&str, &[u8])], field: Option<&str>) -> String {
    read_files(files, field).unwrap().text
}

#[test]
fn several_files_become_one_text() {
    let text = read(&[("a.txt", b"one"), ("b.txt", b"two <|endoftext|>\n"), ("c.TXT", b"three")], None);
    assert_eq!(text, "one<|endoftext|>\ntwo <|endoftext|>\nthree");
    assert_eq!(read_files(&[], None), Err(DataError::Empty));
    let rows = ("a.jsonl", b"{\"text\": \"one\"}\n".as_slice());
    assert_eq!(read(&[rows, rows], None), "one<|endoftext|>\none<|endoftext|>\n", "one end between two files");
    // The end token straddles two of the reader's parts, after a character that does as well.
    let long = format!("{}é<|endoftext|> \n\n", "a".repeat((64 << 10) - 7));
    assert_eq!(read(&[("a.txt", long.as_bytes()), ("b.txt", b"b")], None), format!("{long}b"));
}

#[test]
fn json_lines_give_the_text_of_a_field() {
    let lines = b"{\"story\": \"uno\", \"text\": \"one\\n\", \"n\": 1}\n\n{\"text\": \"two\", \"story\": \"dos\"}";
    assert_eq!(jsonl_fields(lines), ["text", "story"], "`text` is offered first");
    let lines: &[(&str, &[u8])] = &[("a.jsonl", lines)];
    assert_eq!(read(lines, None), "one\n<|endoftext|>\ntwo<|endoftext|>\n");
    assert_eq!(read(lines, Some("story")), "uno<|endoftext|>\ndos<|endoftext|>\n");
    let missing = DataError::NoField { rows: 2, field: "body".into(), there: "story, text".into() };
    let missing = DataError::InFile { name: "a.jsonl".into(), problem: Box::new(missing) };
    assert_eq!(read_files(lines, Some("body")), Err(missing));
    assert!(read_files(lines, Some("n")).unwrap_err().to_string().contains("line 1"));
    let broken = problem("a.ndjson", b"{\"text\": \"a\"}\n{\"text\": \n", None);
    assert!(broken.contains("a.ndjson: line 2") && broken.contains("delete"), "{broken}");
    assert!(problem("a.jsonl", b"[1]", None).contains("line 1"));
    assert!(problem("a.jsonl", b"{}", None).contains("none of its fields holds text, so choose another file"));
    assert!(problem("a.jsonl", b"{\"text\": \"a\"} x", None).contains("line 1"), "something after the object");
    assert!(jsonl_fields(b"no json").is_empty());
}

/// Everything that Python's `json.dumps` writes can be read, whatever the other fields contain.
#[test]
fn fields_that_are_not_read_may_hold_anything() {
    let row = |other: &str| format!("{{\"other\": {other}, \"text\": \"a\", \"after\": {other}}}\n");
    let deep = |n: usize| format!("{}1{}", "[{\"a\": ".repeat(n), "}]".repeat(n));
    let others = [
        "NaN",
        "-Infinity",
        "[Infinity, {\"NaN\": NaN}]",
        "1e999",
        "\"\\ud800\"",
        "\"a \\\" NaN\"",
        &deep(128),
        &deep(20_000),
    ];
    let rows: String = others.iter().map(|other| row(other)).collect();
    let read = read_files(&[("a.jsonl", rows.as_bytes())], None).unwrap();
    assert_eq!((read.text, read.skipped), ("a<|endoftext|>\n".repeat(others.len()), 0));
    // Quoted text is unchanged, and half of a surrogate pair is decoded as in UTF-16 files.
    let quoted = br#"{"x": NaN, "text": "NaN \u00e9\ud83d\ude00 \ud800 Infinity"}"#;
    assert_eq!(self::read(&[("a.jsonl", quoted)], None), "NaN é\u{1f600} \u{fffd} Infinity<|endoftext|>\n");
    assert!(
        problem("a.jsonl", br#"{"text": NaN}"#, None).contains("no row of 1 has text"),
        "pandas writes missing texts so"
    );
    assert!(problem("a.jsonl", br#"{"text": 1.5}"#, None).contains("line 1"), "what is read has to be a text");
    assert!(problem("a.jsonl", br#"{"text": "a", "x": Nan}"#, None).contains("line 1"));
}

#[test]
fn rows_without_text_are_skipped_and_counted() {
    let rows = b"{\"id\": 1}\n{\"text\": null, \"id\": 2}\n{\"text\": \"a\"}\n\n{\"text\": \"\"}\n{\"text\": null}\n";
    let read = read_files(&[("a.jsonl", rows), ("b.jsonl", rows)], None).unwrap();
    assert_eq!((read.text, read.skipped), ("a<|endoftext|>\n<|endoftext|>\n".repeat(2), 6));
    let none = problem("a.jsonl", b"{\"text\": null, \"body\": \"a\"}\n{\"body\": \"b\"}\n", None);
    assert_eq!(none, "a.jsonl: no row of 2 has text in the field \"text\"; choose one of its fields: body");
}

#[test]
fn a_field_within_an_object_is_named_with_dots() {
    let rows = br#"{"meta": {"text": "in", "n": 1, "of": {"text": "deep"}}, "a.b": "flat", "a": {"b": "nested"}}
{"meta": null, "a.b": "flat 2"}
{"meta": "no object", "a": {"b": "nested 2"}}"#;
    let rows: &[(&str, &[u8])] = &[("a.jsonl", rows)];
    assert_eq!(jsonl_fields(rows[0].1), ["meta.text", "meta.of.text", "a.b", "meta"]);
    let texts = |field| read(rows, Some(field)).replace("<|endoftext|>\n", "|");
    assert_eq!(texts("meta.text"), "in|");
    assert_eq!(texts("meta.of.text"), "deep|");
    assert_eq!(texts("a.b"), "flat|flat 2|nested 2|", "a name with a dot comes before an object");
    assert_eq!(read_files(rows, Some("meta.text")).unwrap().skipped, 2);
}

#[test]
fn json_lines_are_known_by_their_content() {
    let rows = b"\n{\"text\": \"a\"}\n{\"text\": \"b\"}\n";
    assert_eq!(read(&[("rows.JSON", rows)], None), "a<|endoftext|>\nb<|endoftext|>\n");
    assert!(is_jsonl("rows.json", rows) && !is_jsonl("rows.txt", rows));
    for other in ["{\n \"text\": \"a\"\n}\n", "[{\"text\": \"a\"}]\n", "text"] {
        assert_eq!(read(&[("a.json", other.as_bytes())], None), other, "any other JSON is plain text");
    }
}

#[test]
fn files_that_cannot_be_used_say_what_to_do() {
    for (name, bytes, advice) in [
        ("empty.txt", b"".as_slice(), "choose a file with some text"),
        ("blank.txt", b" \n ", "choose a file with some text"),
        ("latin.txt", b"caf\xe9", "save the file as UTF-8"),
        ("a.bin", b"PAR1....", "end in .parquet"),
        ("a.txt.gz", b"\x1f\x8b..", "unpack"),
        ("a.docx", b"PK\x03\x04..", "plain text"),
        ("a.jsonl", b"\n\n", "choose a file with some text"),
    ] {
        let said = problem(name, bytes, None);
        assert!(said.starts_with(name) && said.contains(advice), "{said}");
    }
    let large = vec![0; (512 << 20) + 1];
    assert!(problem("large.txt", &large, None).contains("command line"));
}

#[test]
fn files_on_disk_are_read_as_those_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, lines) = (folder.path().join("a.txt"), folder.path().join("b.jsonl"));
    fs::write(&plain, "plain").unwrap();
    fs::write(&lines, "{\"t\": \"one\"}\n{\"t\": \"two\"}\n").unwrap();
    let mut text = String::new();
    open_files(&[&plain, &lines], Some("t")).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "plain<|endoftext|>\none<|endoftext|>\ntwo<|endoftext|>\n");
    let in_lines = |problem| DataError::InFile { name: lines.display().to_string(), problem: Box::new(problem) };
    let error = train_reader(open_files(&[&lines], Some("u")).unwrap(), 300, &[]).unwrap_err();
    assert_eq!(error, in_lines(DataError::NoField { rows: 2, field: "u".into(), there: "t".into() }));
    // UTF-16 files are split into lines, and an invalid line is named.
    let utf16: Vec<u8> = "\u{feff}{\"t\": \"é\"}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(&lines, utf16).unwrap();
    text.clear();
    open_files(&[&lines], Some("t")).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "é<|endoftext|>\n");
    fs::write(&lines, b"{\"t\": \"one\"}\n{\"t\": \"\xff\"}\n").unwrap();
    let error = train_reader(open_files(&[&lines], Some("t")).unwrap(), 300, &[]).unwrap_err();
    assert_eq!(error, in_lines(DataError::JsonLine { line: 2, problem: "it is not UTF-8".into() }));
    fs::write(&plain, "PAR1").unwrap();
    assert!(open_files(&[&plain], None).err().unwrap().to_string().contains("cut"));
    assert!(open_files(&[folder.path().join("none")], None).is_err());
}

#[test]
fn tokens_survive_their_file_in_both_widths() {
    let folder = tempfile::tempdir().unwrap();
    let (path, text) = (folder.path().join("tokens.bin"), stories(1, 3 << 20));
    let bytes = (0..=255u8).map(|byte| (u32::from(byte), vec![byte]));
    let wide = bytes.chain([(70_000, b" the".to_vec())]);
    let wide = Tokenizer::from_parts(wide, Vec::new(), &[" the"]).unwrap();
    let narrow = Tokenizer::new(&train(&stories(1, 50_000), 300, &[END_OF_TEXT]).unwrap()).unwrap();
    for (tokenizer, width) in [(narrow, 2), (wide, 4)] {
        let encoded = TokenFile::write(&path, text.as_bytes(), &tokenizer).unwrap();
        let ids = tokenizer.encode_documents(&text);
        assert_eq!(encoded, EncodedFile { bytes: text.len(), tokens: ids.len() });
        assert_eq!(fs::metadata(&path).unwrap().len() as usize, width * ids.len());
        let file = TokenFile::open(&path, tokenizer.vocab_size()).unwrap();
        assert_eq!(file.len(), ids.len());
        assert!(file.read(0..usize::MAX).unwrap() == ids);
        assert_eq!(file.read(1000..1010).unwrap(), ids[1000..1010]);
        assert!(file.read(ids.len()..ids.len() + 5).unwrap().is_empty());
        let refused = TokenFile::open(&path, 257).unwrap().read(0..100_000).unwrap_err();
        assert!(refused.to_string().contains("encode the text again"), "{refused}");
    }
}

#[test]
fn a_text_that_cannot_be_encoded_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.bin");
    let tokenizer = Tokenizer::new(&train("text", 256, &[]).unwrap()).unwrap();
    assert_eq!(TokenFile::write(&path, b"a\xff".as_slice(), &tokenizer), Err(DataError::Encoding { at: 1 }));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    fs::write(&path, b"abc").unwrap();
    assert!(TokenFile::open(&path, 256).unwrap_err().to_string().contains("encode the text again"));
    for (path, advice) in [(folder.path().join("none"), "check the name"), (folder.path().into(), "name a file")] {
        assert!(TokenFile::open(&path, 256).unwrap_err().to_string().contains(advice), "{}", path.display());
    }
}
