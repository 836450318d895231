//! Made-up replies of the right kind, for rehearsals: a plan's exchanges are counted before a model loads.

use crate::exchange::{
    AskUserRequest, FramesRequest, HearRequest, Item, RankRequest, Reply, Request, Sampling, ScriptReply, ScriptSegment,
};
use crate::grammar::{Closer, Restriction};
use indexmap::IndexMap;
use serde_json::{Value as Json, json};

/// A made-up best label stays the same for this long, in seconds. The places and activities of the sample days change
/// every 8 to 20 s.
const STRETCH_S: f64 = 10.0;
/// A made-up scene is this long, in seconds.
const SCENE_S: f64 = 10.0;
/// A made-up segment of speech is this long, in seconds.
const SEGMENT_S: f64 = 5.0;
/// The shares of the first labels, from the best.
const SHARES: [f64; 3] = [0.6, 0.3, 0.1];
/// The shares of the first labels of a long list in every other stretch, so that both branches of a `when` on a
/// probability are counted. Measured: among 770 activities the best has less than 0.2 at 75 of 184 moments of real clips.
const LOW_SHARES: [f64; 10] = [0.145, 0.125, 0.115, 0.105, 0.1, 0.09, 0.085, 0.08, 0.08, 0.075];
/// A list of at least this many labels is long.
const LONG_LIST: usize = 100;
/// The words of a line of a made-up text; with its number it has about five tokens.
const LINE_WORDS: &str = "some words here";
/// The tokens of such a line.
const LINE_TOKENS: f64 = 5.0;

/// The facts about an agent that decide the size of its replies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Tokens of a text.
    pub reply_tokens: f64,
    /// Characters of a second of speech.
    pub speech_chars: f64,
    /// Numbers of a vector.
    pub vector: usize,
}

/// A reply that fits the request; `None` if none can be made up.
pub fn reply(request: &Request, expected: &Expected) -> Option<Reply> {
    let written = match request {
        Request::Rank(asked) => ranked(asked),
        Request::Say(asked) if !asked.choices.is_empty() => {
            let scored =
                asked.choices.iter().enumerate().map(|(place, choice)| (choice.clone(), -(place as f64) - 1.0));
            ScriptReply::Scores(scored.collect())
        }
        Request::Say(asked) if asked.schema.is_some() => {
            ScriptReply::Text(instance(asked.schema.as_ref()?, 0).to_string())
        }
        Request::Say(asked) => {
            let text = text(&request.words(), expected.reply_tokens);
            ScriptReply::Text(asked.restriction().map_or_else(|| text.clone(), |form| restricted(&text, form)))
        }
        Request::Look(_) => ScriptReply::Text(text(&request.words(), expected.reply_tokens)),
        // most pictures show few of many things
        Request::Detect(asked) => ScriptReply::Text(asked.among.first().cloned().unwrap_or_default()),
        Request::Hear(asked) => ScriptReply::Segments(heard(asked, expected.speech_chars)),
        Request::Embed(_) => {
            let mut unit = vec![0.0; expected.vector.max(1)];
            unit[0] = 1.0;
            ScriptReply::Numbers(unit)
        }
        Request::Frames(asked) => frames(asked),
        Request::AskUser(asked) => ScriptReply::Text(asked.default.clone().unwrap_or_else(|| typed(asked))),
        // the journal is empty: what it cannot answer finds nothing
        Request::Journal(_) | Request::Search(_) => ScriptReply::Count(0),
    };
    let reply = request.scripted(&written).ok()?;
    request.fits(&reply).is_ok().then_some(reply)
}

/// A line that a person may type.
fn typed(asked: &AskUserRequest) -> String {
    match (asked.choices.first(), &asked.schema, &asked.regex) {
        (Some(choice), ..) => choice.clone(),
        (None, Some(schema), _) => instance(schema, 0).to_string(),
        (None, None, Some(regex)) => restricted(LINE_WORDS, Restriction::Regex(regex)),
        (None, None, None) => LINE_WORDS.to_owned(),
    }
}

/// Scores in which another label wins every [`STRETCH_S`] seconds, as if the video moved on.
fn ranked(asked: &RankRequest) -> ScriptReply {
    let own = ["first", "second", "third"].map(str::to_owned);
    let labels: &[String] = if asked.among.is_empty() { &own } else { &asked.among };
    let at = match &asked.what {
        Item::Frame(moment) | Item::Sound(moment) => (moment.start.seconds().max(0.0) / STRETCH_S) as usize,
        _ => 0,
    };
    let shares = if labels.len() >= LONG_LIST && at % 2 == 0 { &LOW_SHARES[..] } else { &SHARES[..] };
    let label = |(place, share): (usize, &f64)| (labels[(at + place) % labels.len()].clone(), *share);
    let mut scores = IndexMap::new();
    for (label, share) in shares.iter().take(labels.len()).enumerate().map(label) {
        scores.entry(label).or_insert(share);
    }
    ScriptReply::Scores(scores)
}

/// The deepest value that is made up for a schema.
const MAX_DEPTH: usize = 16;

/// A small value for a JSON Schema. It may not fit a schema with patterns, references or conditions.
fn instance(schema: &Json, depth: usize) -> Json {
    let first = |key: &str| schema[key].as_array().and_then(|all| all.first());
    if depth > MAX_DEPTH {
        return Json::Null;
    }
    if let Some(one) = schema.get("const").or_else(|| first("enum")) {
        return one.clone();
    }
    if let Some(one) = first("anyOf").or_else(|| first("oneOf")) {
        return instance(one, depth + 1);
    }
    match schema["type"].as_str().or_else(|| first("type")?.as_str()) {
        Some("object") => {
            let members = schema["properties"].as_object().into_iter().flatten();
            members.map(|(name, of)| (name.clone(), instance(of, depth + 1))).collect::<serde_json::Map<_, _>>().into()
        }
        Some("array") => {
            let count = schema["minItems"].as_u64().unwrap_or(1).clamp(1, 64) as usize;
            vec![instance(&schema["items"], depth + 1); count].into()
        }
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("null") => Json::Null,
        _ => json!("words"),
    }
}

/// Numbered lines of about `tokens` tokens. A text that answers from numbered lines cites the first.
fn text(prompt: &str, tokens: f64) -> String {
    let lines = (tokens / LINE_TOKENS).round().clamp(1.0, 4096.0) as usize;
    if prompt.contains("[1]") {
        return format!("[1] {}", vec![LINE_WORDS; lines].join(" "));
    }
    (1..=lines).map(|n| format!("{n}. {LINE_WORDS} {n}\n")).collect::<String>().trim_end().to_owned()
}

/// The longest beginning of `text` that a restriction allows, closed as shortly as possible.
fn restricted(text: &str, restriction: Restriction<'_>) -> String {
    let Ok(mut closer) = Closer::new(restriction) else { return text.to_owned() };
    let mut written = Vec::new();
    for byte in text.bytes() {
        let mut longer = closer.clone();
        if !longer.push(&[byte]) {
            break;
        }
        closer = longer;
        written.push(byte);
    }
    written.extend(closer.completion().unwrap_or_default());
    String::from_utf8(written).unwrap_or_default()
}

fn heard(asked: &HearRequest, chars: f64) -> Vec<ScriptSegment> {
    let start = asked.start.unwrap_or(asked.audio.start).seconds();
    let end = asked.end.unwrap_or(asked.audio.end).seconds();
    let text = "words ".repeat((chars * SEGMENT_S / 6.0).round().clamp(1.0, 1000.0) as usize).trim_end().to_owned();
    let count = ((end - start) / SEGMENT_S).ceil().clamp(0.0, 100_000.0) as usize;
    let segment = |n: usize| {
        let from = start + n as f64 * SEGMENT_S;
        ScriptSegment { start: from, end: (from + SEGMENT_S).min(end), text: text.clone() }
    };
    (0..count).map(segment).collect()
}

/// The moments of a video that cannot be sampled quickly. As many as without `distinct`, because nothing tells how much of
/// an unseen video is still.
fn frames(asked: &FramesRequest) -> ScriptReply {
    let length = (asked.video.end.seconds() - asked.video.start.seconds()).max(0.0);
    let count = |each: f64| ScriptReply::Count((length / each).ceil().clamp(1.0, 100_000.0) as usize);
    match &asked.sampling {
        Sampling::Every(seconds) => count(seconds.max(0.001)),
        Sampling::Keyframes | Sampling::Scenes(_) => count(SCENE_S),
        Sampling::Times(times) => ScriptReply::Numbers(times.clone()),
    }
}

/// True if a request's reply can be had without a model and without decoding a video.
pub fn is_cheap(request: &Request) -> bool {
    let Request::Frames(FramesRequest { sampling, distinct, .. }) = request else { return false };
    !matches!(sampling, Sampling::Scenes(_)) && distinct.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        exchange::{Decoding, EmbedRequest, FloorUse, LabelList, Message, SayRequest},
        value::{Media, Moment, Time},
    };
    use std::sync::Arc;

    const EXPECTED: Expected = Expected { reply_tokens: 20.0, speech_chars: 12.0, vector: 3 };

    /// A moment of a minute of video.
    fn moment_at(seconds: f64) -> Moment {
        let media = Arc::new(Media::new("day.mp4", "d", Time::from_seconds(0.0), Time::from_seconds(60.0)));
        Moment { media, start: Time::from_seconds(seconds), end: Time::from_seconds(seconds + 1.0), text: None }
    }

    fn check(request: Request) -> Reply {
        let made = reply(&request, &EXPECTED).expect("a reply");
        assert_eq!(request.fits(&made), Ok(()));
        made
    }

    #[test]
    fn every_kind_of_request_gets_a_fitting_reply() {
        let rank = |seconds: f64, among: &[&str]| {
            let among: LabelList = among.iter().map(|label| (*label).to_owned()).collect();
            let what = Item::Frame(moment_at(seconds));
            check(Request::Rank(RankRequest { what, texts: among.clone(), among, floor: FloorUse::Required }))
        };
        let winner = |reply: Reply| match reply {
            Reply::Rank(scored) => {
                assert!(scored.iter().all(|label| label.floor == Some(0.0)));
                scored.into_iter().max_by(|a, b| a.score.total_cmp(&b.score)).map(|best| best.text)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(winner(rank(0.0, &["a", "b", "c"])).as_deref(), Some("a"));
        assert_eq!(winner(rank(25.0, &["a", "b", "c"])).as_deref(), Some("c"));
        assert_eq!(winner(rank(25.0, &["a"])).as_deref(), Some("a"));
        let long: Vec<String> = (0..LONG_LIST).map(|n| n.to_string()).collect();
        let long: Vec<&str> = long.iter().map(String::as_str).collect();
        let best = |seconds| match rank(seconds, &long) {
            Reply::Rank(scored) => scored.iter().map(|label| label.probability).fold(0.0, f32::max),
            other => panic!("{other:?}"),
        };
        assert!(best(5.0) < 0.2 && best(15.0) > 0.5, "{} {}", best(5.0), best(15.0));
        rank(0.0, &[]);
        assert_eq!(check(Request::Embed(EmbedRequest::new(Item::Text("x".into())))), Reply::Embed(vec![1.0, 0.0, 0.0]));
        let say = |prompt: &str, choices: &[&str]| {
            let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
            let asked = SayRequest { choices, ..SayRequest::new(vec![Message::new("user", prompt)]) };
            check(Request::Say(asked)).text().expect("a text").to_owned()
        };
        assert_eq!(say("List.", &[]).lines().count(), 4);
        assert!(say("[1] kitchen", &[]).starts_with("[1] some words"));
        assert_eq!(say("Pick.", &["yes", "no"]), "yes");
        // a reply under a regular expression is cut where it must end
        for form in [r"(\[[0-9]{1,3}\] ?)+[^\n\[\]]{1,20}|No\.", "[0-9]{4}-[0-9]{2}", "(yes|no), because [a-z ]{3,9}"] {
            let messages = vec![Message::new("user", "[1] kitchen")];
            check(Request::Say(SayRequest { regex: Some(form.into()), ..SayRequest::new(messages) }));
        }
        let audio = moment_at(0.0).media;
        let hear = HearRequest {
            audio: audio.clone(),
            start: None,
            end: None,
            language: None,
            timestamps: true,
            words: false,
            decoding: Decoding::default(),
        };
        let Reply::Hear(speech) = check(Request::Hear(hear)) else { panic!("not speech") };
        assert_eq!((speech.len(), speech[0].text.len()), (12, 59));
        let frames = |sampling| check(Request::Frames(FramesRequest::new(audio.clone(), sampling)));
        let Reply::Frames(moments) = frames(Sampling::Scenes(0.4)) else { panic!("no moments") };
        assert_eq!(moments.len(), 6);
        let Reply::Frames(moments) = frames(Sampling::Every(0.5)) else { panic!("no moments") };
        assert_eq!(moments.len(), 120);
    }
}
