//! Lines of the journal: reading, correcting, exporting and forgetting them.

use super::{
    super::{
        api_error::ApiError,
        body::{QueryOf, Read},
        files,
        state::SharedState,
    },
    instant, stated,
};
use crate::{
    error::Fault,
    exchange::{LineFilter, TimeSpan},
    session::forgetting::Receipt,
    store::{
        journal::{Correction, LineRecord, MAX_LINES, StoredLine, export::ExportFormat},
        memo::MemoKey,
    },
    value::Sense,
};
use axum::{
    Json,
    extract::{Path, Request, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as PlainJson;

/// The lines of one reply, if the query does not say it.
const USUAL_LINES: usize = 1000;

/// The lines that are asked for.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct LinesQuery {
    /// The digest of the video; all videos if absent.
    video: Option<String>,
    /// The sense: seen, done, heard, sound, read, detected, caption or summary; several with commas. All if absent.
    senses: Option<String>,
    /// Only lines that end after this second of their video.
    from: Option<f64>,
    /// Only lines that begin before this second of their video.
    to: Option<f64>,
    /// Nothing later than this time (2026-11-23T21:00).
    as_of: Option<String>,
    /// True gives superseded lines too.
    #[serde(default)]
    all: bool,
    /// The number of lines to leave out at the beginning.
    #[serde(default)]
    skip: usize,
    /// The maximum number of lines, 1000 if absent.
    limit: Option<usize>,
}

/// Lines.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct LinesReply {
    /// The lines, in order of time.
    lines: Vec<LineRecord>,
    /// The number of lines that fit, also those that this reply leaves out.
    total: usize,
}

/// The filter of a query.
async fn filter(
    state: &SharedState,
    video: Option<&str>,
    senses: Option<&str>,
    span: (Option<f64>, Option<f64>),
    as_of: Option<&str>,
) -> Result<LineFilter, ApiError> {
    let media = match video {
        Some(digest) => vec![files::medium(state, digest).await?.digest.clone()],
        None => Vec::new(),
    };
    let words = senses.into_iter().flat_map(|senses| senses.split(',')).filter(|word| !word.is_empty());
    let sense = |word: &str| {
        Sense::of(word.trim()).ok_or_else(|| {
            let known = Sense::ALL.iter().map(|sense| sense.word()).collect::<Vec<_>>().join(", ");
            ApiError::bad(format!("senses: expected some of {known}")).param("senses")
        })
    };
    let senses = words.map(sense).collect::<Result<_, _>>()?;
    let within = match span {
        (None, None) => Vec::new(),
        (from, to) => vec![TimeSpan::Played(from.unwrap_or(f64::MIN), to.unwrap_or(f64::MAX))],
    };
    let zone = &state.engine.settings.folders.zone;
    let as_of_ms = instant("as_of", stated("as_of", as_of)?, zone)?;
    Ok(LineFilter { media, senses, within, as_of_ms })
}

/// Lists lines.
pub(in crate::serve) async fn list(
    State(state): State<SharedState>,
    QueryOf(query): QueryOf<LinesQuery>,
) -> Result<Json<LinesReply>, ApiError> {
    Ok(Json(read(&state, query).await?))
}

/// The lines that fit a query.
pub(in crate::serve) async fn read(state: &SharedState, query: LinesQuery) -> Result<LinesReply, ApiError> {
    let span = (query.from, query.to);
    let filter = filter(state, query.video.as_deref(), query.senses.as_deref(), span, query.as_of.as_deref()).await?;
    let all = query.all;
    let found = state.with_journal(move |journal| Ok(journal.lines(&filter, all, MAX_LINES)?)).await?;
    let limit = query.limit.unwrap_or(USUAL_LINES);
    // a line of an hour has many keys; `/api/lines/{id}` gives them
    let record = |line| LineRecord { exchanges: Vec::new(), ..LineRecord::from(line) };
    let lines = found.iter().skip(query.skip).take(limit).map(record).collect();
    Ok(LinesReply { lines, total: found.len() })
}

/// An exchange of a line.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct ExchangeRecord {
    /// Its key in the memo.
    key: String,
    /// The reply; `null` if the memo does not have it any more.
    reply: Option<PlainJson>,
}

/// A line with its exchanges.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct LineReply {
    /// The line.
    line: LineRecord,
    /// What the models replied.
    exchanges: Vec<ExchangeRecord>,
}

/// The line with a number.
pub(in crate::serve) async fn stored(state: &SharedState, id: &str) -> Result<StoredLine, ApiError> {
    let missing = || ApiError::missing("the journal has no line with this number");
    let id: i64 = id.parse().map_err(|_| missing())?;
    state.with_journal(move |journal| Ok(journal.line(id)?)).await?.ok_or_else(missing)
}

/// A line, with what the models replied.
pub(in crate::serve) async fn one(
    State(state): State<SharedState>,
    Path(id): Path<String>,
) -> Result<Json<LineReply>, ApiError> {
    let line = stored(&state, &id).await?;
    let memo = state.engine.memo().map_err(Fault::from)?;
    let keys = line.exchanges.clone();
    let read = move || {
        let one = |key: &MemoKey| {
            let reply = memo.get(*key).map_err(Fault::from)?;
            let reply = reply.and_then(|reply| serde_json::to_value(reply).ok());
            Ok(ExchangeRecord { key: key.hex(), reply })
        };
        keys.iter().map(one).collect::<Result<Vec<_>, Fault>>()
    };
    let exchanges = tokio::task::spawn_blocking(read).await.map_err(|error| Fault::failed(error.to_string()))??;
    Ok(Json(LineReply { line: LineRecord::from(&line), exchanges }))
}

/// What a line should be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct CorrectBody {
    /// The right text.
    text: Option<String>,
    /// The right sense.
    sense: Option<Sense>,
    /// True if nothing of the kind happened.
    #[serde(default)]
    remove: bool,
    /// True takes the corrections back.
    #[serde(default)]
    restore: bool,
}

/// Corrects a line.
pub(in crate::serve) async fn correct(
    State(state): State<SharedState>,
    Path(id): Path<String>,
    Read(body): Read<CorrectBody>,
) -> Result<Json<LineRecord>, ApiError> {
    let line = stored(&state, &id).await?;
    let changes = body.text.is_some() || body.sense.is_some();
    if usize::from(changes) + usize::from(body.remove) + usize::from(body.restore) != 1 {
        return Err(ApiError::bad("expected one of: a `text` or `sense`, `remove`, or `restore`"));
    }
    let text = body.text.map(|text| text.trim().to_owned());
    if text.as_ref().is_some_and(String::is_empty) {
        return Err(ApiError::bad("the text is empty").param("text").hint("`remove` removes a line"));
    }
    let correction = Correction { text: if body.remove { Some(String::new()) } else { text }, sense: body.sense };
    let new = state
        .with_journal(move |journal| {
            Ok(match body.restore {
                true => journal.restore(line.id)?,
                false => journal.correct(line.id, &correction)?,
            })
        })
        .await?;
    Ok(Json(LineRecord::from(&new)))
}

/// The clip of a line.
pub(in crate::serve) async fn clip(
    State(state): State<SharedState>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    files::clip(&state, &stored(&state, &id).await?.line.moment, request).await
}

/// The picture of a line.
pub(in crate::serve) async fn thumbnail(
    State(state): State<SharedState>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let moment = stored(&state, &id).await?.line.moment;
    if !moment.media.has_video {
        return Err(ApiError::missing("a sound has no picture"));
    }
    files::check_unchanged(&state, &moment.media).await?;
    Ok(files::picture(state.thumbnails.of(&moment).await?))
}

/// The lines to export, and the format.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct ExportQuery {
    /// The format: jsonl, csv, srt, vtt, otio or ics.
    format: String,
    /// The digest of the video; all videos if absent.
    video: Option<String>,
    /// The senses, with commas; all if absent.
    senses: Option<String>,
    /// Nothing later than this time.
    as_of: Option<String>,
}

/// Exports lines.
pub(in crate::serve) async fn export(
    State(state): State<SharedState>,
    QueryOf(query): QueryOf<ExportQuery>,
) -> Result<Response, ApiError> {
    let Some((name, format)) = ExportFormat::ALL.iter().find(|(name, _)| *name == query.format) else {
        let names = ExportFormat::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        return Err(ApiError::bad(format!("format: expected one of {names}")).param("format"));
    };
    if format.is_of_one_medium() && query.video.is_none() {
        return Err(ApiError::bad("subtitles belong to one video").param("video").hint("name its digest as `video`"));
    }
    let (video, senses) = (query.video.as_deref(), query.senses.as_deref());
    let filter = filter(&state, video, senses, (None, None), query.as_of.as_deref()).await?;
    let text = state.with_journal(move |journal| Ok(format.write(&journal.lines(&filter, false, MAX_LINES)?))).await?;
    let kind = match *name {
        "jsonl" => "application/jsonl",
        "csv" => "text/csv; charset=utf-8",
        "vtt" => "text/vtt; charset=utf-8",
        "ics" => "text/calendar; charset=utf-8",
        "otio" => "application/json",
        _ => "application/x-subrip; charset=utf-8",
    };
    let mut response = ([(header::CONTENT_TYPE, kind)], text).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"journal.{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// What to forget.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct ForgetBody {
    /// The digest of a video.
    video: Option<String>,
    /// With `video`: only the lines that touch this part, from and to in seconds.
    span: Option<(f64, f64)>,
    /// A word or name: every line that has it goes.
    word: Option<String>,
}

/// Forgets a video or a word.
pub(in crate::serve) async fn forget(
    State(state): State<SharedState>,
    Read(body): Read<ForgetBody>,
) -> Result<Json<Receipt>, ApiError> {
    let receipt = match (body.video, body.word) {
        (Some(digest), None) => {
            let media = files::medium(&state, &digest).await?;
            if body.span.is_some_and(|(from, to)| from.partial_cmp(&to) != Some(std::cmp::Ordering::Less)) {
                return Err(ApiError::bad("span: expected a start before its end").param("span"));
            }
            let receipt = state.engine.forget_video(&media.digest, body.span).await?;
            state.library.forget(std::slice::from_ref(&media.path));
            receipt
        }
        (None, Some(word)) => {
            let engine = state.engine.clone();
            let work = tokio::task::spawn_blocking(move || engine.forget_word(&word));
            work.await.map_err(|error| Fault::failed(error.to_string()))??
        }
        _ => return Err(ApiError::bad("expected either a `video` or a `word`")),
    };
    // what this process keeps in memory goes too
    state.runs.forget(&receipt.digests);
    state.conversations.forget(&receipt.digests);
    state.thumbnails.forget(&receipt.digests);
    Ok(Json(receipt))
}
