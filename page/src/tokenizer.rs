//! The tokenizer view: a text as tokens of one or two vocabularies; vocabularies are chosen, trained and saved here.

pub mod token_list;
pub mod training;

use std::rc::Rc;

use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::tokenizer::token_list::TokenList;
use crate::tokenizer::training::VocabularyTraining;
use crate::shared::grouped;
use crate::shared::value_of;
use crate::core::context::Cx;
use crate::state::Action;
use crate::state::tokenizer::{Encoding, Side, TokenizerAction};
use crate::core::fetch;
use crate::core::files;
use glasshead::types::tokenizer::{ExportPurpose, VocabularyFormat, VocabularySource};
use glasshead::wire::Command;
use glasshead::wire::tokenizer::TokenizerCommand;

/// Maximum length of the text in the box, in UTF-16 code units.
const MAX_TEXT: &str = "100000";

#[component]
pub fn TokenizerView(cx: &Cx) -> Html {
    let state = &cx.state.tokenizer;
    use_run_vocabulary(cx);
    use_tokens(cx);
    let input = {
        let cx = cx.clone();
        Callback::from(move |event: InputEvent| act(&cx, TokenizerAction::Text(value_of(&event))))
    };
    let compared = state.sides[1].source.is_some();
    html! {
        <div class="tokenizer">
            if let Some(busy) = &state.busy { <p class="banner" role="status">{busy}</p> }
            if let Some(problem) = &state.problem { <p class="problem" role="alert" data-testid="tokenizer-problem">{problem}</p> }
            <section class="panel" aria-labelledby="tokens-title">
                <h2 id="tokens-title">{"Text as tokens"}</h2>
                <label class="wide">
                    {"your text"}
                    <textarea data-testid="tokenizer-text" rows="4" maxlength={MAX_TEXT} spellcheck="false"
                        value={state.text.clone()} oninput={input} />
                </label>
                <div class={classes!("sides", compared.then_some("compared"))}>
                    {for (0..2).map(|index| side(cx, index))}
                </div>
                {own_file(cx)}
            </section>
            <VocabularyTraining ..cx.clone() />
        </div>
    }
}

/// Dispatches a tokenizer action.
pub fn act(cx: &Cx, action: TokenizerAction) {
    cx.act(Action::Tokenizer(action));
}

/// Requests the run's vocabulary, once per run; it is forwarded to the second worker.
#[hook]
fn use_run_vocabulary(cx: &Cx) {
    let run = cx.state.summary.is_some().then_some(cx.state.run);
    let known = cx.state.tokenizer.run;
    let cx = cx.clone();
    use_effect_with(run, move |&run| {
        if run.is_some() && run != known {
            cx.send(&Command::Tokenizer(TokenizerCommand::RunVocabulary));
        }
    });
}

/// Requests the tokens of the text whenever the text or a vocabulary changes.
#[hook]
fn use_tokens(cx: &Cx) {
    let cx = cx.clone();
    use_effect_with(cx.state.tokenizer.request, move |&request| {
        let state = &cx.state.tokenizer;
        for source in state.sides.iter().filter_map(|side| side.source) {
            if state.known.contains_key(&source) {
                cx.ask(TokenizerCommand::Encode { request, source, text: state.text.clone() });
            }
        }
    });
}

fn source_name(source: VocabularySource) -> &'static str {
    match source {
        VocabularySource::Run => "of this run",
        VocabularySource::Trained => "trained here",
        VocabularySource::Gpt2 => "GPT-2",
        VocabularySource::File => "your tokenizer.json",
    }
}

fn side(cx: &Cx, index: usize) -> Html {
    let side = &cx.state.tokenizer.sides[index];
    html! {
        <div class="side" data-testid={format!("side-{index}")}>
            {choice(cx, index, side)}
            {match (&side.encoding, side.source) {
                (Some(encoding), Some(source)) => html! { <>{result(cx, index, side, encoding)}{tools(cx, source)}</> },
                (None, Some(_)) => html! { <p class="count">{"The tokens appear as soon as the vocabulary is there."}</p> },
                (_, None) if index == 0 => html! {
                    <p class="count">{"The run's vocabulary appears as soon as it is learned; or choose another."}</p>
                },
                (_, None) => html! {},
            }}
        </div>
    }
}

fn choice(cx: &Cx, index: usize, side: &Side) -> Html {
    let known = &cx.state.tokenizer.known;
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| choose(&cx, index, VocabularySource::from_name(&value_of(&event))))
    };
    let option = |source: VocabularySource| {
        let label = match known.get(&source) {
            Some(known) => format!("{} · {} tokens", source_name(source), grouped(known.vocab_size)),
            None => format!("{} · 50 257 tokens, fetched when chosen", source_name(source)),
        };
        let selected = side.source == Some(source);
        html! { <option value={source.name()} {selected}>{label}</option> }
    };
    let offered = VocabularySource::ALL.into_iter();
    let offered = offered.filter(|source| known.contains_key(source) || *source == VocabularySource::Gpt2);
    html! {
        <label class="wide">
            {if index == 0 { "vocabulary" } else { "beside it" }}
            <select data-testid={format!("vocabulary-{index}")} onchange={change}>
                if index == 1 || side.source.is_none() {
                    <option value="" selected={side.source.is_none()}>{if index == 0 { "…" } else { "none" }}</option>
                }
                {for offered.map(option)}
            </select>
        </label>
    }
}

/// Chooses another vocabulary; GPT-2's is downloaded when it is first chosen.
fn choose(cx: &Cx, index: usize, source: Option<VocabularySource>) {
    act(cx, TokenizerAction::Choose(index, source));
    if source != Some(VocabularySource::Gpt2) || cx.state.tokenizer.known.contains_key(&VocabularySource::Gpt2) {
        return;
    }
    act(cx, TokenizerAction::Busy("Fetching GPT-2's vocabulary …".into()));
    fetch_gpt2(cx, |cx, message| act(cx, TokenizerAction::Problem(message)));
}

/// Downloads GPT-2's vocabulary and sends it to the second worker, or reports the error through `failed`.
pub fn fetch_gpt2(cx: &Cx, failed: fn(&Cx, String)) {
    let cx = cx.clone();
    spawn_local(async move {
        match fetch::gpt2_vocabulary().await {
            Ok(bytes) => {
                let (source, format) = (VocabularySource::Gpt2, VocabularyFormat::Ranks);
                let load = TokenizerCommand::Load { source, name: "GPT-2".into(), format };
                cx.ask_with(Command::Tokenizer(load), Some(bytes));
            }
            Err(message) => failed(&cx, message),
        }
    });
}

fn result(cx: &Cx, index: usize, side: &Side, encoding: &Rc<Encoding>) -> Html {
    let light = {
        let cx = cx.clone();
        Callback::from(move |token| act(&cx, TokenizerAction::Light(index, token)))
    };
    let turn = {
        let cx = cx.clone();
        Callback::from(move |page| act(&cx, TokenizerAction::Page(index, page)))
    };
    let (n_bytes, n_tokens) = (encoding.n_bytes(), encoding.tokens.len());
    let speed = side.source.and_then(|source| cx.state.tokenizer.speeds.get(&source));
    let numbers = [
        ("characters", grouped(cx.state.tokenizer.text.chars().count())),
        ("bytes", grouped(n_bytes)),
        ("tokens", grouped(n_tokens)),
        ("bytes per token", if n_tokens > 0 { format!("{:.2}", n_bytes as f64 / n_tokens as f64) } else { "–".into() }),
        (
            "MB/s",
            speed.map_or("–".into(), |speed| format!("{:.1}", speed.bytes as f64 / speed.seconds.max(1e-6) / 1e6)),
        ),
    ];
    let number = |(name, value): (&'static str, String)| {
        let id = format!("{}-{index}", name.replace([' ', '/'], "-").to_lowercase());
        html! { <div><dt>{name}</dt><dd data-testid={id}>{value}</dd></div> }
    };
    html! {
        <>
            <dl class="numbers wrapped">{for numbers.into_iter().map(number)}</dl>
            <TokenList encoding={encoding.clone()} page={side.page} lit={side.lit} {light} {turn}
                prefix={format!("side{index}")} />
        </>
    }
}

fn tools(cx: &Cx, source: VocabularySource) -> Html {
    let ask = |command: TokenizerCommand, action: Option<TokenizerAction>| {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| {
            cx.ask(command.clone());
            action.iter().for_each(|action| act(&cx, action.clone()));
        })
    };
    let export = |purpose, what: &str| {
        ask(TokenizerCommand::Export { source, purpose }, Some(TokenizerAction::Busy(what.into())))
    };
    let measuring = cx.state.tokenizer.measuring;
    html! {
        <p class="tools">
            <button data-testid={format!("use-{}", source.name())} disabled={source == VocabularySource::Run}
                onclick={export(ExportPurpose::Run, "Handing the vocabulary to a new run …")}
                title="starts a new run, whose model gets as many embeddings as there are tokens">
                {"train a model with it"}
            </button>
            <button data-testid={format!("download-{}", source.name())}
                onclick={export(ExportPurpose::Download, "Writing tokenizer.json …")}>{"save as tokenizer.json"}</button>
            <button data-testid={format!("measure-{}", source.name())} disabled={measuring}
                onclick={ask(TokenizerCommand::Measure { source }, Some(TokenizerAction::Measuring))}
                title="encodes 4 MB of the built-in stories, as before training: a word that was seen is looked up">
                {if measuring { "measuring …" } else { "measure the speed" }}
            </button>
        </p>
    }
}

fn own_file(cx: &Cx) -> Html {
    let pick = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
            let picked = files::listed(input.and_then(|input| input.files()));
            let (Some(file), cx) = (picked.into_iter().next(), cx.clone()) else { return };
            spawn_local(async move {
                match files::read(&file).await {
                    Ok(bytes) => {
                        let ranks = file.name().to_lowercase().ends_with(".tiktoken");
                        let format = if ranks { VocabularyFormat::Ranks } else { VocabularyFormat::TokenizerJson };
                        let source = VocabularySource::File;
                        let load = TokenizerCommand::Load { source, name: file.name(), format };
                        cx.ask_with(Command::Tokenizer(load), Some(bytes));
                        act(&cx, TokenizerAction::Choose(0, Some(source)));
                    }
                    Err(message) => act(&cx, TokenizerAction::Problem(message)),
                }
            });
        })
    };
    html! {
        <label class="wide own-file">
            {"Your own tokenizer.json (byte-level BPE, as Hugging Face writes it) or .tiktoken file"}
            <input type="file" data-testid="tokenizer-file" accept=".json,application/json,.tiktoken" onchange={pick} />
        </label>
    }
}
