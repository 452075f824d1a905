//! Model files of other programs: export the current model, or import one.

use wasm_bindgen::JsCast as _;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::app::Cx;
use crate::state::Action;
use crate::state::runs::RunsAction;
use crate::{files, models};
use glasshead::protocol::Command;
use glasshead::protocol::export::ExportCommand;

#[component]
pub fn Models(cx: &Cx) -> Html {
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
        Callback::from(move |event: Event| {
            let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
            if let Some(input) = input {
                let files = files::listed(input.files());
                if !files.is_empty() {
                    models::open(&cx, files);
                }
                input.set_value(""); // allows choosing the same files again
            }
        })
    };
    let about = "config.json, model.safetensors, tokenizer.json and their like in one .zip, which AutoModelForCausalLM \
                 and AutoTokenizer open";
    html! {
        <>
            <h3>{"For and from transformers"}</h3>
            <div class="line">
                <button data-testid="export-model" onclick={export} disabled={!cx.state.has_run() || cx.state.runs.saving}
                    title={about}>{"export this model"}</button>
                if models::can_write_folders() {
                    <button data-testid="export-folder" onclick={into_folder}
                        disabled={!cx.state.has_run() || cx.state.runs.saving}
                        title="the same files, into a folder that you choose">{"… into a folder"}</button>
                }
                <label class="beside" title="the optimizer's moments, the step, the data position: what other machines go on from">
                    <input type="checkbox" data-testid="with-state" checked={*with_state} onchange={toggle} />
                    {"with its training state"}
                </label>
            </div>
            <label class="wide">
                {"open a model: its .zip, or config.json, tokenizer.json and .safetensors together"}
                <input type="file" multiple=true data-testid="model-files" accept=".zip,.json,.safetensors,.bin,.pt,.pth"
                    onchange={picked.clone()} />
            </label>
            <label class="wide">
                {"or its folder"}
                <input type="file" webkitdirectory=true data-testid="model-folder" onchange={picked} />
            </label>
        </>
    }
}
