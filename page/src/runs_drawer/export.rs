//! Model files of other programs: export the current model, or open one.

use wasm_bindgen::JsCast as _;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::core::context::Cx;
use crate::core::files;
use crate::overlay::icon::icon;
use crate::runs::import as models;
use crate::state::Action;
use crate::state::runs::RunsAction;
use glasshead::wire::Command;
use glasshead::wire::export::ExportCommand;

/// The files that a model consists of.
pub const MODEL_FILES: &str = ".zip,.json,.safetensors,.bin,.pt,.pth";

/// Opens the model whose files were chosen in a file input.
pub fn open_picked(cx: &Cx, event: &Event) {
    let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
    if let Some(input) = input {
        let files = files::listed(input.files());
        if !files.is_empty() {
            models::open(cx, files);
        }
        input.set_value(""); // allows choosing the same files again
    }
}

/// Export of the current model, and import of others.
#[component]
pub fn Export(cx: &Cx) -> Html {
    let with_state = use_state(|| false);
    let export = {
        let (cx, training_state) = (cx.clone(), *with_state);
        Callback::from(move |_: MouseEvent| {
            cx.send(&Command::Export(ExportCommand::Model { loose: false, training_state }));
            cx.act(Action::Runs(RunsAction::Saving));
        })
    };
    let into_folder = {
        let (cx, training_state) = (cx.clone(), *with_state);
        Callback::from(move |_: MouseEvent| models::export_into_folder(&cx, training_state))
    };
    let toggle = {
        let with_state = with_state.clone();
        Callback::from(move |_: Event| with_state.set(!*with_state))
    };
    let picked = {
        let cx = cx.clone();
        Callback::from(move |event: Event| open_picked(&cx, &event))
    };
    let disabled = !cx.state.has_run() || cx.state.runs.saving;
    html! {
        <section class="export" aria-labelledby="export-title">
            <h3 id="export-title">{"Export this model"}</h3>
            <div class="pair">
                <button data-testid="export-model" onclick={export} {disabled}
                    title="config.json, model.safetensors and tokenizer.json in one .zip, for AutoModelForCausalLM and AutoTokenizer.">
                    {icon("download")}{"Hugging Face (.zip)"}
                </button>
                if models::can_write_folders() {
                    <button data-testid="export-folder" onclick={into_folder} {disabled}
                        title="The same files, into a folder that you choose.">{icon("download")}{"To a folder…"}</button>
                }
            </div>
            <label class="beside" title="Optimizer state, step and data position.">
                <input type="checkbox" data-testid="with-state" checked={*with_state} onchange={toggle} />
                {"Include the training state, so that other programs can continue"}
            </label>
            <h3>{"Open a Hugging Face model"}</h3>
            <div class="pair">
                <label class="button file">
                    {icon("upload")}{"Files or .zip…"}
                    <input type="file" class="sr" multiple=true data-testid="model-files" accept={MODEL_FILES} onchange={picked.clone()} />
                </label>
                <label class="button file">
                    {icon("upload")}{"Folder…"}
                    <input type="file" class="sr" webkitdirectory=true data-testid="model-folder" onchange={picked} />
                </label>
            </div>
        </section>
    }
}
