//! Videos: the list, the queue of those to be indexed, their files and pictures.

use super::{
    super::{
        api_error::ApiError,
        body::{QueryOf, Read},
        files,
        library::{IndexSettings, VideoRecord, all},
        state::SharedState,
        stream::{self, event},
    },
    stated, zone,
};
use crate::value::{Moment, Time};
use axum::{
    Json,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;

/// The videos.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct LibraryReply {
    /// The videos of the journal in order of time, then the files that are not indexed.
    videos: Vec<VideoRecord>,
}

impl LibraryReply {
    /// These videos.
    pub(in crate::serve) fn of(videos: Vec<VideoRecord>) -> LibraryReply {
        LibraryReply { videos }
    }
}

/// Lists the videos.
pub(in crate::serve) async fn list(State(state): State<SharedState>) -> Result<Json<LibraryReply>, ApiError> {
    Ok(Json(LibraryReply::of(all(&state).await?)))
}

/// Videos to index.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct IndexBody {
    /// Files and folders inside of the served folders; all videos if absent.
    #[serde(default)]
    paths: Vec<String>,
    /// When the video starts (2026-11-23T09:15); else its container or its file name may say it.
    starts_at: Option<String>,
    /// The time zone of times without one.
    zone: Option<String>,
    /// The parts that no model sees or hears, each from and to in whole seconds of the video.
    #[serde(default)]
    exclude: Vec<(u32, u32)>,
    /// True lets no model hear the sound.
    #[serde(default)]
    mute: bool,
    /// True looks again at videos that the journal has.
    #[serde(default)]
    fresh: bool,
}

/// What was put into the queue.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct QueuedReply {
    /// The number of videos.
    queued: usize,
}

/// Puts videos into the queue.
pub(in crate::serve) async fn index(
    State(state): State<SharedState>,
    Read(body): Read<IndexBody>,
) -> Result<Json<QueuedReply>, ApiError> {
    if let Some((from, to)) = body.exclude.iter().find(|(from, to)| from >= to) {
        return Err(ApiError::bad(format!("exclude: {from} to {to} ends before it starts")).param("exclude"));
    }
    let settings = IndexSettings {
        starts_at: stated("starts_at", body.starts_at.as_deref())?,
        zone: zone("zone", body.zone.as_deref())?,
        exclude: body.exclude,
        mute: body.mute,
        fresh: body.fresh,
    };
    let queued = state.library.add(&body.paths, &settings)?;
    Ok(Json(QueuedReply { queued }))
}

/// Changes of the work on videos.
pub(in crate::serve) async fn events(State(state): State<SharedState>) -> Response {
    let listener = state.library.listen();
    stream::events((listener, state), |(mut listener, state)| async move {
        loop {
            let change = tokio::select! {
                change = listener.recv() => change,
                () = state.cancel.cancelled() => return None,
            };
            match change {
                Ok(job) => return Some((event("index", &job), (listener, state))),
                // the client was slow; what it missed is in the list
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    })
    .into_response()
}

/// The file of a video.
pub(in crate::serve) async fn file(
    State(state): State<SharedState>,
    Path(digest): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let media = files::medium(&state, &digest).await?;
    files::whole(&state, &media, request).await
}

/// Where a picture is taken.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct PictureQuery {
    /// The time in seconds of presentation time; the middle of the video if absent.
    at: Option<f64>,
}

/// A picture of a video.
pub(in crate::serve) async fn thumbnail(
    State(state): State<SharedState>,
    Path(digest): Path<String>,
    QueryOf(query): QueryOf<PictureQuery>,
) -> Result<Response, ApiError> {
    let media = files::medium(&state, &digest).await?;
    if !media.has_video {
        return Err(ApiError::missing("a sound has no picture"));
    }
    files::check_unchanged(&state, &media).await?;
    let middle = (media.start.seconds() + media.end.seconds()) / 2.0;
    let at = query.at.unwrap_or(middle);
    let (first, last) = (media.start.seconds(), media.end.seconds());
    if !(first <= at && at < last) {
        let message = format!("at: expected a time in the video, which lasts from {first} to {last} s");
        return Err(ApiError::bad(message).param("at"));
    }
    let at = Time::from_seconds(at);
    let moment = Moment { media, start: at, end: at, text: None };
    Ok(files::picture(state.thumbnails.of(&moment).await?))
}

/// A part of a video.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct ClipQuery {
    /// The start in seconds of presentation time.
    from: f64,
    /// The end in seconds of presentation time.
    to: f64,
}

/// A part of a video as a file, not encoded again.
pub(in crate::serve) async fn clip(
    State(state): State<SharedState>,
    Path(digest): Path<String>,
    QueryOf(query): QueryOf<ClipQuery>,
    request: Request,
) -> Result<Response, ApiError> {
    let media = files::medium(&state, &digest).await?;
    let (first, last) = (media.start.seconds(), media.end.seconds());
    if !(first <= query.from && query.from < query.to && query.from < last && query.to.is_finite()) {
        let message = format!("from and to: expected a part of the video, which lasts from {first} to {last} s");
        return Err(ApiError::bad(message).param("from"));
    }
    let (start, end) = (Time::from_seconds(query.from.max(first)), Time::from_seconds(query.to.min(last)));
    files::clip(&state, &Moment { media, start, end, text: None }, request).await
}
