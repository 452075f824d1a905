//! The Align view: stages of fine-tuning, reinforcement learning and preference optimization, with every answer and the heads in
//! view.

mod answers;
mod attention;
pub mod cards;
mod chart;
mod curves;
mod drawer;
mod histogram;
mod run;
mod setup;
mod stages;
pub mod store;
pub mod top;
pub mod view;

use yew::prelude::*;

use crate::core::context::Cx;
use crate::state::Action;
use crate::state::align::AlignAction;
use glasshead::wire::Command;
use glasshead::wire::align::AlignCommand;

/// Dispatches an action of the view.
fn act(cx: &Cx, action: AlignAction) {
    cx.act(Action::Align(action));
}

/// A callback that dispatches an action of the view.
fn on<E: 'static>(cx: &Cx, action: AlignAction) -> Callback<E> {
    cx.on(Action::Align(action))
}

/// Sends a command of the view.
fn send(cx: &Cx, command: AlignCommand) {
    cx.send(&Command::Align(command));
}

/// A callback that sends a command of the view.
fn sends<E: 'static>(cx: &Cx, command: AlignCommand) -> Callback<E> {
    cx.call(move |cx, _| send(cx, command.clone()))
}
