//! How the state changes with the worker's events.

use super::*;

impl State {
    /// Handles an event of the worker, with its attached bytes.
    pub(super) fn hear(&mut self, event: Event, bytes: Option<Rc<[u8]>>) {
        if let Event::Runs { run, event } = event {
            return self.hear_runs(run, event);
        }
        if parts::run_of(&event).is_some_and(|run| run != self.run && run != 0) {
            return; // from an earlier run
        }
        match event {
            Event::Listening => self.align.wants_project = true,
            Event::Kernels { .. } => (),
            Event::Tokenizer(event) => self.tokenizer.hear(event),
            Event::Data(DataEvent::Tasks { tasks }) => self.hear_tasks(tasks),
            Event::Data(event) => self.data.hear(self.run, event),
            Event::Lesson(event) => self.lesson.hear(event),
            Event::Align(event) => self.align.hear(event, bytes.as_deref()),
            Event::Effect(_) => (), // received by the data view's own workers
            Event::Workers { event, .. } => self.workers.hear(&event),
            Event::Profile { event, .. } => self.profile.hear(event),
            Event::Queue(event) => {
                let (scale, queue) = (Rc::make_mut(&mut self.scale), Rc::make_mut(&mut self.queue));
                scale.hear(&event, bytes.as_ref());
                if queue.hear(&event).is_some() {
                    scale.advance(queue);
                }
            }
            Event::Inspect { event, .. } => {
                self.ask.hear(event, bytes.as_deref());
                self.announce_heads();
            }
            Event::Device { device, .. } => self.hear_device(device),
            Event::Loading { phase, .. } => self.run_state = RunState::Loading(Some(phase)),
            Event::Ready { summary, .. } => {
                self.summary = Some(Rc::new(*summary));
                self.run_state = RunState::Ready;
            }
            Event::Training { on: true, .. } => {
                (self.run_state, self.runs.stopped) = (RunState::Training, None);
            }
            Event::Training { on: false, .. } => self.run_state = RunState::Paused,
            Event::Progress { step, points, validation, tokens_per_s, .. } => {
                (self.step, self.tokens_per_s) = (step, tokens_per_s);
                Rc::make_mut(&mut self.history).extend(&points, &validation);
                self.announce_baselines();
            }
            Event::Attention { step, tokens, n_layers, n_heads, causal, tokens_cut, .. } => {
                let n = tokens.len();
                let bytes = bytes.unwrap_or_else(|| Rc::from([]));
                self.pinned = self.pinned.filter(|&query| query < n);
                self.look.added.retain(|&row| row < n);
                self.hovered = self.hovered.filter(|&(query, key)| query < n && key < n);
                let (bytes, entropies) = parts::split_maps(&bytes, n_layers * n_heads * n * n);
                let maps = Rc::new(Maps { step, tokens, n_layers, n_heads, causal, tokens_cut, bytes, entropies });
                self.remember.record(&maps);
                self.look_at_wanted(&maps);
                self.maps = Some(maps);
            }
            Event::SampleTokens { step, tokens, .. } => Rc::make_mut(&mut self.sample_of(step).tokens).extend(tokens),
            Event::Sample { step, text, .. } => self.sample_of(step).text = Some(text),
            Event::Generated { request, text, tokens, done, problem, .. } => {
                if request == self.generated.request {
                    Rc::make_mut(&mut self.generated.tokens).extend(tokens);
                    (self.generated.text, self.generated.running) = (text, !done);
                    self.generated.problem = problem;
                }
            }
            Event::Diverged { message, .. } => self.run_state = RunState::Diverged(message),
            Event::Notice { message, .. } => {
                self.notices.push(message);
                self.runs.saving = false; // this may be why nothing was saved
            }
            // Further errors after a failure are consequences of it.
            Event::Failed { run: 0, .. } if matches!(self.run_state, RunState::Failed(_)) => (),
            Event::Failed { run, message } => {
                if run == 0 {
                    Rc::make_mut(&mut self.queue).worker_failed();
                }
                // A worker that runs out of memory stops silently; so does the page's connection to it.
                let spare = self.started.as_ref().filter(|_| run == 0).map(|started| started.config.advice(|_| true));
                let spare = spare.map_or_else(String::new, |advice| format!(" If memory is short, {advice}."));
                self.run_state = RunState::Failed(message + &spare);
            }
            Event::Runs { .. } => (),   // handled above
            Event::Export { .. } => (), // a file, written by `take_along`
        }
    }

    /// The sample that was begun after `step` steps, newly created unless it is being written.
    fn sample_of(&mut self, step: u64) -> &mut Sample {
        let present = self.samples.first().is_some_and(|sample| sample.step == step && sample.text.is_none());
        if !present {
            // A sample that was broken off, for example by a pause, stays as it is.
            self.samples.insert(0, Sample { step, tokens: Rc::default(), text: None });
            self.samples.truncate(SAMPLES);
        }
        &mut self.samples[0]
    }
}
