//! Tries an agent: loads its model and asks it a request that it supports. The pictures and the sound are made here.

use super::{Check, Status};
use crate::{
    agent::{Agent, CallContext, remote, roster, roster::RosterOptions, spec, spec::Spec},
    error::Fault,
    exchange::{
        Decoding, DetectRequest, EmbedPurpose, EmbedRequest, FloorUse, HearRequest, Item, LabelList, LookRequest,
        MAX_OVERLAP, MIN_SCORE, Message, RankRequest, Reply, Request, SayReply, SayRequest,
    },
    hub::{Folders, Network},
    media::{self, Access},
    value::{ImageFile, Moment},
};
use futures_util::future::join_all;
use std::{fs, path::PathBuf, sync::Arc};
use tempfile::TempDir;

/// Pictures of a trial that measures an agent's speed. The worker answers them in one batch.
const SEVERAL: u8 = 8;

/// Pictures and a sound to try models on, in a folder that is removed when this is dropped.
pub struct Scratch {
    folder: Result<TempDir, String>,
    access: Access,
}

impl Scratch {
    /// A folder below the cache folder.
    pub fn new(folders: &Folders) -> Scratch {
        let made = fs::create_dir_all(&folders.cache);
        let folder = made.and_then(|()| tempfile::Builder::new().prefix("doctor-").tempdir_in(&folders.cache));
        let folder = folder.map_err(|error| format!("{}: {error}", folders.cache.display()));
        Scratch { folder, access: Access::new(Network::Agents, folders) }
    }

    /// The path of a file there.
    fn file(&self, name: &str) -> Result<PathBuf, String> {
        self.folder.as_ref().map(|folder| folder.path().join(name)).map_err(String::clone)
    }

    /// A picture with a colour gradient; each number gives another one.
    fn picture(&self, number: u8) -> Result<Item, String> {
        let pixels = image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([(4 * x) as u8, (4 * y) as u8, 128 + number]));
        let file = self.file(&format!("picture-{number}.png"))?;
        let path = file.display().to_string();
        pixels.save(&file).map_err(|error| format!("{path}: {error}"))?;
        let bytes = fs::read(&file).map_err(|error| format!("{path}: {error}"))?;
        Ok(Item::Image(ImageFile { path, digest: blake3::hash(&bytes).to_hex().to_string() }))
    }

    /// One second of a low tone.
    async fn sound(&self) -> Result<Arc<crate::value::Media>, String> {
        let samples: Vec<f32> = (0..16_000).map(|n| 0.1 * (n as f32 * 0.09).sin()).collect();
        let file = self.file("sound.wav")?;
        let path = file.display().to_string();
        fs::write(&file, remote::wav(&samples)).map_err(|error| format!("{path}: {error}"))?;
        media::open(&path, &self.access).await.map_err(|error| error.message)
    }

    /// Requests of every kind that a model answers, the most telling first.
    async fn requests(&self) -> Result<Vec<Request>, String> {
        let decoding = |tokens| Decoding { temperature: Some(0.0), max_tokens: Some(tokens), ..Decoding::default() };
        let (picture, sound) = (self.picture(0)?, self.sound().await?);
        let moment = Moment { media: sound.clone(), start: sound.start, end: sound.end, text: None };
        let rank = |what: Item, wording: &str| {
            let among = LabelList::from(vec!["kitchen".to_owned(), "garden".to_owned()]);
            let texts = among.worded(wording);
            Request::Rank(RankRequest { what, among, texts, floor: FloorUse::Unused })
        };
        let own = RankRequest {
            what: picture.clone(),
            among: LabelList::default(),
            texts: LabelList::default(),
            floor: FloorUse::Unused,
        };
        let thing = LabelList::from(vec!["a pot".to_owned()]);
        let messages = vec![Message::new("user", "I wear a camera. What might I be doing in a kitchen?")];
        let text = Item::Text("A pot is on the stove.".to_owned());
        Ok(vec![
            rank(picture.clone(), "a photo of a {}"),
            Request::Rank(own),
            Request::Look(LookRequest {
                images: vec![picture.clone()],
                video: false,
                prompt: "What is there?".to_owned(),
                decoding: decoding(8),
            }),
            Request::Detect(DetectRequest {
                what: picture.clone(),
                among: thing.clone(),
                texts: thing,
                min: MIN_SCORE,
                overlap: MAX_OVERLAP,
            }),
            Request::Hear(HearRequest {
                audio: sound,
                start: None,
                end: None,
                language: Some("en".into()),
                timestamps: true,
                words: false,
                decoding: decoding(16),
            }),
            rank(Item::Sound(moment), "the sound of a {}"),
            Request::Say(SayRequest { decoding: decoding(8), ..SayRequest::new(messages) }),
            Request::Embed(EmbedRequest::text("A pot is on the stove.", EmbedPurpose::Document)),
            rank(text, "{}"),
            Request::Embed(EmbedRequest::new(picture)),
        ])
    }
}

/// Loads one agent of the starter cast, and asks it one request.
pub(super) async fn starter(name: &str, options: &RosterOptions, scratch: &Scratch) -> Check {
    let hint = "the program contains the starter cast: install it again, or make the cache folder writable";
    if options.catalogue.network == Network::Off
        && let Ok(Spec::Remote(remote)) = spec::of(name, &options.catalogue)
    {
        let found = format!("an endpoint, {}, which was not asked", remote.url);
        return Check::bad(name, Status::Warn, found, "`elenchus doctor --network` asks it, but not with --offline");
    }
    let agent = match roster::load_one(name, options).await {
        Ok(agent) => agent,
        Err(unready) => return Check::bad(name, Status::Fail, unready.message, hint),
    };
    match try_out(&agent, scratch, Scores::SumToOne).await {
        Ok(said) => Check::ok(name, said),
        Err(why) => Check::bad(
            name,
            Status::Fail,
            why,
            "its weights may be damaged; remove `starter` in the cache folder, and it is unpacked again",
        ),
    }
}

/// Loads an agent and asks it one request, then several pictures at once if it ranks pictures, so that its speed is
/// measured. Gives the agent if it could be loaded.
pub async fn measured(name: &str, options: &RosterOptions, scratch: &Scratch) -> (Check, Option<Arc<dyn Agent>>) {
    let hint = format!("`elenchus models verify {name}` compares its files with their digests");
    let agent = match roster::load_one(name, options).await {
        Ok(agent) => agent,
        Err(fault) => {
            let hint = fault.hint.clone().unwrap_or(hint);
            return (Check::bad(name, Status::Fail, fault.message, &hint), None);
        }
    };
    let tried = match try_out(&agent, scratch, Scores::Apart).await {
        Ok(said) => several(&agent, scratch).await.map(|()| said),
        Err(why) => Err(why),
    };
    match tried {
        Ok(said) => (Check::ok(name, said), Some(agent)),
        Err(why) => (Check::bad(name, Status::Fail, why, &hint), Some(agent)),
    }
}

/// Asks for several pictures at once, if the agent ranks pictures.
async fn several(agent: &Arc<dyn Agent>, scratch: &Scratch) -> Result<(), String> {
    let requests = scratch.requests().await?;
    let Some(Request::Rank(first)) = requests.iter().find(|request| agent.card().check(request).is_ok()) else {
        return Ok(());
    };
    if !matches!(first.what, Item::Image(_)) {
        return Ok(());
    }
    let mut asked = Vec::new();
    for number in 1..=SEVERAL {
        asked.push(Request::Rank(RankRequest { what: scratch.picture(number)?, ..first.clone() }));
    }
    let replies = join_all(asked.into_iter().map(|request| agent.ask(request, CallContext::default()))).await;
    for reply in replies {
        sound_reply(&reply.map_err(|error: Fault| error.to_string())?, Scores::Apart)?;
    }
    Ok(())
}

/// Asks the agent the first request that it supports, and checks the reply.
async fn try_out(agent: &Arc<dyn Agent>, scratch: &Scratch, scores: Scores) -> Result<String, String> {
    let requests = scratch.requests().await?;
    let started = std::time::Instant::now();
    let fault = |error: Fault| error.to_string();
    match requests.into_iter().find(|request| agent.card().check(request).is_ok()) {
        Some(request) => {
            let reply = agent.ask(request, CallContext::default()).await.map_err(fault)?;
            sound_reply(&reply, scores).map(|what| format!("{what} in {} ms", started.elapsed().as_millis()))
        }
        None => {
            agent.ready().await.map_err(fault)?;
            Ok(format!("loads in {} ms", started.elapsed().as_millis()))
        }
    }
}

/// What the probabilities of a ranking mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scores {
    /// The labels are alternatives, so that their probabilities add up to 1.
    SumToOne,
    /// Each label may have a probability of its own, as of SigLIP and of rerankers.
    Apart,
}

/// Describes a good reply. Fails with the defect of a bad one.
fn sound_reply(reply: &Reply, scores: Scores) -> Result<&'static str, String> {
    match reply {
        Reply::Rank(scored) if scored.is_empty() => Err("it ranks nothing".to_owned()),
        Reply::Rank(scored) => {
            let is_finite = scored.iter().all(|one| one.score.is_finite() && (0.0..=1.0).contains(&one.probability));
            let total: f32 = scored.iter().map(|one| one.probability).sum();
            match (is_finite, scores) {
                (false, _) => Err("its scores are not finite, or its probabilities are not between 0 and 1".to_owned()),
                (true, Scores::SumToOne) if (total - 1.0).abs() >= 1e-3 => {
                    Err("the sum of its probabilities is not 1".to_owned())
                }
                (true, _) => Ok("loads and ranks"),
            }
        }
        Reply::Say(SayReply { text, .. }) if text.trim().is_empty() => Err("its reply is empty".to_owned()),
        Reply::Say(_) => Ok("loads and speaks"),
        Reply::Look(_) => Ok("loads and looks"),
        Reply::Detect(_) => Ok("loads and detects"),
        Reply::Hear(_) => Ok("loads and hears"),
        Reply::Embed(vector) if vector.iter().all(|number| number.is_finite()) && !vector.is_empty() => {
            Ok("loads and embeds")
        }
        Reply::Embed(_) => Err("its vector holds numbers that are not finite".to_owned()),
        _ => Err("its reply does not fit the request".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{exchange::Finish, value::Scored};

    fn check_as(reply: Reply, scores: Scores, is_sound: bool) {
        assert_eq!(sound_reply(&reply, scores).is_ok(), is_sound, "{reply:?}");
    }

    fn check(reply: Reply, is_sound: bool) {
        check_as(reply, Scores::SumToOne, is_sound);
    }

    #[test]
    fn invalid_replies_are_detected() {
        let ranked = |probability: f32| {
            Reply::Rank(vec![
                Scored { text: "a".into(), score: 0.1, probability, floor: None },
                Scored { text: "b".into(), score: 0.2, probability: 0.25, floor: None },
            ])
        };
        check(ranked(0.75), true);
        check(ranked(f32::NAN), false);
        check(ranked(0.1), false);
        check_as(ranked(0.1), Scores::Apart, true);
        check_as(ranked(1.1), Scores::Apart, false);
        check(Reply::Rank(Vec::new()), false);
        check(Reply::Say(SayReply::new(" ", Finish::Stop)), false);
        check(Reply::Embed(vec![1.0, f32::INFINITY]), false);
        check(Reply::Embed(vec![0.5]), true);
    }
}
