//! `/api/ask`: questions about videos of the journal, with progress, text, claims and evidence.

use super::{
    super::{
        api_error::ApiError,
        body::Read,
        files,
        runs::{NewRun, OngoingRun, RunEvent, start},
        state::SharedState,
        stream::{event, events},
    },
    stated, zone,
};
use crate::{
    run::{Event, Outcome},
    session::{
        Session,
        asking::{Question, Reads, Subject, check_question, language_note},
    },
    value::{Level, Value, json::to_json},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as PlainJson;
use std::sync::Arc;

/// A question.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct AskBody {
    /// The question, in any language that the cast's interpreter knows.
    question: String,
    /// The digests of the videos that it is about; the whole journal if absent.
    #[serde(default)]
    videos: Vec<String>,
    /// The conversation that it belongs to, as an earlier answer named it. The question may lean on the one before.
    conversation: Option<String>,
    /// When it is asked (2026-11-23T21:00), for words such as "yesterday"; now if absent.
    now: Option<String>,
    /// Nothing later than this time is read.
    as_of: Option<String>,
    /// The time zone of its times.
    zone: Option<String>,
    /// Seed of all sampling.
    #[serde(default)]
    seed: u64,
}

/// A moment that supports an answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct EvidenceRecord {
    /// The path of the video.
    video: String,
    /// blake3 of the video's bytes, hex, if it is known.
    digest: Option<String>,
    /// The start, in seconds of presentation time.
    start: f64,
    /// The end, in seconds of presentation time.
    end: f64,
    /// The video's own clock time, if it has one.
    clock: Option<String>,
    /// The date and local time, if the time of the recording is known.
    at: Option<String>,
    /// What the journal says about the moment. It is data from a recording, never an instruction.
    text: String,
}

/// An answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct AnswerRecord {
    /// The answer in words.
    answer: String,
    /// True if nothing in the journal answers the question.
    abstained: bool,
    /// The moments that support it.
    evidence: Vec<EvidenceRecord>,
    /// The levels that the evidence rests on.
    levels: Vec<Level>,
    /// How sure the answer is, 0 to 1, if the cast was measured.
    confidence: Option<f64>,
    /// What the answer rests on: `computed` from lines, `placed`, `read` by the mind, or `nothing`.
    basis: Option<String>,
    /// The question as it was understood.
    question: Option<String>,
    /// What was searched for, if nothing was found.
    searched: Option<String>,
    /// Why nothing was found, if the question seems to be in a language that the cast does not understand.
    note: Option<String>,
    /// The answer in English, if a model translated it, which nobody checked.
    translated_from: Option<String>,
    /// The whole value of the dialogue's answer.
    value: PlainJson,
    /// The run, for `/api/runs/{id}`.
    run: u64,
    /// The dialogue, for `/api/dialogues/{name}/graph`.
    dialogue: String,
    /// The conversation, for questions that lean on this one.
    conversation: String,
    /// The number of answered exchanges.
    exchanges: u64,
    /// The number of memo hits among them.
    memo_hits: u64,
    /// The time of the run, in ms.
    elapsed_ms: u64,
}

/// A step of a run, for people who wait.
#[derive(Debug, Serialize)]
struct ProgressRecord {
    /// What is done: the name of a step.
    step: String,
    /// The answered exchanges.
    exchanges: u64,
}

/// A piece of text that a model writes. The answer follows only after the text was checked.
#[derive(Debug, Serialize)]
struct TextRecord {
    text: String,
}

/// What a question is about: these videos, or the whole journal.
async fn subject(state: &SharedState, videos: &[String]) -> Result<Subject, ApiError> {
    if videos.is_empty() {
        return Ok(Subject::Journal);
    }
    let mut media = Vec::new();
    for digest in videos {
        media.push(files::medium(state, digest).await?);
    }
    Ok(Subject::Indexed(media))
}

/// Answers a question, as JSON or as events.
pub(in crate::serve) async fn ask(
    State(state): State<SharedState>,
    headers: HeaderMap,
    Read(body): Read<AskBody>,
) -> Result<Response, ApiError> {
    let accepts = headers.get(header::ACCEPT).and_then(|kinds| kinds.to_str().ok()).unwrap_or_default();
    if !accepts.contains("text/event-stream") {
        return Ok(Json(answer(&state, body).await?).into_response());
    }
    let (run, answered) = begin(&state, body).await?;
    let told = Some((run, answered, 0));
    Ok(events(told, |told| async move { next(told?).await }).into_response())
}

/// The answer to a question.
pub(in crate::serve) async fn answer(state: &SharedState, body: AskBody) -> Result<AnswerRecord, ApiError> {
    let (run, answered) = begin(state, body).await?;
    let id = run.id;
    let outcome = run.outcome().await?;
    answered.record(id, outcome).await
}

/// Starts the run of a question.
async fn begin(state: &SharedState, body: AskBody) -> Result<(OngoingRun, Answered), ApiError> {
    check_question(&body.question).map_err(|fault| ApiError::from(fault).param("question"))?;
    let session = state.session(&state.options.answering).await?;
    let as_of = stated("as_of", body.as_of.as_deref())?;
    if session.reads(as_of.is_some())? == Reads::Video {
        let message = format!("{} looks at one video, not at the journal", session.plan.name);
        return Err(ApiError::bad(message).hint("serve with a dialogue such as journal_qa"));
    }
    let about = subject(state, &body.videos).await?;
    let question = Question {
        text: body.question.trim().to_owned(),
        history: state.conversations.history(body.conversation.as_deref())?,
        now: stated("now", body.now.as_deref())?,
        as_of,
        zone: zone("zone", body.zone.as_deref())?,
    };
    let inputs = session.plan.bind(session.question_inputs(&about, &question)).map_err(crate::error::Fault::from)?;
    let digests = {
        let (session, about) = (session.clone(), about.clone());
        state.with_journal(move |_| session.read_digests(&about)).await?
    };
    if digests.is_empty() {
        return Err(ApiError::bad("the journal is empty").hint("index a video first"));
    }
    let (dialogue, asked) = (session.plan.name.clone(), question.text.clone());
    let own = session.clone();
    let new = NewRun {
        inputs,
        question: question.text,
        digests: digests.clone(),
        seed: body.seed,
        streamed: Some("answer".to_owned()),
        is_kept: true,
        session,
    };
    let run = start(state, new).await?;
    let (state, conversation) = (state.clone(), body.conversation);
    Ok((run, Answered { state, digests, dialogue, question: asked, session: own, conversation }))
}

/// The next event of a run, and what follows it.
async fn next(
    (mut run, answered, mut exchanges): (OngoingRun, Answered, u64),
) -> Option<(axum::response::sse::Event, Option<(OngoingRun, Answered, u64)>)> {
    loop {
        let told = match run.next().await? {
            RunEvent::Progress(Event::StepStarted { path, .. }) => {
                event("progress", &ProgressRecord { step: path, exchanges })
            }
            RunEvent::Progress(Event::ExchangeDone { step, .. }) => {
                exchanges += 1;
                event("progress", &ProgressRecord { step, exchanges })
            }
            RunEvent::Progress(_) => continue,
            RunEvent::Text(text) => event("text", &TextRecord { text }),
            RunEvent::Ended(outcome) => {
                let record = match *outcome {
                    Ok(outcome) => answered.record(run.id, outcome).await,
                    Err(fault) => Err(fault.into()),
                };
                let last = match record {
                    Ok(record) => event("answer", &record),
                    Err(refusal) => event("error", &refusal.reply()),
                };
                return Some((last, None));
            }
        };
        return Some((told, Some((run, answered, exchanges))));
    }
}

/// What is known about an answer before it is there.
struct Answered {
    state: SharedState,
    digests: Vec<String>,
    dialogue: String,
    question: String,
    session: Arc<Session>,
    conversation: Option<String>,
}

impl Answered {
    /// The answer as plain data. It becomes a turn of its conversation.
    async fn record(&self, run: u64, outcome: Outcome) -> Result<AnswerRecord, ApiError> {
        let levels = outcome.levels();
        let record = |found: crate::run::Evidence| EvidenceRecord {
            digest: found.digest,
            video: found.video,
            start: found.start,
            end: found.end,
            clock: found.clock,
            at: found.at,
            text: found.text,
        };
        let fields = match &outcome.value {
            Value::Record(fields) => Some(fields),
            _ => None,
        };
        let text = |name: &str| match fields.and_then(|fields| fields.get(name)) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let confidence = match fields.and_then(|fields| fields.get("confidence")) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        };
        let (basis, question, searched) = (text("basis"), text("question"), text("searched"));
        let translated_from = text("translated_from");
        let value = to_json(&outcome.value);
        let conversation = self.state.conversations.add(self.conversation.as_deref(), outcome.value, &self.digests);
        Ok(AnswerRecord {
            answer: outcome.answer,
            abstained: outcome.abstained,
            evidence: outcome.evidence.into_iter().map(record).collect(),
            levels,
            confidence,
            basis,
            question,
            searched,
            note: language_note(&self.session.plan, &self.question, outcome.abstained),
            translated_from,
            value,
            run,
            dialogue: self.dialogue.clone(),
            conversation,
            exchanges: outcome.exchanges,
            memo_hits: outcome.memo_hits,
            elapsed_ms: outcome.elapsed_ms,
        })
    }
}
