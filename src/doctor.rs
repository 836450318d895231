//! Checks of this machine and installation, as data; the command line renders them.

pub mod trial;

use crate::{
    agent::{
        budget,
        list::{self, AgentRow},
        remote,
        roster::{self, RosterOptions},
        spec::{self, Spec},
    },
    dialogue::Resource,
    hub::{Folders, Network, Preferences, listing, space},
    infer::device,
    media,
    models::golden,
};
use serde::Serialize;
use std::fs;
use trial::Scratch;

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

impl Status {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
        }
    }
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
    let mut checks = vec![tools().await, cores(), memory(), devices()];
    checks.extend([cache(folders), disk(options), memo(folders), project(options), cast(folders)]);
    checks.extend(families(options.device.as_deref()).await);
    let scratch = Scratch::new(folders);
    for name in STARTER {
        checks.push(trial::starter(name, options, &scratch).await);
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
        (_, found) => {
            let free =
                budget::free_on(found).map_or(String::new(), |free| format!(" with {} free", budget::size(free)));
            Check::ok("devices", format!("{found}{free}, cpu (built with {})", built.join(", ")))
        }
    }
}

/// The self-test of each family on the CPU, and on the accelerator that models would use.
async fn families(device: Option<&str>) -> Vec<Check> {
    let device = device.unwrap_or_else(|| device::automatic()).to_owned();
    let devices = if device == "cpu" { vec![device] } else { vec!["cpu".to_owned(), device] };
    let run = move || {
        let families = golden::families().map(|family| self_test(family, &devices));
        families.chain(devices.iter().map(|device| quantised(device))).collect()
    };
    tokio::task::spawn_blocking(run).await.unwrap_or_default()
}

/// The products of models from GGUF files.
fn quantised(device: &str) -> Check {
    const HINT: &str = "models from GGUF files are refused on that device; use `--device cpu`, or a checkpoint folder";
    let name = format!("quantised {device}");
    match golden::quantised(device) {
        Ok(difference) => Check::ok(&name, format!("multiplies as expected ({difference:.0e})")),
        Err(why) => Check::bad(&name, Status::Fail, why, HINT),
    }
}

/// One family's self-test on each of these devices.
fn self_test(family: &str, devices: &[String]) -> Check {
    const HINT: &str = "update the driver, or use `--device cpu`; models of this family are refused on that device";
    let name = format!("family {family}");
    let mut passed = Vec::new();
    for device in devices {
        match golden::on(family, device) {
            Ok(differences) => passed.extend(
                differences.into_iter().map(|(dtype, difference)| format!("{device} {dtype} ({difference:.0e})")),
            ),
            Err(why) => return Check::bad(&name, Status::Fail, format!("{device}: {why}"), HINT),
        }
    }
    Check::ok(&name, format!("computes what is expected: {}", passed.join(", ")))
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

/// The room for models that are downloaded.
fn disk(options: &RosterOptions) -> Check {
    const LOW_BYTES: u64 = 5_000_000_000;
    let cache = &options.catalogue.settings.cache;
    let shown = cache.display();
    match space::free(cache) {
        Some(free) if free < LOW_BYTES => Check::bad(
            "disk",
            Status::Warn,
            format!("{} free for models ({shown})", budget::size(free)),
            "set HF_HUB_CACHE to a folder with more room; `elenchus models remove` frees the space of a model",
        ),
        Some(free) => Check::ok("disk", format!("{} free for models ({shown})", budget::size(free))),
        None => Check::ok("disk", format!("models are kept in {shown}; its free space is unknown on this system")),
    }
}

/// The cast that dialogues of the program use.
fn cast(folders: &Folders) -> Check {
    match Preferences::read(folders) {
        Ok(Preferences { cast: Some(cast), .. }) => Check::ok("cast", format!("{cast} (`elenchus setup` chose it)")),
        Ok(_) => Check::ok("cast", "starter, which knows a cartoon world only; `elenchus setup` proposes real models"),
        Err(fault) => Check::bad("cast", Status::Fail, fault.message, fault.hint.as_deref().unwrap_or_default()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

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
