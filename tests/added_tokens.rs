//! Added tokens and variants of pre-tokenizers in `tokenizer.json`, compared with the library.

use std::sync::LazyLock;

use glasshead::data::{DataError, END_OF_TEXT, Tokenizer, stories, train};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A small vocabulary in the library's file format.
fn file() -> Value {
    static FILE: LazyLock<Value> = LazyLock::new(|| {
        let vocabulary = train(&stories(3, 50_000), 400, &[END_OF_TEXT]).unwrap();
        serde_json::from_str(&Tokenizer::new(&vocabulary).unwrap().to_json().unwrap()).unwrap()
    });
    FILE.clone()
}

fn with(changes: Value) -> Value {
    let mut file = file();
    for (field, value) in changes.as_object().unwrap() {
        file[field] = value.clone();
    }
    file
}

fn added(content: &str, id: u32, flags: &[&str]) -> Value {
    let mut token = json!({
        "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        "special": false,
    });
    flags.iter().for_each(|flag| token[flag] = json!(true));
    token
}

/// The file as read by Glasshead and by the library.
fn both(file: &Value) -> (Tokenizer, tokenizers::Tokenizer) {
    let text = file.to_string();
    (Tokenizer::from_json(&text).unwrap(), text.parse().unwrap())
}

fn ids(library: &tokenizers::Tokenizer, text: &str) -> Vec<u32> {
    library.encode(text, false).unwrap().get_ids().to_vec()
}

/// Tokens with every flag, some of which overlap, with and without normalization.
static FLAGGED: LazyLock<Vec<(Tokenizer, tokenizers::Tokenizer)>> = LazyLock::new(|| {
    let tokens = json!([
        added("word", 400, &["single_word"]),
        added("<l>", 401, &["lstrip"]),
        added("<r>", 402, &["rstrip"]),
        added("<b>", 403, &["lstrip", "rstrip", "single_word"]),
        added("<n>", 404, &["normalized"]),
        added("n>x", 405, &[]),
        added("é", 0, &["normalized"]),
        added("e\u{301}", 406, &[]),
        added("    ", 407, &[]),
        added("two words", 408, &["normalized"]),
    ]);
    [Value::Null, json!({ "type": "NFC" })]
        .map(|normalizer| both(&with(json!({ "added_tokens": tokens, "normalizer": normalizer }))))
        .into()
});

proptest! {
    #[test]
    fn added_tokens_are_found_as_the_library_finds_them(
        text in "(word|<l>|<r>|<b>|<n>|n>x|é|e\u{301}|    |two words|two| |\n|a|_|9|>|\\.|e|\u{301}|日){0,16}"
    ) {
        for (ours, library) in &*FLAGGED {
            prop_assert_eq!(ours.encode(&text), ids(library, &text), "{:?}", &text);
        }
    }

    /// The same, with the text read in blocks.
    #[test]
    fn added_tokens_survive_the_borders_of_blocks(
        part in "(word|<l>|<r>|<b>|<n>|two words|two| |\n|a|\\.){1,16}"
    ) {
        let text = format!("{part} ").repeat((1 << 20) / part.len() + 40);
        let (ours, _) = &FLAGGED[0];
        let read: Result<Vec<_>, DataError> = ours.encode_reader(text.as_bytes()).collect();
        prop_assert!(read.unwrap().concat() == ours.encode(&text), "{:?}", &part);
    }
}

#[test]
fn added_tokens_have_the_ids_that_the_library_gives_them() {
    let tokens = json!([added("x1", 900, &[]), added("é", 901, &[]), added("x2", 401, &[]), added("x1", 5, &[])]);
    let (ours, library) = both(&with(json!({ "added_tokens": tokens })));
    for text in ["x1", "é", "x2", "x1x2"] {
        assert_eq!(ours.encode(text), ids(&library, text), "{text}");
    }
    assert_eq!(ours.notes().len(), 3);
    assert!(ours.notes()[0].contains("gives the added token \"x1\" the id 900; 400 is used"), "{:?}", ours.notes());
}

#[test]
fn an_added_token_spelled_like_a_byte_leaves_the_byte() {
    let (ours, library) = both(&with(json!({ "added_tokens": [added("é", 1, &[]), added("č", 2, &[])] })));
    for text in ["\u{9d3b}", "\r\n", "é", "č", "caf\u{e9}!"] {
        assert_eq!(ours.encode(text), ids(&library, text), "{text:?}");
    }
    assert_eq!(ours.encode("\u{9d3b}").len(), 3);
    assert_eq!(ours.decode(&ours.encode("\u{9d3b}\r")), "\u{9d3b}\r");
}

#[test]
fn known_pre_tokenizers_are_accepted_in_every_spelling() {
    let gpt2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    let cl100k = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    let level = |regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex });
    let split = |pattern: &str, behavior: &str, invert: bool| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": behavior, "invert": invert });
    let sequence = |steps: &[Value]| json!({ "type": "Sequence", "pretokenizers": steps });
    for pre_tokenizer in [
        sequence(&[split(gpt2, "Isolated", false), level(false)]),
        sequence(&[split(gpt2, "Removed", true), level(true)]),
        sequence(&[split(cl100k, "Removed", true), level(false)]),
        sequence(&[split(cl100k, "Isolated", true), level(false)]),
        sequence(&[level(true)]),
        sequence(&[sequence(&[split(cl100k, "Isolated", false)]), level(false)]),
    ] {
        let nfc = json!({ "type": "Sequence", "normalizers": [{ "type": "NFC" }] });
        let (ours, library) = both(&with(json!({ "pre_tokenizer": pre_tokenizer, "normalizer": nfc })));
        for text in ["It's 2024, DON'T  stop\n\n now. ", "e\u{301}  12345!?\r\n x\u{3000}", "\t\t 's 'S \n ", " "] {
            assert_eq!(ours.encode(text), ids(&library, text), "{pre_tokenizer} {text:?}");
        }
    }
    for pre_tokenizer in [
        sequence(&[split(cl100k, "Removed", false), level(false)]),
        sequence(&[split(cl100k, "MergedWithNext", false), level(false)]),
        sequence(&[split(cl100k, "Isolated", false), level(true)]),
        sequence(&[split(r"\w+", "Isolated", false), level(false)]),
        sequence(&[]),
    ] {
        let refused = Tokenizer::from_json(&with(json!({ "pre_tokenizer": pre_tokenizer })).to_string());
        assert!(matches!(refused, Err(DataError::OtherTokenizer { .. })), "{pre_tokenizer}");
    }
}

#[test]
fn what_a_post_processor_adds_is_added_to_prompts() {
    let token = |id: &str| json!({ "SpecialToken": { "id": id, "type_id": 0 } });
    let text = json!({ "Sequence": { "id": "A", "type_id": 0 } });
    let of = |single: Value| {
        json!({
            "type": "TemplateProcessing", "single": single, "pair": [],
            "special_tokens": { "<s>": { "id": "<s>", "ids": [400], "tokens": ["<s>"] } },
        })
    };
    let tokens = json!([added(END_OF_TEXT, 0, &["special"]), added("<s>", 400, &["special"])]);
    let level = json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true });
    let template = of(json!([token("<s>"), text]));
    for processor in [
        template.clone(),
        json!({ "type": "Sequence", "processors": [level, template] }),
        of(json!([token("<s>"), text, token("<s>"), token("<s>")])),
        json!({ "type": "RobertaProcessing", "cls": ["<s>", 400], "sep": [END_OF_TEXT, 0], "trim_offsets": true,
            "add_prefix_space": false }),
    ] {
        let (ours, library) = both(&with(json!({ "post_processor": processor, "added_tokens": tokens })));
        for text in ["Hi", "", "<s>x"] {
            let expected = library.encode(text, true).unwrap().get_ids().to_vec();
            assert_eq!(ours.encode_with_template(text), expected, "{processor} {text:?}");
            assert_eq!(ours.encode_prompt(text), expected);
        }
        assert!(ours.encode("").is_empty());
    }
    for (processor, words) in [
        (of(json!([token("<s>")])), "TemplateProcessing"),
        (of(json!([token("<t>"), text])), "TemplateProcessing"),
        (json!({ "type": "Other" }), "Other"),
        (json!({ "type": "BertProcessing", "cls": ["x", 90_000], "sep": ["x", 0] }), "an id that no token has"),
    ] {
        let refused = Tokenizer::from_json(&with(json!({ "post_processor": processor })).to_string()).err().unwrap();
        assert!(refused.to_string().contains(words), "{refused}");
    }
}

#[test]
fn sentence_piece_is_refused_with_advice() {
    let mut file = file();
    file["model"]["byte_fallback"] = json!(true);
    let refused = Tokenizer::from_json(&file.to_string()).err().unwrap();
    assert_eq!(refused, DataError::SentencePiece);
    assert!(refused.to_string().contains("choose a model with byte-level BPE, such as Llama 3"));
}
