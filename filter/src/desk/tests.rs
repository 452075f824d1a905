use std::collections::BTreeMap;

use super::*;
use crate::settings::Stage;
use crate::wire::{Funnel, List, TextOf};

fn desk() -> Desk {
    Desk::new(Box::new(|| 0.0))
}

/// Sends a request, works until nothing is left, and returns all replies.
fn ask(desk: &mut Desk, request: Request, attached: Vec<Vec<u8>>) -> Vec<Message> {
    desk.handle(request, attached.into_iter().map(Attached::from_bytes).collect());
    while desk.work() {}
    desk.take()
}

fn funnel(replies: &[Message]) -> Funnel {
    let found = replies.iter().rev().find_map(|(reply, _)| match reply {
        Reply::Funnel(funnel) => Some(funnel.clone()),
        _ => None,
    });
    found.unwrap()
}

fn with(path: &str, text: &str) -> Request {
    Request::Settings { changes: BTreeMap::from([(path.into(), text.into())]) }
}

fn generated(desk: &mut Desk) -> Funnel {
    funnel(&ask(desk, Request::Generate { seed: 3, bytes: 300_000 }, vec![Vec::new()]))
}

#[test]
fn a_limit_moves_the_counts_at_once_and_the_duplicates_follow() {
    let mut desk = desk();
    let before = generated(&mut desk);
    assert!(before.compared && before.kept > 20 && before.labels.is_some());
    desk.handle(with("gopher.min_words", "120"), Vec::new());
    let now = funnel(&desk.take());
    assert!(!now.compared && now.kept < before.kept, "{now:?}");
    while desk.work() {}
    assert!(funnel(&desk.take()).compared);
    let refused = ask(&mut desk, with("minhash.bands", "0"), Vec::new());
    assert!(matches!(&refused[0].0, Reply::Refused { message } if message.contains("minhash.bands")));
}

#[test]
fn files_are_read_listed_and_searched() {
    let mut desk = desk();
    let rows = b"{\"text\":\"one\"}\n{\"text\":\"two\"}\n".to_vec();
    let names = vec!["a.jsonl".to_string(), "b.pdf".to_string()];
    let replies = ask(&mut desk, Request::Read { names, field: "text".into() }, vec![rows, b"%PDF-1".to_vec()]);
    assert_eq!((funnel(&replies).documents, funnel(&replies).kept), (2, 0));
    let progress = replies.iter().rev().find_map(|(reply, _)| match reply {
        Reply::Progress(progress) => Some(progress),
        _ => None,
    });
    assert!(progress.unwrap().problems[0].contains("b.pdf is a PDF"));
    let list = List { search: "TWO".into(), ..List::default() };
    let rows = ask(&mut desk, Request::Rows { list, start: 0, n: 9 }, Vec::new());
    let Reply::Rows { total: 1, rows, .. } = &rows[0].0 else { panic!("{rows:?}") };
    assert_eq!((rows[0].at, rows[0].text.as_str()), (1, "two"));
    let document = ask(&mut desk, Request::Document { at: 1 }, Vec::new());
    assert!(matches!(&document[0].0, Reply::Document(document) if document.dropped.is_some()));
}

#[test]
fn texts_after_each_stage_become_shorter() {
    let mut desk = desk();
    let funnel = generated(&mut desk);
    let mut length = |of, hold_out| {
        let replies = ask(&mut desk, Request::Text { of, hold_out }, Vec::new());
        let Reply::File { documents, .. } = replies[0].0 else { panic!("{replies:?}") };
        documents as u64
    };
    let before = length(TextOf::Before, false);
    let stages = [Stage::Language, Stage::Gopher, Stage::Minhash].map(|stage| length(TextOf::After { stage }, false));
    assert!(before > stages[0] && stages[0] > stages[1] && stages[1] > stages[2], "{before} {stages:?}");
    assert_eq!(stages[2], funnel.kept);
    assert_eq!(length(TextOf::Kept, false), funnel.kept);
    assert!(length(TextOf::Clean, false) > 0);
    let held_out = length(TextOf::HeldOut, false);
    assert_eq!((held_out, length(TextOf::Kept, true)), (funnel.kept / 10, funnel.kept - held_out));
}

#[test]
fn a_trained_classifier_scores_every_document() {
    let mut desk = desk();
    generated(&mut desk);
    let replies = ask(&mut desk, Request::Train { good: Examples::Kept, bad: Examples::Dropped }, Vec::new());
    let Reply::Trained { right: [(right, of), _], good, .. } = &replies[0].0 else { panic!("{replies:?}") };
    assert!(right * 10 >= of * 9 && !good.is_empty());
    ask(&mut desk, with("quality.enabled", "true"), Vec::new());
    let histogram =
        ask(&mut desk, Request::Histogram { stage: Stage::Quality, rule: "low_quality".into() }, Vec::new());
    assert!(matches!(&histogram[0].0, Reply::Histogram(histogram) if histogram.bins.iter().sum::<u32>() > 20));
    let few = Examples::File { name: "few.txt".into() };
    let problem = ask(&mut desk, Request::Train { good: few, bad: Examples::Dropped }, vec![b"one".to_vec()]);
    assert!(matches!(&problem[0].0, Reply::Problem { message } if message.contains("examples")));
}

#[test]
fn settings_survive_their_file() {
    let mut desk = desk();
    ask(&mut desk, with("minhash.rows", "10"), Vec::new());
    let file = ask(&mut desk, Request::WriteSettings, Vec::new()).remove(0).1.unwrap();
    let replies = ask(&mut super::tests::desk(), Request::SettingsFile, vec![file]);
    let Reply::Settings { changes, values } = &replies[0].0 else { panic!("{replies:?}") };
    assert_eq!((changes["minhash.rows"].as_str(), values["minhash.bands"].as_str()), ("10", "14"));
}
