//! What is masked, and what only looks like it.

use glasshead_filter::mask::{EMAIL, IP, PHONE, mask_emails, mask_ips, mask_phones};

/// Texts in which `⟦…⟧` encloses what is masked.
const PHONES: [&str; 63] = [
    // North America.
    "⟦2831823829⟧",
    "⟦(283)-182-3829⟧",
    "⟦(283) 182 3829⟧",
    "⟦283-182-3829⟧",
    "⟦(415) 555-0132⟧",
    "⟦415.555.0132⟧",
    "⟦415 555 0132⟧",
    "⟦1-800-555-0199⟧",
    "⟦+1 415 555 0132⟧",
    "⟦+1 (415) 555-0132⟧",
    "⟦+14155550132⟧",
    "⟦1 (415) 555-0132⟧",
    "tel:⟦+1-415-555-0132⟧",
    "Tel.⟦415-555-0132⟧",
    "call ⟦415-555-0132⟧x12 now",
    "(⟦415-555-0132⟧)",
    "⟦415-555-0132⟧, ⟦415-555-0133⟧",
    "⟦4155550132⟧ ⟦4155550133⟧",
    // Europe.
    "⟦+44 20 7946 0958⟧",
    "⟦020 7946 0958⟧",
    "⟦(020) 7946 0958⟧",
    "⟦07700 900123⟧",
    "⟦+44 (0)20 7946 0958⟧",
    "⟦0044 20 7946 0958⟧",
    "⟦+49 30 901820⟧",
    "⟦030 90182000⟧",
    "⟦0171/1234567⟧",
    "⟦0171 1234567⟧",
    "⟦(+49) 30 901820⟧",
    "⟦+33 1 23 45 67 89⟧",
    "⟦01 23 45 67 89⟧",
    "⟦01.23.45.67.89⟧",
    "⟦+34 912 345 678⟧",
    "⟦+39 06 1234 5678⟧",
    "⟦06 1234 5678⟧",
    "⟦+31 20 123 4567⟧",
    "⟦+7 (495) 123-45-67⟧",
    "⟦8 (495) 123-45-67⟧",
    "⟦+48 22 123 45 67⟧",
    "⟦+30 21 0123 4567⟧",
    // Asia, Australia, South America and Africa.
    "⟦13812345678⟧",
    "⟦138-1234-5678⟧",
    "⟦138 1234 5678⟧",
    "⟦010-12345678⟧",
    "⟦0755-12345678⟧",
    "⟦+86 138 1234 5678⟧",
    "⟦03-1234-5678⟧",
    "⟦090-1234-5678⟧",
    "⟦+81 3-1234-5678⟧",
    "⟦02-123-4567⟧",
    "⟦010-1234-5678⟧",
    "⟦98765 43210⟧",
    "⟦+91 98765 43210⟧",
    "⟦02 9374 4000⟧",
    "⟦0412 345 678⟧",
    "⟦+61 412 345 678⟧",
    "⟦(11) 91234-5678⟧",
    "⟦+55 11 91234-5678⟧",
    "⟦+27 21 123 4567⟧",
    "⟦+971 4 123 4567⟧",
    "电话：⟦138 1234 5678⟧。",
    "⟦+20 2 12345678⟧",
    "⟦+52 55 1234 5678⟧",
];

const NO_PHONES: [&str; 33] = [
    "2831823829.com",
    "www.4155550132.net",
    "shop4155550132",
    "http://a.example/4155550132",
    "id=4155550132",
    "#4155550132",
    "$4155550132",
    "version 10.15.7.1234",
    "1.2.3.4",
    "192.168.100.200",
    "192.0.2.146",
    "10.0.0.1:8080",
    "2023-01-02",
    "01.02.2023",
    "01.02.2023 10",
    "2023-01-02 1030",
    "1700000000",
    "4111 1111 1111 1111",
    "978-3-16-148410-0",
    "ISBN 0306406152",
    "3.14159265358",
    "0.123456789",
    "1,234,567,890",
    "12:30:45",
    "1914-1918",
    "1990-2000, 2001-2010",
    "2.16.840.1.113883",
    "1 2 3 4 5 6 7 8 9 10",
    "100 200 300",
    "2001:db8::1",
    "555-0132",
    "order 4155550132",
    "4155550132%",
];

const EMAILS: [&str; 23] = [
    "⟦test@gmail.com⟧",
    "The instructors are ⟦pl@fakedomain.ai⟧ and ⟦spl@fakedomain.ai⟧",
    "⟦first.last+tag@sub.example.co.uk⟧",
    "<⟦tom@example.org⟧>",
    "(⟦tom@example.org⟧)",
    "mailto:⟦tom@example.org⟧",
    "⟦tom@example.org⟧.",
    "⟦tom@example.org⟧, and",
    "'⟦tom@example.org⟧'",
    "⟦o'brien@example.ie⟧",
    "⟦tom_jones-99@ex-ample.org⟧",
    "⟦a@b.museum⟧",
    "⟦müller@beispiel.de⟧",
    "⟦tom@münchen.de⟧",
    "⟦TOM@EXAMPLE.ORG⟧",
    "|||EMAIL_ADDRESS||| ⟦a@b.io⟧",
    "⟦x@y.zz⟧;⟦v@w.uu⟧",
    "联系⟦tom@example.cn⟧",
    "tom@localhost",
    "@tom",
    "tom @ example.org",
    "a@b",
    "tom@192.0.2.1",
];

const IPS: [&str; 27] = [
    "⟦192.0.2.146⟧",
    "server at ⟦192.0.2.146⟧.",
    "⟦10.0.0.1⟧:8080",
    "http://⟦203.0.113.5⟧/x",
    "(⟦198.51.100.7⟧)",
    "⟦8.8.8.8⟧, ⟦8.8.4.4⟧",
    "⟦192.0.2.0⟧/24",
    "IP:⟦192.0.2.1⟧",
    "⟦255.255.255.255⟧",
    "⟦192.168.001.001⟧",
    "⟦127.0.0.1⟧-⟦127.0.0.9⟧",
    "from ⟦172.16.254.1⟧ to",
    "256.1.1.1",
    "1.2.3",
    "1.2.3.4.5",
    "version 1.2.3.4",
    "v1.2.3.4",
    "v. 1.2.3.4",
    "release 4.0.0.1",
    "1.2.3.4a",
    "2001:db8::192.0.2.33",
    "::ffff:192.0.2.1",
    "2001:db8:85a3::8a2e:370:7334",
    "1234.1.1.1",
    "1..2.3.4",
    "section 2.1.3.4",
    "192.0.2.1.example.com",
];

/// The text without marks, and with what they enclose replaced.
fn expected(marked: &str, with: &str) -> (String, String, u64) {
    let plain = marked.replace(['⟦', '⟧'], "");
    let (mut masked, mut rest, mut n) = (String::new(), marked, 0);
    while let Some((before, after)) = rest.split_once('⟦') {
        let (_, after) = after.split_once('⟧').expect("marks are closed");
        masked.push_str(before);
        masked.push_str(with);
        (rest, n) = (after, n + 1);
    }
    masked.push_str(rest);
    (plain, masked, n)
}

fn check<'t>(texts: impl IntoIterator<Item = &'t str>, with: &str, mask: impl Fn(&str) -> (String, u64)) {
    let mut wrong = Vec::new();
    for marked in texts {
        let (plain, masked, n) = expected(marked, with);
        for (before, after) in
            [("", ""), ("Feel free to contact me at ", " if you have any questions."), ("x\n", "\ny")]
        {
            let result = mask(&[before, &plain, after].concat());
            if result != ([before, &masked, after].concat(), n) {
                wrong.push(format!("{marked} → {result:?}"));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn phone_numbers_of_many_countries_are_masked() {
    check(PHONES.into_iter().chain(NO_PHONES), PHONE, mask_phones);
}

#[test]
fn email_addresses_are_masked() {
    check(EMAILS, EMAIL, mask_emails);
}

#[test]
fn ipv4_addresses_are_masked_and_versions_are_not() {
    check(IPS, IP, |text| mask_ips(text, false));
}

#[test]
fn ipv6_addresses_are_masked_on_request() {
    check(
        ["⟦2001:db8::1⟧", "⟦::1⟧", "⟦2001:db8::192.0.2.33⟧", "⟦fe80::1⟧.", "12:30:45", "a::b::c", "std::vec"],
        IP,
        |text| mask_ips(text, true),
    );
}
