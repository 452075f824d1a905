//! The glossary.

use web_sys::HtmlElement;
use yew::prelude::*;

use crate::core::context::Cx;
use crate::glossary::{Entry, GLOSSARY};
use crate::settings::state::sentence_case;

#[component]
pub fn Glossary(cx: &Cx) -> Html {
    let explained = cx.state.ask.explained;
    let wanted = use_node_ref();
    {
        let wanted = wanted.clone();
        use_effect_with(explained, move |_| {
            if let Some(element) = wanted.cast::<HtmlElement>() {
                let _ = element.focus(); // focusing an attached element cannot fail
            }
        });
    }
    let entry = |entry: &Entry| {
        let here = explained.is_some_and(|(name, _)| name == entry.name);
        html! {
            <>
                if here {
                    <dt ref={wanted.clone()} tabindex="-1" class="wanted">{sentence_case(entry.name)}</dt>
                } else {
                    <dt>{sentence_case(entry.name)}</dt>
                }
                <dd>{entry.what}<small>{entry.measured}</small></dd>
            </>
        }
    };
    // The list scrolls, so it must be focusable from the keyboard.
    html! {
        <div class="glossary" data-testid="glossary" tabindex="0" role="region" aria-label="Glossary">
            <dl>{for GLOSSARY.iter().map(entry)}</dl>
        </div>
    }
}
