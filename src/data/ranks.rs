//! Rank files (`.tiktoken`): a Base64 token and its rank per line. They include neither their pattern nor their special
//! tokens, so OpenAI's published encodings are recognized by their ranks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hasher as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fnv::FnvHasher;
use rustc_hash::FxHashMap;

use super::cut::{CUT_NAMES, Cut, Habits};
use super::error::DataError;
use super::pretokenize::AddedToken;
use super::tokenizer::{END_OF_TEXT, Parts, Tokenizer};

/// A published encoding.
struct Encoding {
    /// The number of ranks in its file.
    n_ranks: usize,
    /// The [`hash`] of its ranks.
    hash: u64,
    cut: Cut,
    /// Special tokens and their ids.
    specials: &'static [(&'static str, u32)],
}

/// `r50k_base` (GPT-2's), `p50k_base`, `cl100k_base` and `o200k_base`.
const ENCODINGS: [Encoding; 4] = [
    Encoding { n_ranks: 50_256, hash: 0xbbf3_327e_6374_98f2, cut: Cut::Gpt2, specials: &[(END_OF_TEXT, 50_256)] },
    Encoding { n_ranks: 50_280, hash: 0x0fb8_c76b_77ad_724a, cut: Cut::Gpt2, specials: &[(END_OF_TEXT, 50_256)] },
    Encoding {
        n_ranks: 100_256,
        hash: 0x6601_ccc2_5982_de24,
        cut: Cut::Cl100k,
        specials: &[
            (END_OF_TEXT, 100_257),
            ("<|fim_prefix|>", 100_258),
            ("<|fim_middle|>", 100_259),
            ("<|fim_suffix|>", 100_260),
            ("<|endofprompt|>", 100_276),
        ],
    },
    Encoding {
        n_ranks: 199_998,
        hash: 0x8235_6ec1_651e_ea3c,
        cut: Cut::O200k,
        specials: &[(END_OF_TEXT, 199_999), ("<|endofprompt|>", 200_018)],
    },
];

type Ranks = Vec<(u32, Vec<u8>)>;

impl Tokenizer {
    /// Reads a rank file of a published encoding, or of any other with the pattern `cut`, whose special token
    /// [`END_OF_TEXT`] gets the id after the last rank.
    ///
    /// # Errors
    /// When a line is malformed, or the ranks are unknown and `cut` is not given.
    pub fn from_ranks(text: &str, cut: Option<Cut>) -> Result<Self, DataError> {
        let ranks = read(text)?;
        let known = ENCODINGS.iter().find(|known| known.n_ranks == ranks.len() && known.hash == hash(&ranks));
        let (cut, specials) = match (known, cut) {
            (Some(known), None) => {
                (known.cut, known.specials.iter().map(|&(special, id)| (special, Some(id))).collect())
            }
            (_, Some(cut)) => (cut, vec![(END_OF_TEXT, None)]),
            (None, None) => {
                let names = CUT_NAMES.map(|(name, _)| name).join(", ");
                return Err(DataError::UnknownRanks { n_ranks: ranks.len(), names });
            }
        };
        Self::of_ranks(ranks, specials, cut)
    }

    /// Reads a rank file with GPT-2's pattern. Special tokens that are not in the file get the ids after the last rank.
    ///
    /// # Errors
    /// When a line is malformed.
    pub fn from_tiktoken<S: AsRef<str>>(text: &str, specials: &[S]) -> Result<Self, DataError> {
        let specials = specials.iter().map(|special| (special.as_ref(), None)).collect();
        Self::of_ranks(read(text)?, specials, Cut::Gpt2)
    }

    fn of_ranks(vocabulary: Ranks, specials: Vec<(&str, Option<u32>)>, cut: Cut) -> Result<Self, DataError> {
        let ranks: FxHashMap<&[u8], u32> = vocabulary.iter().map(|(rank, bytes)| (bytes.as_slice(), *rank)).collect();
        let merges = vocabulary.iter().filter_map(|(rank, bytes)| last_merge(bytes, *rank, &ranks)).collect();
        let added = specials.into_iter().map(|(special, id)| (AddedToken::plain(special), id)).collect();
        // tiktoken first checks whether the whole pre-token is a token.
        let habits = Habits { cut, keeps_whole: cut != Cut::Gpt2, ..Habits::default() };
        Self::assemble(Parts { vocabulary, merges, added, habits })
    }
}

/// The tokens of a rank file in the order of their ranks.
fn read(text: &str) -> Result<Ranks, DataError> {
    let mut tokens = Vec::new();
    for (line, entry) in (1..).zip(text.lines()).filter(|(_, entry)| !entry.trim().is_empty()) {
        let parsed = entry.trim().split_once(' ').and_then(|(token, rank)| {
            Some((rank.parse().ok()?, BASE64_STANDARD.decode(token).ok().filter(|bytes| !bytes.is_empty())?))
        });
        tokens.push(parsed.ok_or(DataError::Ranks { line })?);
    }
    if tokens.is_empty() {
        return Err(DataError::Ranks { line: 1 });
    }
    tokens.sort_unstable();
    Ok(tokens)
}

/// The FNV-1a hash of sorted ranks: every rank, its token, and the token's length.
fn hash(ranks: &Ranks) -> u64 {
    let mut hasher = FnvHasher::default();
    for (rank, token) in ranks {
        let len = token.len() as u32;
        [&rank.to_le_bytes(), &len.to_le_bytes(), &token[..]].into_iter().for_each(|part| hasher.write(part));
    }
    hasher.finish()
}

/// The two parts that a token is merged from, namely what remains of its bytes after all merges of lower rank. `None`
/// for single bytes and for tokens that lower ranks cannot build.
fn last_merge(token: &[u8], rank: u32, ranks: &FxHashMap<&[u8], u32>) -> Option<(Vec<u8>, Vec<u8>)> {
    let n_bytes = token.len();
    // For each position: the end of the part that begins there (0 if none), and the start of the part that ends there.
    let mut end: Vec<usize> = (1..=n_bytes).collect();
    let mut begin: Vec<usize> = (0..=n_bytes).map(|at| at.saturating_sub(1)).collect();
    let pair = |from: usize, middle: usize, to: usize| {
        let merged = ranks.get(&token[from..to]).copied().filter(|&merged| merged < rank)?;
        Some(Reverse((merged, from, middle, to)))
    };
    let mut pairs: BinaryHeap<_> = (2..=n_bytes).filter_map(|to| pair(to - 2, to - 1, to)).collect();
    let mut n_parts = n_bytes;
    while n_parts > 2 {
        let Reverse((_, from, middle, to)) = pairs.pop()?;
        if end[from] != middle || end[middle] != to {
            continue; // one of the two was merged with its other neighbor
        }
        (end[from], end[middle], begin[to]) = (to, 0, from);
        n_parts -= 1;
        pairs.extend((from > 0).then(|| pair(begin[from], from, to)).flatten());
        pairs.extend((to < n_bytes).then(|| pair(from, to, end[to])).flatten());
    }
    (n_parts == 2).then(|| (token[..end[0]].to_vec(), token[end[0]..].to_vec()))
}
