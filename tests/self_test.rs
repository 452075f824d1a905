//! A device that computes a kernel wrongly, seen from the page: the kernel that every device can run replaces it, or the CPU
//! replaces the device, and the page shows why. The devices here are right, but compile changed kernels.

use std::cell::RefCell;
use std::rc::Rc;

use glasshead::config::{ModelConfig, Preset, RunConfig};
use glasshead::gpu::choices::Choices;
use glasshead::gpu::pipeline::Distortion;
use glasshead::ops::tuning::FUSIONS;
use glasshead::serve::Session;
use glasshead::train::trainer::Trainer;
use glasshead::types::profile::Profile;
use glasshead::types::{BackendChoice, CorpusChoice, VocabularyChoice};
use glasshead::wire::profile::{ProfileCommand, ProfileEvent};
use glasshead::wire::{Command, Event};
use pollster::block_on;

use crate::common::context;

fn config() -> RunConfig {
    let mut config = Preset::Nano.config();
    config.model = ModelConfig::cs336([260, 32], [32, 1, 4, 48]);
    config.train.batch_size = 4;
    config
}

/// A page with its worker.
struct Page {
    session: Session,
    events: Rc<RefCell<Vec<Event>>>,
}

impl Page {
    fn new(distortion: Distortion, memory: &str, told: &str) -> Self {
        let events: Rc<RefCell<Vec<Event>>> = Rc::default();
        let (sink, seconds) = (events.clone(), std::cell::Cell::new(0.0));
        let clock = move || {
            seconds.set(seconds.get() + 0.3);
            seconds.get()
        };
        let mut session = Session::new(Box::new(move |event, _| sink.borrow_mut().push(event)), Box::new(clock));
        session.distort_kernels(distortion);
        block_on(session.handle(Command::Kernels { memory: memory.into(), told: told.into() }, None));
        Self { session, events }
    }

    /// Starts a run and trains for some steps.
    fn train(&mut self, config: RunConfig) {
        let start = Command::Start {
            run: 1,
            config,
            corpus: CorpusChoice::BuiltIn,
            vocabulary: VocabularyChoice::Trained,
            backend: BackendChoice::Gpu,
            probe: "Once".into(),
        };
        block_on(async {
            self.session.handle(start, None).await;
            if self.failure().is_none() {
                self.session.handle(Command::Train, None).await;
                for _ in 0..10 {
                    assert!(self.session.work().await);
                }
                self.session.handle(Command::Profile(ProfileCommand::Measure), None).await;
            }
        });
    }

    fn find<T>(&self, of: impl Fn(&Event) -> Option<T>) -> Vec<T> {
        self.events.borrow().iter().filter_map(of).collect()
    }

    fn failure(&self) -> Option<String> {
        let failed =
            |event: &Event| if let Event::Failed { message, .. } = event { Some(message.clone()) } else { None };
        self.find(failed).pop()
    }

    /// The messages that the page shows in its banner.
    fn notices(&self) -> Vec<String> {
        self.find(|event| if let Event::Notice { message, .. } = event { Some(message.clone()) } else { None })
    }

    /// The name of the run's device.
    fn device(&self) -> String {
        let name = |event: &Event| {
            if let Event::Device { device, .. } = event { Some(device.name.clone()) } else { None }
        };
        self.find(name).pop().expect("a device")
    }

    /// What the page stores for the next visit.
    fn memory(&self) -> String {
        let memory = |event: &Event| if let Event::Kernels { memory } = event { Some(memory.clone()) } else { None };
        self.find(memory).pop().expect("choices to store")
    }

    /// The kernels of a training step.
    fn kernels(&self) -> Vec<String> {
        let profile = |event: &Event| -> Option<Profile> {
            match event {
                Event::Profile { event: ProfileEvent::Measured(profile), .. } => Some((**profile).clone()),
                _ => None,
            }
        };
        let profile = self.find(profile).pop().expect("a profile");
        profile.kernels.iter().map(|kernel| kernel.kernel.to_string()).collect()
    }
}

/// A variant that is wrong for 48 rows only, as many as the self-test has; its trials have others.
fn wrong_for_48_rows(name: &str, source: String) -> String {
    if name != "rmsnorm_lanes" {
        return source;
    }
    let changed = source.replace(
        "f32(x[start + c]) * inv_rms",
        "f32(x[start + c]) * inv_rms * select(1.0, 1.01, params.n_rows == 48u)",
    );
    assert_ne!(changed, source);
    changed
}

#[test]
fn a_variant_that_fails_the_self_test_is_replaced_by_its_original() {
    for told in ["", "rmsnorm=rmsnorm_lanes"] {
        // The variant is in use, either from an earlier visit or because the user says so.
        let context = context();
        let key = glasshead::ops::tuning::memory_key(&context);
        let memory = format!("{key}\trmsnorm=rmsnorm_lanes\n");
        let mut page = Page::new(wrong_for_48_rows, &memory, told);
        page.train(config());
        assert_eq!(page.failure(), None);
        let notices = page.notices();
        let notice = notices.iter().find(|notice| notice.contains("rmsnorm_lanes")).expect("a notice");
        assert!(notice.starts_with("Slower than it could be: this device computes rmsnorm_lanes wrongly"), "{notice}");
        assert!(notice.contains("rmsnorm is used instead"), "{notice}");
        let kernels = page.kernels();
        assert!(kernels.contains(&"rmsnorm".to_string()), "{kernels:?}");
        assert!(!kernels.contains(&"rmsnorm_lanes".to_string()), "{kernels:?}");

        // The next visit does not use it either.
        let mut next = Page::new(wrong_for_48_rows, &page.memory(), told);
        next.train(config());
        assert!(!next.kernels().contains(&"rmsnorm_lanes".to_string()), "{:?}", next.kernels());
    }
}

/// A kernel without variants.
fn wrong_gate(name: &str, source: String) -> String {
    if name != "swiglu" {
        return source;
    }
    let changed = source.replace("Number2(gate * sigmoid(gate)", "Number2(1.05 * gate * sigmoid(gate)");
    assert_ne!(changed, source);
    changed
}

#[test]
fn a_device_that_fails_the_self_test_is_replaced_by_the_cpu() {
    let mut page = Page::new(wrong_gate, "", "");
    page.train(config());
    assert_eq!(page.failure(), None);
    let notices = page.notices();
    let notice = notices.iter().find(|notice| notice.contains("computes wrongly")).expect("a notice");
    assert!(notice.starts_with("Training on the CPU, which is slower:"), "{notice}");
    assert!(notice.contains("(swiglu)"), "the kernel is named: {notice}");
    assert_eq!(page.device(), glasshead::types::DeviceInfo::cpu().name);
    assert!(page.kernels().contains(&"swiglu".to_string()));
}

#[test]
fn f16_that_fails_the_self_test_is_refused_with_what_to_set() {
    let mut config = config();
    config.set("activation_storage", "f16").unwrap();
    let mut page = Page::new(wrong_gate, "", "");
    page.train(config);
    let message = page.failure().expect("a refusal");
    assert!(message.contains("computes f16 incorrectly"), "{message}");
    assert!(message.contains("(swiglu)") && message.contains("set activation_storage to f32"), "{message}");
}

/// Wrong for the 192 rows of the self-test with fusions.
fn wrong_fusion(name: &str, source: String) -> String {
    if name != "norm_linear_group_32" {
        return source;
    }
    let changed = source
        .replace("* inv_rms[row - first_row]", "* inv_rms[row - first_row] * select(1.0, 1.01, params.m == 192u)");
    assert_ne!(changed, source);
    changed
}

#[test]
fn a_fusion_that_fails_the_self_test_is_not_used() {
    let context = context();
    context.distort(wrong_fusion);
    let told: Vec<_> = FUSIONS.iter().map(|of| format!("{}={}", of.key, of.fusions[0].kernel.name)).collect();
    *context.told.borrow_mut() = Choices::parse(&told.join(",")).unwrap();
    let messages = block_on(Trainer::choose_kernels(&config(), Some(&context))).unwrap();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].contains("computes norm_linear_group_32 wrongly"), "{messages:?}");
    assert!(messages[0].ends_with("its dispatches stay separate"), "{messages:?}");
    for of in &FUSIONS {
        assert_eq!(context.fuses(&of.fusions[0]), of.key != "norm_linear", "{}", of.key);
    }
}
