//! All settings of the filters, a drawer on the left.

use yew::prelude::*;

use super::names;
use super::rule::set;
use crate::core::context::Cx;
use crate::overlay::view::{Frame, close_button};
use crate::shared::entry::Entry;
use crate::shared::value_of;
use crate::state::overlay::Overlay;
use glasshead_filter::fields::{FIELDS, Field, Kind};
use glasshead_filter::settings::Stage;

#[component]
pub fn FiltersDrawer(cx: &Cx) -> Html {
    let open = cx.state.overlay.is_open(Overlay::Filters);
    let group = |stage: Stage| {
        let n = cx.state.filters.changes.keys().filter(|path| path.split('.').next() == Some(stage.name())).count();
        let summary = match (cx.state.filters.enabled(stage), n) {
            (false, _) => "off".to_string(),
            (true, 0) => "defaults".into(),
            (true, n) => format!("{n} changed"),
        };
        html! {
            <details class="group" open={stage == cx.state.filters.stage}>
                <summary>{names::stage(stage)}<span class="sum">{summary}</span></summary>
                <div class="in">
                    <p class="count wide">{names::about(stage)}</p>
                    {switch(cx, stage)}
                    {stage_fields(cx, stage, true)}
                </div>
            </details>
        }
    };
    let reset = cx.call(|cx, _: MouseEvent| {
        super::top::act(cx, super::state::DataViewAction::SetAll(Default::default()));
    });
    html! {
        <Frame cx={cx.clone()} overlay={Overlay::Filters} label="All filter settings" class="left filters-drawer">
            <header><h2>{"All filter settings"}</h2><span class="grow"></span>
                <button class="small ghost" data-testid="data-defaults" disabled={cx.state.filters.changes.is_empty()} onclick={reset}>{"Use the defaults"}</button>
                {close_button(cx)}</header>
            if open { <div class="scroll" tabindex="0" role="region" aria-label="Settings">{for Stage::ALL.map(group)}</div> }
        </Frame>
    }
}

fn switch(cx: &Cx, stage: Stage) -> Html {
    if stage == Stage::Extract {
        return html! {};
    }
    let on = cx.state.filters.enabled(stage);
    let toggle = cx.call(move |cx, _: Event| set(cx, &format!("{}.enabled", stage.name()), (!on).to_string()));
    html! { <label class="beside wide"><input type="checkbox" checked={on} onchange={toggle} />{"On"}</label> }
}

/// The fields of a stage; `limits` includes those that the histogram sets.
pub fn stage_fields(cx: &Cx, stage: Stage, limits: bool) -> Html {
    let fields = FIELDS.iter().filter(|field| field.stage == stage);
    let fields = fields.filter(|field| limits || !matches!(field.kind, Kind::Limit(_)));
    html! { <div class="data-fields">{for fields.map(|field| field_of(cx, field))}</div> }
}

fn field_of(cx: &Cx, field: &'static Field) -> Html {
    let view = &cx.state.filters;
    let refused = view.refused.as_ref().filter(|refused| refused.path == field.path);
    let asked = view.asked.as_ref().filter(|(path, _)| path == field.path).map(|(_, text)| text);
    let value = refused.map(|refused| &refused.text).or(asked).or_else(|| view.values.get(field.path));
    let value = value.cloned().unwrap_or_default();
    if field.kind == Kind::Flag {
        let on = value == "true";
        let toggle = cx.call(move |cx, _: Event| set(cx, field.path, (!on).to_string()));
        return html! {
            <label class="beside" title={field.path}><input type="checkbox" data-testid={format!("field-{}", field.path)} checked={on}
                onchange={toggle} />{field.label}</label>
        };
    }
    let change = cx.call(move |cx, event: Event| set(cx, field.path, value_of(&event)));
    let changed = view.changes.contains_key(field.path);
    html! {
        <label class={classes!(refused.map(|_| "refused"), (field.kind == Kind::List).then_some("wide"))} title={field.path}>
            <span>{field.label}if changed { <i class="mark differs" title="Differs from the default">{" •"}</i> }</span>
            <Entry value={value} testid={format!("field-{}", field.path)} onchange={change} invalid={refused.is_some()}
                inputmode={if field.kind == Kind::List { "text" } else { "decimal" }} />
            if let Some(refused) = refused { <small class="problem" role="alert">{&refused.message}</small> }
        </label>
    }
}
