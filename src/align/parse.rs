//! Answers in the text of a language model, for the benchmarks MMLU (multiple choice) and GSM8K (numbers).

/// The option (A, B, …) that a text chooses: the letter after the last "answer is" or "answer:", else a letter at the start
/// of the text, else the only letter that stands alone. An option's text after "answer is" counts as its letter. `None` if
/// nothing is chosen.
pub fn parse_mmlu(options: &[String], output: &str) -> Option<char> {
    let letters: Vec<char> = ('A'..='Z').take(options.len()).collect();
    after_answer(options, &letters, output).or_else(|| at_start(&letters, output)).or_else(|| only(&letters, output))
}

/// The option named after the last "answer is" or "answer:".
fn after_answer(options: &[String], letters: &[char], output: &str) -> Option<char> {
    let lower = output.to_ascii_lowercase(); // has the same byte positions
    let ends = |phrase: &'static str| lower.rmatch_indices(phrase).map(move |(at, found)| at + found.len());
    let mut starts: Vec<usize> = ["answer is", "answer:"].into_iter().flat_map(ends).collect();
    starts.sort_unstable();
    starts.into_iter().rev().find_map(|start| {
        let rest = output[start..].trim_start_matches(|c: char| c.is_whitespace() || ":([*\"'`".contains(c));
        let named = |option: &String| {
            let same = rest.get(..option.len()).is_some_and(|text| text.eq_ignore_ascii_case(option));
            same && !option.is_empty() && ends_here(&rest[option.len()..])
        };
        let first = standing_alone(rest).filter(|letter| letters.contains(letter));
        first.or_else(|| options.iter().position(named).map(|at| letters[at]))
    })
}

/// Whether a text begins with the end of a sentence or line.
fn ends_here(rest: &str) -> bool {
    let rest = rest.trim_start_matches([')', ']', '*', '"', '\'']);
    let after = rest.strip_prefix(['.', ',', ';', '!', '\n']);
    rest.is_empty() || after.is_some_and(|after| after.is_empty() || after.starts_with(char::is_whitespace))
}

/// The letter with which a text begins, unless it is the article "A".
fn at_start(letters: &[char], output: &str) -> Option<char> {
    let text = output.trim_start_matches(|c: char| c.is_whitespace() || "([*\"'`".contains(c));
    let letter = standing_alone(text).filter(|letter| letters.contains(letter))?;
    (!is_article(letter, &text[letter.len_utf8()..])).then_some(letter)
}

/// The only letter that stands alone anywhere; `None` if there are several different ones.
fn only(letters: &[char], output: &str) -> Option<char> {
    let mut found = None;
    let starts = output.char_indices().filter(|&(at, _)| !output[..at].ends_with(joins));
    for (at, letter) in starts {
        let rest = &output[at..];
        if standing_alone(rest) != Some(letter) || !letters.contains(&letter) || is_article(letter, &rest[1..]) {
            continue;
        }
        if found.is_some_and(|other| other != letter) {
            return None;
        }
        found = Some(letter);
    }
    found
}

/// The first character of a text if no letter, digit or apostrophe follows it.
fn standing_alone(text: &str) -> Option<char> {
    let mut characters = text.chars();
    let first = characters.next()?;
    (!characters.next().is_some_and(joins)).then_some(first)
}

fn joins(character: char) -> bool {
    character.is_alphanumeric() || "'’_-".contains(character)
}

/// Whether "A" is followed by a word other than "is", as in "A virus".
fn is_article(letter: char, rest: &str) -> bool {
    let word = rest.strip_prefix(' ').filter(|word| word.starts_with(char::is_alphabetic));
    letter == 'A' && word.is_some_and(|word| !word.starts_with("is "))
}

/// The last number in a text, without thousands separators: "1,234.50" gives "1234.50". A minus sign belongs to it unless
/// it follows a digit or letter. `None` without a number.
pub fn parse_gsm8k(output: &str) -> Option<String> {
    let characters: Vec<char> = output.chars().collect();
    let is_digit = |at: usize| characters.get(at).is_some_and(char::is_ascii_digit);
    let mut last = None;
    let mut at = 0;
    while at < characters.len() {
        if !is_digit(at) {
            at += 1;
            continue;
        }
        let start = at;
        while is_digit(at) || (characters.get(at) == Some(&',') && is_thousands(&characters[start..], at - start)) {
            at += 1;
        }
        if characters.get(at) == Some(&'.') && is_digit(at + 1) {
            at += 1;
            while is_digit(at) {
                at += 1;
            }
        }
        let minus = start > 0 && characters[start - 1] == '-';
        let operator = start > 1 && (characters[start - 2].is_alphanumeric() || characters[start - 2] == ')');
        last = Some((if minus && !operator { start - 1 } else { start })..at);
    }
    last.map(|range| characters[range].iter().filter(|&&character| character != ',').collect())
}

/// Whether a comma separates thousands: one to three digits (or further groups) before it, exactly three digits after it.
fn is_thousands(number: &[char], comma: usize) -> bool {
    let digits_before = number[..comma].iter().rev().take_while(|character| character.is_ascii_digit()).count();
    let first = !number[..comma].contains(&',');
    let after = number[comma + 1..].iter().take_while(|character| character.is_ascii_digit()).count();
    after == 3 && if first { (1..=3).contains(&digits_before) } else { digits_before == 3 }
}
