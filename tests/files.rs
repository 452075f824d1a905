//! The user's files: several of them, JSON Lines, what cannot be read, and files of tokens.

use std::fs;
use std::io::Read as _;

use glasshead::data::*;

fn problem(name: &str, bytes: &[u8], field: Option<&str>) -> String {
    read_files(&[(name, bytes)], field).unwrap_err().to_string()
}

#[test]
fn several_files_become_one_text() {
    let text = read_files(&[("a.txt", b"one"), ("b.txt", b"two <|endoftext|>\n"), ("c.TXT", b"three")], None);
    assert_eq!(text.unwrap(), "one<|endoftext|>\ntwo <|endoftext|>\nthree");
    assert_eq!(read_files(&[], None), Err(DataError::Empty));
}

#[test]
fn json_lines_give_the_text_of_a_field() {
    let lines = b"{\"text\": \"one\\n\", \"story\": \"uno\", \"n\": 1}\n\n{\"text\": \"two\", \"story\": \"dos\"}";
    assert_eq!(jsonl_fields(lines), ["story", "text"]);
    let read = |field| read_files(&[("a.jsonl", lines)], field);
    assert_eq!(read(None).unwrap(), "one\n<|endoftext|>\ntwo<|endoftext|>\n");
    assert_eq!(read(Some("story")).unwrap(), "uno<|endoftext|>\ndos<|endoftext|>\n");
    let missing = DataError::NoField { line: 1, field: "body".into(), there: "n, story, text".into() };
    assert_eq!(read(Some("body")), Err(DataError::InFile { name: "a.jsonl".into(), problem: Box::new(missing) }));
    assert!(read(Some("n")).unwrap_err().to_string().contains("line 1"));
    let broken = problem("a.ndjson", b"{\"text\": \"a\"}\n{\"text\": \n", None);
    assert!(broken.contains("a.ndjson: line 2") && broken.contains("delete"), "{broken}");
    assert!(problem("a.jsonl", b"[1]", None).contains("line 1"));
    assert!(problem("a.jsonl", b"{}", None).contains("none of its fields holds text, so choose another file"));
    assert!(jsonl_fields(b"no json").is_empty());
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
    let error = train_reader(open_files(&[&lines], Some("u")).unwrap(), 300, &[]).unwrap_err();
    assert_eq!(error, DataError::NoField { line: 1, field: "u".into(), there: "t".into() });
    // Lines in UTF-16 are lines, and one that is no text is named.
    let utf16: Vec<u8> = "\u{feff}{\"t\": \"é\"}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(&lines, utf16).unwrap();
    text.clear();
    open_files(&[&lines], Some("t")).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "é<|endoftext|>\n");
    fs::write(&lines, b"{\"t\": \"one\"}\n{\"t\": \"\xff\"}\n").unwrap();
    let error = train_reader(open_files(&[&lines], Some("t")).unwrap(), 300, &[]).unwrap_err();
    assert_eq!(error, DataError::JsonLine { line: 2, problem: "it is not UTF-8".into() });
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
