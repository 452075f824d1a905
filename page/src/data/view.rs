//! The Data view: the filters in their order, the funnel, the selected rule, near duplicates, and the effect on a model.

use yew::prelude::*;

use super::charts::FunnelTile;
use super::drawer::FiltersDrawer;
use super::effect_tile::EffectTile;
use super::lists::{DocumentList, SearchField};
use super::reader::Reader;
use super::rule::{RuleTile, set};
use super::similar::SimilarTile;
use super::state::{DataViewAction, Source, WorkerState};
use super::top::{Generator, PAGE_FILES, act, picked};
use super::{names, source, worker};
use crate::core::context::Cx;
use crate::shared::icon::{Icon, icon};
use crate::shared::opens::Opens;
use crate::state::overlay::Overlay;
use glasshead_filter::settings::Stage;
use glasshead_filter::wire::Request;

#[component]
pub fn DataPage(cx: &Cx) -> Html {
    let view = &cx.state.filters;
    {
        let cx = cx.clone();
        use_effect_with((), move |()| {
            if cx.state.filters.worker != WorkerState::On {
                source::restore(&cx);
            }
        });
    }
    use_effect_with(view.changes.clone(), |changes| worker::send_settings(changes));
    {
        let cx = cx.clone();
        use_effect_with(view.source.clone(), move |now| {
            if cx.state.filters.worker == WorkerState::On {
                source::follow(&cx, now);
            }
        });
    }
    {
        let key = (view.decided, view.stage, view.rule.clone());
        use_effect_with(key, |(_, stage, rule)| {
            if !rule.is_empty() {
                worker::send(&Request::Histogram { stage: *stage, rule: rule.clone() }, &[]);
            }
        });
    }
    html! {
        <div class="data-view" data-testid="data-view">
            {filters(cx)}
            {messages(cx)}
            if view.source == Source::None {
                {begin(cx)}
            } else {
                <div class="tiles data-tiles">
                    <FunnelTile ..cx.clone() />
                    <RuleTile ..cx.clone() />
                    <section class="tile data-lists" aria-label="Pages">
                        <SearchField ..cx.clone() />
                        <div class="both">
                            <DocumentList cx={cx.clone()} kept=false />
                            <DocumentList cx={cx.clone()} kept=true />
                        </div>
                    </section>
                    <SimilarTile ..cx.clone() />
                    <EffectTile ..cx.clone() />
                    <Reader ..cx.clone() />
                </div>
            }
            <FiltersDrawer ..cx.clone() />
        </div>
    }
}

/// The filters in their order: click to select, box to switch.
fn filters(cx: &Cx) -> Html {
    let view = &cx.state.filters;
    let pill = |stage: Stage| {
        let (on, chosen) = (view.enabled(stage), stage == view.stage);
        let select = cx.call(move |cx, _: MouseEvent| act(cx, DataViewAction::Stage(stage)));
        let toggle = cx.call(move |cx, _: Event| set(cx, &format!("{}.enabled", stage.name()), (!on).to_string()));
        let name = names::stage(stage);
        html! {
            <>
                if stage != Stage::Url { <i class="then" aria-hidden="true">{"›"}</i> }
                <span class={classes!("filter", chosen.then_some("chosen"), (!on).then_some("off"))}>
                    if stage != Stage::Extract {
                        <input type="checkbox" checked={on} onchange={toggle} aria-label={format!("{name} on")} data-testid={format!("filter-on-{}", stage.name())} />
                    }
                    <button aria-pressed={chosen.to_string()} title={names::about(stage)} data-testid={format!("filter-{}", stage.name())} onclick={select}>{name}</button>
                </span>
            </>
        }
    };
    html! {
        <div class="setup-bar data-filters" role="group" aria-label="Filters in order">
            <div class="filters-in-order" tabindex="0" role="group" aria-label="Filters">{for Stage::ALL.map(pill)}</div>
            <Opens cx={cx.clone()} overlay={Overlay::Filters} testid="data-settings">{icon(Icon::Sliders)}<span class="label">{"All settings"}</span></Opens>
        </div>
    }
}

/// What went wrong, and what was skipped.
fn messages(cx: &Cx) -> Html {
    let view = &cx.state.filters;
    let failed = match &view.worker {
        WorkerState::Failed(message) => Some(message.clone()),
        _ => None,
    };
    let close = cx.call(|cx, _: MouseEvent| act(cx, DataViewAction::Problem(None)));
    let again = cx.call(|cx, _: MouseEvent| source::again(cx));
    let skipped = view.progress.as_ref().map_or(&[][..], |progress| progress.problems.as_slice());
    html! {
        <>
            if let Some(message) = failed {
                <div class="banner bad" role="alert">{icon(Icon::Warning)}<p>{message}</p>
                    <button onclick={again}>{"Run again"}</button></div>
            }
            if let Some(problem) = &view.problem {
                <div class="banner warn" role="alert" data-testid="data-problem">{icon(Icon::Warning)}<p>{problem}</p>
                    <button class="square ghost" aria-label="Close" onclick={close}>{icon(Icon::Close)}</button></div>
            }
            if !skipped.is_empty() {
                <details class="data-skipped"><summary>{format!("{} about the source", crate::shared::counted(skipped.len(), "note"))}</summary>
                    <ul>{for skipped.iter().map(|note| html! { <li>{note}</li> })}</ul></details>
            }
        </>
    }
}

/// Before a source is chosen.
fn begin(cx: &Cx) -> Html {
    let pick = cx.call(|cx, event: Event| source::choose(cx, picked(&event)));
    html! {
        <div class="data-begin">
            <h2>{"From raw web pages to training text"}</h2>
            <p>{"Every page goes through the filters above. Each decision is explained, and the effect on a model can be measured."}</p>
            <div class="ways">
                <section><h3>{"Your pages"}</h3>
                    <p class="count">{"WARC, WET, HTML, JSON Lines, Parquet or plain text, also .gz and .zst. Drop them here; nothing leaves this computer."}</p>
                    <label class="button file">{icon(Icon::Save)}{"Choose files…"}
                        <input type="file" class="sr" multiple=true accept={PAGE_FILES} data-testid="data-first-file" onchange={pick} /></label>
                </section>
                <section><h3>{"Generated pages"}</h3>
                    <p class="count">{"Stories inside pages with menus and banners, spam, other languages, copies: all labeled."}</p>
                    <Generator ..cx.clone() />
                </section>
            </div>
        </div>
    }
}
