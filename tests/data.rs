//! Stories, pre-tokens, BPE, batches, baselines.

use std::collections::{HashMap, HashSet};

use glasshead::data::*;
use glasshead::rng::Rng;
use proptest::prelude::*;

fn tokenizer(text: &str, vocab_size: usize) -> Tokenizer {
    Tokenizer::new(&train(text, vocab_size, &[END_OF_TEXT]).unwrap()).unwrap()
}

#[test]
fn pretokens_are_gpt2s() {
    let cases: [(&str, &[&str]); 6] = [
        ("Hello world", &["Hello", " world"]),
        ("I'll, we've", &["I", "'ll", ",", " we", "'ve"]),
        ("a  b", &["a", " ", " b"]),
        ("x \n\n y", &["x", " \n\n", " y"]),
        ("end  ", &["end", "  "]),
        ("v2.0 é!", &["v", "2", ".", "0", " é", "!"]),
    ];
    for (text, expected) in cases {
        assert_eq!(pretokens(text).collect::<Vec<_>>(), expected, "{text:?}");
    }
}

#[test]
fn the_longest_of_overlapping_special_tokens_wins() {
    let found = pieces("a<|x|><|x|>b", &["<|x|>", "<|x|><|x|>"]);
    assert_eq!(found, [Piece::Text("a"), Piece::Special(1), Piece::Text("b")]);
}

/// Counts all pairs anew for every merge.
fn naive(text: &str, vocab_size: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut words: HashMap<Vec<Vec<u8>>, u64> = HashMap::new();
    for piece in pieces(text, &[END_OF_TEXT]) {
        if let Piece::Text(text) = piece {
            pretokens(text).for_each(|word| *words.entry(word.bytes().map(|b| vec![b]).collect()).or_default() += 1);
        }
    }
    let mut merges = Vec::new();
    while merges.len() + 257 < vocab_size {
        let mut counts: HashMap<(Vec<u8>, Vec<u8>), u64> = HashMap::new();
        for (word, count) in &words {
            word.windows(2).for_each(|p| *counts.entry((p[0].clone(), p[1].clone())).or_default() += count);
        }
        let Some((pair, _)) = counts.into_iter().max_by_key(|(pair, count)| (*count, pair.clone())) else { break };
        let merged = [pair.0.clone(), pair.1.clone()].concat();
        words = words
            .into_iter()
            .map(|(word, count)| {
                let mut out: Vec<Vec<u8>> = Vec::new();
                let mut open = false; // whether the last token of `out` may begin the pair
                for token in word {
                    if open && token == pair.1 && out.last() == Some(&pair.0) {
                        out.pop();
                        out.push(merged.clone());
                        open = false;
                    } else {
                        out.push(token);
                        open = true;
                    }
                }
                (out, count)
            })
            .collect();
        merges.push(pair);
    }
    merges
}

#[test]
fn incremental_bpe_merges_as_the_naive_one() {
    let text = stories(5, 4_000) + "aaaa aaab abababa 🙂🙂 ünïcode";
    let vocabulary = train(&text, 400, &[END_OF_TEXT]).unwrap();
    let bytes = |id: u32| vocabulary.tokens[id as usize].clone();
    let merges: Vec<_> = vocabulary.merges.iter().map(|&(a, b)| (bytes(a), bytes(b))).collect();
    assert_eq!(merges, naive(&text, 400));
}

#[test]
fn a_vocabulary_needs_room_for_all_bytes() {
    assert!(matches!(train("text", 100, &[END_OF_TEXT]), Err(DataError::VocabularyTooSmall { least: 257, .. })));
}

#[test]
fn a_corpus_is_encoded_as_the_library_does_and_decoded_back() {
    let text = stories(3, 20_000);
    let tokenizer = tokenizer(&text, 500);
    assert_eq!(tokenizer.encode_corpus(&text), tokenizer.encode(&text));
    assert_eq!(tokenizer.decode(&tokenizer.encode(&text)), text);
    assert_eq!(tokenizer.encode(END_OF_TEXT), [tokenizer.end_of_text()]);
    let again = Tokenizer::from_json(&tokenizer.to_json().unwrap()).unwrap();
    assert_eq!(again.encode(&text), tokenizer.encode(&text));
}

proptest! {
    #[test]
    fn any_text_survives_encoding(text in "\\PC*|[ \\n\\t'a-z0-9é🙂]*") {
        let tokenizer = tokenizer("one two three four", 300);
        let ids = tokenizer.encode(&text);
        prop_assert_eq!(tokenizer.decode(&ids), text.clone());
        prop_assert_eq!(tokenizer.encode_corpus(&text), ids);
        prop_assert_eq!(pretokens(&text).collect::<String>(), text);
    }
}

#[test]
fn no_story_is_told_twice_and_a_seed_repeats_itself() {
    let mut generator = StoryGenerator::new(1);
    let told: HashSet<String> = (0..20_000).map(|_| generator.next_story()).collect();
    assert_eq!(told.len(), 20_000);
    assert_eq!(stories(1, 10_000), stories(1, 10_000));
    assert_ne!(stories(1, 10_000), stories(2, 10_000));
    assert!(told.iter().all(|story| !story.contains(['{', '}']) && !story.contains("  ") && !story.contains(" a a")));
}

#[test]
fn files_are_decoded_or_refused_with_a_reason() {
    assert_eq!(decode_text(b"\xef\xbb\xbfhi".to_vec()).unwrap(), "hi");
    assert_eq!(decode_text(b"\xff\xfeh\0i\0".to_vec()).unwrap(), "hi");
    assert_eq!(decode_text(b"ab\xff".to_vec()), Err(DataError::Encoding { at: 2 }));
    assert_eq!(decode_text(b" \n".to_vec()), Err(DataError::Empty));
    let tokenizer = tokenizer("one two", 258);
    assert!(matches!(Dataset::new(&tokenizer, "short text", 64), Err(DataError::TooShort { .. })));
}

#[test]
fn a_tenth_is_held_out_behind_a_story() {
    let text = stories(1, 100_000);
    let (train, val) = split(&text);
    assert_eq!([train, val].concat(), text);
    assert!(train.ends_with(END_OF_TEXT));
    assert!((0.07..0.11).contains(&(val.len() as f64 / text.len() as f64)));
}

#[test]
fn batches_stay_inside_the_tokens() {
    let mut rng = Rng::new(1);
    let starts: HashSet<u32> = batch_starts(&mut rng, 20, 8, 2_000).into_iter().collect();
    assert_eq!(starts, (0..12).collect(), "every start, and no other");
    for starts in evaluation_starts(20, 8, 3, 4) {
        assert_eq!(starts.len(), 3);
        assert!(starts.iter().all(|&start| start < 12));
    }
}

#[test]
fn baselines_are_probability_distributions_and_get_better() {
    let tokens: Vec<u32> = (0..2_000).map(|i| [0, 1, 2, 0, 3][i % 5]).collect();
    let bigram = Bigram::count(&tokens, 6);
    for before in 0..6 {
        let sum: f64 = (0..6).map(|token| bigram.bigram(before, token)).sum();
        assert!((sum - 1.0).abs() < 1e-9, "after {before}: {sum}");
    }
    let found = baselines(&tokens, &tokens[..100], 6);
    assert!((found.uniform - 6f64.ln()).abs() < 1e-12);
    assert!(found.bigram < found.unigram && found.unigram < found.uniform, "{found:?}");
}
