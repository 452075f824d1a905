//! The cards of the experiments with alignment.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::core::navigation;
use crate::overlay::icon::icon;
use crate::state::View;
use crate::state::align::draft::STAGES;
use crate::state::align::recipes::{RECIPES, Recipe};
use crate::state::experiments::{SHORT_SECONDS, duration};

/// The link that sets an experiment up and starts it.
fn link(recipe: &Recipe) -> String {
    navigation::with_entry(&navigation::with_entry("#", "view", View::Align.name()), "recipe", recipe.name)
}

/// The section of the gallery.
pub fn section(cx: &Cx) -> Html {
    let filter = cx.state.experiments.filter;
    let shown: Vec<&Recipe> =
        RECIPES.iter().filter(|recipe| !filter.short || f64::from(recipe.seconds) <= SHORT_SECONDS).collect();
    if filter.section.is_some() || shown.is_empty() {
        return html! {};
    }
    html! {
        <section aria-labelledby="experiments-alignment">
            <h2 id="experiments-alignment">{"Alignment"}<small>{"Teach a model by examples, by a judge or by preferences"}</small></h2>
            <div class="cards">{for shown.into_iter().map(card)}</div>
        </section>
    }
}

fn card(recipe: &Recipe) -> Html {
    let stages = recipe.stages.iter().map(|stage| STAGES[stage.stage].1);
    let pretraining = (recipe.pretrain > 0).then_some("Pretraining");
    let chain: Vec<&str> = pretraining.into_iter().chain(stages).collect();
    html! {
        <a class="card recipe" href={link(recipe)} data-testid={format!("experiment-{}", recipe.name)} key={recipe.name}>
            <div class="recipe-stages" aria-hidden="true">{for chain.iter().map(|name| html! { <span>{*name}</span> })}</div>
            <b>{recipe.title}</b>
            <p>{recipe.text}</p>
            <small class="check">{icon("check")}{recipe.check}</small>
            <small class="time" title="On one core of a processor.">{icon("clock")}{format!("about {}", duration(f64::from(recipe.seconds)))}
                <span class="grow"></span><span class="button small primary start">{"Start"}</span></small>
        </a>
    }
}
