//! Judges and parsers of answers.

use glasshead::align::*;

fn ended(text: &str) -> Response<'_> {
    Response { text, ended: true }
}

fn reward(spec: &str, response: Response<'_>, answer: Option<&str>) -> f64 {
    Rewards::parse(&[spec]).unwrap().grade(response, answer).reward
}

#[test]
fn exact_and_partial_credit() {
    for (text, has_end, exact, partial) in [
        ("580", true, 1.0, 1.0),
        // Three of four characters: the end is missing.
        ("580", false, 0.0, 0.5 * 0.75),
        ("581", true, 0.0, 0.5 * 0.75),
        // The end is not in its place.
        ("58", true, 0.0, 0.5 * 0.5),
        ("5801", true, 0.0, 0.5 * 0.75),
        ("085", true, 0.0, 0.5 * 0.5),
        ("", false, 0.0, 0.0),
    ] {
        let response = Response { text, ended: has_end };
        assert_eq!(reward("exact", response, Some("580")), exact, "{text}");
        assert_eq!(reward("partial", response, Some("580")), partial, "{text}");
    }
    assert_eq!(reward("exact", ended("x"), None), 0.0);
    assert_eq!(reward("exact", ended(" 5 "), Some("5")), 1.0);
}

#[test]
fn format_compares_the_form_of_the_answer() {
    let format = |text: &str, answer: Option<&str>| reward("format", ended(text), answer);
    for (text, expected) in [("123", 1.0), ("12", 0.0), ("12a", 0.0), ("1234", 0.0)] {
        assert_eq!(format(text, Some("580")), expected, "{text}");
    }
    assert_eq!(format("])))", Some("])))")), 1.0);
    assert_eq!(format("[)))", Some("])))")), 0.0);
    assert_eq!([format("some words", None), format(" ", None)], [1.0, 0.0]);
    assert_eq!(reward("format", Response { text: "580", ended: false }, Some("580")), 0.0);
}

#[test]
fn a_marker_separates_the_steps_from_the_answer() {
    let rewards = Rewards::parse(&["exact", "0.1*format"]).unwrap().after(";");
    let answer = Some("7+8=15,1+2+5=08;085");
    let grade = |text| rewards.grade(ended(text), answer);
    assert_eq!(grade("7+8=15,1+2+5=08;085"), Verdict { reward: 1.1, exact: 1.0, format: 1.0 });
    assert_eq!(grade("wrong steps;085").exact, 1.0);
    assert_eq!(grade("7+8=15,1+2+5=08;084"), Verdict { reward: 0.1, exact: 0.0, format: 1.0 });
    assert_eq!(grade("085"), Verdict::default());
    assert_eq!(rewards.grade(ended("a;085"), Some("085")).exact, 1.0);
}

#[test]
fn length_pattern_and_word() {
    let of = |spec: &str, text: &str| reward(spec, ended(text), None);
    assert_eq!(["", "ab", "abcd", "abcdef", "abcdefgh!"].map(|text| of("length:4", text)), [0.0, 0.5, 1.0, 0.5, 0.0]);
    assert_eq!([of("regex:^[0-9]+$", "123"), of("regex:^[0-9]+$", "12a"), of("regex:a:b", "xa:by")], [1.0, 0.0, 1.0]);
    assert_eq!(["The Dog ran.", "dogs", "hotdog", "a (dog)"].map(|text| of("word:dog", text)), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(of("word:größe", "Die GRÖSSE, die Größe"), 1.0);
    let sum = Rewards::parse(&["0.5*length:3", "-2*word:no", "1e1*regex:^o"]).unwrap();
    assert_eq!(sum.grade(ended("o no"), None).reward, 0.5 * (1.0 - 1.0 / 3.0) - 2.0 + 10.0);
    assert!(!sum.needs_answer() && Rewards::exact().needs_answer());
}

#[test]
fn invalid_judges_are_reported() {
    for (spec, words) in [
        ("", "unknown judge"),
        ("exactly", "exact, partial"),
        ("exact:3", "unknown judge"),
        ("length:0", "whole number"),
        ("length:x", "whole number"),
        ("word: ", "unknown judge"),
        ("regex:(", "invalid pattern"),
        ("regex:(((a{99}){99}){99}){99}", "invalid pattern"),
        ("x*exact", "weight"),
        ("inf*exact", "weight"),
    ] {
        let error = Rewards::parse(&[spec]).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains(spec), "{spec}: {error}");
    }
    assert!(Rewards::parse::<&str>(&[]).is_err());
}

#[test]
fn options_of_multiple_choice_questions() {
    let options = ["100", "1", "10", "unknown"].map(String::from);
    for (output, expected) in [
        ("The correct answer is B. There is only one, a BK virus.", Some('B')),
        ("The correct answer is 10000 polyomaviruses.", None),
        ("B", Some('B')),
        ("(C)", Some('C')),
        ("**D**", Some('D')),
        ("A. 100", Some('A')),
        ("A virus has no options.", None),
        ("Answer: C", Some('C')),
        ("the ANSWER IS: (d)", None),
        ("A is wrong, but the answer is C", Some('C')),
        ("First I thought the answer is A. In the end the answer is (B).", Some('B')),
        ("The correct answer is unknown.", Some('D')),
        ("The answer is 10.", Some('C')),
        ("The answer is 1.5.", None),
        ("I would choose option C, as in the text.", Some('C')),
        ("Either B or C.", None),
        ("E", None),
        ("Because of vitamin-C and B12.", None),
        ("", None),
        ("Ärger über «B»", Some('B')),
    ] {
        assert_eq!(parse_mmlu(&options, output), expected, "{output}");
    }
}

#[test]
fn the_last_number_of_an_answer() {
    for (output, expected) in [
        ("Natalia sold 48+24 = 72 clips altogether in April and May.", Some("72")),
        ("She sold seventy-two clips.", None),
        ("It costs $1,234,567.50.", Some("1234567.50")),
        ("1, 2, 3", Some("3")),
        ("1,23", Some("23")),
        ("1234,567", Some("567")),
        ("x = -5", Some("-5")),
        ("10-3", Some("3")),
        ("(2)-7", Some("7")),
        ("2 - 7", Some("7")),
        ("-0.25.", Some("-0.25")),
        ("version 1.2.3", Some("3")),
        ("#### 18", Some("18")),
        ("٣", None),
        ("", None),
    ] {
        assert_eq!(parse_gsm8k(output).as_deref(), expected, "{output}");
    }
}
