//! What is told of the rows that are held or under the pointer.

use yew::prelude::*;

use super::attention::Bars;
use crate::ui::app::Cx;

#[component]
pub fn Detail(cx: &Cx) -> Html {
    html! {
        <section class="panel detail" aria-labelledby="detail-title">
            <h2 id="detail-title">{"Query row"}</h2>
            <Bars ..cx.clone() />
        </section>
    }
}
