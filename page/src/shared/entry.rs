//! A field for a number or a name.

use yew::prelude::*;

use crate::shared::value_of;

#[derive(Properties, PartialEq)]
pub struct EntryProps {
    /// The value in force.
    pub value: AttrValue,
    /// Called when an entry is finished. Afterwards the field shows the value in force.
    pub onchange: Callback<Event>,
    #[prop_or_default]
    pub name: Option<AttrValue>,
    #[prop_or_default]
    pub testid: Option<AttrValue>,
    #[prop_or_default]
    pub placeholder: Option<AttrValue>,
    /// The accessible name, if there is no visible label.
    #[prop_or_default]
    pub label: Option<AttrValue>,
    /// Which on-screen keyboard touch devices show.
    #[prop_or(AttrValue::Static("decimal"))]
    pub inputmode: AttrValue,
    /// Whether the displayed text is refused.
    #[prop_or_default]
    pub invalid: bool,
    /// Called on every keystroke, for fields that take effect immediately.
    #[prop_or_default]
    pub oninput: Callback<InputEvent>,
}

/// Text being typed is preserved when the page around the field rerenders.
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
    {
        // A value that arrives from elsewhere, for example from an arrow key, replaces what is being typed.
        let typed = typed.clone();
        use_effect_with(props.value.clone(), move |_| typed.set(None));
    }
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
