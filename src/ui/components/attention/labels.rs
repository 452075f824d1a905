//! The tokens along an axis of the large map: as many as there is room for, and always those under the pointer and those
//! that are held.

use std::rc::Rc;

use yew::prelude::*;

use crate::ui::components::visible;
use crate::ui::draw::window::{Window, labelled};
use crate::ui::state::Maps;

/// A label takes so many pixels of its axis.
const APART: f64 = 13.0;

/// What an axis shows.
#[derive(Clone, Properties)]
pub struct AxisProps {
    /// The tokens.
    pub maps: Rc<Maps>,
    /// What is seen of the map.
    pub window: Window,
    /// The length of the axis.
    pub pixels: f64,
    /// Which token is under the pointer.
    pub pointed: Option<usize>,
    /// Which are held.
    pub held: Vec<usize>,
    /// Whether these are the keys, from left to right, instead of the queries, from top to bottom.
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

#[component]
pub fn Axis(props: &AxisProps) -> Html {
    let (n, window) = (props.maps.n(), props.window);
    let (begin, side) = if props.keys { (window.left, "left") } else { (window.top, "top") };
    let label = |at: usize, class: Option<&'static str>| {
        let place = window.middle(begin, at, n);
        html! {
            <span class={classes!(class)} style={format!("{side}:{:.3}%", 100.0 * place)}>
                {visible(&props.maps.tokens[at].text)}
            </span>
        }
    };
    let seen = |at: &usize| *at < n && (0.0..=1.0).contains(&window.middle(begin, *at, n));
    let held = props.held.iter().copied().filter(seen).map(|at| label(at, Some("held-label")));
    let pointed = props.pointed.filter(seen).map(|at| label(at, Some("pointed")));
    let class = if props.keys { "keys" } else { "queries" };
    html! {
        <div {class} data-testid={class} aria-hidden="true">
            {for labelled(n, begin, window.size, props.pixels, APART).into_iter().map(|at| label(at, None))}
            {for held}
            {for pointed}
        </div>
    }
}
