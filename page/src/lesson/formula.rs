//! Formulas in a subset of TeX: letters, numbers, operators, `_`, `^`, `\frac{}{}`, `\sqrt{}`, `\sum`.

/// A formula as a tree, shaped like MathML's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formula {
    /// Adjacent pieces.
    Row(Vec<Formula>),
    /// A letter or the name of a function.
    Name(String),
    /// A number.
    Number(String),
    /// An operator.
    Sign(String),
    /// A base with optional subscript and superscript.
    Scripts(Box<Formula>, Option<Box<Formula>>, Option<Box<Formula>>),
    /// Numerator and denominator.
    Fraction(Box<Formula>, Box<Formula>),
    /// A square root.
    Root(Box<Formula>),
}

/// Parses a formula; unknown characters are kept as they are.
pub fn parse(text: &str) -> Formula {
    let characters: Vec<char> = text.chars().collect();
    let mut reader = Reader { characters, at: 0 };
    reader.row('}')
}

struct Reader {
    characters: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(&keep) {
            self.at += 1;
        }
        self.characters[start..self.at].iter().collect()
    }

    /// Everything up to `close`, which is not consumed, or the end.
    fn row(&mut self, close: char) -> Formula {
        let mut pieces = Vec::new();
        loop {
            self.take_while(char::is_whitespace);
            match self.peek() {
                None => break,
                Some(end) if end == close => break,
                Some('_' | '^') => {
                    let base = pieces.pop().unwrap_or(Formula::Row(Vec::new()));
                    pieces.push(self.scripts(base));
                }
                Some(_) => pieces.push(self.piece()),
            }
        }
        if pieces.len() == 1 { pieces.remove(0) } else { Formula::Row(pieces) }
    }

    fn scripts(&mut self, base: Formula) -> Formula {
        let (mut below, mut above) = (None, None);
        while let Some(mark @ ('_' | '^')) = self.peek() {
            self.at += 1;
            let script = Some(Box::new(self.piece()));
            if mark == '_' { below = script } else { above = script }
        }
        Formula::Scripts(Box::new(base), below, above)
    }

    /// The contents of a pair of braces, or one token.
    fn piece(&mut self) -> Formula {
        let Some(first) = self.peek() else { return Formula::Row(Vec::new()) };
        if first == '{' {
            self.at += 1;
            let row = self.row('}');
            self.at = (self.at + 1).min(self.characters.len()); // the closing brace, or the end
            return row;
        }
        if let '(' | '[' = first {
            return self.group(first);
        }
        if first == '\\' {
            self.at += 1;
            let name = self.take_while(char::is_alphabetic);
            return self.command(&name);
        }
        if first.is_ascii_digit() {
            return Formula::Number(self.take_while(|c| c.is_ascii_digit() || c == '.'));
        }
        if first.is_alphabetic() {
            // Adjacent letters are a product, except in the names of functions and tokens.
            let word = self.take_while(char::is_alphabetic);
            if word.chars().count() <= 2 && word != "ln" {
                let letters: Vec<Formula> = word.chars().map(|letter| Formula::Name(letter.into())).collect();
                return if letters.len() == 1 { Formula::Name(word) } else { Formula::Row(letters) };
            }
            return Formula::Name(word);
        }
        self.at += 1;
        Formula::Sign(if first == '-' { "−".into() } else { first.into() })
    }

    /// A bracketed group including its brackets, which are as tall as their contents.
    fn group(&mut self, open: char) -> Formula {
        self.at += 1;
        let close = if open == '(' { ')' } else { ']' };
        let mut pieces = vec![Formula::Sign(open.into()), self.row(close)];
        if self.peek() == Some(close) {
            self.at += 1;
            pieces.push(Formula::Sign(close.into()));
        }
        Formula::Row(pieces)
    }

    fn command(&mut self, name: &str) -> Formula {
        let sign = |sign: &str| Formula::Sign(sign.into());
        match name {
            "frac" => Formula::Fraction(Box::new(self.piece()), Box::new(self.piece())),
            "sqrt" => Formula::Root(Box::new(self.piece())),
            "sum" => sign("∑"),
            "in" => sign("∈"),
            "pm" => sign("±"),
            "infty" => Formula::Name("∞".into()),
            other => Formula::Name(other.into()),
        }
    }
}

/// Splits a formula where a line may break: after a comma, and before every `=` but a piece's first; never inside
/// brackets.
pub fn pieces(text: &str) -> Vec<&str> {
    let (mut pieces, mut start, mut depth, mut equals) = (Vec::new(), 0, 0, 0);
    for (at, character) in text.char_indices() {
        match character {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                pieces.push(text[start..=at].trim());
                (start, equals) = (at + 1, 0);
            }
            '=' if depth == 0 => {
                if equals > 0 {
                    pieces.push(text[start..at].trim());
                    start = at;
                }
                equals += 1;
            }
            _ => (),
        }
    }
    pieces.push(text[start..].trim());
    pieces
}

/// A formula in words, for screen readers.
pub fn spoken(text: &str) -> String {
    let words = say(&parse(text));
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn say(formula: &Formula) -> String {
    match formula {
        Formula::Row(pieces) => pieces.iter().map(say).collect::<Vec<_>>().join(" "),
        Formula::Name(name) | Formula::Number(name) => name.clone(),
        Formula::Sign(sign) => match sign.as_str() {
            "=" => "equals",
            "−" => "minus",
            "+" => "plus",
            "·" => "times",
            "⊙" => "times, element by element,",
            "/" => "divided by",
            "∑" => "the sum",
            "∈" => "in",
            "±" => "plus or minus",
            "∂" => "d",
            "(" | "[" => "of",
            ")" | "]" | "{" | "}" => "",
            other => other,
        }
        .into(),
        Formula::Scripts(base, below, above) => {
            let sum = matches!(&**base, Formula::Sign(sign) if sign == "∑");
            let below = below.as_ref().map(|below| format!(" {} {}", if sum { "over" } else { "sub" }, say(below)));
            let above = above.as_ref().map(|above| match &**above {
                Formula::Name(name) if name == "T" => " transposed".to_string(),
                Formula::Number(two) if two == "2" => " squared".to_string(),
                other => format!(" to the power of {}", say(other)),
            });
            format!("{}{}{}", say(base), below.unwrap_or_default(), above.unwrap_or_default())
        }
        Formula::Fraction(above, below) => format!("{} over {}", say(above), say(below)),
        Formula::Root(inner) => format!("the square root of {}", say(inner)),
    }
}
