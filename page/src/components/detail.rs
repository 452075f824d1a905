//! The detail column: pinned or hovered rows, and the inspection sections.

use yew::prelude::*;

use super::ask::{Asked, Tabs, tab_id};
use super::attention::Bars;
use crate::app::Cx;
use crate::state::ask::Section;

#[component]
pub fn Detail(cx: &Cx) -> Html {
    html! {
        <section class="panel detail" aria-labelledby="detail-title">
            <h2 id="detail-title">{"Detail"}</h2>
            <Tabs ..cx.clone() />
            <div id="detail-section" role="tabpanel" aria-labelledby={tab_id(cx.state.ask.section)}>
                if cx.state.ask.section == Section::Row { <Bars ..cx.clone() /> }
                <Asked ..cx.clone() />
            </div>
        </section>
    }
}
