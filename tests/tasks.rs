//! The synthetic tasks: answers computed independently, and held-out prompts that occur in no training text.

use std::collections::HashSet;

use glasshead::data::*;

/// The answer to a prompt, computed in a different way than in the generator.
fn solve(task: Task, prompt: &str) -> String {
    let body = &prompt[2..];
    let input = body.strip_suffix('=').unwrap_or(body);
    match task {
        Task::Copy => input.to_string(),
        Task::Reverse => (0..input.len()).map(|at| &input[input.len() - 1 - at..input.len() - at]).collect(),
        Task::Sort => ('a'..='z').flat_map(|letter| input.matches(letter)).collect(),
        Task::Addition => {
            let (a, b) = (digits(&input[..2]), digits(&input[3..]));
            [(a + b) % 10, (a + b) / 10 % 10, (a + b) / 100].map(|digit| digit.to_string()).concat()
        }
        Task::ModularAddition => format!("{:02}", (digits(&input[..2]) + digits(&input[3..])) % 31),
        Task::Parity => (1..=10).map(|n| (input[..n].matches('1').count() % 2).to_string()).collect(),
        Task::Brackets => {
            let mut left = input.to_string();
            while left.contains("()") || left.contains("[]") {
                left = left.replace("()", "").replace("[]", "");
            }
            left.chars().rev().map(|open| if open == '(' { ')' } else { ']' }).collect()
        }
        Task::Induction => {
            let (sequence, first) = input.split_at(input.len() - 1);
            assert!(sequence.starts_with(first));
            sequence[1..].to_string()
        }
        Task::Recall => {
            let asked = input.chars().last().unwrap();
            input[input.find(asked).unwrap() + 1..][..1].to_string()
        }
        Task::ReversedAddition => {
            let number = |text: &str| digits(&text.chars().rev().collect::<String>());
            let sum = number(&input[..2]) + number(&input[3..]);
            [sum % 10, sum / 10 % 10, sum / 100].map(|digit| digit.to_string()).concat()
        }
        Task::WorkedAddition => {
            let (a, b) = (digits(&input[..2]), digits(&input[3..]));
            let carry = usize::from(a % 10 + b % 10 >= 10);
            let right = format!("{}+{}={:02}", a % 10, b % 10, a % 10 + b % 10);
            let left = format!("{carry}+{}+{}={:02}", a / 10, b / 10, a / 10 + b / 10 + carry);
            format!("{right},{left};{:03}", a + b)
        }
    }
}

fn digits(text: &str) -> usize {
    text.parse().unwrap()
}

/// Prompts and answers of a training text.
fn lines(task: Task, text: &str) -> Vec<(&str, &str)> {
    let cut = |line| match task {
        Task::Induction => str::split_at(line, (line.len() - 2) / 2 + 3),
        Task::WorkedAddition => line.split_at(line.find('=').unwrap() + 1),
        _ => line.split_at(line.rfind('=').unwrap() + 1),
    };
    text.lines().map(cut).collect()
}

#[test]
fn every_answer_is_right() {
    for task in Task::ALL {
        let (text, probe, examples) = (task.text(1, 20_000), task.probe(), task.examples(1, 300));
        let examples = examples.iter().map(|(prompt, answer)| (prompt.as_str(), answer.as_str()));
        for (prompt, answer) in lines(task, &text).into_iter().chain(lines(task, &probe)).chain(examples) {
            assert_eq!(answer, solve(task, prompt), "{} {prompt}", task.name());
            assert!(prompt.len() + answer.len() < 40, "an example fits a short context: {prompt}{answer}");
        }
    }
}

#[test]
fn held_out_prompts_never_stand_in_a_training_text() {
    for task in Task::ALL {
        let text = task.text(7, 200_000);
        let seen: HashSet<&str> = lines(task, &text).into_iter().map(|(prompt, _)| prompt).collect();
        let examples = task.examples(7, 500);
        assert!(examples.iter().all(|(prompt, _)| !seen.contains(prompt.as_str())), "{}", task.name());
        let kinds: HashSet<_> = examples.iter().collect();
        assert!(kinds.len() > 100, "{}: {} different examples", task.name(), kinds.len());
    }
}

#[test]
fn seeds_repeat_and_differ() {
    for task in Task::ALL {
        assert_eq!(task.text(1, 1_000), task.text(1, 1_000));
        assert_ne!(task.text(1, 1_000), task.text(2, 1_000));
        assert_eq!(task.examples(1, 5), task.examples(1, 5));
        assert_ne!(task.examples(1, 5), task.examples(2, 5));
        assert_eq!(Task::from_name(task.name()), Some(task));
    }
}

#[test]
fn the_ordinary_pipeline_takes_a_task_byte_by_byte() {
    for task in Task::ALL {
        let text = task.text(3, 10_000);
        assert!(text.is_ascii() && text.len() < 10_100);
        let tokenizer = Tokenizer::new(&train(&text, 257, &[END_OF_TEXT]).unwrap()).unwrap();
        let data = Dataset::new(&tokenizer, &text, 64).unwrap();
        assert_eq!(data.train.len() + data.val.len(), text.len());
        assert_eq!(tokenizer.decode(&data.val[..1]).len(), 1);
        assert!(tokenizer.decode(&data.train).ends_with('\n'), "the held-out part begins with an example");
    }
}
