//! The share link, which restores the current view.

use js_sys::Reflect;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Clipboard, HtmlInputElement};
use yew::prelude::*;

use crate::core::context::Cx;
use crate::overlay::view::{Frame, close_button};
use crate::share::hash;
use crate::state::overlay::Overlay;
use crate::state::{Setup, Vocabulary};
use glasshead::types::CorpusChoice;

const REFUSED: &str = "The browser refused access to the clipboard. The link is selected: copy it from the field.";

#[component]
pub fn SharePopover(cx: &Cx) -> Html {
    let (with_text, said) = (use_state(|| false), use_state(|| ""));
    {
        let said = said.clone();
        use_effect_with(cx.state.overlay.is_open(Overlay::Share), move |_| said.set(""));
    }
    let field = use_node_ref();
    let text = {
        let (with_text, said) = (with_text.clone(), said.clone());
        Callback::from(move |_: Event| {
            said.set("");
            with_text.set(!*with_text);
        })
    };
    let link = format!("{}{}", address(), hash(&cx.state, *with_text));
    let copy = {
        let (link, said, field) = (link.clone(), said.clone(), field.clone());
        Callback::from(move |_: MouseEvent| {
            let (link, said, field) = (link.clone(), said.clone(), field.clone());
            spawn_local(async move {
                let copied = copy(&link).await;
                said.set(if copied { "Copied." } else { REFUSED });
                if let Some(field) = field.cast::<HtmlInputElement>().filter(|_| !copied) {
                    field.select();
                }
            });
        })
    };
    html! {
        <Frame cx={cx.clone()} overlay={Overlay::Share} label="Share a link" class="share">
            <header role="none"><h2>{"Share this view"}</h2><span class="grow"></span>{close_button(cx)}</header>
            <p>{"The link restores the model, the text, all settings, the seed, the head and the pinned tokens, and starts the \
                 same run. It contains no weights, and no text or vocabulary of yours."}</p>
            {own(&cx.state.draft)}
            <div class="line">
                <input ref={field} readonly=true value={link} data-testid="share-link" aria-label="Link" />
                <button class="primary" onclick={copy} data-testid="share-copy" data-first="">{"Copy link"}</button>
            </div>
            <label class="beside">
                <input type="checkbox" checked={*with_text} onchange={text} data-testid="share-text" />
                {"Include my sentence"}
            </label>
            <span role="status" data-testid="share-said">{*said}</span>
        </Frame>
    }
}

/// A note on the parts of this setup that a link cannot contain.
fn own(draft: &Setup) -> Html {
    let text = draft.corpus == CorpusChoice::File;
    let vocabulary = matches!(draft.vocabulary, Vocabulary::Chosen { .. });
    let (what, instead) = match (text, vocabulary) {
        (false, false) => return Html::default(),
        (true, false) => ("your own text", "trains on the built-in stories instead"),
        (false, true) => ("a vocabulary that you chose", "trains a new one instead"),
        (true, true) => {
            ("your own text and vocabulary", "trains on the built-in stories with a new vocabulary instead")
        }
    };
    html! {
        <p class="pending" data-testid="share-own">
            {format!("This setup uses {what}; the link {instead}. To share the vocabulary, send a saved run.")}
        </p>
    }
}

/// The page's address without the hash.
fn address() -> String {
    let href = web_sys::window().and_then(|window| window.location().href().ok()).unwrap_or_default();
    href.split('#').next().unwrap_or_default().to_string()
}

/// Copies a text to the clipboard; returns whether it succeeded. Insecure pages have no clipboard.
async fn copy(text: &str) -> bool {
    let Some(window) = web_sys::window() else { return false };
    let clipboard = Reflect::get(&window.navigator(), &"clipboard".into()).ok();
    let Some(clipboard) = clipboard.filter(|clipboard| !clipboard.is_undefined()) else { return false };
    let clipboard: Clipboard = clipboard.unchecked_into(); // `navigator.clipboard` is a `Clipboard`
    JsFuture::from(clipboard.write_text(text)).await.is_ok()
}
