//! `/v1/audio/transcriptions`: the text of speech.

use super::{
    super::{
        api_error::{ApiError, printable},
        body::whole,
        state::SharedState,
    },
    chat::ask_alone,
    parts::RequestMedia,
};
use crate::{
    error::Fault,
    exchange::{Decoding, HearRequest, Reply, Request, Speech, SpokenWord},
    value::language::language_name,
};
use axum::{
    Json,
    extract::{FromRequest, Multipart, Request as HttpRequest, State},
    http::header,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

/// A sound, and how its text is wanted.
#[derive(Debug, JsonSchema)]
#[allow(dead_code, reason = "a form is read field by field; this type describes it")]
pub(in crate::serve) struct TranscriptionForm {
    /// The bytes of a sound or a video.
    file: String,
    /// An agent that hears.
    model: String,
    /// The language of the speech (en, de, …); the model detects it if absent.
    language: Option<String>,
    /// `json`, `text`, `srt`, `vtt` or `verbose_json`; `json` if absent.
    response_format: Option<String>,
    /// Temperature of the sampling; 0 is greedy.
    temperature: Option<f32>,
    /// What `verbose_json` shows with its times: `segment`, `word` or both; `segment` if absent.
    #[serde(rename = "timestamp_granularities[]")]
    timestamp_granularities: Option<Vec<String>>,
}

/// A transcript with its segments.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct VerboseTranscript {
    /// Always `transcribe`.
    task: &'static str,
    /// The English name of the heard language (`english`), of the language that was asked for if the agent does not tell, or
    /// else an empty text.
    language: String,
    /// The length of the sound, in seconds.
    duration: f64,
    /// The text.
    text: String,
    /// The segments, unless only words are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<Vec<TranscriptSegment>>,
    /// The words, if they are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<TranscriptWord>>,
}

/// A word.
#[derive(Debug, Serialize, JsonSchema)]
struct TranscriptWord {
    /// The word with its punctuation.
    word: String,
    /// The start, in seconds.
    start: f64,
    /// The end, in seconds.
    end: f64,
}

/// A segment.
#[derive(Debug, Serialize, JsonSchema)]
struct TranscriptSegment {
    /// Its number.
    id: usize,
    /// The start, in seconds.
    start: f64,
    /// The end, in seconds.
    end: f64,
    /// The text.
    text: String,
}

/// The fields of the form.
#[derive(Default)]
struct Fields {
    file: Option<Vec<u8>>,
    model: Option<String>,
    language: Option<String>,
    format: Option<String>,
    temperature: Option<f32>,
    segments: bool,
    words: bool,
}

async fn fields(request: HttpRequest, state: &SharedState) -> Result<Fields, ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = whole(HttpRequest::from_parts(parts.clone(), body), state).await?;
    let request = HttpRequest::from_parts(parts, axum::body::Body::from(bytes));
    let wrong = |error: String| ApiError::bad(format!("the form cannot be read: {error}"));
    let mut form = Multipart::from_request(request, &()).await.map_err(|error| wrong(error.body_text()))?;
    let mut fields = Fields::default();
    while let Some(field) = form.next_field().await.map_err(|error| wrong(error.body_text()))? {
        let name = field.name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(|error| wrong(error.body_text()))?;
        if name == "file" {
            fields.file = Some(bytes.to_vec());
            continue;
        }
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| wrong(format!("`{name}` is no text")))?;
        match name.as_str() {
            "model" => fields.model = Some(text),
            "language" => fields.language = Some(text),
            "response_format" => fields.format = Some(text),
            "temperature" => {
                let number = text.parse().ok().filter(|number: &f32| *number >= 0.0 && number.is_finite());
                let message = "temperature: expected a number, 0 or more";
                fields.temperature = Some(number.ok_or_else(|| ApiError::bad(message).param("temperature"))?);
            }
            "timestamp_granularities[]" | "timestamp_granularities" => match text.as_str() {
                "segment" => fields.segments = true,
                "word" => fields.words = true,
                _ => {
                    let message = "timestamp_granularities: expected segment or word";
                    return Err(ApiError::bad(message).param("timestamp_granularities"));
                }
            },
            _ => {
                let shown = printable(&name, 60);
                return Err(ApiError::bad(format!("unknown field `{shown}`")).param(shown));
            }
        }
    }
    Ok(fields)
}

/// Writes speech down.
pub(in crate::serve) async fn transcriptions(
    State(state): State<SharedState>,
    request: HttpRequest,
) -> Result<Response, ApiError> {
    let fields = fields(request, &state).await?;
    let lacks = |name: &str| ApiError::bad(format!("the form lacks `{name}`")).param(name);
    let (bytes, model) = (fields.file.ok_or_else(|| lacks("file"))?, fields.model.ok_or_else(|| lacks("model"))?);
    let format = fields.format.unwrap_or_else(|| "json".to_owned());
    if !["json", "text", "srt", "vtt", "verbose_json"].contains(&format.as_str()) {
        let message = "response_format: expected json, text, srt, vtt or verbose_json";
        return Err(ApiError::bad(message).param("response_format"));
    }
    let words = fields.words;
    if words && format != "verbose_json" {
        let message = "timestamp_granularities: the times of words need the response_format verbose_json";
        return Err(ApiError::bad(message).param("timestamp_granularities"));
    }
    let agent = state.agent(&model).await?;
    let mut media = RequestMedia::default();
    let audio = media.medium(&state, "file", bytes).await?;
    if !audio.has_audio {
        return Err(ApiError::bad("file: it has no sound").param("file"));
    }
    let (origin, duration) = (audio.start.seconds(), audio.end.seconds() - audio.start.seconds());
    let decoding = Decoding { temperature: fields.temperature, ..Decoding::default() };
    let language = fields.language.filter(|language| !language.is_empty());
    let hear =
        HearRequest { audio, start: None, end: None, language: language.clone(), timestamps: true, words, decoding };
    let mut replies = ask_alone(&state, &agent, vec![(Request::Hear(hear), 0)]).await?;
    let Some(Reply::Hear(speech)) = replies.pop() else {
        return Err(Fault::failed("the agent gave another kind of reply: this is a bug").into());
    };
    let text = speech.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(" ");
    let plain = |kind: &'static str, text: String| ([(header::CONTENT_TYPE, kind)], text).into_response();
    Ok(match format.as_str() {
        "text" => plain("text/plain; charset=utf-8", text + "\n"),
        "srt" => plain("application/x-subrip; charset=utf-8", subtitles(&speech, origin, "", ',')),
        "vtt" => plain("text/vtt; charset=utf-8", subtitles(&speech, origin, "WEBVTT\n\n", '.')),
        "verbose_json" => {
            let segment = |(id, part): (usize, &Speech)| TranscriptSegment {
                id,
                start: part.start.seconds() - origin,
                end: part.end.seconds() - origin,
                text: part.text.clone(),
            };
            let segments = (fields.segments || !words).then(|| speech.iter().enumerate().map(segment).collect());
            let word = |word: &SpokenWord| TranscriptWord {
                word: word.text.clone(),
                start: word.start.seconds() - origin,
                end: word.end.seconds() - origin,
            };
            let words = words.then(|| speech.iter().flat_map(|part| &part.words).map(word).collect());
            let heard = speech.iter().find_map(|part| part.language.clone()).or(language).unwrap_or_default();
            let language = language_name(&heard).map_or(heard, str::to_owned);
            Json(VerboseTranscript { task: "transcribe", language, duration, text, segments, words }).into_response()
        }
        _ => Json(json!({ "text": text })).into_response(),
    })
}

/// Subtitles. Times count from the start of the sound.
fn subtitles(speech: &[Speech], origin: f64, head: &str, point: char) -> String {
    let mut all = head.to_owned();
    for (number, part) in speech.iter().enumerate() {
        let (start, end) = (part.start.seconds() - origin, part.end.seconds() - origin);
        all.push_str(&crate::store::journal::export::subtitle(number + 1, (start, end), &part.text, point));
    }
    all
}
