//! The two models of the lesson, through the session: the one without a mask has the lower loss and cannot generate.

use std::cell::RefCell;
use std::rc::Rc;

use glasshead::serve::Session;
use glasshead::types::BackendChoice;
use glasshead::types::lesson::{PAIR_STEPS, PairPoint, PairText};
use glasshead::wire::lesson::{LessonCommand, LessonEvent};
use glasshead::wire::{Command, Event};
use pollster::block_on;

type Heard = Rc<RefCell<Vec<LessonEvent>>>;

fn session() -> (Session, Heard) {
    let heard = Heard::default();
    let told = heard.clone();
    let sink = Box::new(move |event, _| {
        if let Event::Lesson(event) = event {
            told.borrow_mut().push(event);
        }
    });
    (Session::new(sink, Box::new(|| 0.0)), heard)
}

fn check(backend: BackendChoice) {
    let (mut session, heard) = session();
    let ask = |session: &mut Session, command| block_on(session.handle(Command::Lesson(command), None));
    ask(&mut session, LessonCommand::TrainPair { backend });
    assert!(block_on(session.work()));
    ask(&mut session, LessonCommand::PausePair);
    assert!(!block_on(session.work()), "paused");
    ask(&mut session, LessonCommand::TrainPair { backend });
    while block_on(session.work()) {}
    let (mut points, mut texts): (Vec<PairPoint>, Option<[PairText; 2]>) = (Vec::new(), None);
    for event in heard.borrow().iter() {
        let LessonEvent::Pair { points: new, written, .. } = event else { panic!("{event:?}") };
        points.extend(new);
        texts = written.clone().or(texts);
    }
    let steps: Vec<u64> = points.iter().map(|point| point.step).collect();
    assert_eq!(steps, (1..=PAIR_STEPS).collect::<Vec<_>>(), "a pause loses no step");
    assert!((points[0].causal - points[0].open).abs() < 0.2, "both begin as well as guessing: {:?}", points[0]);
    let last = points.last().unwrap();
    assert!(last.open < 0.5 * last.causal, "looking the token up is easier: {last:?}");
    let [causal, open] = texts.unwrap();
    assert_eq!((causal.step, open.step), (PAIR_STEPS, PAIR_STEPS));
    assert!(open.end_loss > 2.0 * last.open, "what it seemed to know is gone: {} and {last:?}", open.end_loss);
    assert!(open.end_loss > causal.end_loss + 0.3, "{} and {}", open.end_loss, causal.end_loss);
    assert!(!causal.text.is_empty() && causal.text != open.text);
}

#[test]
fn the_model_without_a_mask_cheats_on_the_cpu() {
    check(BackendChoice::Cpu);
}

#[test]
fn the_model_without_a_mask_cheats_on_the_gpu() {
    check(BackendChoice::Gpu);
}

#[test]
fn there_is_nothing_to_pause_and_no_vocabulary_at_first() {
    let (mut session, heard) = session();
    for command in [LessonCommand::PausePair, LessonCommand::Tokens { text: "Hey!".into() }] {
        block_on(session.handle(Command::Lesson(command), None));
    }
    let problems = heard.borrow().iter().filter(|event| matches!(event, LessonEvent::Problem { .. })).count();
    assert_eq!(problems, 2);
}
