//! How the state of the Align view changes with the worker's events.

use std::rc::Rc;

use super::draft::Start;
use super::{AlignState, Batch, Shown};
use glasshead::wire::align::AlignEvent;

impl AlignState {
    /// Handles an event with its attached bytes.
    pub fn hear(&mut self, event: AlignEvent, bytes: Option<&[u8]>) {
        match event {
            AlignEvent::Opened { fields } => self.fields = Rc::new(fields),
            AlignEvent::Project { nodes, current } => {
                if self.current != current {
                    (self.batch, self.shown, self.bin) = (None, None, None);
                    self.margins = Rc::default();
                }
                (self.nodes, self.current) = (Rc::new(nodes), current);
                self.compared = self.compared.filter(|&id| self.node(id).is_some());
                self.follow_current();
            }
            AlignEvent::Preparing { what } => self.preparing = Some(what),
            AlignEvent::Running { on, device } => {
                self.running = on;
                self.device = device.or(self.device.take());
                self.preparing = self.preparing.take().filter(|_| on);
            }
            AlignEvent::Progress { node, step, points, scores, kept, updates_per_s } => {
                self.preparing = None;
                self.updates_per_s = updates_per_s;
                let found = Rc::make_mut(&mut self.nodes).iter_mut().find(|known| known.id == node);
                if let Some(found) = found {
                    (found.step, found.kept) = (step, kept);
                    found.points.extend(points);
                    found.scores.retain(|old| scores.iter().all(|new| new.step != old.step));
                    found.scores.extend(scores);
                }
            }
            AlignEvent::Batch { node, step, groups } => self.batch = Some(Rc::new(Batch { node, step, groups })),
            AlignEvent::Margins { margins, .. } => self.margins = Rc::new(margins),
            AlignEvent::Watched(about) => {
                if let Some(shown) = bytes.and_then(|bytes| Shown::new(*about, bytes)) {
                    self.preparing = None;
                    self.shown = Some(Rc::new(shown));
                }
            }
            AlignEvent::Ended { message } => {
                self.notice = Some(message);
                self.recipe_ended();
            }
            AlignEvent::Rewound { step, .. } => {
                (self.batch, self.shown) = (None, None);
                self.notice = Some(format!("Back at update {step}."));
            }
            AlignEvent::Rows { name, counts } => {
                self.problem = None;
                self.rows = Some((name, counts));
                if self.draft.task.is_none() {
                    self.draft.fit_rows(counts);
                }
            }
            AlignEvent::Notice { message } => self.notice = Some(message),
            AlignEvent::Problem { message } => {
                (self.problem, self.preparing) = (Some(message), None);
                self.recipe_failed();
            }
            // Stored and offered by the page's services.
            AlignEvent::Snapshot { .. } | AlignEvent::Exported { .. } => (),
        }
    }

    /// The next stage begins where the present one is, unless the user chose otherwise.
    fn follow_current(&mut self) {
        let gone = matches!(self.draft.start, Start::Node(id) if self.node(id).is_none());
        if let Some(current) = self.current {
            if self.draft.start != Start::Node(current) {
                (self.draft.start, self.draft.from_step) = (Start::Node(current), None);
            }
        } else if gone {
            self.draft.start = Start::Untrained;
        }
    }
}
