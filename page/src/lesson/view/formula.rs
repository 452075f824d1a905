//! Formulas as MathML.

use yew::prelude::*;

use crate::lesson::formula::{Formula, parse};

/// Renders a formula in the notation of [`crate::lesson::formula`].
pub fn math(text: &str, block: bool) -> Html {
    let display = if block { "block" } else { "inline" };
    html! { <math display={display}>{element(&parse(text))}</math> }
}

fn element(formula: &Formula) -> Html {
    match formula {
        Formula::Row(pieces) => html! { <mrow>{for pieces.iter().map(element)}</mrow> },
        Formula::Name(name) => html! { <mi>{name}</mi> },
        Formula::Number(number) => html! { <mn>{number}</mn> },
        Formula::Sign(sign) => html! { <mo>{sign}</mo> },
        Formula::Scripts(base, Some(below), Some(above)) => {
            html! { <msubsup>{element(base)}{element(below)}{element(above)}</msubsup> }
        }
        Formula::Scripts(base, Some(below), None) => html! { <msub>{element(base)}{element(below)}</msub> },
        Formula::Scripts(base, None, Some(above)) => html! { <msup>{element(base)}{element(above)}</msup> },
        Formula::Scripts(base, None, None) => element(base),
        Formula::Fraction(above, below) => html! { <mfrac>{element(above)}{element(below)}</mfrac> },
        Formula::Root(inner) => html! { <msqrt>{element(inner)}</msqrt> },
    }
}
