//! The Data view's state, driven by what its worker runs, and the paired runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use glasshead::serve::Session;
use glasshead::wire::effect::{EffectCommand, EffectEvent};
use glasshead::wire::{Command, Event};
use glasshead_filter::desk::{Attached, Desk};
use glasshead_filter::settings::Stage;
use glasshead_filter::wire::Request;
use glasshead_page::data::state::{DataViewAction, Source};
use glasshead_page::share;
use glasshead_page::state::{Action, State, View};
use pollster::block_on;

/// The page's state and the worker's side of the messages.
struct Both {
    state: State,
    desk: Desk,
}

impl Both {
    fn new() -> Self {
        let mut both = Self { state: State::default(), desk: Desk::new(Box::new(|| 0.0)) };
        both.ask(both.state.filters.settings_request(), Vec::new());
        both.act(DataViewAction::Source(Source::Generated { seed: 3, megabytes: 1 }));
        both.ask(Request::Generate { seed: 3, bytes: 300_000 }, vec![Vec::new()]);
        both
    }

    fn act(&mut self, action: DataViewAction) {
        self.state.apply(Action::Filters(action));
    }

    fn ask(&mut self, request: Request, files: Vec<Vec<u8>>) {
        self.desk.handle(request, files.into_iter().map(Attached::from_bytes).collect());
        self.hear();
        while self.desk.work() {
            self.hear();
        }
        self.hear();
    }

    fn hear(&mut self) {
        for (reply, _) in self.desk.take() {
            self.act(DataViewAction::Heard(Box::new(reply)));
        }
    }

    fn set(&mut self, path: &str, text: &str) {
        self.act(DataViewAction::Set(path.into(), text.into()));
        self.ask(self.state.filters.settings_request(), Vec::new());
    }
}

#[test]
fn limits_move_the_counts_and_lists_follow() {
    let mut both = Both::new();
    let before = both.state.filters.funnel.clone().unwrap();
    assert!(before.compared && before.kept > 20 && !both.state.filters.busy());
    both.act(DataViewAction::Stage(Stage::Gopher));
    both.act(DataViewAction::Rule("gopher_short_doc".into()));
    assert_eq!(both.state.filters.limit(), Some(("gopher.min_words", 50.0)));
    both.set("gopher.min_words", "120");
    let view = &both.state.filters;
    assert!(view.funnel.as_ref().unwrap().kept < before.kept);
    assert_eq!((view.limit().unwrap().1, view.changes["gopher.min_words"].as_str()), (120.0, "120"));
    let list = view.list(0);
    both.ask(Request::Rows { list, start: 0, n: 5 }, Vec::new());
    both.ask(Request::Histogram { stage: Stage::Gopher, rule: "gopher_short_doc".into() }, Vec::new());
    let view = &both.state.filters;
    assert!(view.histogram.is_some() && view.lists[0].total > 0);
    assert!(view.lists[0].rows.iter().all(|row| row.value.unwrap() < 120.0));
    // The default is no change.
    both.set("gopher.min_words", "50");
    assert!(both.state.filters.changes.is_empty());
    assert_eq!(both.state.filters.funnel.as_ref().unwrap().kept, before.kept);
}

#[test]
fn refused_settings_leave_the_others_in_use() {
    let mut both = Both::new();
    both.set("minhash.rows", "10");
    both.set("minhash.bands", "0");
    let view = &both.state.filters;
    assert!(view.refused.as_ref().unwrap().message.contains("minhash.bands"));
    assert_eq!(*view.changes, BTreeMap::from([("minhash.rows".to_string(), "10".to_string())]));
    both.set("minhash.bands", "10");
    assert!(both.state.filters.refused.is_none() && both.state.filters.changes.len() == 2);
}

#[test]
fn a_link_holds_settings_and_generated_pages() {
    let mut both = Both::new();
    both.set("language.min_score", "0.9");
    both.state.view = View::Data;
    let hash = share::hash(&both.state, false);
    let (restored, problems) = share::restored(&hash);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!((restored.view, &restored.filters.source), (View::Data, &both.state.filters.source));
    assert_eq!(restored.filters.changes, both.state.filters.changes);
    let (wrong, problems) = share::restored("#view=data&pages=nonsense&filters=a:b");
    assert_eq!((wrong.filters.source, problems.len()), (Source::None, 1));
}

/// Trains on a text, and returns the last event.
fn trained(text: &str, held_out: &str, seed: u64) -> (usize, EffectEvent) {
    let events: Rc<RefCell<Vec<Event>>> = Rc::default();
    let inbox = events.clone();
    let mut session = Session::new(Box::new(move |event, _| inbox.borrow_mut().push(event)), Box::new(|| 0.0));
    let command = EffectCommand::Train { job: 7, steps: 20, seed, train_bytes: text.len() };
    let bytes = format!("{text}{held_out}").into_bytes();
    block_on(session.handle(Command::Effect(command), Some(bytes)));
    while block_on(session.work()) {}
    let mut effect: Vec<EffectEvent> = Vec::new();
    for event in events.take() {
        if let Event::Effect(event) = event {
            effect.push(event);
        }
    }
    (effect.len(), effect.pop().unwrap())
}

#[test]
fn paired_runs_are_comparable_and_repeat() {
    let text = "The dog ran to the river and the cat ran to the house.<|endoftext|>\n".repeat(40);
    let held_out = "The cat ran to the river and the dog ran to the house.\n".repeat(20);
    let (n, EffectEvent::Done { job: 7, held_out: loss, sample }) = trained(&text, &held_out, 1) else {
        panic!("no result")
    };
    assert!(n > 2 && loss < 5.0 && sample.len() > 10, "{n} {loss} {sample}");
    let again = trained(&text, &held_out, 1).1;
    assert_eq!(again, EffectEvent::Done { job: 7, held_out: loss, sample });
    let EffectEvent::Done { held_out: stories, .. } = trained(&text, "", 1).1 else { panic!("no result") };
    assert!(stories > loss, "the stories are not in the text: {stories} and {loss}");
    let EffectEvent::Problem { message, .. } = trained("short", &held_out, 1).1 else { panic!("trained on nothing") };
    assert!(message.contains("training text"), "{message}");
}
