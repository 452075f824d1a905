//! The help popover.

use yew::prelude::*;

use super::glossary::Glossary;
use crate::core::context::Cx;
use crate::core::keys;
use crate::overlay::view::{Frame, close_button, overlay};
use crate::state::overlay::{HelpTab, Overlay, OverlayAction};

#[component]
pub fn HelpPopover(cx: &Cx) -> Html {
    let shown = cx.state.overlay.help;
    let tab = |tab: HelpTab| {
        html! {
            <button role="tab" aria-selected={(tab == shown).to_string()} aria-controls="help-panel"
                data-testid={format!("help-{}", tab.title().to_lowercase())} onclick={overlay(cx, OverlayAction::Help(tab))}>
                {tab.title()}
            </button>
        }
    };
    html! {
        <Frame cx={cx.clone()} overlay={Overlay::Help} label="Help" class="help" centered=true>
            <header role="none">
                <div class="segmented" role="tablist" aria-label="Help">{for HelpTab::ALL.map(tab)}</div>
                <span class="grow"></span>
                {close_button(cx)}
            </header>
            <div id="help-panel" role="tabpanel" aria-label={shown.title()}>
                {match shown {
                    HelpTab::Keyboard => keyboard(),
                    HelpTab::Glossary if cx.state.overlay.is_open(Overlay::Help) => html! { <Glossary ..cx.clone() /> },
                    HelpTab::Glossary => html! {},
                    HelpTab::About => about(),
                }}
            </div>
        </Frame>
    }
}

fn keyboard() -> Html {
    let row = |(key, what): &(&str, &str)| html! { <div><dt><kbd>{*key}</kbd></dt><dd>{*what}</dd></div> };
    html! { <dl class="shortcuts">{for keys::HELP.iter().map(row)}</dl> }
}

fn about() -> Html {
    html! {
        <div class="about">
            <p><strong>{"Train a Transformer in this tab and inspect every attention head."}</strong></p>
            <p>{"Glasshead computes on your own GPU through WebGPU, or on the processor. The same kernels run in this page and in \
                 the command line program; texts, models and runs stay on this computer unless you export them."}</p>
            <p>{"Begin with an experiment, or press Train and watch the heads change. Labels carry the name of the setting in \
                 configurations and on the command line in their tooltips."}</p>
        </div>
    }
}
