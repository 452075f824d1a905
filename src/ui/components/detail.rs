//! The query row under the pointer or held, as bars over its keys.

use yew::prelude::*;

use super::ask::{Asked, Tabs, tab_id};
use super::visible;
use crate::ui::app::Cx;
use crate::ui::state::ask::Section;

#[component]
pub fn Detail(cx: &Cx) -> Html {
    html! {
        <section class="panel detail" aria-labelledby="detail-title">
            <h2 id="detail-title">{"Detail"}</h2>
            <Tabs ..cx.clone() />
            <div id="detail-section" role="tabpanel" aria-labelledby={tab_id(cx.state.ask.section)}>
                if cx.state.ask.section == Section::Row { {bars(cx)} }
                <Asked ..cx.clone() />
            </div>
        </section>
    }
}

fn bars(cx: &Cx) -> Html {
    let state = &cx.state;
    let shown = state.shown_maps().zip(state.query()).filter(|(maps, query)| *query < maps.tokens.len());
    let Some((maps, query)) = shown else {
        return html! {
            <p class="count">
                {"Point at a token or a row of the large heatmap: here stands what that query looks at, key by key. A \
                  click holds it."}
            </p>
        };
    };
    let weights: Vec<f64> = (0..=query).map(|key| maps.weight(state.selected, query, key)).collect();
    let entropy: f64 = weights.iter().filter(|&&w| w > 0.0).map(|w| -w * w.log2()).sum();
    let (layer, head) = state.selected;
    let bar = |(key, weight): (usize, &f64)| {
        html! {
            <li>
                <span class="token">{visible(&maps.tokens[key].text)}</span>
                <span class="bar"><i style={format!("width:{:.1}%", 100.0 * weight)}></i></span>
                <span class="weight">{format!("{weight:.3}")}</span>
            </li>
        }
    };
    html! {
        <>
            <p>
                {"“"}<strong>{visible(&maps.tokens[query].text)}</strong>
                {format!("” at position {query} looks at, in layer {}, head {}:", layer + 1, head + 1)}
            </p>
            <ol class="bars">{for weights.iter().enumerate().map(bar)}</ol>
            <p class="count" title="0 bits: one key gets everything; log2 of the number of keys: all get the same">
                {format!("entropy {entropy:.2} of at most {:.2} bits", (weights.len() as f64).log2())}
            </p>
        </>
    }
}
