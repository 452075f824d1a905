//! Sampling settings of the texts that the user requests.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::overlay::view::Frame;
use crate::state::overlay::Overlay;
use crate::state::typed::TypedField;
use crate::train::writing::typed;

#[component]
pub fn SamplingPopover(cx: &Cx) -> Html {
    let problems = cx.state.typed_problems(&TypedField::SAMPLING);
    html! {
        <Frame cx={cx.clone()} overlay={Overlay::Sampling} label="Sampling" class="menu sampling">
            <div class="fields ask">{for TypedField::SAMPLING.map(|field| typed(cx, field, None))}</div>
            <div role="alert">{for problems.iter().map(|problem| html! { <p class="problem">{problem}</p> })}</div>
        </Frame>
    }
}
