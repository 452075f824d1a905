//! The share link, which restores the current view.

use js_sys::Reflect;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Clipboard, HtmlInputElement};
use yew::prelude::*;

use crate::app::Cx;
use crate::share::hash;
use crate::state::{Setup, Vocabulary};
use glasshead::protocol::CorpusChoice;

const REFUSED: &str = "The browser refuses its clipboard; the link is marked above: copy it from there.";

#[component]
pub fn Share(cx: &Cx) -> Html {
    let (open, with_text, said) = (use_state(|| false), use_state(|| false), use_state(|| ""));
    let field = use_node_ref();
    let toggle = {
        let (open, said) = (open.clone(), said.clone());
        Callback::from(move |_: MouseEvent| {
            said.set("");
            open.set(!*open);
        })
    };
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
        <>
            <button data-testid="share" onclick={toggle.clone()} aria-expanded={open.to_string()}>{"share"}</button>
            if *open {
                <section class="help" role="dialog" aria-label="Share a link">
                    <h2>{"A link to this view"}</h2>
                    <p>{"It restores preset, task, hyper-parameters, seed, view, layer, head, pinned rows and how they are \
                         looked at, and starts a run of its own. It holds no weights, and no text or vocabulary of \
                         yours."}</p>
                    {own(&cx.state.draft)}
                    <label class="wide">{"link"}
                        <input ref={field} readonly=true value={link} data-testid="share-link" />
                    </label>
                    <label class="beside">
                        <input type="checkbox" checked={*with_text} onchange={text} data-testid="share-text" />
                        {"with my sentence"}
                    </label>
                    <div class="line">
                        <button class="primary" onclick={copy} data-testid="share-copy">{"copy"}</button>
                        <button onclick={toggle}>{"close"}</button>
                        <span role="status" data-testid="share-said">{*said}</span>
                    </div>
                </section>
            }
        </>
    }
}

/// A note on the parts of this setup that a link cannot contain.
fn own(draft: &Setup) -> Html {
    let text = draft.corpus == CorpusChoice::File;
    let vocabulary = matches!(draft.vocabulary, Vocabulary::Chosen { .. });
    let (what, instead) = match (text, vocabulary) {
        (false, false) => return Html::default(),
        (true, false) => ("a text of yours", "trains on the built-in stories"),
        (false, true) => ("a vocabulary that you chose", "trains one of its own"),
        (true, true) => {
            ("a text and a vocabulary of yours", "trains on the built-in stories, with a vocabulary of their own")
        }
    };
    html! {
        <p class="pending" data-testid="share-own">
            {format!("This setup uses {what}: whoever opens the link {instead}. A saved run as a file holds the vocabulary.")}
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
