//! Scripted agents: replies written down beforehand, for `elenchus test`, for demonstrations and for our own tests.

use super::{Agent, Asking, Card};
use crate::{
    dialogue::{ScriptReply, ScriptSegment, ScriptWritten},
    error::Fault,
    exchange::{
        Answers, EmbedRequest, Finish, FramesRequest, HearRequest, Item, Kind, Modality, RankRequest, Reply, Request,
        SayReply, SayRequest, Speech,
    },
    value::{Media, Moment, Scored, Time},
};
use async_trait::async_trait;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// An agent that answers from a script.
#[derive(Debug)]
pub struct ScriptAgent {
    card: Card,
    script: ScriptWritten,
    /// How many replies of a list were given.
    given: AtomicUsize,
}

impl ScriptAgent {
    /// An agent that says what the script says.
    pub fn new(name: &str, script: ScriptWritten) -> ScriptAgent {
        let card = Card {
            name: name.to_owned(),
            answers: Kind::ALL.iter().map(|kind| Answers::new(*kind, Modality::ALL)).collect(),
            identity: format!("script {}", blake3::hash(format!("{script:?}").as_bytes()).to_hex()),
            // A list's replies depend on how often it was asked, not only on the request.
            memo: false,
        };
        ScriptAgent { card, script, given: AtomicUsize::new(0) }
    }

    fn reply(&self, request: &Request) -> Result<&ScriptReply, Fault> {
        let read = what_is_read(request);
        let asked = || excerpt(&read);
        match &self.script {
            ScriptWritten::InOrder(replies) => {
                let index = self.given.fetch_add(1, Ordering::SeqCst);
                replies.get(index).ok_or_else(|| {
                    let many = replies.len();
                    Fault::failed(format!(
                        "the script of {} has {many} replies; asked once more: {}",
                        self.card.name,
                        asked()
                    ))
                })
            }
            ScriptWritten::ByPiece(pieces) => {
                let found = pieces.iter().find(|(piece, _)| read.contains(piece.as_str()));
                found.map(|(_, reply)| reply).ok_or_else(|| {
                    Fault::failed(format!("the script of {} has no reply to: {}", self.card.name, asked()))
                })
            }
        }
    }
}

#[async_trait]
impl Agent for ScriptAgent {
    fn card(&self) -> &Card {
        &self.card
    }

    async fn ask(&self, request: Request, asking: Asking) -> Result<Reply, Fault> {
        let reply = self.reply(&request)?;
        if let ScriptReply::Fail(why) = reply {
            return Err(Fault::passing(why, None));
        }
        let reply = spoken(reply, &request)
            .map_err(|why| Fault::failed(format!("the script of {} does not fit: {why}", self.card.name)))?;
        if let (Reply::Say(SayReply { text, .. }), Some(stream)) = (&reply, asking.stream) {
            // Nobody watching any more is no reason to stop answering.
            let _ = stream.send(text.clone());
        }
        Ok(reply)
    }
}

/// All that a script's pieces are looked for in.
fn what_is_read(request: &Request) -> String {
    let item = |item: &Item| match item {
        Item::Text(text) => text.clone(),
        Item::Image(image) => image.path.clone(),
        Item::Frame(moment) | Item::Sound(moment) => format!("{} {}", moment.media.path, moment.start),
    };
    match request {
        Request::Say(SayRequest { messages, .. }) => {
            messages.iter().map(|m| m.content.as_str()).collect::<Vec<_>>().join("\n")
        }
        Request::Rank(RankRequest { what, texts, .. }) => format!("{}\n{}", item(what), texts.join("\n")),
        Request::Hear(HearRequest { audio, .. }) => audio.path.clone(),
        Request::Embed(EmbedRequest { what }) => item(what),
        Request::Frames(FramesRequest { video, .. }) => video.path.clone(),
    }
}

/// The last words of a request, on one line: a prompt ends with what is asked.
fn excerpt(text: &str) -> String {
    const LENGTH: usize = 120;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().rev().nth(LENGTH - 1) {
        Some((start, _)) if start > 0 => format!("…{}", &line[start..]),
        _ => line,
    }
}

/// A written reply as the reply to this request, or why it cannot be one.
fn spoken(written: &ScriptReply, request: &Request) -> Result<Reply, String> {
    let text = match written {
        ScriptReply::Text(text) => Some(text.clone()),
        // A bare number is a count for `frames` and its digits for everyone else.
        ScriptReply::Count(count) => Some(count.to_string()),
        _ => None,
    };
    match (request, written) {
        (Request::Say(SayRequest { choices, .. }), _) => {
            let text = text.ok_or("`say` wants a text")?;
            match choices.is_empty() || choices.contains(&text) {
                true => Ok(Reply::Say(SayReply { text, tokens: Vec::new(), finish: Finish::Stop })),
                false => Err(format!("`{text}` is none of the choices {}", choices.join(", "))),
            }
        }
        (Request::Rank(RankRequest { among, .. }), ScriptReply::Scores(scores)) => {
            ranked(among, &|label| scores.get(label).copied(), scores.keys())
        }
        (Request::Rank(RankRequest { among, .. }), _) => {
            let winner = text.ok_or("`rank` wants a label, or labels with scores")?;
            ranked(among, &|label| (label == winner).then_some(1.0), [&winner].into_iter())
        }
        (Request::Hear(HearRequest { audio, start, end, .. }), ScriptReply::Segments(segments)) => {
            let (from, to) = (start.unwrap_or(audio.start), end.unwrap_or(audio.end));
            let inside = segments.iter().map(heard).filter(|heard| heard.start < to && heard.end > from);
            Ok(Reply::Hear(inside.collect()))
        }
        (Request::Hear(HearRequest { audio, start, end, .. }), _) => {
            let text = text.ok_or("`hear` wants a text, or segments with start, end and text")?;
            let whole = Speech { start: start.unwrap_or(audio.start), end: end.unwrap_or(audio.end), text };
            Ok(Reply::Hear(if whole.text.is_empty() { Vec::new() } else { vec![whole] }))
        }
        (Request::Embed(_), ScriptReply::Numbers(numbers)) => {
            Ok(Reply::Embed(numbers.iter().map(|number| *number as f32).collect()))
        }
        (Request::Embed(_), _) => Err("`embed` wants a list of numbers".to_owned()),
        (Request::Frames(FramesRequest { video, .. }), _) => frames(written, video),
    }
}

/// Scores for all labels; those the script leaves out get none. Probabilities are shares of the positive scores.
fn ranked<'a>(
    among: &[String],
    score: &dyn Fn(&str) -> Option<f64>,
    mut named: impl Iterator<Item = &'a String>,
) -> Result<Reply, String> {
    if let Some(unknown) = named.find(|label| !among.contains(label)) {
        return Err(format!("`{unknown}` is none of the labels {}", excerpt(&among.join(", "))));
    }
    let scores: Vec<f64> = among.iter().map(|label| score(label).unwrap_or(0.0)).collect();
    let total: f64 = scores.iter().map(|score| score.max(0.0)).sum();
    let share = |score: f64| if total > 0.0 { score.max(0.0) / total } else { 1.0 / scores.len() as f64 };
    let one = |(text, score): (&String, &f64)| Scored {
        text: text.clone(),
        score: *score as f32,
        probability: share(*score) as f32,
    };
    Ok(Reply::Rank(among.iter().zip(&scores).map(one).collect()))
}

fn heard(segment: &ScriptSegment) -> Speech {
    let (start, end) = (Time::from_seconds(segment.start), Time::from_seconds(segment.end));
    Speech { start, end, text: segment.text.clone() }
}

/// Moments of a video: so many equally long ones, at these starts, or with these starts and ends.
fn frames(written: &ScriptReply, video: &Arc<Media>) -> Result<Reply, String> {
    let (first, last) = (video.start.seconds(), video.end.seconds());
    let from_starts = |starts: &[f64]| {
        let ends = starts.iter().skip(1).copied().chain([last]);
        starts.iter().copied().zip(ends).collect::<Vec<_>>()
    };
    let spans = match written {
        ScriptReply::Count(count) => {
            let each = (last - first) / *count as f64;
            from_starts(&(0..*count).map(|index| first + each * index as f64).collect::<Vec<_>>())
        }
        ScriptReply::Numbers(starts) => from_starts(starts),
        ScriptReply::Segments(segments) => segments.iter().map(|segment| (segment.start, segment.end)).collect(),
        _ => return Err("`frames` wants a count, a list of times, or segments".to_owned()),
    };
    let moment = |(start, end)| Moment {
        media: video.clone(),
        start: Time::from_seconds(start),
        end: Time::from_seconds(end),
        text: None,
    };
    Ok(Reply::Frames(spans.into_iter().map(moment).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialogue,
        exchange::{Decoding, Message, Sampling},
        value::TimeBase,
    };

    fn agent(script: &str) -> ScriptAgent {
        let file = dialogue::agent_file(&format!("script: {script}"), "agents/a.yaml").expect("an agent file");
        ScriptAgent::new("a", file.script.expect("a script").value)
    }

    fn say(prompt: &str) -> Request {
        let messages = vec![Message::new("user", prompt)];
        Request::Say(SayRequest { messages, raw: false, decoding: Decoding::default(), choices: Vec::new() })
    }

    fn rank(labels: &[&str]) -> Request {
        let among: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        Request::Rank(RankRequest { what: Item::Text("it".into()), among: among.clone(), texts: among })
    }

    fn media() -> Arc<Media> {
        let time = |ticks| Time { ticks, base: TimeBase { num: 1, den: 10 } };
        let (start, end) = (time(10), time(50));
        Arc::new(Media {
            path: "day.mp4".into(),
            digest: "0".into(),
            start,
            end,
            has_video: true,
            has_audio: true,
            clock: None,
        })
    }

    /// Asks in turn and shows each reply in a few words.
    async fn check(script: &str, requests: Vec<Request>, expected: &[&str]) {
        let agent = agent(script);
        let span = |start: Time, end: Time| format!("{:.1}-{:.1}", start.seconds(), end.seconds());
        let mut found = Vec::new();
        for request in requests {
            found.push(match agent.ask(request, Asking::default()).await {
                Ok(Reply::Say(SayReply { text, .. })) => text,
                Ok(Reply::Rank(scored)) => {
                    let one = |s: &Scored| format!("{} {:.2} {:.2}", s.text, s.score, s.probability);
                    scored.iter().map(one).collect::<Vec<_>>().join(", ")
                }
                Ok(Reply::Hear(heard)) => {
                    let one = |h: &Speech| format!("{} {}", span(h.start, h.end), h.text);
                    heard.iter().map(one).collect::<Vec<_>>().join(", ")
                }
                Ok(Reply::Embed(vector)) => format!("{vector:?}"),
                Ok(Reply::Frames(moments)) => {
                    moments.iter().map(|m| span(m.start, m.end)).collect::<Vec<_>>().join(", ")
                }
                Err(error) => format!("error: {error}"),
            });
        }
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn a_list_is_used_up_and_a_mapping_is_searched() {
        check(
            "[one, 2]",
            vec![say("a"), say("b"), say("the last question?")],
            &["one", "2", "error: the script of a has 2 replies; asked once more: the last question?"],
        )
        .await;
        check(
            "{ keys: On the table., '': I don't know. }",
            vec![say("Where are my keys?"), say("Why?"), say("keys, again")],
            &["On the table.", "I don't know.", "On the table."],
        )
        .await;
        check("{ keys: x }", vec![say("Why?")], &["error: the script of a has no reply to: Why?"]).await;
    }

    #[tokio::test]
    async fn replies_take_the_shape_of_the_request() {
        let hear = || {
            Request::Hear(HearRequest {
                audio: media(),
                start: None,
                end: None,
                language: None,
                timestamps: true,
                decoding: Decoding::default(),
            })
        };
        let frames = || Request::Frames(FramesRequest { video: media(), sampling: Sampling::Every(1.0) });
        check(
            "[dog, { dog: 0.9, cat: 0.3 }, bird, 2]",
            vec![rank(&["cat", "dog"]), rank(&["cat", "dog", "cow"]), rank(&["cat"]), rank(&["1", "2"])],
            &[
                "cat 0.00 0.00, dog 1.00 1.00",
                "cat 0.30 0.25, dog 0.90 0.75, cow 0.00 0.00",
                "error: the script of a does not fit: `bird` is none of the labels cat",
                "1 0.00 0.00, 2 1.00 1.00",
            ],
        )
        .await;
        check(
            "[hello there, [{ start: 1.5, end: 2, text: hi }, { start: 9, end: 10, text: late }], '', [0.6, 0.8]]",
            vec![hear(), hear(), hear(), Request::Embed(EmbedRequest { what: Item::Text("x".into()) })],
            &["1.0-5.0 hello there", "1.5-2.0 hi", "", "[0.6, 0.8]"],
        )
        .await;
        check(
            "[2, [1, 2.5], [{ start: 1, end: 2 }], a]",
            vec![frames(), frames(), frames(), frames()],
            &[
                "1.0-3.0, 3.0-5.0",
                "1.0-2.5, 2.5-5.0",
                "1.0-2.0",
                "error: the script of a does not fit: `frames` wants a count, a list of times, or segments",
            ],
        )
        .await;
    }
}
