//! The token labels along an axis of the large map: as many as fit, always including the hovered and pinned tokens.

use std::rc::Rc;

use yew::prelude::*;

use crate::draw::window::{Window, labelled};
use crate::shared::visible;
use crate::state::Maps;

/// Pixels of the axis that each label needs.
const APART: f64 = 13.0;

/// Properties of an axis.
#[derive(Clone, Properties)]
pub struct AxisProps {
    /// The maps whose tokens are labeled.
    pub maps: Rc<Maps>,
    /// The visible part of the map.
    pub window: Window,
    /// The length of the axis in pixels.
    pub pixels: f64,
    /// The token under the pointer.
    pub pointed: Option<usize>,
    /// The pinned tokens.
    pub held: Vec<usize>,
    /// Whether this is the key axis (left to right) instead of the query axis (top to bottom).
    #[prop_or(false)]
    pub keys: bool,
}

impl PartialEq for AxisProps {
    fn eq(&self, other: &Self) -> bool {
        let same = |props: &Self| (props.window, props.pixels, props.pointed, props.keys);
        let tokens = Rc::ptr_eq(&self.maps, &other.maps) || self.maps.tokens == other.maps.tokens;
        tokens && same(self) == same(other) && self.held == other.held
    }
}

/// Letters of a token next to its position, where tokens are left out.
const LETTERS: usize = 5;

#[component]
pub fn Axis(props: &AxisProps) -> Html {
    let (n, window) = (props.maps.n(), props.window);
    let (begin, side) = if props.keys { (window.left, "left") } else { (window.top, "top") };
    let seen = |at: &usize| *at < n && (0.0..=1.0).contains(&window.middle(begin, *at, n));
    let labelled = labelled(n, begin, window.size, props.pixels, APART);
    let step = labelled.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or(1);
    let label = |at: usize, class: Option<&'static str>| {
        let place = window.middle(begin, at, n);
        let token = visible(&props.maps.tokens[at].text);
        let text = if step > 1 && !props.keys && class.is_none() {
            format!("{} {at}", token.chars().take(LETTERS).collect::<String>())
        } else {
            token
        };
        html! { <span class={classes!(class)} style={format!("{side}:{:.3}%", 100.0 * place)}>{text}</span> }
    };
    // A pinned token keeps its tag under the pointer.
    let pointed = props.pointed.filter(|at| seen(at) && !props.held.contains(at));
    let tags: Vec<usize> = props.held.iter().copied().chain(pointed).filter(seen).collect();
    // A tag is wider than a label, and covers its neighbors.
    let free = |at: &usize| tags.iter().all(|tag| step == 1 && tag != at || tag.abs_diff(*at) >= step);
    let held = props.held.iter().copied().filter(seen).map(|at| label(at, Some("held-label")));
    let pointed = pointed.map(|at| label(at, Some("pointed")));
    let class = if props.keys { "keys" } else { "queries" };
    html! {
        <div {class} data-testid={class} aria-hidden="true">
            {for labelled.iter().copied().filter(free).map(|at| label(at, None))}
            {for held}
            {for pointed}
        </div>
    }
}
