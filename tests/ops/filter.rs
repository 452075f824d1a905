//! Filters for training text, in the cases that Stanford's CS336 checks in its fourth assignment, and a few more.

use std::fs;

use serde_json::{Value, json};

use super::{Dtype, Tensor, ask};

fn result(op: &str, args: Value) -> Value {
    ask(op, args, &[], None).unwrap().0
}

#[test]
fn text_of_pages_in_any_encoding() {
    let extract = |html: &[u8]| {
        let page = Tensor { dtype: Dtype::U8, shape: vec![html.len()], bytes: html.to_vec() };
        ask("html_text", json!({}), &[("html", page)], None).unwrap().0
    };
    let page = b"<!DOCTYPE html>\n<html>\n  <head>\n  </head>\n  <body>\n      <h1>Herman Melville - Moby-Dick</h1>\n\n      <div>\n        <p>\n\
                 \x20         Availing himself of the mild, summer-cool weather.\n        </p>\n      </div>\n  </body>\n</html>";
    assert_eq!(extract(page), "Herman Melville - Moby-Dick\n\nAvailing himself of the mild, summer-cool weather.");
    assert_eq!(extract(b"<p>caf\xe9"), "café");
    assert_eq!(extract(&b"<div>".repeat(9000)), Value::Null);
    let error = ask("html_text", json!({}), &[], None).unwrap_err();
    assert_eq!(error, "tensor html is missing; it has to be a U8 tensor");
}

#[test]
fn languages() {
    for (text, label) in [
        ("Availing himself of the mild, summer-cool weather that now reigned in these latitudes.", "en"),
        ("欢迎来到我们的网站", "zh"),
        ("Dies ist ein deutscher Satz über das Wetter und die Nachbarn.", "de"),
        ("123 456", "und"),
    ] {
        let found = result("lang_id", json!({ "text": text }));
        assert_eq!(found["label"], label, "{text}");
        assert_eq!(found["score"].as_f64().unwrap() > 0.0, label != "und");
    }
}

#[test]
fn personal_data_is_masked() {
    let mask = |kind: &str, text: &str| {
        let found = result("mask", json!({ "kind": kind, "text": text }));
        (found["text"].as_str().unwrap().to_string(), found["n"].as_u64().unwrap())
    };
    let text =
        "Some datasets use the string |||EMAIL_ADDRESS|||. The instructors are pl@fakedomain.ai and spl@fakedomain.ai";
    let masked = "Some datasets use the string |||EMAIL_ADDRESS|||. The instructors are |||EMAIL_ADDRESS||| and |||EMAIL_ADDRESS|||";
    assert_eq!(mask("emails", text), (masked.to_string(), 2));
    for number in ["2831823829", "(283)-182-3829", "(283) 182 3829", "283-182-3829"] {
        let text = |number: &str| format!("Feel free to contact me at {number} if you have any questions.");
        assert_eq!(mask("phones", &text(number)), (text("|||PHONE_NUMBER|||"), 1));
    }
    let masked = "You can access the server at |||IP_ADDRESS|||.".to_string();
    assert_eq!(mask("ips", "You can access the server at 192.0.2.146."), (masked, 1));
    let error = ask("mask", json!({ "kind": "names", "text": "" }), &[], None).unwrap_err();
    assert_eq!(error, "argument kind is \"names\"; it has to be emails, phones or ips");
}

#[test]
fn gopher_as_in_the_course() {
    let line = |end: &str, n: usize| vec![format!("The line here is an example of ending with{end}"); n];
    let lines = |n_cut: usize, n: usize| [line(" ellipsis...", n_cut), line(" a stop.", n)].concat().join("\n");
    for (text, keep) in [
        (
            "This should definitely be a valid input text and of high quality according to Gopher rules. ".repeat(100),
            true,
        ),
        ("The string you are reading is a short snippet of text.".into(), false),
        ("The string you are reading is a long snippet of text.".repeat(100), true),
        ("The string you are reading is too long of a text. ".repeat(50_000), false),
        ("The string you are reading is an okay example of text. ".repeat(5000), true),
        ("the be ".repeat(100), false),
        ("the with ".repeat(100), true),
        (format!("the and {}", "extraordinarily extraordinarily extraordinarily longesest ".repeat(100)), false),
        ("the and this is fine ".repeat(100), true),
        (lines(70, 30), false),
        (lines(30, 230), true),
        (format!("the and {}", ["123"; 8].join(" ") + " word word"), false),
        (format!("{}{}", "123 ".repeat(60), "word ".repeat(140)), false),
    ] {
        assert_eq!(result("gopher", json!({ "text": text })), keep, "{text:.60}");
    }
}

#[test]
fn rules_name_their_reason() {
    let good = "The ferry to the island runs again from Monday. Tickets bought in 2025 stay valid, the company said. It has been \
                repaired for two months. Passengers will find new seats, a small café and more room for bicycles on board. The \
                captain has worked on the river for thirty years, and he knows every stone in it. He said that he could not wait.";
    for rules in ["gopher", "gopher_repetition", "c4", "fineweb"] {
        let decide = |text: &str| result("filter", json!({ "rules": rules, "text": text }));
        assert_eq!(decide(good), json!({ "keep": true, "reason": null }), "{rules}");
    }
    for (rules, text, reason) in [
        ("gopher", "too short", "gopher_short_doc"),
        ("gopher_repetition", "one line\none line\none line\nanother line", "dup_line_frac"),
        ("c4", "Lorem ipsum dolor sit amet.", "lorem_ipsum"),
        ("fineweb", "Home\nShop\nCart", "line_punct_ratio"),
    ] {
        let found = result("filter", json!({ "rules": rules, "text": text }));
        assert_eq!(found, json!({ "keep": false, "reason": reason }), "{rules}");
    }
}

#[test]
fn quality_of_prose_and_of_the_rest() {
    let label = |text: &str| result("classify", json!({ "model": "quality", "text": text }));
    let reference = "The observatory was founded in 1873 by the physicist, who had studied in northern Italy. According to later \
                     research, its measurements were used by several universities during the 19th century. The building consists \
                     of three parts and was designated a protected monument. Historians disagree about the original documents.";
    let forum = "Posted by Tom on May 4\nReply Quote Report\nlol thanks for sharing!!\nLog in or register to post comments\nPage 1 of \
                 12\nhas anyone got a coupon? buy cheap shoes online, click here, free shipping\nJoined: Jan 2009 Posts: 412";
    let (good, bad) = (label(reference), label(forum));
    assert_eq!((&good["label"], &bad["label"]), (&json!("wiki"), &json!("cc")));
    assert!(good["score"].as_f64().unwrap() > 0.5 && bad["score"].as_f64().unwrap() > 0.5);
    let error = ask("classify", json!({ "model": "/nowhere", "text": "" }), &[], None).unwrap_err();
    assert!(error.contains("/nowhere"), "{error}");
}

#[test]
fn files_are_deduplicated() {
    let folder = tempfile::tempdir().unwrap();
    let license = "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated \
                   documentation files, to deal in the software without restriction, including without limitation the rights to use, \
                   copy, modify, merge, publish, distribute, sublicense and sell copies of the software.";
    let texts = [
        ("a.txt", format!("Footer\nCopyright Rails\n{license}\n")),
        ("b.txt", format!("Copyright React\n\n{}", license.replace(' ', "  "))),
        ("c.txt", "Call me Ishmael. Some years ago, never mind how long precisely.\nFooter".to_string()),
    ];
    for (name, text) in &texts {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let paths = texts.each_ref().map(|(name, _)| folder.path().join(name));
    let (lines, near) = (folder.path().join("lines"), folder.path().join("near"));
    result("dedup_lines", json!({ "paths": paths, "out": lines }));
    let read = |name: &str| fs::read_to_string(lines.join(name)).unwrap();
    assert_eq!(read("a.txt"), format!("Copyright Rails\n{license}\n"));
    assert_eq!(read("b.txt"), texts[1].1);
    assert_eq!(read("c.txt"), "Call me Ishmael. Some years ago, never mind how long precisely.\n");
    let args = json!({ "paths": paths, "out": near, "hashes": 500, "bands": 50, "ngrams": 5, "jaccard": 0.8 });
    result("dedup_minhash", args);
    let kept: Vec<bool> = texts.iter().map(|(name, _)| near.join(name).exists()).collect();
    assert_eq!(kept, [true, false, true]);
    assert_eq!(fs::read_to_string(near.join("a.txt")).unwrap(), texts[0].1);
    let args = json!({ "paths": paths, "out": near, "hashes": 10, "bands": 3, "ngrams": 5, "jaccard": 0.8 });
    let error = ask("dedup_minhash", args, &[], None).unwrap_err();
    assert!(error.contains("a multiple of bands"), "{error}");
}
