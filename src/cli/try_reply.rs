//! The replies of `elenchus try`, as JSON and as text.

use crate::{
    exchange::{ChoiceScore, Detection, Finish, Reply, SayReply, Speech, SpokenWord},
    value::{Scored, Time},
};
use serde_json::{Value as Json, json};

/// The labels that are printed as lines if the model ranks its own; JSON has them all.
pub(super) const SHOWN_LABELS: usize = 10;

/// The scores, best first.
fn sorted(scores: &[Scored]) -> Vec<&Scored> {
    let mut sorted: Vec<&Scored> = scores.iter().collect();
    sorted.sort_by(|a, b| b.score.total_cmp(&a.score));
    sorted
}

/// The choices, most likely first.
fn likeliest_first(scores: &[ChoiceScore]) -> Vec<&ChoiceScore> {
    let mut sorted: Vec<&ChoiceScore> = scores.iter().collect();
    sorted.sort_by(|a, b| b.logprob.total_cmp(&a.logprob));
    sorted
}

/// A choice with the scores of all choices; else a text with its tokens.
fn said_json(said: &SayReply) -> Json {
    let SayReply { text, thinking, tokens, finish: why, logprobs, scores, .. } = said;
    if !scores.is_empty() {
        return json!({ "choice": text, "scores": likeliest_first(scores) });
    }
    let mut json = json!({ "text": text, "tokens": tokens, "finish_reason": finish(*why) });
    if !thinking.is_empty() {
        json["thinking"] = json!(thinking);
    }
    if !logprobs.is_empty() {
        json["logprobs"] = json!(logprobs);
    }
    json
}

fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
    }
}

/// `schema` adds the value of a reply that fits one.
pub(super) fn as_json(reply: &Reply, schema: bool) -> Json {
    match reply {
        Reply::Rank(scores) => json!({ "scores": sorted(scores) }),
        Reply::Say(said) => {
            let mut json = said_json(said);
            if let (true, Ok(value)) = (schema, serde_json::from_str::<Json>(&said.text)) {
                json["value"] = value;
            }
            json
        }
        Reply::Hear(segments) => {
            let text = segments.iter().map(|s| s.text.trim()).filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ");
            let segment = |s: &Speech| json!({ "start": s.start.seconds(), "end": s.end.seconds(), "text": s.text });
            let mut json = json!({ "text": text, "segments": segments.iter().map(segment).collect::<Vec<_>>() });
            if let Some(language) = segments.iter().find_map(|s| s.language.as_ref()) {
                json["language"] = json!(language);
            }
            let word = |w: &SpokenWord| json!({ "text": w.text, "start": w.start.seconds(), "end": w.end.seconds() });
            let words: Vec<Json> = segments.iter().flat_map(|s| &s.words).map(word).collect();
            if !words.is_empty() {
                json["words"] = json!(words);
            }
            json
        }
        Reply::Detect(boxes) => json!(boxes),
        Reply::Embed(vector) => json!({ "embedding": vector }),
        other => other.text().map_or(Json::Null, |text| json!({ "text": text })),
    }
}

/// The reply as lines, at most `labels` of them for scores.
pub(super) fn as_text(reply: &Reply, labels: usize) -> String {
    match reply {
        Reply::Rank(scores) => {
            let line = |s: &Scored| format!("{:6.3} {:5.1} %  {}", s.score, s.probability * 100.0, s.text);
            sorted(scores).into_iter().take(labels).map(line).collect::<Vec<_>>().join("\n")
        }
        Reply::Say(SayReply { scores, .. }) if !scores.is_empty() => {
            let line = |s: &ChoiceScore| format!("{:8.3}  {}", s.logprob, s.text);
            likeliest_first(scores).into_iter().map(line).collect::<Vec<_>>().join("\n")
        }
        Reply::Say(SayReply { text, .. }) => text.clone(),
        Reply::Hear(segments) => {
            let line = |start: Time, end: Time, text: &str| format!("{start}-{end} {text}");
            let lines = |s: &Speech| match s.words.is_empty() {
                true => vec![line(s.start, s.end, &s.text)],
                false => s.words.iter().map(|w| line(w.start, w.end, &w.text)).collect(),
            };
            segments.iter().flat_map(lines).collect::<Vec<_>>().join("\n")
        }
        Reply::Detect(boxes) if boxes.is_empty() => "nothing found".to_owned(),
        Reply::Detect(boxes) => {
            let line = |Detection { label, score, area: [x0, y0, x1, y1] }: &Detection| {
                format!("{score:6.3}  {label}  ({x0:.0}, {y0:.0}) to ({x1:.0}, {y1:.0})")
            };
            boxes.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        Reply::Embed(vector) => vector.iter().map(f32::to_string).collect::<Vec<_>>().join(" "),
        other => other.text().unwrap_or_default().to_owned(),
    }
}

/// The reply with its times counted from `origin_s`.
pub(super) fn moved(reply: Reply, origin_s: f64) -> Reply {
    let Reply::Hear(segments) = reply else { return reply };
    let to = |time: Time| if origin_s == 0.0 { time } else { Time::from_seconds(time.seconds() - origin_s) };
    let word = |word: SpokenWord| SpokenWord { start: to(word.start), end: to(word.end), ..word };
    let moved = |mut s: Speech| {
        let words = std::mem::take(&mut s.words).into_iter().map(word).collect();
        Speech { start: to(s.start), end: to(s.end), words, ..s }
    };
    Reply::Hear(segments.into_iter().map(moved).collect())
}
