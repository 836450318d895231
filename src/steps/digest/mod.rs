//! `digest`: a summary of a list of any length. Few lines share a prompt, the summaries are summarised again, and each
//! names the lines that it rests on.

mod entries;
mod tree;

use super::{
    cite,
    decoding::{self, DecodingFormulas, DecodingKeys},
    misfit,
    prompted::{PromptKeys, PromptOf, Prompted},
    readable,
    restricted::overflow,
    whole,
};
use crate::{
    dialogue::{At, Expr, NumberExpr, Span, TextExpr, written},
    exchange::{Finish, Kind, LeaveOut, Message, Reply, Request, SayReply, SayRequest},
    plan::{Answered, Ask, Formula, Inside, Planned, Planning, Range, Step, StepError, Turn, Typing, Verb},
    problem::closest,
    prompt::Scope,
    value::{Type, Value},
};
use entries::{DigestEntry, List, groups};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::{borrow::Cow, sync::Arc, time::Duration};
use tree::{Chunk, Limits, Said, Tree, TreeGrowth};

written! { "`digest`",
    /// Summarises a list of any length with a language agent. Lines share a prompt as far as the agent can read it;
    /// their summaries are summarised again, level by level, until one is left. The value is a record: `text`, `abstained`
    /// (true if there was nothing to summarise), `evidence` (the entries that the last summary rests on: lines, or the summaries of
    /// the level below with their times) and `summaries` (all of them, level by level, as records with `text`, `start`, `end`, `level`,
    /// `lines`: the places in the list of all lines that it rests on, from 0, and `of`: the places of the summaries that it was made
    /// from).
    pub struct Digest {
        /// The role that writes.
        pub agent: At<String>,
        /// The list (a name or a template): moments with text, records with `text` and optionally `start` and `end`, or texts.
        pub of: Expr,
        /// The prompt; its hole `log` is the numbered entries, and one of `prompt` and `text` is needed.
        #[schemars(flatten)]
        pub prompt: PromptKeys,
        /// Another prompt for the levels above the first, which read summaries instead of lines.
        pub merge: Option<MergeWritten>,
        /// What the levels above the first read: `summaries` (the default), or `lines`: the lines that each summary tells of, found by their
        /// words. A small model that knows the form of a log only needs `lines`. `evidence` then is the lines that the last summary tells of.
        #[schemars(with = "Option<CarryWord>")]
        pub carry: Option<At<String>>,
        /// A question that the summary is for; it fills the prompt's hole `question`.
        pub question: Option<TextExpr>,
        /// About this many words for each summary: fills the prompt's hole `words`, and stops a reply after twice as many
        /// tokens unless `max_tokens` is set.
        #[schemars(with = "Option<crate::plan::range::WholeFrom1>")]
        pub words: Option<NumberExpr>,
        /// The most entries in one prompt, 2 or more; 24 if absent. Fewer are read if the agent cannot read more.
        #[schemars(with = "Option<crate::plan::range::WholeFrom1>")]
        pub lines: Option<NumberExpr>,
        /// Each stretch of this length (`1h`) is summarised apart before the whole is: of wall-clock time if it is known, else of the
        /// video's own clock, else of the video.
        pub span: Option<At<Span>>,
        /// The most levels. If several summaries are left then, `text` has one in each line. Without it, one is left.
        #[schemars(with = "Option<crate::plan::range::WholeFrom1>")]
        pub levels: Option<NumberExpr>,
        /// Decoding settings of each summary.
        #[schemars(flatten)]
        pub decoding: DecodingKeys,
    }
}

written! { "`merge`",
    /// The prompt of the higher levels.
    pub struct MergeWritten {
        /// The prompt; one of `prompt` and `text`.
        #[schemars(flatten)]
        pub prompt: PromptKeys,
    }
}

/// The JSON Schema of `carry`, for editors.
#[derive(Debug)]
struct CarryWord;

impl JsonSchema for CarryWord {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "CarryWord".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": CARRY })
    }
}

/// The values of `carry`.
const CARRY: [&str; 2] = ["summaries", "lines"];
/// The entries of a prompt, if the step does not say.
const ENTRIES: usize = 24;
/// The maximum length of a list.
const MAX_LINES: usize = 100_000;
/// The tokens of a word: rather too many, for any language.
const TOKENS_A_WORD: usize = 2;
/// The hole of the numbered entries.
const LOG: &str = "log";

impl Verb for Digest {
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        let role = planning.role(&self.agent, Kind::Say);
        let of = planning.name_or_template(&self.of);
        let mut own = vec![LOG];
        own.extend(self.question.is_some().then_some("question"));
        own.extend(self.words.is_some().then_some("words"));
        let of_prompt = PromptOf { verb: "digest", pos: self.agent.pos, own: &own };
        let prompt = self.prompt.plan(of_prompt, planning);
        let merge =
            self.merge.as_ref().map(|merge| merge.prompt.plan(PromptOf { verb: "merge", ..of_prompt }, planning));
        for prompt in [prompt.as_ref(), merge.as_ref().and_then(Option::as_ref)].into_iter().flatten() {
            // of the optional holes one prompt is enough, but each must show the entries
            if !prompt.has(LOG) {
                let message = format!("found a prompt without the hole `{LOG}`, expected the entries to summarise");
                let hint = format!("put `{{{{ {LOG} }}}}` into the prompt");
                planning.problem("unknown-hole", self.agent.pos, message, Some(hint));
            }
        }
        let shown = |hole: &str| {
            let merge = merge.as_ref().and_then(Option::as_ref);
            prompt.as_ref().is_none_or(|prompt| prompt.has(hole)) || merge.is_some_and(|merge| merge.has(hole))
        };
        if let Some(question) = self.question.as_ref().filter(|_| !shown("question")) {
            let message = "found `question`, but the prompt lacks the hole `question`".to_owned();
            let hint = Some("put `{{ question }}` into the prompt".to_owned());
            planning.problem("unknown-hole", question.0.0.pos, message, hint);
        }
        if let Some(carry) = self.carry.as_ref().filter(|carry| !CARRY.contains(&carry.as_str())) {
            let message = format!("found `{}` for `carry`, expected {}", carry.value, CARRY.join(" or "));
            planning.problem("wrong-value", carry.pos, message, closest(carry, CARRY.into_iter()));
        }
        let question = self.question.as_ref().map(|question| planning.expr(&question.0));
        let words = decoding::number(&self.words, "words", Range::WholeFrom(1), planning);
        let lines = decoding::number(&self.lines, "lines", Range::WholeFrom(2), planning);
        let levels = decoding::number(&self.levels, "levels", Range::WholeFrom(1), planning);
        let decoding = self.decoding.plan(planning);
        Some(Arc::new(DigestStep {
            role: role?.role,
            role_name: self.agent.value.clone(),
            of: of?,
            prompt: prompt?,
            merge: readable(merge)?,
            question: readable(question)?,
            words: words?,
            lines: lines?,
            levels: levels?,
            carries_lines: self.carry.as_ref().is_some_and(|carry| carry.as_str() == "lines"),
            span: self.span.as_ref().map(|span| span.value.0),
            decoding: decoding?,
        }))
    }
}

#[derive(Debug)]
struct DigestStep {
    role: String,
    /// The role's name in the dialogue.
    role_name: String,
    of: Formula,
    prompt: Prompted,
    merge: Option<Prompted>,
    question: Option<Formula>,
    words: Option<Formula>,
    lines: Option<Formula>,
    levels: Option<Formula>,
    span: Option<Duration>,
    /// The higher levels read the lines that summaries tell of.
    carries_lines: bool,
    decoding: DecodingFormulas,
}

impl Planned for DigestStep {
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        let lists = [Type::Moment.list(), Type::record([("text".to_owned(), Type::Text)]).list(), Type::Text.list()];
        typing.expect_or_nothing(&self.of, &lists, "`of`");
        let mut own = vec![(LOG, Type::Text)];
        if let Some(question) = &self.question {
            typing.expect(question, &[Type::Text], "`question`");
            own.push(("question", Type::Text));
        }
        if self.words.is_some() {
            own.push(("words", Type::Number));
        }
        for prompt in [Some(&self.prompt), self.merge.as_ref()].into_iter().flatten() {
            prompt.check(&self.role_name, &own, typing);
        }
        for (number, what) in [(&self.words, "`words`"), (&self.lines, "`lines`"), (&self.levels, "`levels`")] {
            if let Some(number) = number {
                typing.expect(number, &[Type::Number], what);
            }
        }
        self.decoding.check(typing);
        (digest_type(), self)
    }
}

/// The type of a digest.
fn digest_type() -> Type {
    let times = || [("start", Type::Number.or_nothing()), ("end", Type::Number.or_nothing())];
    let texts = || [("video", Type::Text.or_nothing()), ("clock", Type::Text.or_nothing()), ("text", Type::Text)];
    let entry = || texts().into_iter().chain(times());
    let places = [("level", Type::Number), ("of", Type::Number.list()), ("lines", Type::Number.list())];
    let record = |fields: Vec<(&str, Type)>| Type::record(fields.into_iter().map(|(name, ty)| (name.to_owned(), ty)));
    record(vec![
        ("text", Type::Text),
        ("abstained", Type::Truth),
        ("evidence", record(entry().collect()).list()),
        ("summaries", record(entry().chain(places).collect()).list()),
    ])
}

impl Step for DigestStep {
    fn inside(&self) -> Inside {
        Inside::Asks(self.role.clone())
    }

    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError> {
        let lines = match self.of.eval(scope)? {
            Value::Nothing => Vec::new(),
            list => entries::read(&list)?,
        };
        if lines.len() > MAX_LINES {
            return Err(StepError(format!("found {} lines for `of`, expected at most {MAX_LINES}", lines.len())));
        }
        let number = |formula: &Option<Formula>, what: &str| {
            formula.as_ref().map(|formula| whole(&formula.eval(scope)?, what)).transpose()
        };
        let entries = number(&self.lines, "lines")?.unwrap_or(ENTRIES);
        let summaries = if self.carries_lines { (entries / entries::TOLD).max(2) } else { entries };
        let limits = Limits { entries, summaries, levels: number(&self.levels, "levels")? };
        if limits.entries < 2 || limits.levels == Some(0) {
            return Err(StepError("found a number that is too low for `lines` or `levels`, expected 2 and 1".into()));
        }
        let turns = answered.iter().map(said).collect::<Result<Vec<_>, _>>()?;
        let list = List { lines, carries_lines: self.carries_lines };
        match tree::grow(&groups(&list.lines, self.span), limits, &list, &turns)? {
            TreeGrowth::Ask(chunks, tree) => {
                let ask = |chunk: &Chunk| {
                    let request = self.request(scope, chunk, &list, &tree)?;
                    Ok(Ask { role: self.role.clone(), request, sample: 0 })
                };
                Ok(Turn::Ask(chunks.iter().map(ask).collect::<Result<_, StepError>>()?))
            }
            TreeGrowth::Done(tree) => {
                let value = list.value(&tree);
                let mut notes: Vec<String> = tree.notes.clone();
                if tree.summaries.len() > 1 {
                    let levels = tree.summaries.iter().map(|summary| summary.level).max().unwrap_or_default();
                    notes.insert(
                        0,
                        format!("{} lines, {} summaries, {levels} levels", list.lines.len(), tree.summaries.len()),
                    );
                }
                Ok(if notes.is_empty() { Turn::Done(value) } else { Turn::Noted { value, note: notes.join("; ") } })
            }
        }
    }
}

/// The replies to one turn.
fn said(answered: &Answered) -> Result<Vec<Said>, StepError> {
    let Answered::Replies(replies) = answered else { return Err(misfit("say")) };
    let one = |reply: &Reply| {
        let Reply::Say(SayReply { text, finish, left_out, .. }) = reply else { return Err(misfit("say")) };
        let (text, cited) = cite::split(text);
        let text = if *finish == Finish::Length { whole_sentences(&text) } else { text };
        Ok(Said { text, left_out: *left_out, cited })
    };
    replies.iter().map(one).collect()
}

/// A text that was cut, without its unfinished sentence. A text of one unfinished sentence stays.
fn whole_sentences(text: &str) -> String {
    let mut ends = text.char_indices().filter(|(_, c)| matches!(c, '.' | '!' | '?' | '。' | '！' | '？'));
    match ends.next_back() {
        Some((at, end)) => text[..at + end.len_utf8()].to_owned(),
        None => text.to_owned(),
    }
}

impl DigestStep {
    /// The request about a chunk. What the agent cannot read of it is asked about again.
    fn request(&self, scope: &Scope, chunk: &Chunk, list: &List, tree: &Tree) -> Result<Request, StepError> {
        let log: Vec<DigestEntry> = chunk.pieces.iter().flat_map(|piece| list.shown(piece, tree)).collect();
        let log = entries::numbered(&log);
        let words = match &self.words {
            Some(words) => Some(whole(&words.eval(scope)?, "words")?),
            None => None,
        };
        let mut own = vec![(LOG, Value::Text(log.clone()))];
        if let Some(question) = &self.question {
            own.push(("question", Value::Text(question.text(scope)?)));
        }
        own.extend(words.map(|words| ("words", Value::Number(words as f64))));
        let prompt = self.merge.as_ref().filter(|_| chunk.level > 1).unwrap_or(&self.prompt);
        let text = prompt.text(scope, &own)?;
        let mut decoding = self.decoding.eval(scope)?;
        if let (None, Some(words)) = (decoding.max_tokens, words) {
            decoding.max_tokens = Some(words.saturating_mul(TOKENS_A_WORD));
        }
        let overflow = Some(overflow(LeaveOut::Rest, &text, &log, 0)?);
        Ok(Request::Say(SayRequest { decoding, overflow, ..SayRequest::new(vec![Message::new("user", text)]) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_reply_ends_with_a_sentence() {
        assert_eq!(whole_sentences("I cooked. Then I went to the"), "I cooked.");
        assert_eq!(whole_sentences("料理した。それから"), "料理した。");
        assert_eq!(whole_sentences("I cooked and"), "I cooked and");
    }
}
