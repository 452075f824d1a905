//! What the view does on its own: it requests the project, tells the worker which prompt is inspected, and carries out experiments.

use yew::prelude::*;

use super::{act, send, store};
use crate::core::context::Cx;
use crate::core::navigation;
use crate::state::RunState;
use crate::state::align::AlignAction;
use crate::state::align::recipes::Order;
use glasshead::wire::Command;
use glasshead::wire::align::AlignCommand;

/// Begins the stage of the draft.
pub fn begin(cx: &Cx) {
    let draft = &cx.state.align.draft;
    let (start, spec, backend) = (draft.start(&cx.state.runs.name), Box::new(draft.spec()), cx.state.draft.backend);
    act(cx, AlignAction::Began);
    send(cx, AlignCommand::Begin { start, spec, backend });
}

#[hook]
pub fn use_project(cx: &Cx) {
    let align = &cx.state.align;
    {
        let cx = cx.clone();
        use_effect_with(align.wants_project, move |&wants| {
            if wants {
                store::open(&cx);
            }
        });
    }
    {
        let cx = cx.clone();
        let watched = (align.watched_prompt(), align.compared, align.current, align.fields.is_empty());
        use_effect_with(watched, move |(prompt, before, current, waiting)| {
            if current.is_some() && !waiting {
                send(&cx, AlignCommand::Watch { prompt: prompt.clone(), before: *before });
            }
        });
    }
    let run = cx.state.can_train().then_some((cx.state.step, cx.state.run_state == RunState::Training));
    let order = align.recipe_order(run);
    let stage = align.recipe.as_ref().map(|running| (running.recipe.name, running.stage));
    let cx = cx.clone();
    use_effect_with((order, stage), move |(order, _)| match order {
        Some(Order::Pretrain) => cx.send(&Command::Train),
        Some(Order::Begin) => {
            navigation::forget("recipe");
            begin(&cx);
            act(&cx, AlignAction::Carried);
        }
        None => (),
    });
}
