//! A segmented control: a few choices, one of which is in force.

use yew::prelude::*;

#[derive(Clone, PartialEq)]
pub struct Choice {
    /// What the button says.
    pub label: AttrValue,
    /// The tooltip.
    pub title: AttrValue,
    /// The id by which tests find the button.
    pub testid: AttrValue,
    /// Whether it is in force.
    pub on: bool,
    /// Called when it is chosen.
    pub choose: Callback<MouseEvent>,
}

#[derive(Properties, PartialEq)]
pub struct SegmentedProps {
    /// The accessible name of the group.
    pub label: AttrValue,
    pub choices: Vec<Choice>,
    #[prop_or_default]
    pub class: Classes,
}

#[component]
pub fn Segmented(props: &SegmentedProps) -> Html {
    let button = |choice: &Choice| {
        html! {
            <button type="button" data-testid={choice.testid.clone()} aria-pressed={choice.on.to_string()}
                title={choice.title.clone()} onclick={choice.choose.clone()}>{&choice.label}</button>
        }
    };
    html! {
        <div class={classes!("segmented", props.class.clone())} role="group" aria-label={props.label.clone()}>
            {for props.choices.iter().map(button)}
        </div>
    }
}
