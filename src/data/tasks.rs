//! Small synthetic tasks, each of which shows one capability of attention. An example is a line of ASCII: a letter for
//! the task, a prompt, and the answer. With a vocabulary of bytes, the ordinary pipeline trains on them.
//!
//! A fifth of all prompts, selected by a hash, never occurs in a training text, so their answers cannot be memorized.

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// The random stream for examples.
const TASK_STREAM: u64 = 4 << 32;

/// One in this many prompts is held out.
const HELD_OUT: u64 = 5;

/// The modulus of [`Task::ModularAddition`].
const MODULUS: u32 = 31;

/// The letters used in words.
const LETTERS: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";

/// A synthetic task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Repeat a word.
    Copy,
    /// Reverse a word.
    Reverse,
    /// Sort the letters of a word.
    Sort,
    /// Add two numbers; the last digit of the sum comes first.
    Addition,
    /// Add two numbers modulo 31.
    ModularAddition,
    /// For every bit, the parity of the ones so far.
    Parity,
    /// Close the open brackets.
    Brackets,
    /// Repeat a sequence of different letters.
    Induction,
    /// Recall the digit that followed a letter.
    Recall,
    /// Add two numbers whose digits are all reversed.
    ReversedAddition,
    /// Add two numbers with every column and carry written out before the sum.
    WorkedAddition,
}

impl Task {
    /// All tasks.
    pub const ALL: [Self; 11] = [
        Self::Copy,
        Self::Reverse,
        Self::Sort,
        Self::Addition,
        Self::ModularAddition,
        Self::Parity,
        Self::Brackets,
        Self::Induction,
        Self::Recall,
        Self::ReversedAddition,
        Self::WorkedAddition,
    ];

    /// The name in links, options and the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Reverse => "reverse",
            Self::Sort => "sort",
            Self::Addition => "addition",
            Self::ModularAddition => "modular-addition",
            Self::Parity => "parity",
            Self::Brackets => "brackets",
            Self::Induction => "induction",
            Self::Recall => "recall",
            Self::ReversedAddition => "reversed-addition",
            Self::WorkedAddition => "worked-addition",
        }
    }

    /// The task with this name, or `None`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.name() == name)
    }

    /// A description of the task and of what to inspect.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Copy => "Write a word of six letters again. Each letter of the answer looks at its twin.",
            Self::Reverse => "Write a word of six letters backwards. The pattern runs against the diagonal.",
            Self::Sort => "Write six letters in the order of the alphabet, repeated ones as often as they come.",
            Self::Addition => {
                "Add two numbers of two digits. The answer has three digits, the last one first, as one adds by hand."
            }
            Self::ModularAddition => "Add two numbers below 31 and take the remainder by 31.",
            Self::Parity => "Write after ten bits, for each, whether the ones up to it are odd (1) or even (0).",
            Self::Brackets => "Close the brackets that are open, the last one first.",
            Self::Induction => {
                "Letters come in random order, each once, and begin again: find the earlier one, take its successor."
            }
            Self::Recall => "Four letters have a digit each. Say the digit of the letter that is asked for.",
            Self::ReversedAddition => {
                "Add two numbers of two digits, all written with the last digit first. Each digit of the sum looks at its column."
            }
            Self::WorkedAddition => {
                "Add two numbers of two digits: first each column with its carry, from the right, then the sum after a semicolon."
            }
        }
    }

    /// A good example to inspect, with its answer.
    pub fn probe(self) -> String {
        let (prompt, answer) = match self {
            Self::Copy => ("c:kqzfba=", "kqzfba"),
            Self::Reverse => ("r:kqzfba=", "abfzqk"),
            Self::Sort => ("s:kqzfba=", "abfkqz"),
            Self::Addition => ("a:27+58=", "580"),
            Self::ModularAddition => ("m:17+25=", "11"),
            Self::Parity => ("p:0110100110=", "0100111011"),
            Self::Brackets => ("b:([]([]([=", "])))"),
            Self::Induction => ("i:kqzfbwmak", "qzfbwma"),
            Self::Recall => ("k:a3 f9 q1 d5 ?f=", "9"),
            Self::ReversedAddition => ("v:72+85=", "580"),
            Self::WorkedAddition => ("w:27+58=", "7+8=15,1+2+5=08;085"),
        };
        format!("{prompt}{answer}\n")
    }

    /// What precedes the final answer in the answers of a task with worked steps.
    pub fn answer_marker(self) -> Option<&'static str> {
        (self == Self::WorkedAddition).then_some(";")
    }

    /// At least `min_bytes` of training examples, one per line. Equal seeds give equal texts.
    pub fn text(self, seed: u64, min_bytes: usize) -> String {
        let mut rng = Rng::with_stream(seed, TASK_STREAM);
        let mut text = String::with_capacity(min_bytes + 64);
        while text.len() < min_bytes {
            let (prompt, answer) = self.example(&mut rng, false);
            text.extend([&prompt, &answer, "\n"]);
        }
        text
    }

    /// `n` held-out prompts with their answers (without the newline). None of the prompts occurs in a training text.
    pub fn examples(self, seed: u64, n: usize) -> Vec<(String, String)> {
        let mut rng = Rng::with_stream(seed, TASK_STREAM + 1);
        (0..n).map(|_| self.example(&mut rng, true)).collect()
    }

    /// A training prompt with its answer, drawn from `rng`.
    pub fn training_example(self, rng: &mut Rng) -> (String, String) {
        self.example(rng, false)
    }

    fn example(self, rng: &mut Rng, held_out: bool) -> (String, String) {
        loop {
            let (prompt, answer) = self.draw(rng);
            if is_held_out(&prompt) == held_out {
                return (prompt, answer);
            }
        }
    }

    fn draw(self, rng: &mut Rng) -> (String, String) {
        match self {
            Self::Copy => {
                let word = word(rng);
                (format!("c:{word}="), word)
            }
            Self::Reverse => {
                let word = word(rng);
                (format!("r:{word}="), word.chars().rev().collect())
            }
            Self::Sort => {
                let word = word(rng);
                let mut sorted: Vec<char> = word.chars().collect();
                sorted.sort_unstable();
                (format!("s:{word}="), sorted.into_iter().collect())
            }
            Self::Addition => {
                let (a, b) = (rng.below(100), rng.below(100));
                (format!("a:{a:02}+{b:02}="), format!("{:03}", a + b).chars().rev().collect())
            }
            Self::ModularAddition => {
                let (a, b) = (rng.below(MODULUS), rng.below(MODULUS));
                (format!("m:{a:02}+{b:02}="), format!("{:02}", (a + b) % MODULUS))
            }
            Self::Parity => parity(rng),
            Self::Brackets => brackets(rng),
            Self::Induction => {
                let n = 6 + rng.below(7) as usize;
                let letters = different_letters(rng, n);
                (format!("i:{letters}{}", &letters[..1]), letters[1..].to_string())
            }
            Self::Recall => recall(rng),
            Self::ReversedAddition => {
                let (a, b) = (rng.below(100), rng.below(100));
                let reversed = |digits: String| digits.chars().rev().collect::<String>();
                let [a_digits, b_digits] = [a, b].map(|number| reversed(format!("{number:02}")));
                (format!("v:{a_digits}+{b_digits}="), reversed(format!("{:03}", a + b)))
            }
            Self::WorkedAddition => worked_addition(rng),
        }
    }
}

/// Whether a prompt belongs to the fifth that no training text contains. The FNV-1a hash (Fowler, Noll, Vo) is the same on
/// every machine.
pub fn is_held_out(prompt: &str) -> bool {
    let hash = prompt
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    (hash >> 32).is_multiple_of(HELD_OUT)
}

/// The columns of an addition by hand, from the right: the ones with their two-digit sum, then carry and tens.
fn worked_addition(rng: &mut Rng) -> (String, String) {
    let (a, b) = (rng.below(100), rng.below(100));
    let ones = a % 10 + b % 10;
    let tens = ones / 10 + a / 10 + b / 10;
    let columns = format!("{}+{}={ones:02},{}+{}+{}={tens:02}", a % 10, b % 10, ones / 10, a / 10, b / 10);
    (format!("w:{a:02}+{b:02}="), format!("{columns};{:03}", a + b))
}

/// A word of six letters.
fn word(rng: &mut Rng) -> String {
    (0..6).map(|_| char::from(*rng.choose(LETTERS))).collect()
}

/// `n` different letters.
fn different_letters(rng: &mut Rng, n: usize) -> String {
    let mut left = LETTERS.to_vec();
    (0..n).map(|_| char::from(left.swap_remove(rng.below(left.len() as u32) as usize))).collect()
}

fn parity(rng: &mut Rng) -> (String, String) {
    let bits: Vec<u32> = (0..10).map(|_| rng.below(2)).collect();
    let mut ones = 0;
    let answer = bits.iter().map(|bit| {
        ones += bit;
        if ones % 2 == 1 { '1' } else { '0' }
    });
    let answer = answer.collect();
    let prompt: String = bits.iter().map(u32::to_string).collect();
    (format!("p:{prompt}="), answer)
}

/// Eight brackets, opened and closed at random; one to four are open at the end.
fn brackets(rng: &mut Rng) -> (String, String) {
    let (mut prompt, mut open): (String, Vec<char>) = (String::from("b:"), Vec::new());
    for left in (0..8).rev() {
        let has_to_open = open.is_empty() || (left == 0 && open.len() == 1);
        let has_to_close = open.len() == 4 && !has_to_open;
        if has_to_open || (!has_to_close && rng.below(2) == 0) {
            let (bracket, closing) = *rng.choose(&[('(', ')'), ('[', ']')]);
            prompt.push(bracket);
            open.push(closing);
        } else {
            prompt.extend(open.pop());
        }
    }
    prompt.push('=');
    (prompt, open.into_iter().rev().collect())
}

fn recall(rng: &mut Rng) -> (String, String) {
    let keys = different_letters(rng, 4);
    let values: Vec<u32> = (0..4).map(|_| rng.below(10)).collect();
    let asked = rng.below(4) as usize;
    let pairs: String = keys.chars().zip(&values).map(|(key, value)| format!("{key}{value} ")).collect();
    (format!("k:{pairs}?{}=", &keys[asked..=asked]), values[asked].to_string())
}
