//! The tokenizer's page, the choice of data and the vocabularies used there, without a page.

use glasshead::data::{END_OF_TEXT, Tokenizer, train};
use glasshead::serve::vocabularies::Vocabularies;
use glasshead::types::spelling::{spelled, unspelled};
use glasshead::types::tasks::TaskInfo;
use glasshead::types::tokenizer::{ExportPurpose, MergeStep, TokenBytes, VocabularyFormat, VocabularySource};
use glasshead::types::{CorpusChoice, VocabularyChoice};
use glasshead::wire::data::{DataCommand, DataEvent};
use glasshead::wire::tokenizer::{TokenizerCommand, TokenizerEvent};
use glasshead::wire::{Command, Event};
use glasshead_page::state::data::{DataAction, Fetching, HubText};
use glasshead_page::state::tokenizer::{TOKENS_PER_PAGE, TokenizerAction, TokenizerState};
use glasshead_page::state::{Action, DEFAULT_PROBE, State, View};
use glasshead_page::tokens::{flowing, groups, visible};
use proptest::prelude::*;

fn cut(parts: &[&[u8]]) -> Vec<TokenBytes> {
    (0..).zip(parts).map(|(id, bytes)| TokenBytes { id, bytes: bytes.to_vec() }).collect()
}

#[test]
fn parts_of_a_character_are_shown_as_bytes_and_linked() {
    let emoji = "👍".as_bytes();
    let groups = groups(&cut(&[b"a\n", b" \xf0\x9f", &emoji[2..], b"e", "\u{301}".as_bytes(), b"\xff", b"z"]));
    let labels: Vec<_> = groups.iter().map(|group| group.labels.join("|")).collect();
    assert_eq!(labels, ["a↵", "·⟨f0 9f⟩|⟨91 8d⟩", "⟨65⟩|⟨cc 81⟩", "⟨ff⟩", "z"]);
    assert_eq!(groups[1].whole, "·👍");
    assert_eq!(groups[2].first, 3);
}

#[test]
fn every_token_is_on_exactly_one_page() {
    let mut state = TokenizerState::default();
    state.apply(TokenizerAction::Choose(0, Some(VocabularySource::Run)));
    let n = 2 * TOKENS_PER_PAGE + 5;
    let tokens = (0..n as u32).map(|id| TokenBytes { id, bytes: b"x".to_vec() }).collect();
    state.hear(TokenizerEvent::Encoded { request: 1, source: VocabularySource::Run, tokens });
    let encoding = state.sides[0].encoding.clone().unwrap();
    assert_eq!(encoding.n_pages(), 3);
    let shown: Vec<_> = (0..3).flat_map(|page| encoding.page(page)).map(|group| group.first).collect();
    assert_eq!(shown, (0..n).collect::<Vec<_>>());
}

#[test]
fn older_answers_do_not_replace_newer_ones() {
    let mut state = TokenizerState::default();
    state.apply(TokenizerAction::Choose(0, Some(VocabularySource::Run)));
    let answer =
        |request, text: &[u8]| TokenizerEvent::Encoded { request, source: VocabularySource::Run, tokens: cut(&[text]) };
    state.hear(answer(3, b"new"));
    state.hear(answer(2, b"old"));
    assert_eq!(state.sides[0].encoding.as_ref().unwrap().tokens[0].bytes, b"new");
}

#[test]
fn merges_are_played_up_to_the_last_and_then_from_the_start() {
    let mut state = TokenizerState::default();
    state.apply(TokenizerAction::TrainingAsked);
    let merge = |id| MergeStep { left: b"a".to_vec(), right: b"b".to_vec(), count: 2, id };
    let merges = vec![merge(257), merge(258), merge(259)];
    state.hear(TokenizerEvent::Merged { n_asked: 3, merges, running: false, corpus: "x".into() });
    state.hear(TokenizerEvent::Loaded { source: VocabularySource::Trained, name: "x".into(), vocab_size: 260 });
    assert_eq!(state.replay.n_merges, 3);
    state.apply(TokenizerAction::Play(true));
    assert_eq!((state.replay.n_merges, state.replay.playing), (0, true));
    state.apply(TokenizerAction::Scrub(9));
    assert_eq!((state.replay.n_merges, state.replay.playing), (3, false));
    state.apply(TokenizerAction::WantedSize("256".into()));
    assert!(state.size().is_err());
}

#[test]
fn a_vocabulary_that_does_not_come_gives_its_place_back() {
    let mut state = TokenizerState::default();
    state.hear(TokenizerEvent::Loaded { source: VocabularySource::Run, name: "run".into(), vocab_size: 300 });
    state.apply(TokenizerAction::Choose(0, Some(VocabularySource::Gpt2)));
    state.apply(TokenizerAction::Problem("no network".into()));
    assert_eq!(state.sides[0].source, Some(VocabularySource::Run));
    assert_eq!(state.problem.as_deref(), Some("no network"));
}

#[test]
fn the_hash_names_the_view_and_tasks_bring_their_sentence() {
    assert_eq!(View::from_hash("#seed=1&view=tokenizer"), View::Tokenizer);
    assert_eq!(View::from_hash("#view=nonsense"), View::Train);
    let mut state = State::default();
    let task = TaskInfo { name: "copy".into(), description: String::new(), probe: "c:ab=ab".into() };
    state.apply(Action::Events(vec![(Event::Data(DataEvent::Tasks { tasks: vec![task] }), None)]));
    state.apply(Action::Started);
    state.apply(Action::TakeVocabulary("mine".into(), 300));
    assert!(state.needs_restart());
    let vocabulary = |state: &State| match state.start_command() {
        Command::Start { vocabulary, config, probe, .. } => (vocabulary, config.model.vocab_size, probe),
        other => panic!("{other:?}"),
    };
    assert_eq!(vocabulary(&state), (VocabularyChoice::Loaded, 300, DEFAULT_PROBE.into()));
    state.apply(Action::Corpus(CorpusChoice::Task(0)));
    assert_eq!(vocabulary(&state), (VocabularyChoice::Trained, 257, "c:ab=ab".into()));
    state.apply(Action::Corpus(CorpusChoice::BuiltIn));
    assert_eq!(vocabulary(&state).2, DEFAULT_PROBE);
    let score = |run| DataEvent::Score { run, step: 9, right: 1, of: 2, shown: Vec::new() };
    state.apply(Action::Events(vec![(Event::Data(score(7)), None), (Event::Data(score(1)), None)]));
    assert_eq!(state.data.scores.len(), 1, "the score of another run is dropped");
    state.apply(Action::Started);
    assert!(state.data.scores.is_empty());
}

#[test]
fn another_field_is_another_text_and_other_files_begin_with_their_first() {
    let mut state = State::default();
    state.apply(Action::File("a.jsonl".into()));
    let fields = || DataEvent::Fields { fields: vec!["id".into(), "text".into()] };
    state.apply(Action::Events(vec![(Event::Data(fields()), None)]));
    state.apply(Action::Started);
    state.apply(Action::Data(DataAction::Field(1)));
    assert!(state.needs_restart());
    state.apply(Action::Events(vec![(Event::Data(fields()), None)]));
    let chosen = |field: &str| Some(Command::Data(DataCommand::ChooseField { field: field.into() }));
    assert_eq!(state.data.field_command(), chosen("text"), "a new worker that was given the same files again");
    state.apply(Action::File("b.jsonl".into()));
    assert_eq!(state.data.field_command(), chosen("id"));
}

#[test]
fn fetching_ends_in_a_kept_text_or_a_sentence() {
    let mut state = State::default();
    let text = HubText::Validation;
    state.apply(Action::Data(DataAction::Fetching(Fetching { text, received: 1, total: None })));
    state.apply(Action::Data(DataAction::NotFetched(Some("cut".into()))));
    assert_eq!((state.data.fetching, state.data.problem.as_deref()), (None, Some("cut")));
    state.apply(Action::Data(DataAction::Kept(text, Some(5))));
    assert_eq!((state.data.kept(text), state.data.kept(HubText::Training)), (Some(5), None));
}

/// Sends one command to the vocabularies and returns their events.
fn ask(vocabularies: &mut Vocabularies, command: TokenizerCommand, bytes: Option<Vec<u8>>) -> Vec<TokenizerEvent> {
    let mut messages = Vec::new();
    vocabularies.handle(command, bytes, &|| 0.0, &mut messages);
    messages.into_iter().map(|(event, _)| if let Event::Tokenizer(event) = event { event } else { panic!() }).collect()
}

#[test]
fn a_vocabulary_is_trained_replayed_and_written_down() {
    let text = "the cat sat on the mat with the hat\n".repeat(50);
    let mut vocabularies = Vocabularies::default();
    let mut messages = Vec::new();
    vocabularies.train(&text, "cats".into(), 280, &mut messages).unwrap();
    while vocabularies.work(&|| 0.0, &mut messages) {}
    let merges: Vec<MergeStep> = messages
        .into_iter()
        .filter_map(|(event, _)| match event {
            Event::Tokenizer(TokenizerEvent::Merged { merges, .. }) => Some(merges),
            _ => None,
        })
        .flatten()
        .collect();
    let vocabulary = train(&text, 280, &[END_OF_TEXT]).unwrap();
    assert_eq!(merges.len(), vocabulary.merges.len());
    assert!(merges.windows(2).all(|pair| pair[0].count >= pair[1].count));
    let replay = |vocabularies: &mut Vocabularies, n_merges| {
        let command = TokenizerCommand::Replay { request: 1, text: "the hat".into(), n_merges };
        match ask(vocabularies, command, None).remove(0) {
            TokenizerEvent::Replayed { tokens, .. } => tokens,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(replay(&mut vocabularies, 0).len(), 7);
    let whole: Vec<u32> = replay(&mut vocabularies, 1000).iter().map(|token| token.id).collect();
    assert_eq!(whole, Tokenizer::new(&vocabulary).unwrap().encode("the hat"));

    let export = TokenizerCommand::Export { source: VocabularySource::Trained, purpose: ExportPurpose::Download };
    let mut messages = Vec::new();
    vocabularies.handle(export, None, &|| 0.0, &mut messages);
    let json = messages.remove(0).1.unwrap();
    let load = |name: &str| TokenizerCommand::Load {
        source: VocabularySource::File,
        name: name.into(),
        format: VocabularyFormat::TokenizerJson,
    };
    let loaded = ask(&mut vocabularies, load("mine.json"), Some(json)).remove(0);
    assert!(matches!(loaded, TokenizerEvent::Loaded { vocab_size, .. } if vocab_size == vocabulary.tokens.len()));
    let refused = ask(&mut vocabularies, load("bad.json"), Some(b"{}".to_vec())).remove(0);
    assert!(matches!(refused, TokenizerEvent::Problem { message } if message.starts_with("bad.json: ")));
}

#[test]
fn characters_that_draw_nothing_have_a_sign() {
    let signs = [
        ("a\u{200b}b", "a⟨U+200B⟩b"),             // zero-width space
        ("\u{ad}", "⟨U+00AD⟩"),                   // soft hyphen
        ("\u{feff}x", "⟨U+FEFF⟩x"),               // byte order mark
        ("\u{200e}\u{200f}", "⟨U+200E⟩⟨U+200F⟩"), // direction marks
        ("\u{202e}abc\u{2066}", "⟨U+202E⟩abc⟨U+2066⟩"),
        ("\u{2060}\u{180e}\u{61c}", "⟨U+2060⟩⟨U+180E⟩⟨U+061C⟩"),
        ("\u{a0}", "⍽"),
        ("\u{3000}\u{2003}", "⟨U+3000⟩⟨U+2003⟩"), // spaces of other widths
        ("\u{2028}\u{85}", "⟨U+2028⟩⟨U+0085⟩"),   // line ends
        ("\u{0}\u{1b}\u{7f}\r", "␀␛␡␍"),
        ("\u{3164}\u{2800}", "⟨U+3164⟩⟨U+2800⟩"), // fillers and blanks
        ("\u{fe0f}", "⟨U+FE0F⟩"),                 // a lone selector
        ("a\u{fe0f}", "a⟨U+FE0F⟩"),               // a selector without effect
        ("\u{200d}", "⟨U+200D⟩"),
        ("👩\u{200d}", "👩⟨U+200D⟩"), // incomplete sequence
        ("\u{e0041}", "⟨U+E0041⟩"),   // tag
        ("x \n\t", "x·↵→"),
    ];
    for (text, expected) in signs {
        assert_eq!(visible(text), expected, "{text:?}");
    }
    // Where joiners and selectors change the rendering, and where marks are rendered, the text is unchanged.
    for text in ["👩\u{200d}👧", "❤\u{fe0f}", "1\u{fe0f}\u{20e3}", "e\u{301}", "🇩🇪", "日本語", "ก็", "�"]
    {
        assert_eq!(visible(text), text);
    }
    assert_eq!(flowing("one two\n\u{200b}\tthree"), "one two\n⟨U+200B⟩\tthree");
}

#[test]
fn pieces_of_characters_are_spelled_as_bytes() {
    let bytes = "日本語".as_bytes();
    let tokenizer = Tokenizer::new(&train("", 257, &[END_OF_TEXT]).unwrap()).unwrap();
    let ids = tokenizer.encode("日本語");
    let texts: Vec<String> = ids.iter().map(|&id| tokenizer.token_text(id)).collect();
    assert_eq!(texts, ["⟨e6⟩", "⟨97⟩", "⟨a5⟩", "⟨e6⟩", "⟨9c⟩", "⟨ac⟩", "⟨e8⟩", "⟨aa⟩", "⟨9e⟩"]);
    assert_eq!(unspelled(&texts.concat()), bytes);
    assert_eq!(spelled(b" \xe6\x97"), " ⟨e6 97⟩");
    assert_eq!(spelled(b"\xff\xfea"), "⟨ff fe⟩a");
    assert_eq!(spelled("⟨x⟩ ⟨".as_bytes()), "⟨x⟩ ⟨");
    assert_eq!(unspelled("⟨x⟩ ⟨"), "⟨x⟩ ⟨".as_bytes());
}

proptest! {
    #[test]
    fn what_is_spelled_is_read_back(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(unspelled(&spelled(&bytes)), bytes);
    }

    #[test]
    fn every_character_of_a_token_leaves_a_mark(text in ".{0,12}") {
        let shown = visible(&text);
        let drawn = |character| !"\u{200b}\u{ad}\u{feff}\u{200e}\u{202e}\u{a0} \n\t".contains(character);
        prop_assert!(shown.chars().all(drawn), "{:?}", shown);
        prop_assert_eq!(shown.is_empty(), text.is_empty());
    }
}
