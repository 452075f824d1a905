//! The funnel.

use yew::prelude::*;

use super::draw::{BAR_WIDTH, FUNNEL_TOP, FunnelSize, amounts, funnel};
use super::names;
use super::state::{DataViewAction, Unit};
use super::top::act;
use crate::core::context::Cx;
use crate::shared::grouped;
use crate::shared::segmented::{Choice, Segmented};
use crate::shared::size::use_size;
use crate::units::file_size;
use glasshead_filter::settings::Stage;
use glasshead_filter::wire::Funnel;

/// An SVG text.
pub fn text(x: f64, y: f64, anchor: &'static str, class: &'static str, content: &str) -> Html {
    html! { <text {class} x={format!("{x:.1}")} y={format!("{y:.1}")} text-anchor={anchor}>{content}</text> }
}

/// A line.
pub fn line((x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &'static str) -> Html {
    let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(|at| format!("{at:.1}"));
    html! { <line {class} {x1} {y1} {x2} {y2} /> }
}

fn amount(n: u64, unit: Unit) -> String {
    match unit {
        Unit::Pages => grouped(n),
        Unit::Bytes => file_size(n),
    }
}

#[component]
pub fn FunnelTile(cx: &Cx) -> Html {
    let view = &cx.state.filters;
    let node = use_node_ref();
    let (width, height) = use_size(&node);
    let choice = |label: &'static str, unit: Unit| Choice {
        label: label.into(),
        title: "What the widths show".into(),
        testid: format!("unit-{}", label.to_lowercase()).into(),
        on: view.unit == unit,
        choose: cx.call(move |cx, _| act(cx, DataViewAction::Unit(unit))),
    };
    let labels = view.funnel.as_ref().and_then(|funnel| funnel.labels);
    let percent = |part: u64, all: u64| format!("{:.1} %", 100.0 * part as f64 / all.max(1) as f64);
    html! {
        <section class="tile data-flow" aria-label="Where the pages go">
            <header>
                <h2>{"Where the pages go"}<small>{"after each filter"}</small></h2>
                if let Some([good, kept, others, dropped]) = labels {
                    <span class="tag good" title="Share of the generated good pages that are kept">
                        {format!("Good pages kept {}", percent(kept, good))}</span>
                    <span class="tag" data-testid="data-labels" title="Share of the other generated pages that are dropped">
                        {format!("Others dropped {}", percent(dropped, others))}</span>
                }
                <span class="grow"></span>
                <Segmented label="Unit" choices={vec![choice("Pages", Unit::Pages), choice("Text", Unit::Bytes)]} />
            </header>
            <div class="plot" ref={node} tabindex="0" role="group" aria-label="Pages after each filter">
                if let Some(funnel) = view.funnel.as_deref().filter(|_| width > 0) {
                    {drawing(cx, &without_idle(funnel), FunnelSize { width: width.into(), height: height.into() })}
                }
            </div>
        </section>
    }
}

/// The funnel without the stage of addresses while its lists are empty or drop nothing.
fn without_idle(funnel: &Funnel) -> Funnel {
    let mut funnel = funnel.clone();
    funnel.stages.retain(|count| count.stage != Stage::Url || count.dropped > 0);
    funnel
}

fn drawing(cx: &Cx, counts: &Funnel, size: FunnelSize) -> Html {
    let view = &cx.state.filters;
    // On a phone the funnel is wider than its tile, which scrolls.
    let size = FunnelSize { width: size.width.max(100.0 * counts.stages.len() as f64), ..size };
    let bars = funnel(counts, view.unit, size);
    let total = bars[0].value.max(1) as f64;
    let narrow = size.width / (bars.len() as f64) < 92.0;
    let stage = |at: usize| at.checked_sub(1).and_then(|at| counts.stages.get(at));
    let base = size.height - 22.0;
    let shapes = bars.iter().enumerate().map(|(at, bar)| {
        let chosen = stage(at).is_some_and(|count| count.stage == view.stage);
        html! {
            <>
                if let Some((kept, gone)) = &bar.paths {
                    <path class="kept" d={kept.clone()} />
                    if bar.dropped > 0 { <path class={classes!("gone", chosen.then_some("chosen"))} d={gone.clone()} /> }
                }
                <rect class="bar" x={format!("{:.1}", bar.x)} y={FUNNEL_TOP.to_string()} width={BAR_WIDTH.to_string()}
                    height={format!("{:.1}", bar.height.max(1.0))} rx="2" />
            </>
        }
    });
    let titles = bars.iter().enumerate().map(|(at, bar)| {
        let (title, class) = match stage(at) {
            None => ("Pages", "ink"),
            Some(count) if count.stage == view.stage => (names::stage(count.stage), "ink strong"),
            Some(count) => (names::stage(count.stage), "ink"),
        };
        let x = if at == 0 { bar.x } else { bar.x - 2.0 };
        let share = if at == 0 { String::new() } else { format!(" · {:.0} %", 100.0 * bar.value as f64 / total) };
        let value = if narrow && at > 0 {
            format!("{:.0} %", 100.0 * bar.value as f64 / total)
        } else {
            amount(bar.value, view.unit) + &share
        };
        html! { <>{text(x, 14.0, "start", class, title)}{text(x, 29.0, "start", "strong", &value)}</> }
    });
    let losses = bars.iter().enumerate().filter(|(_, bar)| bar.dropped > 0).map(|(at, bar)| {
        let reason = stage(at).and_then(|count| Some(names::rule(count.stage, &count.rules.first()?.0)));
        let lost = format!("−{}", amount(bar.dropped, view.unit));
        html! {
            <>
                {text(bar.label_x, base, "middle", "lost", &lost)}
                if !narrow { {text(bar.label_x, base + 15.0, "middle", "", &cut(reason.unwrap_or_default(), size.width / bars.len() as f64))} }
            </>
        }
    });
    let end = bars.last().map_or(0.0, |bar| bar.x + 24.0);
    let texts = amounts(counts, Unit::Bytes);
    let share = texts.last().map_or(0.0, |last| 100.0 * last.0 as f64 / texts[0].0.max(1) as f64);
    let kept = format!("Kept {}", grouped(counts.kept));
    let summary = format!("{} of {} pages are kept", grouped(counts.kept), grouped(counts.documents));
    html! {
        <svg viewBox={format!("0 0 {} {}", size.width, size.height)} role="img" aria-label={summary} style={format!("width:{}px", size.width)}>
            {for shapes}
            {for titles}
            {for losses}
            {text(end, FUNNEL_TOP + 18.0, "start", "ink strong", &kept)}
            {text(end, FUNNEL_TOP + 34.0, "start", "", &format!("{:.1} % of pages", 100.0 * counts.kept as f64 / counts.documents.max(1) as f64))}
            {text(end, FUNNEL_TOP + 50.0, "start", "", &format!("{share:.1} % of text"))}
        </svg>
    }
}

/// A text that fits into about this many pixels.
fn cut(text: &str, pixels: f64) -> String {
    let most = (pixels / 6.2) as usize;
    if text.chars().count() <= most {
        return text.to_lowercase();
    }
    text.to_lowercase().chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
