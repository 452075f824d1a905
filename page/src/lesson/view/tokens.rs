//! A sentence as GPT-2 tokens: text, ids, and the text decoded from the ids.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::lesson::sentences::SENTENCES;
use crate::lesson::view::act;
use crate::state::lesson::LessonAction;
use crate::tokenizer::fetch_gpt2;
use crate::tokenizer::token_list::TokenList;
use glasshead::types::tokenizer::VocabularySource;
use glasshead::wire::Command;
use glasshead::wire::lesson::LessonCommand;

#[component]
pub fn LessonTokens(cx: &Cx) -> Html {
    let state = &cx.state.lesson;
    let chosen = SENTENCES.get(state.control() as usize).copied().unwrap_or_default();
    let known = cx.state.tokenizer.known.contains_key(&VocabularySource::Gpt2);
    {
        let cx = cx.clone();
        use_effect_with((chosen, known), move |&(chosen, known)| {
            if known {
                cx.ask_with(Command::Lesson(LessonCommand::Tokens { text: chosen.into() }), None);
            } else {
                fetch_gpt2(&cx, |cx, message| act(cx, LessonAction::Problem(message)));
            }
        });
    }
    let Some(tokens) = state.tokens.as_ref().filter(|tokens| tokens.text == chosen) else {
        return html! { <p class="count">{"Fetching GPT-2's vocabulary …"}</p> };
    };
    let light = {
        let cx = cx.clone();
        Callback::from(move |token| act(&cx, LessonAction::LightToken(token)))
    };
    let n = tokens.encoding.tokens.len();
    html! {
        <div class="drawn" data-testid="lesson-tokens">
            <TokenList encoding={tokens.encoding.clone()} page={0} lit={state.token_lit} {light}
                turn={Callback::from(|_: usize| ())} prefix="lesson" />
            <p>{format!("{} words, {n} tokens. Decoded back: ", chosen.split_whitespace().count())}
                <q data-testid="lesson-decoded">{&tokens.decoded}</q></p>
        </div>
    }
}
