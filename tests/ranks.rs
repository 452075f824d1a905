//! Rank files of published encodings, as tiktoken reads them.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use glasshead::data::{Cut, DataError, END_OF_TEXT, Tokenizer};
use proptest::prelude::*;
use tiktoken_rs::CoreBPE;

/// The ranks of an encoding as a `.tiktoken` file.
fn rank_file(oracle: &CoreBPE, ranks: impl Iterator<Item = u32>) -> String {
    let mut text = String::new();
    for rank in ranks {
        writeln!(text, "{} {rank}", BASE64_STANDARD.encode(oracle.decode_bytes(&[rank]).unwrap())).unwrap();
    }
    text
}

fn p50k_file() -> String {
    rank_file(tiktoken_rs::p50k_base_singleton(), (0..50_281).filter(|&rank| rank != 50_256))
}

/// An encoding with the id of its end token.
type Encoding = (Tokenizer, &'static CoreBPE, u32);

static ENCODINGS: LazyLock<[Encoding; 4]> = LazyLock::new(|| {
    let read = |file: String| Tokenizer::from_ranks(&file, None).unwrap();
    let [r50k, p50k] = [tiktoken_rs::r50k_base_singleton(), tiktoken_rs::p50k_base_singleton()];
    let [cl100k, o200k] = [tiktoken_rs::cl100k_base_singleton(), tiktoken_rs::o200k_base_singleton()];
    [
        (read(rank_file(r50k, 0..50_256)), r50k, 50_256),
        (read(p50k_file()), p50k, 50_256),
        (read(rank_file(cl100k, 0..100_256)), cl100k, 100_257),
        (read(rank_file(o200k, 0..199_998)), o200k, 199_999),
    ]
});

#[test]
fn published_ranks_are_recognized_with_their_own_end() {
    for (tokenizer, _, end) in &*ENCODINGS {
        assert_eq!(tokenizer.end_of_text(), Some(*end));
        assert_eq!(tokenizer.encode(END_OF_TEXT), [*end]);
        assert_eq!(tokenizer.decode(&[*end]), END_OF_TEXT);
    }
    let [_, _, (cl100k, ..), (o200k, ..)] = &*ENCODINGS;
    assert_eq!(cl100k.encode("2024 DON'T"), [2366, 19, 45373, 17773]);
    assert_eq!(cl100k.encode("<|fim_prefix|><|endofprompt|>"), [100_258, 100_276]);
    assert_eq!(o200k.encode("<|endofprompt|>"), [200_018]);
}

proptest! {
    #[test]
    fn published_encodings_encode_as_tiktoken_does(
        text in "\\PC*|[ \\n\\r\\t'a-zA-Z0-9.,!/é\u{301}ſ²½٣\u{3000}🙂ǅʰ日]*|( |\n|\r\n|/|[a-cA-C]|[0-9]|[!?]|'S|'lL){0,30}"
    ) {
        for (tokenizer, oracle, end) in &*ENCODINGS {
            prop_assert_eq!(tokenizer.encode(&text), oracle.encode_ordinary(&text), "{} {:?}", end, &text);
        }
    }
}

#[test]
fn unknown_ranks_ask_for_their_pattern() {
    let file: String =
        (0..=255u8).fold(String::new(), |file, byte| file + &BASE64_STANDARD.encode([byte]) + &format!(" {byte}\n"));
    let problem = Tokenizer::from_ranks(&file, None).err().unwrap();
    assert!(matches!(problem, DataError::UnknownRanks { n_ranks: 256, .. }), "{problem}");
    assert!(problem.to_string().contains("--pattern gpt2, cl100k, o200k"), "{problem}");
    let tokenizer = Tokenizer::from_ranks(&file, Some(Cut::O200k)).unwrap();
    assert_eq!((tokenizer.encode("a"), tokenizer.end_of_text()), (vec![97], Some(256)));
    // A single different rank makes a different encoding.
    let changed = p50k_file().replacen("IQ== 0\n", "fg== 0\n", 1);
    assert!(Tokenizer::from_ranks(&changed, None).is_err());
}
