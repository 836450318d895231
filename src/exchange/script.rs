//! Scripts: replies written in advance, for tests of dialogues and for scripted agents. Each kind of request converts a
//! written reply to its own reply ([`Exchange::scripted`](super::Exchange::scripted)).

use super::{Detection, Kind, Reply, Request};
use indexmap::IndexMap;
use std::borrow::Cow;

/// Scripted replies. A list is used in order. A mapping answers by a piece of the request's text (of the prompt, or for
/// `rank` of a label).
#[derive(Debug, Clone, PartialEq)]
pub enum Script {
    /// One after another, in plan order.
    InOrder(Vec<ScriptReply>),
    /// The first reply whose piece occurs in the request. `""` occurs in every request.
    ByPiece(Vec<(String, ScriptReply)>),
}

/// One scripted reply.
#[derive(Debug, Clone, PartialEq)]
pub enum ScriptReply {
    /// For `say`: the text. For `rank`: the winning label. For `detect`: the label that was found. For `hear`: all the speech.
    Text(String),
    /// For `rank` and `detect`: label to score.
    Scores(IndexMap<String, f64>),
    /// For `hear`: the speech with its times in seconds. For `frames`: the moments (text unused).
    Segments(Vec<ScriptSegment>),
    /// For `detect`: the boxes.
    Boxes(Vec<Detection>),
    /// For `frames`: the number of moments of equal length. For `say`, `rank`, `detect` and `hear`: its digits.
    Count(usize),
    /// For `frames`: the start of each moment in seconds. For `embed`: the vector.
    Numbers(Vec<f64>),
    /// `{ fail: why }`: the request fails on purpose.
    Fail(String),
}

/// A scripted interval, with its speech for `hear`.
#[derive(Debug, Clone, PartialEq)]
pub struct ScriptSegment {
    /// The start, in seconds.
    pub start: f64,
    /// The end, in seconds.
    pub end: f64,
    /// The speech.
    pub text: String,
}

/// Why a script gives no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoReply {
    /// The script fails on purpose: `{ fail: why }`.
    #[error("{0}")]
    OnPurpose(String),
    /// The script lacks a reply for the request.
    #[error("{0}")]
    Unfit(String),
}

impl Script {
    /// The replies, in the written order.
    pub fn replies(&self) -> Box<dyn Iterator<Item = &ScriptReply> + '_> {
        match self {
            Script::InOrder(replies) => Box::new(replies.iter()),
            Script::ByPiece(replies) => Box::new(replies.iter().map(|(_, reply)| reply)),
        }
    }

    /// The place of the reply to the `ordinal`-th request (from 0): its number, or the first piece that the request
    /// contains.
    pub fn place(&self, request: &Request, ordinal: usize) -> Option<usize> {
        match self {
            Script::InOrder(replies) => (ordinal < replies.len()).then_some(ordinal),
            Script::ByPiece(replies) => {
                let words = request.words();
                replies.iter().position(|(piece, _)| words.contains(piece.as_str()))
            }
        }
    }

    /// The reply to the `ordinal`-th request (from 0). Fails if the script has none, or fails on purpose.
    pub fn reply(&self, request: &Request, ordinal: usize) -> Result<Reply, NoReply> {
        let place = self.place(request, ordinal).ok_or_else(|| NoReply::Unfit(self.lacks(request, ordinal)))?;
        let written = match self {
            Script::InOrder(replies) => &replies[place],
            Script::ByPiece(replies) => &replies[place].1,
        };
        match written {
            ScriptReply::Fail(why) => Err(NoReply::OnPurpose(why.clone())),
            written => request.scripted(written).map_err(NoReply::Unfit),
        }
    }

    /// The message for a request without a fitting reply.
    fn lacks(&self, request: &Request, ordinal: usize) -> String {
        let words = end_of(&request.words());
        match self {
            Script::InOrder(replies) => {
                let many = if replies.len() == 1 { "reply" } else { "replies" };
                format!("request {} came, but the script holds {} {many}: {words}", ordinal + 1, replies.len())
            }
            Script::ByPiece(replies) => {
                let pieces: Vec<String> = replies.iter().map(|(piece, _)| format!("`{piece}`")).collect();
                format!("no piece of the script ({}) occurs in: {words}", start_of(&pieces.join(", ")))
            }
        }
    }
}

impl ScriptReply {
    /// The reply as text; a number becomes its digits.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            ScriptReply::Text(text) => Some(text.into()),
            ScriptReply::Count(count) => Some(count.to_string().into()),
            _ => None,
        }
    }

    /// The reply in a few words, for messages.
    pub fn brief(&self) -> String {
        match self {
            ScriptReply::Text(text) => format!("`{}`", start_of(text)),
            ScriptReply::Scores(scores) => {
                format!("scores for {}", start_of(&scores.keys().cloned().collect::<Vec<_>>().join(", ")))
            }
            ScriptReply::Segments(segments) => format!("{} segments", segments.len()),
            ScriptReply::Boxes(boxes) => format!("{} boxes", boxes.len()),
            ScriptReply::Count(count) => count.to_string(),
            ScriptReply::Numbers(numbers) => format!("{} numbers", numbers.len()),
            ScriptReply::Fail(why) => format!("the failure `{}`", start_of(why)),
        }
    }

    /// True if the reply can answer a request of this kind.
    pub fn fits(&self, kind: Kind) -> bool {
        matches!(self, ScriptReply::Fail(_)) || kind.reads_script(self)
    }
}

/// Maximum length of a quotation from a script or a request in a message, in characters.
const LENGTH: usize = 300;

/// The beginning of a text, cut at the maximum length.
pub(super) fn start_of(text: &str) -> String {
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

/// The end of a text, on one line. A prompt usually ends with the question.
fn end_of(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().rev().nth(LENGTH - 1) {
        Some((start, _)) if start > 0 => format!("…{}", &line[start..]),
        _ => line,
    }
}

/// The message for a reply of the wrong shape.
pub(super) fn misfit(written: &ScriptReply, expected: &str) -> String {
    format!("the script's reply does not fit: found {}, expected {expected}", written.brief())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        exchange::{
            Decoding, EmbedRequest, FloorUse, FramesRequest, HearRequest, Item, LabelList, Message, RankRequest,
            Sampling, SayRequest, Speech,
        },
        value::{Media, Moment, Scored, Time, TimeBase},
    };
    use std::sync::Arc;

    fn time(ticks: i64) -> Time {
        Time { ticks, base: TimeBase { num: 1, den: 10 } }
    }

    fn media() -> Arc<Media> {
        Arc::new(Media::new("day.mp4", "0", time(10), time(50)))
    }

    fn say(prompt: &str, choices: &[&str]) -> Request {
        let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
        let messages = vec![Message::new("user", prompt)];
        Request::Say(SayRequest { choices, ..SayRequest::new(messages) })
    }

    fn rank(labels: &[&str]) -> Request {
        let among: LabelList = labels.iter().map(|label| (*label).to_owned()).collect();
        let moment = Moment { media: media(), start: time(20), end: time(30), text: None };
        Request::Rank(RankRequest {
            what: Item::Frame(moment),
            among: among.clone(),
            texts: among,
            floor: FloorUse::Unused,
        })
    }

    fn hear(start: Option<i64>, end: Option<i64>) -> Request {
        let (audio, decoding) = (media(), Decoding::default());
        let (start, end) = (start.map(time), end.map(time));
        Request::Hear(HearRequest { audio, start, end, language: None, timestamps: true, words: false, decoding })
    }

    fn frames() -> Request {
        Request::Frames(FramesRequest::new(media(), Sampling::Every(1.0)))
    }

    fn embed() -> Request {
        Request::Embed(EmbedRequest::new(Item::Text("x".into())))
    }

    /// A reply in a few words.
    fn shown(reply: Result<Reply, String>) -> String {
        let span = |start: Time, end: Time| format!("{:.1}-{:.1}", start.seconds(), end.seconds());
        let scored = |s: &Scored| format!("{} {:.2} {:.2}", s.text, s.score, s.probability);
        let speech = |heard: &Speech| format!("{} {}", span(heard.start, heard.end), heard.text);
        match reply {
            Ok(Reply::Say(reply)) => reply.text,
            Ok(Reply::Rank(all)) => all.iter().map(scored).collect::<Vec<_>>().join(", "),
            Ok(Reply::Hear(all)) => all.iter().map(speech).collect::<Vec<_>>().join(", "),
            Ok(Reply::Embed(vector)) => format!("{vector:?}"),
            Ok(Reply::Frames(all)) => all.iter().map(|m| span(m.start, m.end)).collect::<Vec<_>>().join(", "),
            Ok(other) => other.text().unwrap_or_default().to_owned(),
            Err(why) => format!("error: {why}"),
        }
    }

    fn segments(spans: &[(f64, f64, &str)]) -> ScriptReply {
        let one =
            |(start, end, text): &(f64, f64, &str)| ScriptSegment { start: *start, end: *end, text: (*text).into() };
        ScriptReply::Segments(spans.iter().map(one).collect())
    }

    #[test]
    fn a_written_reply_becomes_a_reply_of_the_right_kind() {
        let check = |request: Request, written: ScriptReply, expected: &str| {
            let found = request.scripted(&written);
            assert!(written.fits(request.kind()) || found.is_err(), "{written:?} is refused by `fits` alone");
            if let Ok(reply) = &found {
                assert_eq!(request.fits(reply), Ok(()), "a scripted reply is a valid reply of an agent");
            }
            assert_eq!(shown(found), expected, "{written:?}");
        };
        let text = |text: &str| ScriptReply::Text(text.into());
        let scores = |of: &[(&str, f64)]| ScriptReply::Scores(of.iter().map(|(l, s)| ((*l).to_owned(), *s)).collect());
        check(say("a", &[]), text("one"), "one");
        check(say("a", &[]), ScriptReply::Count(2), "2");
        check(say("a", &["2", "3"]), ScriptReply::Count(2), "2");
        check(
            say("a", &["yes", "no"]),
            text("maybe"),
            "error: the script's reply does not fit: found `maybe`, expected one of the choices yes, no",
        );
        check(rank(&["cat", "dog"]), text("dog"), "cat 0.00 0.00, dog 1.00 1.00");
        check(
            rank(&["cat", "dog", "cow"]),
            scores(&[("dog", 0.9), ("cat", 0.3)]),
            "cat 0.30 0.25, dog 0.90 0.75, cow 0.00 0.00",
        );
        check(rank(&["1", "2"]), ScriptReply::Count(2), "1 0.00 0.00, 2 1.00 1.00");
        check(
            rank(&["cat"]),
            text("bird"),
            "error: the script's reply does not fit: found the label `bird`, expected one of cat",
        );
        check(rank(&[]), scores(&[("wok", 1.0), ("pan", 3.0)]), "pan 3.00 0.75, wok 1.00 0.25");
        check(rank(&[]), text("pan"), "pan 1.00 1.00");
        check(rank(&[]), scores(&[]), "error: found no labels, expected the agent's own");
        check(hear(None, None), text("hello there"), "1.0-5.0 hello there");
        check(hear(Some(20), Some(30)), ScriptReply::Count(7), "2.0-3.0 7");
        check(hear(None, None), text(""), "");
        let speech = || segments(&[(1.5, 2.0, "hi"), (2.5, 3.5, "there"), (9.0, 10.0, "late")]);
        check(hear(None, None), speech(), "1.5-2.0 hi, 2.5-3.5 there, 9.0-10.0 late");
        check(hear(Some(35), None), speech(), "9.0-10.0 late");
        check(hear(Some(20), Some(30)), speech(), "2.5-3.5 there");
        check(embed(), ScriptReply::Numbers(vec![0.6, 0.8]), "[0.6, 0.8]");
        check(embed(), text("x"), "error: the script's reply does not fit: found `x`, expected a list of numbers");
        check(frames(), ScriptReply::Count(2), "1.0-3.0, 3.0-5.0");
        check(frames(), ScriptReply::Count(0), "");
        check(frames(), ScriptReply::Numbers(vec![1.0, 2.5]), "1.0-2.5, 2.5-5.0");
        check(frames(), segments(&[(1.0, 2.0, "")]), "1.0-2.0");
        check(
            frames(),
            text("a"),
            "error: the script's reply does not fit: found `a`, expected a count, a list of times, or segments",
        );
    }

    #[test]
    fn a_reply_fits_a_kind_if_its_requests_accept_it() {
        let replies = [
            ScriptReply::Text("cat".into()),
            ScriptReply::Count(1),
            ScriptReply::Scores(IndexMap::from([("cat".to_owned(), 1.0)])),
            segments(&[(1.0, 2.0, "x")]),
            ScriptReply::Numbers(vec![1.0]),
        ];
        // only a request with choices reads scores
        let says = vec![say("a", &[]), say("a", &["cat"])];
        for requests in [says, vec![rank(&["cat", "1"])], vec![hear(None, None)], vec![embed()], vec![frames()]] {
            let kind = requests[0].kind();
            for reply in &replies {
                let fits = requests.iter().any(|request| request.scripted(reply).is_ok());
                assert_eq!(reply.fits(kind), fits, "{kind:?} {reply:?}");
            }
            assert!(ScriptReply::Fail("busy".into()).fits(kind));
        }
    }

    #[test]
    fn a_list_is_used_in_order_and_a_mapping_is_searched() {
        let check = |script: &Script, request: Request, ordinal: usize, expected: &str| {
            assert_eq!(shown(script.reply(&request, ordinal).map_err(|none| none.to_string())), expected);
        };
        let list = Script::InOrder(vec![ScriptReply::Text("one".into()), ScriptReply::Fail("busy".into())]);
        check(&list, say("a", &[]), 0, "one");
        check(&list, say("a", &[]), 1, "error: busy");
        check(&list, say("the\nlast?", &[]), 2, "error: request 3 came, but the script holds 2 replies: the last?");
        let pieces = |all: &[(&str, &str)]| {
            Script::ByPiece(all.iter().map(|(p, r)| ((*p).to_owned(), ScriptReply::Text((*r).to_owned()))).collect())
        };
        let keys = pieces(&[("keys", "On the table."), ("", "I don't know.")]);
        check(&keys, say("Where are my keys?", &[]), 0, "On the table.");
        check(&keys, say("Why?", &[]), 1, "I don't know.");
        check(&pieces(&[("keys", "x")]), say("Why?", &[]), 0, "error: no piece of the script (`keys`) occurs in: Why?");
        check(&pieces(&[("day.mp4 00:00:02.000\ncat", "cat")]), rank(&["cat"]), 0, "cat 1.00 1.00");
    }
}
