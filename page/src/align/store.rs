//! The project in the browser's storage, the user's rows, and exported models.

use js_sys::Uint8Array;
use wasm_bindgen_futures::spawn_local;
use web_sys::File;

use super::{act, send};
use crate::core::context::Cx;
use crate::core::link::Batch;
use crate::core::{download, files, store};
use crate::state::align::AlignAction;
use glasshead::wire::align::{AlignCommand, AlignEvent};
use glasshead::wire::{Command, Event};

/// The key of the project. Its description is none of a run, so the list of runs leaves it out.
const KEY: &str = "alignment";

const REFUSED: &str = "The project was not saved: this browser's storage is full or forbidden (as in a private window). It stays \
    in this tab; export the model to keep it.";

/// Stores snapshots of the project, and offers exported models.
pub fn receive(batch: &Batch, cx: &Cx) {
    for (event, bytes) in batch {
        let (Event::Align(event), Some(bytes)) = (event, bytes) else { continue };
        match event {
            AlignEvent::Snapshot { step } => {
                let (cx, step) = (cx.clone(), *step);
                let Ok(blob) = download::blob(&Uint8Array::from(&**bytes), download::BYTES) else { continue };
                spawn_local(async move {
                    if store::put(KEY, &format!("{{\"update\":{step}}}"), &blob).await.is_err() {
                        act(&cx, AlignAction::Notice(REFUSED.into()));
                    }
                });
            }
            AlignEvent::Exported { name, step, .. } => {
                let file = download::file_name(&format!("glasshead {name} update {step}"), "zip");
                let message = match download::offer_bytes(&file, bytes, "application/zip") {
                    true => {
                        format!("Exported at update {step} as {file}: unpack it, and transformers opens the folder.")
                    }
                    false => "The model could not be exported: the browser refuses the download.".into(),
                };
                act(cx, AlignAction::Notice(message));
            }
            _ => (),
        }
    }
}

/// Requests the project from the worker, after sending it the stored one.
pub fn open(cx: &Cx) {
    act(cx, AlignAction::Asked);
    let (cx, backend) = (cx.clone(), cx.state.draft.backend);
    spawn_local(async move {
        // Without storage there is no project.
        if let Ok(bytes) = store::get(KEY).await {
            cx.send_with(&Command::Align(AlignCommand::Restore { backend }), &bytes);
        }
        send(&cx, AlignCommand::Open);
    });
}

/// Sends a file with rows to the worker.
pub fn load_rows(cx: &Cx, file: File) {
    act(cx, AlignAction::Task(None));
    let cx = cx.clone();
    spawn_local(async move {
        match files::read(&file).await {
            Ok(bytes) => cx.send_with(&Command::Align(AlignCommand::LoadRows { name: file.name() }), &bytes),
            Err(message) => act(&cx, AlignAction::Notice(format!("{message}."))),
        }
    });
}
