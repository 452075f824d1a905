//! The initial state.

use std::rc::Rc;

use super::*;
use glasshead::config::{Preset, ValidConfig};
use glasshead::types::{BackendChoice, CorpusChoice, Sampling};

impl Default for State {
    fn default() -> Self {
        let config = ValidConfig::preset(Preset::Nano);
        let (corpus, backend) = (CorpusChoice::BuiltIn, BackendChoice::Auto);
        let vocabulary = Vocabulary::OfTheText;
        Self {
            view: View::Train,
            tokenizer: TokenizerState::default(),
            data: DataState::default(),
            filters: DataView::default(),
            lesson: LessonState::default(),
            align: AlignState::default(),
            run: 0,
            run_state: RunState::Loading(None),
            started: None,
            draft: Setup { config, corpus, vocabulary, backend, file_name: None, file_count: 0 },
            refused: Vec::new(),
            device: None,
            devices: Vec::new(),
            summary: None,
            notices: Vec::new(),
            step: 0,
            tokens_per_s: 0.0,
            history: Rc::default(),
            probe: DEFAULT_PROBE.into(),
            maps: None,
            remember: Remember::default(),
            selected: (0, 0),
            hovered: None,
            look: Look::default(),
            pinned: None,
            mask_shown: true,
            table_shown: false,
            samples: Vec::new(),
            sampling: Sampling::default(),
            prompt: String::new(),
            generated: Generated::default(),
            color_map: ColorMap::Cividis,
            theme: Theme::Auto,
            hidden: Vec::new(),
            shell: Shell::default(),
            overlay: Default::default(),
            experiments: Default::default(),
            ask: AskState::default(),
            runs: Runs::default(),
            workers: WorkersState::default(),
            profile: ProfileState::default(),
            queue: Rc::default(),
            scale: Rc::default(),
            resizes: 0,
            version: 0,
            settled: 0,
            quiet: 0,
        }
    }
}
