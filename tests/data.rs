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
    let specials = Specials::new(&["<|x|>", "<|x|><|x|>"]).unwrap();
    let found: Vec<_> = specials.pieces("a<|x|><|x|>b").collect();
    assert_eq!(found, [Piece::Text("a"), Piece::Special(1), Piece::Text("b")]);
    let found: Vec<_> = specials.pieces("<|x|><|x|><|x|>").collect();
    assert_eq!(found, [Piece::Special(1), Piece::Special(0)]);
}

/// Recounts all pairs for every merge.
fn naive(text: &str, vocab_size: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut words: HashMap<Vec<Vec<u8>>, u64> = HashMap::new();
    for piece in Specials::new(&[END_OF_TEXT]).unwrap().pieces(text) {
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

proptest! {
    /// An alphabet of few letters gives many ties, overlaps, and merges that produce the same bytes.
    #[test]
    fn ties_and_overlaps_merge_as_the_naive_training_does(text in "[ab]{0,40}( [abc]{1,12}){0,6}") {
        let vocabulary = train(&text, 300, &[END_OF_TEXT]).unwrap();
        let bytes = |id: u32| vocabulary.tokens[id as usize].clone();
        let merges: Vec<_> = vocabulary.merges.iter().map(|&(a, b)| (bytes(a), bytes(b))).collect();
        prop_assert_eq!(merges, naive(&text, 300));
    }
}

#[test]
fn training_step_by_step_tells_every_merge() {
    let text = stories(2, 20_000);
    let mut trainer = BpeTrainer::new(&text, 300, &[END_OF_TEXT]).unwrap();
    assert_eq!(trainer.n_merges_left(), 43);
    let mut counts = Vec::new();
    while let Some(merge) = trainer.step() {
        let (left, right) = trainer.pair_bytes(merge.pair);
        let merged = [left, right].concat();
        assert!(
            !counts.is_empty() || text.matches(std::str::from_utf8(&merged).unwrap()).count() as u64 >= merge.count
        );
        counts.push(merge.count);
        assert_eq!(merge.id as usize, 256 + counts.len());
    }
    assert_eq!(counts.len(), 43);
    assert!(counts.is_sorted_by(|a, b| a >= b), "no pair gets more frequent: {counts:?}");
    assert_eq!(trainer.finish(), train(&text, 300, &[END_OF_TEXT]).unwrap());
}

#[test]
fn a_file_is_trained_on_as_its_text_is() {
    let text = "\u{feff}".to_string() + &stories(4, 3 << 20) + "ünïcode <|end here|> 🙂 ";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &text).unwrap();
    let specials = [END_OF_TEXT, "<|end here|>"];
    let from_file = train_file(file.path(), 400, &specials).unwrap();
    assert_eq!(from_file, train(&text, 400, &specials).unwrap());
    assert_eq!(from_file.tokens.len(), 400);
    assert!(train_file(file.path(), 300, &[]).is_ok(), "special tokens are not needed");
    std::fs::write(file.path(), b"ab\xffcd").unwrap();
    assert_eq!(train_file(file.path(), 400, &specials), Err(DataError::Encoding { at: 2 }));
    assert!(matches!(train_file(std::path::Path::new("missing"), 400, &[]), Err(DataError::Read { .. })));
}

proptest! {
    /// Text on both sides of a boundary is pre-tokenized as in the whole text, whatever follows.
    #[test]
    fn a_safe_border_splits_nothing(
        before in "([a-c'é ]|<s p>|<s| |\n|\r|\u{3000}|7|!|🙂){0,30}",
        after in "([a-c'é ]|<s p>|<s| |p>|\n|7){0,12}",
    ) {
        for way in Cut::ALL {
            let specials = Specials::new(&["<s p>", "<s"]).unwrap().with_cut(way);
            let cut = |text: &str| -> Vec<String> {
                let piece = |piece| match piece {
                    Piece::Text(text) => way.pretokens(text).map(String::from).collect(),
                    Piece::Special(index) => vec![format!("special {index}")],
                };
                specials.pieces(text).flat_map(piece).collect()
            };
            let Some(border) = specials.safe_border(&before) else { continue };
            let (first, rest) = before.split_at(border);
            prop_assert_eq!([cut(first), cut(&format!("{rest}{after}"))].concat(), cut(&format!("{before}{after}")));
        }
    }
}

#[test]
fn a_vocabulary_needs_room_for_all_bytes() {
    assert_eq!(train("text", 300, &[""]), Err(DataError::EmptySpecial));
    assert!(matches!(train("text", 100, &[END_OF_TEXT]), Err(DataError::VocabularyTooSmall { least: 257, .. })));
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
    assert_eq!(evaluation_starts(20, 8, 4), [0, 3, 7, 11]);
    assert_eq!((evaluation_starts(20, 8, 1), evaluation_starts(9, 8, 3)), (vec![0], vec![0, 0, 0]));
}

/// Sequences are drawn from the whole file, also when it has more than 2³² tokens.
#[test]
fn batches_of_more_tokens_than_32_bits_count_come_from_all_that_they_do() {
    let n_tokens = (1 << 32) + 8 + 5;
    let starts = batch_starts(&mut Rng::new(1), n_tokens, 8, 1_000);
    assert!(starts.iter().any(|&start| start > u32::MAX / 10 * 9) && starts.iter().any(|&start| start < u32::MAX / 10));
    let starts = evaluation_starts(n_tokens, 8, 12);
    assert!(starts.is_sorted() && starts[0] == 0 && starts[11] > u32::MAX / 10 * 9, "{starts:?}");
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
