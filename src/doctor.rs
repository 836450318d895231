//! Checks of this machine and installation, as data; the command line renders them.

use crate::{
    agent::{
        Agent, CallContext, budget,
        list::{self, AgentRow},
        remote,
        roster::{self, RosterOptions},
        spec::{self, Spec},
    },
    dialogue::Resource,
    error::Fault,
    exchange::{
        Decoding, FloorUse, HearRequest, Item, LabelList, Message, RankRequest, Reply, Request, SayReply, SayRequest,
    },
    hub::{Folders, Network, listing},
    infer::device,
    media::{self, Access},
    value::ImageFile,
};
use serde::Serialize;
use std::{fs, path::PathBuf, sync::Arc};
use tempfile::TempDir;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// No problem was found.
    Ok,
    /// It works, but with a limitation.
    Warn,
    /// It does not work.
    Fail,
}

/// A check and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// A short name.
    pub name: String,
    /// The result.
    pub status: Status,
    /// The finding as text.
    pub detail: String,
    /// The next step for the user.
    pub hint: Option<String>,
}

impl Check {
    fn ok(name: &str, detail: impl Into<String>) -> Check {
        Check { name: name.to_owned(), status: Status::Ok, detail: detail.into(), hint: None }
    }
    fn bad(name: &str, status: Status, detail: impl Into<String>, hint: &str) -> Check {
        Check { name: name.to_owned(), status, detail: detail.into(), hint: Some(hint.to_owned()) }
    }
}

/// The starter cast's agents, in the order in which a dialogue needs them.
const STARTER: [&str; 3] = ["starter-clip", "starter-whisper", "starter-lm"];

/// Checks the tools, machine, devices, folders, project and agents. The agents of the starter cast are loaded and
/// asked.
pub async fn examine(options: &RosterOptions) -> Vec<Check> {
    let folders = &options.catalogue.folders;
    let mut checks = vec![tools().await, cores(), memory(), devices(), cache(folders), memo(folders), project(options)];
    let scratch = Scratch::new(folders);
    for name in STARTER {
        checks.push(starter(name, options, &scratch).await);
    }
    // an agent that replaces a starter agent was asked above
    let own =
        options.catalogue.listed(Resource::Agent).into_iter().filter(|agent| agent.from != listing::From::Program);
    let own: Vec<String> = own.map(|agent| agent.name).filter(|name| !STARTER.contains(&name.as_str())).collect();
    for row in list::agents(&options.catalogue).iter().filter(|row| own.contains(&row.name)) {
        checks.push(own_agent(row, options).await);
    }
    checks
}

async fn tools() -> Check {
    match media::tools().await {
        Ok(tools) => Check::ok("ffmpeg", format!("ffmpeg and ffprobe {}", tools.version)),
        Err(error) => {
            Check::bad("ffmpeg", Status::Fail, error.message, "install ffmpeg (on Debian: apt install ffmpeg)")
        }
    }
}

fn cores() -> Check {
    match std::thread::available_parallelism() {
        Ok(cores) if cores.get() == 1 => Check::bad(
            "cores",
            Status::Warn,
            "1 core",
            "models and ffmpeg must share it; give the process two or more cores",
        ),
        Ok(cores) => Check::ok("cores", format!("{cores} cores")),
        Err(error) => Check::bad("cores", Status::Warn, error.to_string(), "one thread is used"),
    }
}

fn memory() -> Check {
    const LOW_BYTES: u64 = 1_000_000_000;
    match budget::free_memory() {
        Some(free) if free < LOW_BYTES => {
            Check::bad("memory", Status::Warn, format!("{} free", budget::size(free)), "larger models will not fit")
        }
        Some(free) => Check::ok("memory", format!("{} free", budget::size(free))),
        None => Check::bad(
            "memory",
            Status::Warn,
            "unknown on this system",
            "a model that does not fit is not refused before it loads",
        ),
    }
}

fn devices() -> Check {
    let built = device::built_with();
    match (built.as_slice(), device::automatic()) {
        ([], _) => Check::ok("devices", "cpu (built without cuda and metal)"),
        (_, "cpu") => Check::bad(
            "devices",
            Status::Warn,
            format!("cpu; built with {}, but the device cannot be opened", built.join(", ")),
            "check the driver, and that the process may use the device",
        ),
        (_, found) => Check::ok("devices", format!("{found}, cpu")),
    }
}

fn cache(folders: &Folders) -> Check {
    let probe = folders.cache.join(format!(".doctor-{}", std::process::id()));
    let written = fs::create_dir_all(&folders.cache).and_then(|()| fs::write(&probe, b"x"));
    let shown = folders.cache.display();
    let hint = "set ELENCHUS_CACHE to a writable folder";
    match written.and_then(|()| fs::remove_file(&probe)) {
        Ok(()) => Check::ok("cache", format!("{shown} can be written")),
        Err(error) => Check::bad("cache", Status::Fail, format!("{shown}: {error}"), hint),
    }
}

fn memo(folders: &Folders) -> Check {
    let folder = folders.memo();
    match crate::run::Memo::open(&folder).and_then(|memo| memo.stat()) {
        Ok(_) => Check::ok("memo", format!("{} opens", folder.display())),
        Err(error) => Check::bad(
            "memo",
            Status::Fail,
            error.to_string(),
            "runs work with --no-memo; move the memo's folder away to start a new one",
        ),
    }
}

fn project(options: &RosterOptions) -> Check {
    match &options.catalogue.project {
        Some(project) => {
            let trust = if project.trusted { "trusted" } else { "not trusted" };
            Check::ok("project", format!("{} ({trust})", project.folder.display()))
        }
        None => Check::ok(
            "project",
            "none in this folder: agents and prompts come from your configuration folder and from the program",
        ),
    }
}

/// Checks an agent of the project or the user: its file, its checkpoint and its server. The weights are not loaded.
async fn own_agent(row: &AgentRow, options: &RosterOptions) -> Check {
    const HINT: &str = "correct its file; `elenchus models list` shows more";
    let name = format!("agents/{}", row.name);
    let fail = |detail: String, hint: Option<String>| Check {
        name: name.clone(),
        status: Status::Fail,
        detail,
        hint: Some(hint.unwrap_or_else(|| HINT.to_owned())),
    };
    if let Some(note) = &row.note {
        return fail(note.clone(), row.hint.clone());
    }
    if matches!(row.sort, "script" | "person") {
        return Check::ok(&name, row.sort);
    }
    if row.sort == "endpoint" && options.catalogue.network == Network::Off {
        return Check::ok(&name, format!("{} (not contacted; `doctor --network` asks)", row.place));
    }
    let found = match (roster::load_one(&row.name, options).await, spec::of(&row.name, &options.catalogue)) {
        (Err(fault), _) => Err(fault),
        (Ok(_), Ok(Spec::Remote(remote))) => remote::reachable(&remote).await,
        (Ok(_), _) => Ok(()),
    };
    match found {
        Ok(()) if row.sort == "endpoint" => Check::ok(&name, format!("{} answers", row.place)),
        Ok(()) => Check::ok(&name, format!("{}, answers {}", row.place, row.kinds.join(", "))),
        Err(fault) => fail(fault.to_string(), fault.hint),
    }
}

/// A picture and a sound to try models on, in a folder that is removed when this is dropped.
struct Scratch {
    folder: Result<TempDir, String>,
    access: Access,
}

impl Scratch {
    fn new(folders: &Folders) -> Scratch {
        let folder = tempfile::Builder::new().prefix("doctor-").tempdir_in(&folders.cache);
        let folder = folder.map_err(|error| format!("{}: {error}", folders.cache.display()));
        Scratch { folder, access: Access::new(Network::Agents, folders) }
    }

    /// The path of a file there.
    fn file(&self, name: &str) -> Result<PathBuf, String> {
        self.folder.as_ref().map(|folder| folder.path().join(name)).map_err(String::clone)
    }

    /// A picture with a colour gradient.
    fn picture(&self) -> Result<Item, String> {
        let pixels = image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([(4 * x) as u8, (4 * y) as u8, 128]));
        let file = self.file("picture.png")?;
        let path = file.display().to_string();
        pixels.save(&file).map_err(|error| format!("{path}: {error}"))?;
        let bytes = fs::read(&file).map_err(|error| format!("{path}: {error}"))?;
        Ok(Item::Image(ImageFile { path, digest: blake3::hash(&bytes).to_hex().to_string() }))
    }

    /// One second of a low tone.
    async fn sound(&self) -> Result<Request, String> {
        let samples: Vec<f32> = (0..16_000).map(|n| 0.1 * (n as f32 * 0.09).sin()).collect();
        let file = self.file("sound.wav")?;
        let path = file.display().to_string();
        fs::write(&file, remote::wav(&samples)).map_err(|error| format!("{path}: {error}"))?;
        let audio = media::open(&path, &self.access).await.map_err(|error| error.message)?;
        let decoding = Decoding { temperature: Some(0.0), max_tokens: Some(16), ..Decoding::default() };
        Ok(Request::Hear(HearRequest {
            audio,
            start: None,
            end: None,
            language: Some("en".into()),
            timestamps: true,
            words: false,
            decoding,
        }))
    }
}

/// Loads one agent of the starter cast, and asks it one request.
async fn starter(name: &str, options: &RosterOptions, scratch: &Scratch) -> Check {
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
    match try_out(&agent, scratch).await {
        Ok(said) => Check::ok(name, said),
        Err(why) => Check::bad(
            name,
            Status::Fail,
            why,
            "its weights may be damaged; remove `starter` in the cache folder, and it is unpacked again",
        ),
    }
}

/// Asks the agent one request that it supports, and checks the reply.
async fn try_out(agent: &Arc<dyn Agent>, scratch: &Scratch) -> Result<String, String> {
    let request = if agent.card().can(crate::exchange::Kind::Rank) {
        let among = LabelList::from(vec!["kitchen".to_owned(), "garden".to_owned()]);
        let texts = among.worded("a photo of a {}");
        Request::Rank(RankRequest { what: scratch.picture()?, among, texts, floor: FloorUse::Unused })
    } else if agent.card().can(crate::exchange::Kind::Hear) {
        scratch.sound().await?
    } else {
        let decoding = Decoding { temperature: Some(0.0), max_tokens: Some(8), ..Decoding::default() };
        let messages = vec![Message::new("user", "I wear a camera. What might I be doing in a kitchen?")];
        Request::Say(SayRequest { decoding, ..SayRequest::new(messages) })
    };
    let started = std::time::Instant::now();
    let reply = agent.ask(request, CallContext::default()).await.map_err(|error: Fault| error.to_string())?;
    sound_reply(&reply).map(|what| format!("{what} in {} ms", started.elapsed().as_millis()))
}

/// Describes a good reply. Fails with the defect of a bad one.
fn sound_reply(reply: &Reply) -> Result<&'static str, String> {
    match reply {
        Reply::Rank(scored) => {
            let is_finite = scored.iter().all(|one| one.score.is_finite() && one.probability.is_finite());
            let total: f32 = scored.iter().map(|one| one.probability).sum();
            match is_finite && (total - 1.0).abs() < 1e-3 {
                true => Ok("loads and ranks"),
                false => Err("its scores are not finite, or the sum of its probabilities is not 1".to_owned()),
            }
        }
        Reply::Say(SayReply { text, .. }) if text.trim().is_empty() => Err("its reply is empty".to_owned()),
        Reply::Say(_) => Ok("loads and speaks"),
        Reply::Hear(_) => Ok("loads and hears"),
        _ => Err("its reply does not fit the request".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{exchange::Finish, value::Scored};
    use std::path::Path;

    fn check(reply: Reply, is_sound: bool) {
        assert_eq!(sound_reply(&reply).is_ok(), is_sound, "{reply:?}");
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
        check(Reply::Say(SayReply::new(" ", Finish::Stop)), false);
    }

    #[test]
    fn a_folder_that_cannot_be_written_fails() {
        let folder = tempfile::tempdir().expect("temp");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("written");
        let folders =
            |cache: &Path| Folders { config: folder.path().into(), cache: cache.into(), ..Folders::default() };
        assert_eq!(cache(&folders(&folder.path().join("new"))).status, Status::Ok);
        assert_eq!(cache(&folders(&file)).status, Status::Fail);
    }
}
