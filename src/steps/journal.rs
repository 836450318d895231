//! `journal`: adds lines to the journal, or reads them. The journal agent, which every run has, answers it.

use super::{
    asked::{INSTANT, instant, is_instant},
    entries::entries,
    found,
    lines::{check_media, check_senses, check_text, digests, line, lines_of, medium, senses_of, stretches},
    misfit, readable, replies,
};
use crate::{
    dialogue::{At, Expr, TextExpr, written},
    exchange::{JournalReply, JournalRequest, LineFilter, Reply, Request},
    plan::{Answered, Ask, Formula, Planned, Planning, Step, StepError, Turn, Typing, Verb},
    prompt::Scope,
    value::{JournalLine, Media, Moment, Type, Value},
};
use std::{borrow::Cow, collections::HashMap, sync::Arc};

/// The role that keeps the journal. No cast names it.
pub(super) const JOURNAL: &str = "journal";

written! { "`journal`",
    /// Adds lines to the journal, reads them, or corrects one. The value is the list of lines, as records with `video`, `start`, `end`,
    /// `moment`, `sense`, `text` and `labels`.
    pub struct JournalVerb {
        /// The lines to add: moments with text, or records with `text`, with `moment` or `start` and `end` in seconds, and
        /// optionally `sense` and `labels`. Adding the same lines again changes nothing.
        pub add: Option<Expr>,
        /// With `add`: the video or the sound that the lines are about.
        pub about: Option<TextExpr>,
        /// What to read: a video, a list of videos, or `all`.
        pub read: Option<Expr>,
        /// With `add`: the senses that were used, also those that found nothing; the first is the sense of lines that
        /// name none. With `read`: the senses to read, all if absent. The senses are seen, done, heard, sound, read,
        /// detected, caption and summary.
        pub senses: Option<Expr>,
        /// With `read`: a list of records with `from` and `to` in seconds; a line must touch one of them.
        pub within: Option<Expr>,
        /// With `read`: true to yield entries in place of lines: moments whose text is the place, the activity, the people, the things and
        /// the speech of a stretch (`kitchen, cooking soup. Seen: mug. Heard: we need milk.`), in order of time.
        pub entries: Option<At<bool>>,
        /// With `read`: nothing later than this time is read, such as `2026-11-23T21:00:00+01:00`. A line that ends later is left out.
        pub as_of: Option<TextExpr>,
        /// A line that is wrong, as `read` gives it, with `text`: what it should be (empty if nothing of the kind happened). The
        /// correction is a line of its own, and wins also over later runs; both are kept.
        pub correct: Option<Expr>,
        /// With `correct`: the right text.
        pub text: Option<TextExpr>,
    }
}

impl Verb for JournalVerb {
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        let mut optional = |expr: Option<&Expr>| expr.map(|expr| planning.expr(expr));
        let (add, read) = (optional(self.add.as_ref()), optional(self.read.as_ref()));
        let (about, senses) = (optional(self.about.as_ref().map(|about| &about.0)), optional(self.senses.as_ref()));
        let within = optional(self.within.as_ref());
        let as_of = optional(self.as_of.as_ref().map(|as_of| &as_of.0));
        let (correct, text) = (optional(self.correct.as_ref()), optional(self.text.as_ref().map(|text| &text.0)));
        self.check_correction(planning);
        check_senses(self.senses.as_ref(), planning);
        check_media(self.read.as_ref(), "read", planning);
        check_text(self.as_of.as_ref(), "as_of", INSTANT, is_instant, planning);
        let action = match (add, read) {
            (None, None) if correct.is_some() => Action::Correct { line: correct??, text: text?? },
            (Some(add), None) => {
                let Some(about) = about else {
                    let pos = self.add.as_ref().map(|add| add.0.pos).unwrap_or_default();
                    let message = "found `add` without `about`, expected the video that the lines are about".to_owned();
                    planning.problem("missing-key", pos, message, Some("for example `about: \"{{ video }}\"`".into()));
                    return None;
                };
                Action::Add { writer: planning.writer(), lines: add?, about: about? }
            }
            (None, Some(read)) => {
                let entries = self.entries.as_ref().is_some_and(|entries| entries.value);
                Action::Read { media: read?, within: readable(within)?, as_of: readable(as_of)?, entries }
            }
            (None, None) => {
                let pos = [&self.senses, &self.within]
                    .into_iter()
                    .flatten()
                    .map(|expr| expr.0.pos)
                    .next()
                    .unwrap_or_default();
                let message = "found neither `add`, `read` nor `correct` in `journal`, expected one".to_owned();
                planning.problem("missing-key", pos, message, Some("for example `read: all`".into()));
                return None;
            }
            (Some(_), Some(_)) => {
                let pos = self.read.as_ref().map(|read| read.0.pos).unwrap_or_default();
                planning.problem("too-many", pos, "found `read` beside `add`, expected one of them".to_owned(), None);
                return None;
            }
        };
        let senses = readable(senses)?;
        Some(Arc::new(JournalStep { action, senses }))
    }
}

impl JournalVerb {
    /// Reports a correction beside another action, and one that lacks a part.
    fn check_correction(&self, planning: &mut Planning<'_>) {
        let (correct, text) =
            (self.correct.as_ref().map(|line| line.0.pos), self.text.as_ref().map(|text| text.0.0.pos));
        match (correct, text) {
            (Some(pos), None) => {
                let message = "found `correct` without `text`, expected what the line should be".to_owned();
                planning.problem("missing-key", pos, message, Some("`text: \"\"` removes it".into()));
            }
            (None, Some(pos)) => {
                let message = "found `text` without `correct`, expected the line that is wrong".to_owned();
                planning.problem("missing-key", pos, message, None);
            }
            _ => {}
        }
        for (key, other) in [("add", &self.add), ("read", &self.read)] {
            if let (Some(pos), Some(_)) = (correct, other) {
                let message = format!("found `correct` beside `{key}`, expected one of them");
                planning.problem("too-many", pos, message, None);
            }
        }
    }
}

#[derive(Debug)]
struct JournalStep {
    action: Action,
    senses: Option<Formula>,
}

#[derive(Debug)]
enum Action {
    Add { writer: String, lines: Formula, about: Formula },
    Read { media: Formula, within: Option<Formula>, as_of: Option<Formula>, entries: bool },
    Correct { line: Formula, text: Formula },
}

impl Planned for JournalStep {
    fn has_effect(&self) -> bool {
        matches!(self.action, Action::Add { .. } | Action::Correct { .. })
    }

    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        if let Some(senses) = &self.senses {
            typing.expect_or_nothing(senses, &[Type::Text.list(), Type::Text], "`senses`");
        }
        match &self.action {
            Action::Add { lines, about, .. } => {
                let records = Type::record([]).list();
                typing.expect_or_nothing(lines, &[Type::Moment.list(), records], "`add`");
                typing.expect(about, &[Type::Video, Type::Audio], "`about`");
            }
            Action::Correct { line, text } => {
                typing.expect(line, &[Type::record([])], "`correct`");
                typing.expect(text, &[Type::Text], "`text`");
            }
            Action::Read { media, within, as_of, entries } => {
                let videos = [Type::Video, Type::Audio, Type::Video.list(), Type::Text];
                typing.expect_or_nothing(media, &videos, "`read`");
                if let Some(within) = within {
                    typing.expect_or_nothing(within, &[Type::record([]).list()], "`within`");
                }
                if let Some(as_of) = as_of {
                    typing.expect_or_nothing(as_of, &[Type::Text], "`as_of`");
                }
                if *entries {
                    return (Type::Moment.list(), self);
                }
            }
        }
        (Type::record([]).list(), self)
    }
}

impl Step for JournalStep {
    fn writes_journal(&self) -> bool {
        matches!(self.action, Action::Add { .. } | Action::Correct { .. })
    }

    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError> {
        let senses = match &self.senses {
            Some(senses) => senses_of(&senses.eval(scope)?)?,
            None => Vec::new(),
        };
        match &self.action {
            Action::Add { writer, lines, about } => {
                let medium = medium(&about.eval(scope)?, "about")?;
                let lines = lines_of(&lines.eval(scope)?, &medium, senses.first().copied())?;
                if let Some(replies) = replies(answered) {
                    let [Reply::Journal(JournalReply::Added(_))] = replies else { return Err(misfit("journal")) };
                    return Ok(Turn::Done(values(&lines)));
                }
                let mut senses = senses;
                senses.extend(lines.iter().map(|line| line.sense));
                senses.sort_unstable();
                senses.dedup();
                Ok(ask(JournalRequest::Append { writer: writer.clone(), medium, senses, lines }))
            }
            Action::Correct { line: wrong, text } => {
                if let Some(replies) = replies(answered) {
                    let [Reply::Journal(JournalReply::Corrected(line))] = replies else {
                        return Err(misfit("journal"));
                    };
                    return Ok(Turn::Done(values(std::slice::from_ref(line))));
                }
                let wrong = wrong.eval(scope)?;
                let Value::Record(fields) = &wrong else {
                    return Err(StepError(format!(
                        "found {} for `correct`, expected a line of the journal",
                        found(&wrong)
                    )));
                };
                let Some(Value::Moment(moment)) = fields.get("moment") else {
                    return Err(StepError(
                        "found a record without `moment` for `correct`, expected a line of the journal".into(),
                    ));
                };
                let line = line(&wrong, &moment.media, None)?;
                let text = text.text(scope)?.trim().to_owned();
                Ok(ask(JournalRequest::Correct { line: Box::new(line), text }))
            }
            Action::Read { media, within, as_of, entries: wants_entries } => match answered {
                [] => Ok(ask(JournalRequest::Revision)),
                [first] => {
                    let Answered::Replies(replies) = first else { return Err(misfit("journal")) };
                    let [Reply::Journal(JournalReply::Revision(revision))] = replies.as_slice() else {
                        return Err(misfit("journal"));
                    };
                    let within = match within {
                        Some(within) => stretches(&within.eval(scope)?)?,
                        None => Vec::new(),
                    };
                    let media = digests(&media.eval(scope)?)?;
                    let as_of_ms = as_of.as_ref().map(|as_of| instant(as_of, "as_of", scope)).transpose()?.flatten();
                    let filter = LineFilter { media, senses, within, as_of_ms };
                    Ok(ask(JournalRequest::Read { revision: revision.clone(), filter }))
                }
                [.., last] => {
                    let Answered::Replies(replies) = last else { return Err(misfit("journal")) };
                    let [Reply::Journal(JournalReply::Lines(lines))] = replies.as_slice() else {
                        return Err(misfit("journal"));
                    };
                    let lines = &named(lines, &media.eval(scope)?);
                    Ok(Turn::Done(match wants_entries {
                        true => Value::List(entries(lines).into_iter().map(Value::Moment).collect()),
                        false => values(lines),
                    }))
                }
            },
        }
    }
}

/// The lines, whose media have the paths by which the step names them: a journal knows absolute ones.
fn named<'l>(lines: &'l [JournalLine], given: &Value) -> Cow<'l, [JournalLine]> {
    let given = match given {
        Value::List(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let paths: HashMap<&str, &str> = given
        .iter()
        .filter_map(|item| match item {
            Value::Video(media) | Value::Audio(media) => Some((media.digest.as_str(), media.path.as_str())),
            _ => None,
        })
        .collect();
    if paths.is_empty() {
        return Cow::Borrowed(lines);
    }
    let mut media: HashMap<String, Arc<Media>> = HashMap::new();
    let rename = |line: &JournalLine| {
        let old = &line.moment.media;
        let Some(path) = paths.get(old.digest.as_str()).filter(|path| **path != old.path) else { return line.clone() };
        let renamed = || Arc::new(Media { path: (*path).to_owned(), ..old.as_ref().clone() });
        let new = media.entry(old.digest.clone()).or_insert_with(renamed).clone();
        JournalLine { moment: Moment { media: new, ..line.moment.clone() }, ..line.clone() }
    };
    Cow::Owned(lines.iter().map(rename).collect())
}

fn ask(request: JournalRequest) -> Turn {
    Turn::Ask(vec![Ask { role: JOURNAL.into(), request: Request::Journal(request), sample: 0 }])
}

fn values(lines: &[JournalLine]) -> Value {
    Value::List(lines.iter().map(JournalLine::to_value).collect())
}
