//! The runs in the browser's storage: saved by the user, and saved automatically.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::overlay::icon::icon;
use crate::runs::checkpoints;
use crate::state::autosave::run_of;
use crate::state::runs::KeptCheckpoint;
use crate::units::{counted, file_size, grouped};

/// Both lists.
#[component]
pub fn Saved(cx: &Cx) -> Html {
    let all = cx.state.runs.kept.iter().flatten();
    let bytes: usize = all.clone().map(|kept| kept.bytes).sum();
    let (copies, kept): (Vec<_>, Vec<_>) = all.partition(|kept| run_of(&kept.key).is_some());
    let none = copies.is_empty() && kept.is_empty();
    html! {
        <section class="saved" aria-labelledby="saved-title">
            <h3 id="saved-title">{"Saved in this browser"}
                if !none { <small>{file_size(bytes as u64)}</small> }
            </h3>
            if none {
                <p class="count">{match cx.state.runs.autosave.every {
                    Some(seconds) => format!("Runs are saved automatically every {seconds} s. You can also save one now."),
                    None => "Automatic saving is off. You can save a run now.".into(),
                }}</p>
            }
            if !kept.is_empty() {
                <ol class="kept" aria-label="Saved runs">{for kept.iter().map(|checkpoint| item(cx, checkpoint, "kept"))}</ol>
            }
            if !copies.is_empty() {
                <ol class="kept" aria-label="Saved automatically">
                    {for copies.iter().map(|checkpoint| item(cx, checkpoint, "copy"))}
                </ol>
            }
        </section>
    }
}

/// One entry; `kind` is "kept" for runs saved by the user, "copy" for autosaves.
fn item(cx: &Cx, checkpoint: &KeptCheckpoint, kind: &'static str) -> Html {
    let act = |act: fn(&Cx, &KeptCheckpoint)| {
        let (cx, checkpoint) = (cx.clone(), checkpoint.clone());
        Callback::from(move |_: MouseEvent| act(&cx, &checkpoint))
    };
    let named = |what: &str| if kind == "kept" { what.to_string() } else { format!("{what}-copy") };
    let KeptCheckpoint { about, bytes, saved, .. } = checkpoint;
    let loss = match (about.val_loss, about.loss) {
        (Some(val), _) => format!(" · held-out {val:.3}"),
        (None, Some(loss)) => format!(" · loss {loss:.3}"),
        (None, None) => String::new(),
    };
    let title = format!("{}, {}", counted(about.n_params, "parameter"), about.corpus);
    let what = format!("{} at step {}", about.name, about.step);
    let how = if kind == "kept" { "saved at" } else { "autosaved at" };
    html! {
        <li data-testid={kind} {title}>
            <span class="what">
                <strong>{&about.name}</strong>
                <small>{format!("{how} step {}{loss} · {saved} · {}", grouped(about.step), file_size(*bytes as u64))}</small>
            </span>
            <button class="small" data-testid={named("resume")} onclick={act(checkpoints::resume)}
                disabled={cx.state.runs.loading.is_some()} aria-label={format!("Continue {what}")}>{"Continue"}</button>
            <button class="small square ghost" onclick={act(checkpoints::offer)} aria-label={format!("Download {what}")}
                title="Download">{icon("download")}</button>
            <button class="small square ghost" data-testid={named("delete-kept")} onclick={act(checkpoints::delete)}
                aria-label={format!("Delete {what}")} title="Delete">{icon("trash")}</button>
        </li>
    }
}
