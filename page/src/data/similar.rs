//! Near duplicates: the S-curve with planted pairs on it, and clusters as diffs.

use yew::prelude::*;

use super::charts::{line, text};
use super::draw::{Axes, found, short};
use super::rule::set;
use super::worker;
use crate::core::context::Cx;
use crate::shared::entry::Entry;
use crate::shared::icon::{Icon, icon};
use crate::shared::size::use_size;
use crate::shared::{counted, grouped, value_of};
use glasshead_filter::wire::{Member, Part, Request};

#[component]
pub fn SimilarTile(cx: &Cx) -> Html {
    let view = &cx.state.filters;
    let at = use_state_eq(|| 0usize);
    {
        let compared = view.funnel.as_ref().is_some_and(|funnel| funnel.compared);
        use_effect_with((view.decided, compared, *at), |(_, compared, at)| {
            if *compared {
                worker::send(&Request::Cluster { at: *at }, &[]);
            }
        });
    }
    let (n, largest) = view.funnel.as_ref().map_or((0, 0), |funnel| funnel.clusters);
    let number = |path: &'static str, label: &'static str| {
        let refused = view.refused.as_ref().filter(|refused| refused.path == path || refused.message.contains(path));
        let change = cx.call(move |cx, event: Event| set(cx, path, value_of(&event)));
        html! {
            <label class={classes!(refused.map(|_| "refused"))} title={path}>{label}
                <Entry value={view.values.get(path).cloned().unwrap_or_default()} testid={format!("similar-{path}")} onchange={change}
                    invalid={refused.is_some()} />
                if let Some(refused) = refused { <small class="problem">{&refused.message}</small> }
            </label>
        }
    };
    let walk = |by: isize| {
        let (at, n) = (at.clone(), n.max(1) as isize);
        Callback::from(move |_: MouseEvent| at.set((*at as isize + by).rem_euclid(n) as usize))
    };
    let cluster = &view.cluster;
    html! {
        <section class="tile data-similar" aria-label="Near duplicates">
            <header><h2>{"Near duplicates"}</h2><span class="grow"></span>
                if n > 0 { <small>{format!("{} · largest {}", counted(n, "cluster"), grouped(largest))}</small> }</header>
            <div class="body">
                <div class="data-scurve">
                    <SCurve ..cx.clone() />
                    <div class="data-shape">{number("minhash.bands", "Bands")}{number("minhash.rows", "Rows")}{number("minhash.threshold", "Threshold")}</div>
                </div>
                if cluster.members.is_empty() {
                    <p class="count">{"Similar pages appear here as clusters, of which the first page is kept."}</p>
                } else {
                    <div class="data-cluster-head">
                        <b>{format!("Cluster {}", cluster.at + 1)}</b>
                        <small>{summary(&cluster.members)}</small>
                        <span class="grow"></span>
                        <button class="small square ghost" aria-label="Previous cluster" onclick={walk(-1)}>{icon(Icon::Left)}</button>
                        <button class="small square ghost" aria-label="Next cluster" data-testid="data-next-cluster" onclick={walk(1)}>{icon(Icon::Right)}</button>
                    </div>
                    <div class="data-cluster" tabindex="0" role="region" aria-label="Pages of the cluster">{for cluster.members.iter().map(|member| member_of(cx, member))}</div>
                }
            </div>
        </section>
    }
}

fn summary(members: &[Member]) -> String {
    let similarities = || members.iter().filter_map(|member| member.similarity);
    let (low, high) = similarities().fold((1.0f64, 0.0f64), |(low, high), s| (low.min(s), high.max(s)));
    let range = if (high - low) < 0.005 { format!("{low:.2}") } else { format!("{low:.2}–{high:.2}") };
    format!("{} · similarity {range} · keeps 1", counted(members.len(), "page"))
}

fn member_of(cx: &Cx, member: &Member) -> Html {
    let at = member.at;
    let open = cx.call(move |_, _: MouseEvent| worker::send(&Request::Document { at }, &[]));
    let part = |(part, words): &(Part, String)| match part {
        Part::Same => html! { <>{words}{" "}</> },
        Part::Added => html! { <><mark class="added">{words}</mark>{" "}</> },
        Part::Removed => html! { <><del>{words}</del>{" "}</> },
    };
    let (class, word) = match member.similarity {
        None => ("kept", "Kept".to_string()),
        Some(similarity) => ("", format!("{similarity:.2}")),
    };
    html! {
        <button class={classes!("data-member", class)} title={member.url.clone()} onclick={open}>
            <b>{word}</b>{for member.parts.iter().map(part)}
        </button>
    }
}

/// The probability that a pair becomes a candidate, over its similarity.
#[component]
pub fn SCurve(cx: &Cx) -> Html {
    let view = &cx.state.filters;
    let node = use_node_ref();
    let (width, height) = use_size(&node);
    let number = |path, default: f64| view.number(path).unwrap_or(default);
    let (bands, rows) = (number("minhash.bands", 14.0), number("minhash.rows", 8.0));
    let threshold = number("minhash.threshold", 0.8);
    html! {
        <div class="plot" ref={node}>
            if width > 0 { {s_curve((bands, rows, threshold), &view.planted, (width.into(), height.into()))} }
        </div>
    }
}

/// The curve of bands × rows, next to those of FineWeb and of CS336.
pub fn s_curve((bands, rows, threshold): (f64, f64, f64), planted: &[(f64, f64, u32)], size: (f64, f64)) -> Html {
    let axes = Axes { x: (0.4, 1.0), y: (0.0, 1.0), size, margins: [44.0, 8.0, 8.0, 30.0] };
    let curve = |bands, rows| {
        axes.path((0..=60).map(|at| (0.4 + f64::from(at) / 100.0, found(0.4 + f64::from(at) / 100.0, bands, rows))))
    };
    let other =
        if (bands, rows) == (14.0, 8.0) { (10.0, 10.0, "CS336 10 × 10") } else { (14.0, 8.0, "FineWeb 14 × 8") };
    let at_threshold = found(threshold, bands, rows);
    let summary = format!(
        "With {bands} bands of {rows} rows, a pair of similarity {threshold} is found with probability {at_threshold:.3}"
    );
    let inside = (0.4..=1.0).contains(&threshold);
    let (x, y) = (axes.at_x(threshold), axes.at_y(at_threshold));
    html! {
        <svg viewBox={format!("0 0 {} {}", size.0, size.1)} role="img" aria-label={summary}>
            {for [0.0, 0.5, 1.0].map(|tick| html! { <>
                {line((axes.at_x(0.4), axes.at_y(tick)), (axes.at_x(1.0), axes.at_y(tick)), "grid")}
                {text(38.0, axes.at_y(tick) + 4.0, "end", "", &format!("{:.0} %", 100.0 * tick))}
            </> })}
            {for [0.4, 0.6, 0.8, 1.0].map(|tick| text(axes.at_x(tick), size.1 - 16.0, "middle", "", &short(tick)))}
            <path class="other" d={curve(other.0, other.1)} />
            <path class="curve" d={curve(bands, rows)} />
            {for planted.iter().map(|(j, share, n)| html! {
                <circle class="planted" cx={format!("{:.1}", axes.at_x(*j))} cy={format!("{:.1}", axes.at_y(*share))} r="3">
                    <title>{format!("{:.0} of {n} planted pairs with similarity {j:.2} found", share * f64::from(*n))}</title></circle>
            })}
            if inside {
                {line((x, 8.0), (x, size.1 - 30.0), "threshold")}
                <circle class="point" cx={format!("{x:.1}")} cy={format!("{y:.1}")} r="4" />
                {text(x + 8.0, (y + 16.0).min(size.1 - 36.0), "start", "ink strong", &format!("{:.0} %", 100.0 * at_threshold))}
            }
            {text(axes.at_x(0.42), axes.at_y(0.9), "start", "", other.2)}
            {text(axes.at_x(0.7), size.1 - 3.0, "middle", "", "Similarity of a pair · ○ planted pairs found")}
        </svg>
    }
}
