//! Rows of files, templates and token rows.

use glasshead::align::*;
use glasshead::data::{END_OF_TEXT, Task, Tokenizer, is_held_out, train};
use glasshead::rng::Rng;

fn tokenizer(special: &[&str]) -> Tokenizer {
    Tokenizer::new(&train("the cat sat on the mat, the cat\n", 270, special).unwrap()).unwrap()
}

#[test]
fn rows_of_all_kinds() {
    let text = "\u{feff}{\"prompt\": \"1+1=\", \"answer\": 2, \"x\": [NaN, {}]}\r\n\n  \n{\"answer\":\"-0.5\",\"prompt\":\"ä\"}";
    let rows = read_prompts(text.as_bytes(), true).unwrap();
    let row = |prompt: &str, answer: &str| PromptRow { prompt: prompt.into(), answer: Some(answer.into()) };
    assert_eq!(rows, [row("1+1=", "2"), row("ä", "-0.5")]);
    assert_eq!(read_prompts(&b"{\"prompt\":\"a\"}"[..], false).unwrap()[0].answer, None);
    let rows = read_responses(&b"{\"prompt\":\"a\",\"response\":\"b\"}\n{\"prompt\":\"c\",\"completion\":\"d\"}"[..]);
    assert_eq!(rows.unwrap()[1], ResponseRow { prompt: "c".into(), response: "d".into() });
    let rows = read_preferences(&b"{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":\"\"}"[..]).unwrap();
    assert_eq!(rows, [PreferenceRow { prompt: "a".into(), chosen: "b".into(), rejected: String::new() }]);
}

#[test]
fn malformed_rows_name_line_and_field() {
    let good = "{\"prompt\":\"a\",\"answer\":\"b\"}\n";
    let long = format!("{{\"prompt\":\"{}\",\"answer\":\"b\"}}", "a".repeat(MAX_ROW_BYTES));
    let deep = format!("{{\"prompt\":\"a\",\"answer\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for (line, words) in [
        ("{\"prompt\":\"a\"}", "missing field `answer`"),
        ("{\"answer\":\"a\"}", "missing field `prompt`"),
        ("{\"prompt\":3,\"answer\":\"a\"}", "expected a string"),
        ("{\"prompt\":\"a\",\"answer\":[]}", "line 2"),
        ("{\"prompt\":\"a\",\"prompt\":\"b\"}", "duplicate field"),
        ("[\"prompt\", \"answer\"]", "expected a JSON object with `prompt` and `answer`"),
        ("a,b", "expected a JSON object"),
        ("{\"prompt\":\"a\",\"answer\":\"b\"", "EOF"),
        ("{\"prompt\":\"\\ud800\",\"answer\":\"b\"}", "column"),
        (long.as_str(), "longer than"),
        (deep.as_str(), "line 2"),
    ] {
        let error = read_prompts(format!("{good}{line}").as_bytes(), true).unwrap_err().to_string();
        assert!(error.starts_with("line 2: ") && error.contains(words), "{line:.60}: {error}");
        assert!(error.len() < 300, "{error}");
    }
    let not_text = read_prompts(&b"{\"prompt\":\"\xff\"}"[..], true).unwrap_err().to_string();
    assert!(not_text.contains("UTF-8"), "{not_text}");
    assert!(read_prompts(&b"\n \n"[..], true).unwrap_err().to_string().contains("no rows"));
    let equal = read_preferences(&b"{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":\"b\"}"[..]).unwrap_err();
    assert!(equal.to_string().contains("equal"), "{equal}");
    assert!(read_responses(&b"{\"prompt\":\"a\",\"response\":\"\"}"[..]).unwrap_err().to_string().contains("empty"));
}

#[test]
fn prompts_are_held_out_as_in_the_tasks() {
    let (train, held_out) = split_held_out((0..1000).map(|n| n.to_string()).collect(), String::as_str);
    assert!((150..250).contains(&held_out.len()) && train.len() + held_out.len() == 1000);
    assert!(held_out.iter().all(|prompt| is_held_out(prompt)) && !train.iter().any(|prompt| is_held_out(prompt)));
    let mut rng = Rng::new(1);
    for task in Task::ALL {
        assert!(task.examples(1, 20).iter().all(|(prompt, _)| is_held_out(prompt)));
        assert!((0..20).all(|_| !is_held_out(&task.training_example(&mut rng).0)));
    }
}

#[test]
fn templates_surround_prompts_and_responses() {
    let template: PromptTemplate = "Q: {prompt}\\nA:{response}<|endoftext|>".parse().unwrap();
    assert_eq!(template.prompt_text("why?"), "Q: why?\nA:");
    assert_eq!(template.to_string(), format!("Q: {{prompt}}\nA:{{response}}{END_OF_TEXT}"));
    assert_eq!(template.to_string().parse::<PromptTemplate>().unwrap(), template);
    assert_eq!("{prompt}{response}\n".parse::<PromptTemplate>().unwrap(), PromptTemplate::line());
    for (text, words) in [
        ("{response}\n", "{prompt} is missing"),
        ("{prompt}\n", "{response} is missing"),
        ("{response}{prompt}\n", "{response} is missing"),
        ("{prompt}{prompt}{response}\n", "repeated"),
        ("{prompt}{response}", "after {response}"),
        ("{prompt}{response}\n\n", "after {response}"),
    ] {
        assert!(text.parse::<PromptTemplate>().unwrap_err().to_string().contains(words), "{text}");
    }
}

#[test]
fn the_mask_covers_the_response_with_its_end() {
    let tokenizer = tokenizer(&[END_OF_TEXT]);
    for (template, end) in [("{prompt} {response}\\n", "\n"), ("{prompt} {response}<|endoftext|>", END_OF_TEXT)] {
        let template: PromptTemplate = template.parse().unwrap();
        let rows = [("the cat", "sat on"), ("a", "the mat, the cat")];
        let rows = rows.map(|(prompt, response)| template.row(&tokenizer, prompt, response).unwrap());
        let batch = TokenBatch::new(&rows, 0);
        assert_eq!(batch.n_cols, rows.iter().map(|row| row.ids.len()).max().unwrap() - 1);
        for (at, expected) in [format!("sat on{end}"), format!("the mat, the cat{end}")].iter().enumerate() {
            let cells = at * batch.n_cols..(at + 1) * batch.n_cols;
            let labels = cells.clone().filter(|&cell| batch.mask[cell]).map(|cell| batch.labels[cell]);
            let labels: Vec<u32> = labels.collect();
            assert_eq!(tokenizer.decode(&labels), *expected);
            assert_eq!(labels, rows[at].response());
            let inputs: Vec<u32> = batch.inputs[cells.clone()].to_vec();
            assert!(tokenizer.decode(&inputs).starts_with(["the cat ", "a "][at]), "prompts begin at position 0");
            // Each label is the next input.
            let n = rows[at].ids.len();
            assert_eq!(batch.labels[cells.clone()][..n - 2], inputs[1..n - 1]);
            let (text, has_end) = template.response_text(&tokenizer, rows[at].response());
            assert_eq!((text.as_str(), has_end), (expected.strip_suffix(end).unwrap(), true));
            assert!(template.stops(&tokenizer).contains(rows[at].ids.last().unwrap()));
            let cut = &rows[at].response()[..1];
            assert!(!template.response_text(&tokenizer, cut).1);
        }
        assert_eq!(batch.responses().unwrap().lengths(), rows.each_ref().map(|row| row.response().len()));
    }
    let template: PromptTemplate = "{prompt}{response}<|endoftext|>".parse().unwrap();
    let error = template.row(&self::tokenizer(&[]), "a", "b").unwrap_err();
    assert!(error.to_string().contains("no such token"), "{error}");
}

#[test]
fn rows_of_odd_lengths() {
    let row = |prompt: &[u32], response: &[u32]| TokenRow::new(prompt, response);
    let batch = TokenBatch::new(&[row(&[1, 2], &[3]), row(&[], &[4, 5]), row(&[6, 7], &[]), row(&[], &[])], 9);
    assert_eq!(batch.inputs, [1, 2, 4, 5, 6, 7, 9, 9]);
    assert_eq!(batch.labels, [2, 3, 5, 9, 7, 9, 9, 9]);
    // A first token has no label; a row without a response has no mask.
    assert_eq!(batch.mask, [false, true, true, false, false, false, false, false]);
    let wide = TokenBatch::with_width(&[row(&[1], &[2])], 3, 0).unwrap();
    assert_eq!((wide.inputs, wide.labels), (vec![1, 2, 0], vec![2, 0, 0]));
    let error = TokenBatch::with_width(&[row(&[1], &[2]), row(&[1, 2, 3], &[4, 5])], 3, 0).unwrap_err();
    assert!(error.to_string().contains("row 2 has 5 tokens"), "{error}");
    assert!(Responses::new(&[], 3).is_err() && Responses::new(&[true; 4], 3).is_err());
    assert!(Responses::new(&[true; 4], 0).is_err());
}
