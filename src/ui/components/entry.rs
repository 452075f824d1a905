//! A field to type a number or a name into.

use yew::prelude::*;

use super::value_of;

#[derive(Properties, PartialEq)]
pub struct EntryProps {
    /// What is in force.
    pub value: AttrValue,
    /// Called when an entry is finished. What is in force by then stands in the field afterwards.
    pub onchange: Callback<Event>,
    #[prop_or_default]
    pub name: Option<AttrValue>,
    #[prop_or_default]
    pub testid: Option<AttrValue>,
    #[prop_or_default]
    pub placeholder: Option<AttrValue>,
    /// For those who listen, where no label stands beside it.
    #[prop_or_default]
    pub label: Option<AttrValue>,
    /// Which keyboard a touch screen offers.
    #[prop_or(AttrValue::Static("decimal"))]
    pub inputmode: AttrValue,
    /// Whether what the field shows is not accepted.
    #[prop_or_default]
    pub invalid: bool,
    /// Called with every letter, where something follows it at once.
    #[prop_or_default]
    pub oninput: Callback<InputEvent>,
}

/// What is being typed stays in the field, however often the page around it shows something new.
#[component]
pub fn Entry(props: &EntryProps) -> Html {
    let typed = use_state(|| None::<String>);
    let oninput = {
        let (typed, followed) = (typed.clone(), props.oninput.clone());
        Callback::from(move |event: InputEvent| {
            typed.set(Some(value_of(&event)));
            followed.emit(event);
        })
    };
    let onchange = {
        let (typed, finished) = (typed.clone(), props.onchange.clone());
        Callback::from(move |event: Event| {
            typed.set(None);
            finished.emit(event);
        })
    };
    let onblur = {
        let typed = typed.clone();
        Callback::from(move |_: FocusEvent| typed.set(None))
    };
    let value = typed.as_ref().map_or_else(|| props.value.clone(), |typed| typed.clone().into());
    html! {
        <input name={props.name.clone()} data-testid={props.testid.clone()} placeholder={props.placeholder.clone()}
            aria-label={props.label.clone()} aria-invalid={props.invalid.then_some("true")} inputmode={props.inputmode.clone()} autocomplete="off" {value} {oninput}
            {onchange} {onblur} />
    }
}
