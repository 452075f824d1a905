//! Personal data in many formats, added to a text.

use crate::mask::Masked;
use crate::rng::Rng;

const NAMES: [&str; 8] = ["anna.keller", "tom", "j.smith", "maria_lopez", "info", "wei.zhang", "o.brien", "sales+eu"];
const HOSTS: [&str; 6] =
    ["example.org", "mail.example.com", "school.example.edu", "example.co.uk", "firma.example.de", "example.net"];

fn email(rng: &mut Rng) -> String {
    format!("{}{}@{}", rng.choose(&NAMES), rng.below(90), rng.choose(&HOSTS))
}

fn digits(n: usize, rng: &mut Rng) -> String {
    (0..n).map(|_| char::from(b'0' + rng.below(10) as u8)).collect()
}

fn phone(rng: &mut Rng) -> String {
    let (area, exchange, line) = (200 + rng.below(790), 200 + rng.below(790), digits(4, rng));
    match rng.below(9) {
        0 => format!("({area}) {exchange}-{line}"),
        1 => format!("{area}-{exchange}-{line}"),
        2 => format!("+1 {area} {exchange} {line}"),
        3 => format!("{area}.{exchange}.{line}"),
        4 => format!("+44 20 7{} {line}", digits(3, rng)),
        5 => format!("+49 30 {}", digits(7, rng)),
        6 => format!("13{}{line}{line}", rng.below(10)),
        7 => format!("+33 1 {} {} {} {}", digits(2, rng), digits(2, rng), digits(2, rng), digits(2, rng)),
        _ => format!("{area}{exchange}{line}"),
    }
}

fn ip(rng: &mut Rng) -> String {
    format!("{}.{}.{}.{}", 11 + rng.below(200), rng.below(256), rng.below(256), 1 + rng.below(254))
}

/// Adds one to four sentences with personal data after sentences of a text, and counts them.
pub(super) fn add(text: &str, rng: &mut Rng) -> (String, Masked) {
    let mut masked = Masked::default();
    let mut sentences: Vec<String> = text.split_inclusive(". ").map(str::to_string).collect();
    for _ in 0..1 + rng.below(4) {
        let sentence = match rng.below(5) {
            0 | 1 => {
                masked.emails += 1;
                let address = email(rng);
                match rng.below(3) {
                    0 => format!("You can write to {address} at any time. "),
                    1 => format!("The letter came from <{address}>, as always. "),
                    _ => format!("Questions go to {address}. "),
                }
            }
            2 | 3 => {
                masked.phones += 1;
                let number = phone(rng);
                match rng.below(3) {
                    0 => format!("Please call {number} before you come. "),
                    1 => format!("Her number is {number}, she said. "),
                    _ => format!("Tel. {number} is open on Monday. "),
                }
            }
            _ => {
                masked.ips += 1;
                format!("The computer at {} was slow again. ", ip(rng))
            }
        };
        let at = rng.below(sentences.len());
        sentences.insert(at, sentence);
    }
    (sentences.concat().trim_end().to_string(), masked)
}
