//! The tokenizer against tiktoken, its files, and texts read in parts.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use glasshead::data::*;
use proptest::prelude::*;
use tiktoken_rs::CoreBPE;

/// GPT-2's vocabulary as a `.tiktoken` file, with the oracle's ranks.
fn gpt2_ranks() -> String {
    let oracle = tiktoken_rs::r50k_base_singleton();
    let mut text = String::new();
    for rank in 0..50_256 {
        writeln!(text, "{} {rank}", BASE64_STANDARD.encode(oracle.decode_bytes(&[rank]).unwrap())).unwrap();
    }
    text
}

pub static GPT2: LazyLock<Tokenizer> =
    LazyLock::new(|| Tokenizer::from_tiktoken(&gpt2_ranks(), &[END_OF_TEXT]).unwrap());

fn oracle() -> &'static CoreBPE {
    tiktoken_rs::r50k_base_singleton()
}

fn small() -> Tokenizer {
    Tokenizer::new(&train(&stories(3, 100_000), 500, &[END_OF_TEXT]).unwrap()).unwrap()
}

#[test]
fn gpt2_encodes_a_sentence_as_published() {
    let text = "Hey! I am doing well.. I hope you're well too! ";
    let expected = [10814, 0, 314, 716, 1804, 880, 492, 314, 2911, 345, 821, 880, 1165, 0, 220];
    assert_eq!(GPT2.encode(text), expected);
    assert_eq!(GPT2.decode(&expected), text);
    assert_eq!((GPT2.end_of_text(), GPT2.vocab_size()), (Some(50_256), 50_257));
    assert_eq!(GPT2.token_text(10814), "Hey");
    assert!((GPT2.bytes_per_token(text) - 47.0 / 15.0).abs() < 1e-9);
}

#[test]
fn special_tokens_beside_white_space_are_encoded_as_tiktoken_does() {
    for text in [
        "<|endoftext|>",
        "a <|endoftext|> b",
        "a  <|endoftext|>  b",
        "\n\n<|endoftext|>\n\n<|endoftext|><|endoftext|> \t",
        "it's<|endoftext|>'s <|endoftext",
        " \u{3000}\u{85}<|endoftext|>\u{a0}x",
    ] {
        assert_eq!(GPT2.encode(text), oracle().encode_with_special_tokens(text), "{text:?}");
        assert_eq!(GPT2.decode(&GPT2.encode(text)), text);
    }
}

#[test]
fn all_short_texts_are_encoded_as_tiktoken_does() {
    let characters = [' ', '\n', '\t', '\u{1c}', '\u{a0}', '\'', 's', 'l', 'v', 'e', '1', '!', 'é', '²', '\u{301}'];
    let n = characters.len();
    for number in 0..n.pow(4) {
        let text: String = (0..4).map(|place| characters[number / n.pow(place) % n]).collect();
        assert_eq!(GPT2.encode(&text), oracle().encode_ordinary(&text), "{text:?}");
    }
}

#[test]
fn stories_and_long_words_are_encoded_as_tiktoken_does() {
    let repeated = ["-", "ab", "é", "  ", "0", "\n \n"].map(|part| part.repeat(333));
    for text in [stories(1, 30_000)].iter().chain(&repeated) {
        assert_eq!(GPT2.encode(text), oracle().encode_with_special_tokens(text), "{text:.20}");
    }
}

proptest! {
    #[test]
    fn any_unicode_is_encoded_as_tiktoken_does(text in any::<String>()) {
        let ids = GPT2.encode(&text);
        prop_assert_eq!(GPT2.decode(&ids), text.clone());
        prop_assert_eq!(ids, oracle().encode_ordinary(&text));
    }

    #[test]
    fn awkward_text_is_encoded_as_tiktoken_does(
        text in "(<\\|endoftext\\|>| |  |\\n|\\t|\\r\\n|[a-zA-Z]{1,9}|'(s|ll|re|VE)|\\d{1,5}|\\PC|[\\u{80}-\\u{3000}]|[!-/]{1,4}){0,40}"
    ) {
        let ids = GPT2.encode(&text);
        prop_assert_eq!(GPT2.decode(&ids), text.clone());
        prop_assert_eq!(ids, oracle().encode_with_special_tokens(&text));
    }

    #[test]
    fn any_text_survives_a_trained_vocabulary(text in "\\PC*|[ \\n\\t'a-z0-9é🙂]*") {
        static SMALL: LazyLock<Tokenizer> = LazyLock::new(small);
        prop_assert_eq!(SMALL.decode(&SMALL.encode(&text)), text.clone());
        prop_assert_eq!(pretokens(&text).collect::<String>(), text);
    }
}

#[test]
fn a_tokenizer_survives_its_file() {
    let (text, tokenizer) = (stories(5, 20_000) + "über 🙂  <|end of|>", small());
    let again = Tokenizer::from_json(&tokenizer.to_json().unwrap()).unwrap();
    assert_eq!(again.encode(&text), tokenizer.encode(&text));
    assert_eq!((again.vocab_size(), again.end_of_text()), (500, Some(0)));
    assert_eq!(again.to_json().unwrap(), tokenizer.to_json().unwrap());

    let specials = [END_OF_TEXT, "<|end of|>", "<|end of|>x", "über", "BYTE_LEVEL \n ADDED"];
    let gpt2 = Tokenizer::from_tiktoken(&gpt2_ranks(), &specials).unwrap();
    let again = Tokenizer::from_json(&gpt2.to_json().unwrap()).unwrap();
    assert_eq!(again.encode(&text), gpt2.encode(&text));
    assert_eq!(again.specials().collect::<HashSet<_>>(), gpt2.specials().collect());
    assert_eq!(gpt2.encode("<|end of|>xüber"), [50_258, 50_259]);
}

#[test]
fn the_library_reads_our_file_and_encodes_alike() {
    let (text, tokenizer) = (stories(6, 20_000), small());
    let library: tokenizers::Tokenizer = tokenizer.to_json().unwrap().parse().unwrap();
    assert_eq!(library.encode(text.as_str(), false).unwrap().get_ids(), tokenizer.encode(&text));
    assert_eq!(library.decode(&tokenizer.encode("one day"), false).unwrap(), "one day");
}

/// A small vocabulary with the pre-tokenization of one family.
fn of_family(cut: Cut) -> Tokenizer {
    let like_llama = cut == Cut::Llama3;
    small().with_habits(Habits { cut, composes: cut == Cut::Qwen2, keeps_whole: like_llama })
}

static FAMILIES: LazyLock<Vec<(Tokenizer, tokenizers::Tokenizer)>> = LazyLock::new(|| {
    let both = |cut| {
        let ours = of_family(cut);
        let json = ours.to_json().unwrap();
        assert_eq!(Tokenizer::from_json(&json).unwrap().to_json().unwrap(), json);
        (ours, json.parse().unwrap())
    };
    Cut::ALL.into_iter().map(both).collect()
});

proptest! {
    /// The library runs the patterns as they are in the files, look-ahead included.
    #[test]
    fn families_cut_as_the_library_does(
        text in "\\PC*|[ \\n\\r\\t'a-zA-Z0-9.,!é\u{301}ſ²½٣\u{3000}🙂]*|( |\n|\r\n|[a-c]|[0-9]|[!?]|'S|'lL){0,30}"
    ) {
        for (cut, (ours, library)) in Cut::ALL.into_iter().zip(&*FAMILIES) {
            let theirs = library.encode(text.as_str(), false).unwrap();
            prop_assert_eq!(ours.encode(&text), theirs.get_ids(), "{:?} {:?}", cut, &text);
            prop_assert_eq!(cut.pretokens(&text).collect::<String>(), text.clone());
        }
    }
}

#[test]
fn families_cut_numbers_lines_and_whole_words_in_their_ways() {
    let cut = |cut: Cut| cut.pretokens("It'S 12345!\n\n  x").collect::<Vec<_>>();
    assert_eq!(cut(Cut::Gpt2), ["It", "'", "S", " 12345", "!", "\n\n ", " x"]);
    assert_eq!(cut(Cut::Digits), ["It", "'", "S", " ", "1", "2", "3", "4", "5", "!", "\n\n ", " x"]);
    assert_eq!(cut(Cut::Llama3), ["It", "'S", " ", "123", "45", "!\n\n", " ", " x"]);
    assert_eq!(cut(Cut::Qwen2), ["It", "'S", " ", "1", "2", "3", "4", "5", "!\n\n", " ", " x"]);
    // "abc" has an id, but no merge produces it.
    let tokens = ["a", "b", "c", "ab", "abc"].map(|token| token.as_bytes().to_vec());
    let merges = vec![(b"a".to_vec(), b"b".to_vec())];
    let tokenizer = || Tokenizer::from_parts((0..).zip(tokens.clone()), merges.clone(), &[END_OF_TEXT]).unwrap();
    assert_eq!(tokenizer().encode("abc"), [3, 2]);
    let whole = Habits { keeps_whole: true, ..Habits::default() };
    assert_eq!(tokenizer().with_habits(whole).encode("abc"), [4]);
    let composing = of_family(Cut::Qwen2);
    assert_eq!(composing.encode("e\u{301}"), composing.encode("é"), "an accent behind its letter");
}

#[test]
fn other_tokenizers_are_refused_with_a_reason() {
    let json = small().to_json().unwrap();
    for (from, to, reason) in [
        ("\"add_prefix_space\": false", "\"add_prefix_space\": true", "adds a space"),
        ("\"byte_fallback\": false", "\"byte_fallback\": true", "byte_fallback"),
        ("\"use_regex\": true }", "\"use_regex\": false }", "cuts otherwise"),
        ("\"normalizer\": null", "\"normalizer\": {\"type\": \"Lowercase\"}", "normalizer"),
        ("\"continuing_subword_prefix\": null", "\"continuing_subword_prefix\": \"##\"", "marks"),
        ("\"type\": \"BPE\"", "\"type\": \"Unigram\"", "another model"),
        ("\"merges\": [", "\"merges\": [[\"a\", \"#################################\"],", "no token for both"),
        ("{", "", ""),
    ] {
        let changed = json.replace(from, to);
        assert_ne!(changed, json, "{from}");
        let problem = Tokenizer::from_json(&changed).err().expect(to).to_string();
        assert!(problem.contains(reason), "{problem}");
    }
    assert_eq!(Tokenizer::from_tiktoken("IQ== 0\nIQ==", &[END_OF_TEXT]).err(), Some(DataError::Ranks { line: 2 }));
    assert_eq!(Tokenizer::from_tiktoken("", &[END_OF_TEXT]).err(), Some(DataError::Ranks { line: 1 }));
}

/// A handwritten vocabulary of a few tokens.
fn by_hand(specials: &[&str]) -> Tokenizer {
    let tokens = [" ", "a", "c", "e", "h", "t", "th", " c", " a", "the", " at"];
    let merges = [("t", "h"), (" ", "c"), (" ", "a"), ("th", "e"), (" a", "t")];
    let bytes = |text: &str| text.as_bytes().to_vec();
    let merges = merges.map(|(left, right)| (bytes(left), bytes(right))).to_vec();
    Tokenizer::from_parts((0..).zip(tokens.map(bytes)), merges, specials).unwrap()
}

#[test]
fn a_vocabulary_by_hand_is_enough() {
    let tokenizer = by_hand(&[]);
    assert_eq!(tokenizer.encode("the cat ate"), [9, 7, 1, 5, 10, 3]);
    assert_eq!((tokenizer.end_of_text(), tokenizer.vocab_size()), (None, 11));
    assert_eq!((tokenizer.unknown_byte("the cat"), tokenizer.unknown_byte("cut")), (None, Some(b'u')));
    assert_eq!(tokenizer.encode("cut"), [2, 5], "what has no token is left out");
}

#[test]
fn special_tokens_take_their_ids_from_the_vocabulary_or_behind_it() {
    let tokenizer = by_hand(&["the", "cat", "cat", "catthe"]);
    assert_eq!(tokenizer.specials().collect::<Vec<_>>(), [("the", 9), ("cat", 11), ("catthe", 12)]);
    assert_eq!(tokenizer.encode("catthecat"), [12, 11]);
    assert_eq!(tokenizer.decode(&[12, 0, 11, 99]), "catthe cat");
    let missing = Tokenizer::from_parts([(0, vec![b'a'])], vec![(vec![b'a'], vec![b'b'])], &[""; 0]);
    assert!(matches!(missing, Err(DataError::Tokenizer(_))));
    let byte = |byte: u8| (u32::from(byte), vec![byte]);
    let unmerged = Tokenizer::from_parts([byte(0), byte(1)], vec![(vec![0], vec![1])], &[""; 0]);
    assert!(matches!(unmerged, Err(DataError::Tokenizer(_))));
    let huge = Tokenizer::from_parts([(u32::MAX, vec![b'a'])], Vec::new(), &[""; 0]);
    assert!(matches!(huge, Err(DataError::Tokenizer(_))));
}

#[test]
fn a_special_token_may_be_a_single_byte() {
    let vocabulary = train("a b a b ab", 260, &["a"]).unwrap();
    let tokenizer = Tokenizer::new(&vocabulary).unwrap();
    assert_eq!(tokenizer.encode("ab"), [0, 1 + u32::from(b'b')]);
    assert_eq!(tokenizer.decode(&[0, 1 + u32::from(b'a')]), "aa");
    assert!(tokenizer.to_json().is_err(), "a tokenizer.json cannot tell the two apart");
}

/// A reader that returns a few bytes at a time, like pipes and networks.
struct Dripping<'t>(&'t [u8], usize);

impl Read for Dripping<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1 * 7 % 4099 + 1;
        let n = self.1.min(out.len()).min(self.0.len());
        out[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

#[test]
fn a_text_that_is_read_in_parts_has_the_ids_of_the_whole() {
    let mut text = stories(8, 1 << 20);
    text += &"x".repeat(3 << 20); // longer than any block
    text += &" \n".repeat(700_000);
    text += &"<|endoftext|> 🙂 <|end of|> é's".repeat(50_000);
    let tokenizer = Tokenizer::from_parts(
        (0..=255u8).map(|byte| (u32::from(byte), vec![byte])),
        Vec::new(),
        &[END_OF_TEXT, "<|end of|>", "<|endoftext|> 🙂"],
    );
    let tokenizer = tokenizer.unwrap();
    let parts: Result<Vec<_>, _> = tokenizer.encode_reader(Dripping(text.as_bytes(), 1)).collect();
    let parts = parts.unwrap();
    assert!(parts.len() > 3, "{} blocks", parts.len());
    assert!(parts.concat() == tokenizer.encode(&text), "the ids differ");
}

#[test]
fn reading_stops_at_what_is_no_text() {
    let mut bytes = "word ".repeat(500_000).into_bytes();
    bytes.push(0xe2); // the first byte of a multi-byte character
    let mut parts = small().encode_reader(bytes.as_slice()).collect::<Vec<_>>();
    assert_eq!(parts.pop(), Some(Err(DataError::Encoding { at: 2_500_000 })));
    assert!(parts.len() > 1 && parts.iter().all(Result::is_ok));
}
