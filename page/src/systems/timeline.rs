//! The timeline of a step: a lane for the host and three for the device, a box per dispatch. The memory chart below it has the
//! same axis.

use std::rc::Rc;

use gloo_events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast as _;
use web_sys::{Element, WheelEvent};
use yew::prelude::*;

use super::format::{amount, mebibytes, milliseconds, percent};
use super::geometry::{LANES, LEFT, Range, dispatch_at, lane};
use super::memory::chart;
use super::state::Family;
use crate::core::context::Cx;
use crate::draw::chart::Scale;
use crate::shared::size::use_size;
use crate::state::Action;
use crate::state::profile::SystemsAction;
use glasshead::systems::memory::MemoryTimeline;
use glasshead::systems::trace::{Phase, Span, Trace};

#[derive(Clone, Properties)]
pub struct TimeProps {
    pub cx: Cx,
    pub trace: Rc<Trace>,
    pub memory: Option<Rc<MemoryTimeline>>,
    /// Whether the memory chart is the large one.
    pub memory_first: bool,
}

impl PartialEq for TimeProps {
    fn eq(&self, other: &Self) -> bool {
        self.cx == other.cx && self.memory_first == other.memory_first && Rc::ptr_eq(&self.trace, &other.trace)
    }
}

/// What the pointer is over: a dispatch, and where to show its description.
type Pointed = Option<(usize, [f64; 2])>;

/// The timeline and the memory chart.
#[component]
pub fn Time(props: &TimeProps) -> Html {
    let TimeProps { cx, trace, memory, .. } = props;
    let whole = Range::whole(trace);
    let range = use_state_eq(|| whole);
    let pointed = use_state_eq(|| None::<(usize, [f64; 2])>);
    let dragged = use_state_eq(|| None::<[f64; 2]>);
    {
        let range = range.clone();
        use_effect_with(trace.wall_ns, move |_| range.set(whole));
    }
    let (node, memory_node) = (use_node_ref(), use_node_ref());
    let (width, height) = use_size(&node);
    let (_, memory_height) = use_size(&memory_node);
    let x = range.scale(f64::from(width));
    use_wheel(&node, &range, whole, x);
    let events = Events {
        trace: trace.clone(),
        whole,
        x,
        range: range.clone(),
        pointed: pointed.clone(),
        dragged: dragged.clone(),
    };
    let select = {
        let (cx, trace, pointed) = (cx.clone(), trace.clone(), pointed.clone());
        Callback::from(move |()| {
            let kernel = pointed.and_then(|(at, _)| trace.spans.get(at)).map(|span| span.kernel.clone());
            cx.act(Action::Systems(SystemsAction::Select(kernel)));
        })
    };
    let zoom = |factor: f64| {
        let range = range.clone();
        Callback::from(move |_: MouseEvent| {
            let now = *range;
            range.set(now.zoomed((now.from + now.to) / 2.0, factor, whole));
        })
    };
    let all = {
        let range = range.clone();
        Callback::from(move |_: MouseEvent| range.set(whole))
    };
    let zoomed = *range != whole;
    html! {
        <>
            <section class="tile timeline" aria-labelledby="timeline-title">
                <header>
                    <h2 id="timeline-title">{"Step timeline"}</h2>{legend()}
                    <span class="grow"></span>
                    <small class="optional">{"Drag to select · scroll to zoom"}</small>
                    <button class="small square" onclick={zoom(2.0)} aria-label="Zoom in" title="Zoom in (+)">{"+"}</button>
                    <button class="small square" onclick={zoom(0.5)} disabled={!zoomed} aria-label="Zoom out" title="Zoom out (−)">{"−"}</button>
                    <button class="small" onclick={all} disabled={!zoomed} title="The whole step (0)">{"All"}</button>
                </header>
                <div class="lanes" ref={node} tabindex="0" role="group" aria-label="Timeline: arrow keys go from kernel to kernel, Enter selects, plus and minus zoom"
                    onpointermove={events.moved()} onpointerleave={events.left()} onpointerdown={events.down()}
                    onpointerup={events.up(select.clone())} onkeydown={events.key(select)}>
                    if width > 0 {
                        {lanes(trace, &x, f64::from(height), cx.state.profile.selected.as_deref(), *pointed, *dragged)}
                        {tip(trace, *pointed, f64::from(width))}
                    }
                    <p class="hidden" role="status" aria-live="polite">{pointed.and_then(|(at, _)| trace.spans.get(at)).map(described)}</p>
                </div>
            </section>
            <section class="tile memory" aria-label="Memory over the same step">
                <div class="lanes" ref={memory_node}>
                    if let Some(memory) = memory.as_ref().filter(|_| width > 0 && memory_height > 0) {
                        {chart(trace, memory, &x, [f64::from(width), f64::from(memory_height)], pointed.map(|(at, _)| at))}
                    }
                </div>
            </section>
        </>
    }
}

/// Zooms with the wheel.
#[hook]
fn use_wheel(node: &NodeRef, range: &UseStateHandle<Range>, whole: Range, x: Scale) {
    let (node, range) = (node.clone(), range.clone());
    use_effect_with((*range, x.to, whole.to), move |_| {
        let listener = node.cast::<Element>().map(|element| {
            let options = EventListenerOptions::enable_prevent_default();
            EventListener::new_with_options(&element.clone(), "wheel", options, move |event| {
                let Some(wheel) = event.dyn_ref::<WheelEvent>().filter(|wheel| wheel.delta_y() != 0.0) else { return };
                event.prevent_default();
                let at = f64::from(wheel.client_x()) - element.get_bounding_client_rect().left();
                range.set(range.zoomed(x.value(at), if wheel.delta_y() < 0.0 { 1.25 } else { 0.8 }, whole));
            })
        });
        move || drop(listener)
    });
}

/// The handlers of pointer and keyboard.
struct Events {
    trace: Rc<Trace>,
    whole: Range,
    x: Scale,
    range: UseStateHandle<Range>,
    pointed: UseStateHandle<Pointed>,
    dragged: UseStateHandle<Option<[f64; 2]>>,
}

/// The place of a pointer in the element that listens.
fn place(event: &PointerEvent) -> [f64; 2] {
    let element = event.current_target().and_then(|target| target.dyn_into::<Element>().ok());
    let Some(bounds) = element.map(|element| element.get_bounding_client_rect()) else { return [0.0; 2] };
    [f64::from(event.client_x()) - bounds.left(), f64::from(event.client_y()) - bounds.top()]
}

impl Events {
    fn moved(&self) -> Callback<PointerEvent> {
        let (trace, x, pointed, dragged) = (self.trace.clone(), self.x, self.pointed.clone(), self.dragged.clone());
        Callback::from(move |event: PointerEvent| {
            let [at, y] = place(&event);
            let time = x.value(at);
            pointed.set(dispatch_at(&trace, time).filter(|_| at >= LEFT).map(|dispatch| (dispatch, [at, y])));
            if let Some([from, _]) = *dragged {
                dragged.set(Some([from, time]));
            }
        })
    }

    fn left(&self) -> Callback<PointerEvent> {
        let (pointed, dragged) = (self.pointed.clone(), self.dragged.clone());
        Callback::from(move |_: PointerEvent| {
            pointed.set(None);
            dragged.set(None);
        })
    }

    fn down(&self) -> Callback<PointerEvent> {
        let (x, dragged) = (self.x, self.dragged.clone());
        Callback::from(move |event: PointerEvent| {
            let time = x.value(place(&event)[0]);
            dragged.set(Some([time, time]));
        })
    }

    fn up(&self, select: Callback<()>) -> Callback<PointerEvent> {
        let (whole, range, dragged) = (self.whole, self.range.clone(), self.dragged.clone());
        Callback::from(move |_: PointerEvent| {
            match dragged.and_then(|[from, to]| Range::dragged(from, to, whole)) {
                Some(part) => range.set(part),
                None => select.emit(()),
            }
            dragged.set(None);
        })
    }

    fn key(&self, select: Callback<()>) -> Callback<KeyboardEvent> {
        let (trace, whole, x) = (self.trace.clone(), self.whole, self.x);
        let (range, pointed) = (self.range.clone(), self.pointed.clone());
        Callback::from(move |event: KeyboardEvent| {
            let middle = (range.from + range.to) / 2.0;
            let walk = |by: isize| {
                let last = trace.spans.len().saturating_sub(1);
                let at = pointed.map_or(0, |(at, _)| at.saturating_add_signed(by).min(last));
                if let Some(span) = trace.spans.get(at) {
                    let middle = span.start_ns + span.ns / 2.0;
                    if middle < range.from || middle > range.to {
                        range.set(
                            range.moved((middle - (range.from + range.to) / 2.0) / (range.to - range.from), whole),
                        );
                    }
                    pointed.set(Some((at, [x.pixel(middle), 60.0])));
                }
            };
            match event.key().as_str() {
                "ArrowRight" => walk(1),
                "ArrowLeft" => walk(-1),
                "+" | "=" => range.set(range.zoomed(middle, 2.0, whole)),
                "-" => range.set(range.zoomed(middle, 0.5, whole)),
                "0" => range.set(whole),
                "Enter" => select.emit(()),
                _ => return,
            }
            event.prevent_default();
            event.stop_propagation();
        })
    }
}

/// The legend of the families.
pub fn legend() -> Html {
    html! {
        <span class="legend">
            {for Family::ALL.map(|family| html! {
                <span><i class="dash" style={format!("background:var({})", family.color())}></i>{family.title()}</span>
            })}
        </span>
    }
}

/// A dispatch in one line.
fn described(span: &Span) -> String {
    let layer = span.work.layer.map(|layer| format!(", layer {}", layer + 1)).unwrap_or_default();
    format!(
        "{}{layer}, {}: {}, {}, {}, {} of the roof",
        span.kernel,
        span.work.phase.name(),
        milliseconds(span.ns),
        amount(span.work.flops, "FLOP"),
        mebibytes(span.work.bytes),
        percent(span.share_of_roof())
    )
}

fn tip(trace: &Trace, pointed: Pointed, width: f64) -> Html {
    let Some((span, [x, y])) = pointed.and_then(|(at, place)| Some((trace.spans.get(at)?, place))) else {
        return html! {};
    };
    let side = if x > width - 330.0 { "translate(calc(-100% - 14px), 14px)" } else { "translate(14px, 14px)" };
    let operations =
        if span.work.flops > 0.0 { format!("{} · ", amount(span.work.flops, "FLOP")) } else { String::new() };
    html! {
        <div class="tip" style={format!("left:{x:.0}px;top:{y:.0}px;transform:{side}")}>
            <b>{&span.kernel}</b>{span.work.layer.map(|layer| format!(" layer {}", layer + 1))}<br />
            {format!("{} · {operations}{} · {} of the roof", milliseconds(span.ns), mebibytes(span.work.bytes), percent(span.share_of_roof()))}<br />
            <span class="muted">{&span.work.tensor}{if span.work.phase == Phase::Recompute { " (computed again)" } else { "" }}</span>
        </div>
    }
}

/// The ticks of the time axis, at the top.
fn axis(x: &Scale, height: f64) -> Html {
    let tick = |ns: f64| {
        let at = format!("{:.1}", x.pixel(ns));
        let name = format!("{} ms", (ns / 1e4).round() / 100.0);
        html! {
            <>
                <line class="grid" x1={at.clone()} x2={at.clone()} y1="20" y2={format!("{height:.0}")} />
                <text x={at} y="13" text-anchor="middle">{name}</text>
            </>
        }
    };
    let n = ((x.to - x.from) / 110.0).max(2.0) as usize;
    x.ticks(n).into_iter().map(tick).collect()
}

fn lanes(
    trace: &Trace,
    x: &Scale,
    height: f64,
    selected: Option<&str>,
    pointed: Pointed,
    dragged: Option<[f64; 2]>,
) -> Html {
    let row = ((height - 24.0) / LANES.len() as f64).max(16.0);
    let thick = (row - 6.0).min(46.0);
    let top = |lane: usize| 24.0 + row * lane as f64 + (row - thick) / 2.0;
    let visible = |start: f64, end: f64| end >= x.low && start <= x.high;
    let bounds = |start: f64, end: f64| {
        let [from, to] = [start, end].map(|ns| x.pixel(ns).clamp(x.from, x.to));
        (from, (to - from).max(0.6))
    };
    let dispatch = |(at, span): (usize, &Span)| {
        let (from, wide) = bounds(span.start_ns, span.end_ns());
        let gap = if wide > 3.0 { 1.0 } else { 0.0 };
        let class = classes!(
            (selected == Some(&span.kernel)).then_some("selected"),
            pointed.is_some_and(|(pointed, _)| pointed == at).then_some("pointed"),
            selected.is_some_and(|selected| selected != span.kernel).then_some("faded"),
            (span.work.phase == Phase::Recompute).then_some("again"),
        );
        html! {
            <rect {class} x={format!("{from:.2}")} y={format!("{:.1}", top(lane(span.work.phase)))} rx={if wide > 6.0 { "2" } else { "0" }}
                width={format!("{:.2}", wide - gap)} height={format!("{thick:.1}")}
                style={format!("fill:var({})", Family::of(&span.kernel).color())} />
        }
    };
    let spans = trace.spans.iter().enumerate().filter(|(_, span)| visible(span.start_ns, span.end_ns()));
    let host = trace.host.iter().filter(|span| visible(span.start_ns, span.start_ns + span.ns)).map(|span| {
        let (from, wide) = bounds(span.start_ns, span.start_ns + span.ns);
        let name = format!("{} {}", span.work.name(), milliseconds(span.ns));
        let waits = span.work == glasshead::systems::trace::HostWork::Wait;
        html! {
            <>
                <rect class={if waits { "host waits" } else { "host" }} x={format!("{from:.2}")} y={format!("{:.1}", top(0))} rx="2"
                    width={format!("{wide:.2}")} height={format!("{thick:.1}")} />
                if wide > 7.0 * name.len() as f64 {
                    <text class={if waits { "" } else { "on" }} x={format!("{:.1}", from + 6.0)} y={format!("{:.1}", top(0) + thick / 2.0 + 4.0)}>{name}</text>
                }
            </>
        }
    });
    let names = LANES.iter().enumerate().map(|(lane, name)| {
        html! { <text class="lane" x="12" y={format!("{:.1}", top(lane) + thick / 2.0 + 4.0)}>{*name}</text> }
    });
    let selection = dragged.map(|[from, to]| {
        let (at, wide) = bounds(from.min(to), from.max(to));
        html! { <rect class="selection" x={format!("{at:.1}")} y="20" width={format!("{wide:.1}")} height={format!("{:.0}", height - 20.0)} /> }
    });
    let label = format!("{} kernels over {}", trace.spans.len(), milliseconds(trace.wall_ns));
    html! {
        <svg role="img" aria-label={label} data-testid="timeline">
            {axis(x, height)}{for names}{for host}
            <g class="boxes">{for spans.map(dispatch)}</g>
            {selection}
        </svg>
    }
}
