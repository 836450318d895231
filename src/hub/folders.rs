//! The user's folders and the model hub's settings, from environment variables. The caller reads the variables.

use super::{digest::Digests, trust};
use crate::files;
use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Reads an environment variable. The command line passes the variables of the process; an empty one counts as unset.
pub type Vars<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The folders of the user: the configuration, and the cache of files that elenchus can make again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folders {
    /// `ELENCHUS_HOME`, else `XDG_CONFIG_HOME/elenchus`, else `~/.config/elenchus`.
    pub config: PathBuf,
    /// `ELENCHUS_CACHE`, else `XDG_CACHE_HOME/elenchus`, else `~/.cache/elenchus`.
    pub cache: PathBuf,
    /// `ELENCHUS_DATA`, else `XDG_DATA_HOME/elenchus`, else `~/.local/share/elenchus`: files that elenchus cannot make again.
    pub data: PathBuf,
    /// Checkpoints that the user put here, for relative paths of agent files: `ELENCHUS_MODELS`, else `models` in the
    /// cache folder.
    pub models: PathBuf,
    /// The home folder, if there is one. The search for a project never leaves it.
    pub home: Option<PathBuf>,
    /// The user id of this process; `None` on systems without user ids.
    pub uid: Option<u32>,
    /// The working folder. Messages omit it from paths below it.
    pub here: Option<PathBuf>,
    /// The user's time zone: an IANA name or an offset; UTC if empty.
    pub zone: String,
}

impl Folders {
    /// The folders from these variables. The user id and the working folder stay unset.
    pub fn from_vars(vars: Vars<'_>) -> Folders {
        let pick = |own: &str, xdg: &str, below_home: &str| {
            vars(own)
                .map(PathBuf::from)
                .or_else(|| vars(xdg).map(|folder| Path::new(&folder).join("elenchus")))
                .unwrap_or_else(|| home(vars).join(below_home).join("elenchus"))
        };
        let cache = pick("ELENCHUS_CACHE", "XDG_CACHE_HOME", ".cache");
        let models = vars("ELENCHUS_MODELS").map_or_else(|| cache.join("models"), PathBuf::from);
        Folders {
            config: pick("ELENCHUS_HOME", "XDG_CONFIG_HOME", ".config"),
            data: pick("ELENCHUS_DATA", "XDG_DATA_HOME", ".local/share"),
            cache,
            models,
            home: own_home(vars),
            uid: None,
            here: None,
            zone: String::new(),
        }
    }

    /// The folder of the memo.
    pub fn memo(&self) -> PathBuf {
        self.cache.join("memo")
    }

    /// The folder of the journal.
    pub fn journal(&self) -> PathBuf {
        self.data.join("journal")
    }

    /// The folder of the vectors of texts.
    pub fn vectors(&self) -> PathBuf {
        self.cache.join("vectors")
    }

    /// The folder of measured speeds of models.
    pub fn timings(&self) -> PathBuf {
        self.cache.join("timings")
    }

    /// The folder of the unpacked starter cast.
    pub fn starter(&self) -> PathBuf {
        self.cache.join("starter")
    }

    /// The folder of downloaded media, by digest.
    pub fn media(&self) -> PathBuf {
        self.cache.join("media")
    }

    /// The folder of decoded sound, whose files have no name and go with their process.
    pub fn sounds(&self) -> PathBuf {
        self.cache.join("sounds")
    }

    /// Digests of files, cached in the cache folder.
    pub fn digests(&self) -> Digests {
        Digests::at(self.cache.join("digests"))
    }

    /// A path for messages: relative to the working folder if it is below it.
    pub fn shown(&self, path: &Path) -> String {
        let short = self.here.as_deref().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
        short.display().to_string()
    }

    /// The configuration folder, if it belongs to the user. A process without a home folder looks in the temporary
    /// folder, where another user may have created one.
    pub fn own_config(&self) -> Option<&Path> {
        let config = self.config.as_path();
        let owner = trust::owner(config);
        let is_own = self.home.is_some() || owner.is_none() || owner == self.uid || owner == Some(ROOT);
        is_own.then_some(config)
    }
}

/// The administrator's user id.
const ROOT: u32 = 0;

fn own_home(vars: Vars<'_>) -> Option<PathBuf> {
    vars("HOME").or_else(|| vars("USERPROFILE")).map(PathBuf::from)
}

/// The home folder; the temporary folder for a process without one (some services and containers).
fn home(vars: Vars<'_>) -> PathBuf {
    let temp = || vars(if cfg!(windows) { "TEMP" } else { "TMPDIR" }).map(PathBuf::from);
    own_home(vars).or_else(temp).unwrap_or_else(|| PathBuf::from("/tmp"))
}

/// The network access of a run. The strictest setting wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Network {
    /// No network (`--offline`, `ELENCHUS_OFFLINE`).
    Off,
    /// The endpoints of permitted agents.
    #[default]
    Agents,
    /// Media by URL and downloads from the hub, too (`--allow-network`).
    All,
}

impl Network {
    /// True if the variable `ELENCHUS_OFFLINE` forbids all network.
    pub fn is_forbidden(vars: Vars<'_>) -> bool {
        let off =
            |value: OsString| !["0", "OFF", "NO", "FALSE"].contains(&value.to_string_lossy().to_uppercase().as_str());
        vars("ELENCHUS_OFFLINE").is_some_and(off)
    }

    /// The access for the two flags: `offline` forbids all network (`--offline`, [`Network::is_forbidden`]), `allow`
    /// permits all of it (`--allow-network`).
    pub fn new(offline: bool, allow: bool) -> Network {
        match offline {
            true => Network::Off,
            false if allow => Network::All,
            false => Network::Agents,
        }
    }
}

/// A secret that is never displayed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text without surrounding white space, such as the newline of a file.
    pub fn new(text: &str) -> Secret {
        Secret(text.trim().to_owned())
    }
    /// The text, for the one header that contains it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
    /// `text` with the secret replaced. A server may send back the request that it got.
    pub fn hide_in(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "[key]") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The address of the model hub and its cache, from the variables of the hub's own tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubSettings {
    /// `HF_HUB_CACHE`, else `HUGGINGFACE_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`.
    pub cache: PathBuf,
    /// `HF_ENDPOINT`, without a trailing slash.
    pub endpoint: String,
    /// `HF_TOKEN` (or `HUGGING_FACE_HUB_TOKEN`), else the text of the file that the hub's own tools write at a login:
    /// `HF_TOKEN_PATH`, else `HF_HOME/token`. `HF_HUB_DISABLE_IMPLICIT_TOKEN` leaves the file out.
    pub token: Option<Secret>,
    /// `HF_HUB_OFFLINE` (or `TRANSFORMERS_OFFLINE`) is true.
    pub offline: bool,
    /// A transfer without data for this long is stopped and resumed: `HF_HUB_DOWNLOAD_TIMEOUT` in seconds, else a minute.
    pub patience: Duration,
}

/// The longest file of a token, in bytes.
const MAX_TOKEN_BYTES: usize = 4096;
/// The default of [`HubSettings::patience`].
const PATIENCE: Duration = Duration::from_secs(60);

/// The settings without any variable.
impl Default for HubSettings {
    fn default() -> HubSettings {
        HubSettings::from_vars(&|_| None)
    }
}

impl HubSettings {
    /// The settings from these variables.
    pub fn from_vars(vars: Vars<'_>) -> HubSettings {
        let text = |name: &str| vars(name).and_then(|value| value.into_string().ok());
        let is_true = |name: &str| {
            text(name).is_some_and(|value| ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str()))
        };
        let hub_home = || {
            vars("HF_HOME").map(PathBuf::from).unwrap_or_else(|| {
                let cache = vars("XDG_CACHE_HOME").map(PathBuf::from).unwrap_or_else(|| home(vars).join(".cache"));
                cache.join("huggingface")
            })
        };
        HubSettings {
            cache: vars("HF_HUB_CACHE")
                .or_else(|| vars("HUGGINGFACE_HUB_CACHE"))
                .map(PathBuf::from)
                .unwrap_or_else(|| hub_home().join("hub")),
            endpoint: text("HF_ENDPOINT")
                .map(|url| url.trim_end_matches('/').to_owned())
                .unwrap_or_else(|| "https://huggingface.co".to_owned()),
            token: text("HF_TOKEN")
                .or_else(|| text("HUGGING_FACE_HUB_TOKEN"))
                .map(|token| Secret::new(&token))
                .or_else(|| {
                    let file = vars("HF_TOKEN_PATH").map(PathBuf::from).unwrap_or_else(|| hub_home().join("token"));
                    let written = files::read_text(&file, MAX_TOKEN_BYTES).ok();
                    let token = written.filter(|_| !is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN"))?;
                    Some(Secret::new(&token)).filter(|token| !token.reveal().is_empty())
                }),
            offline: is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE"),
            patience: text("HF_HUB_DOWNLOAD_TIMEOUT")
                .and_then(|seconds| seconds.trim().parse().ok())
                .and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok())
                .filter(|patience| !patience.is_zero())
                .unwrap_or(PATIENCE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars<'a>(set: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        move |name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v))
    }

    #[test]
    fn the_strictest_network_setting_wins() {
        let check = |flag: bool, set: &[(&str, &str)], allow: bool, expected: Network| {
            let offline = flag || Network::is_forbidden(&vars(set));
            assert_eq!(Network::new(offline, allow), expected, "{flag} {set:?} {allow}");
        };
        check(false, &[], false, Network::Agents);
        check(false, &[], true, Network::All);
        check(true, &[], true, Network::Off);
        check(false, &[("ELENCHUS_OFFLINE", "1")], true, Network::Off);
        check(false, &[("ELENCHUS_OFFLINE", "0")], true, Network::All);
    }

    #[cfg(unix)]
    #[test]
    fn without_a_home_folder_the_configuration_of_another_user_is_ignored() {
        let folder = tempfile::tempdir().expect("temp");
        let uid = trust::owner(folder.path());
        let folders = |home: Option<PathBuf>, uid: Option<u32>| Folders {
            config: folder.path().into(),
            data: "d".into(),
            cache: "k".into(),
            models: "k/models".into(),
            home,
            uid,
            here: None,
            zone: String::new(),
        };
        let other = uid.map(|uid| uid + 1);
        assert!(folders(None, uid).own_config().is_some() && folders(Some("h".into()), other).own_config().is_some());
        assert_eq!(folders(None, other).own_config().is_some(), uid == Some(ROOT), "the administrator's folder counts");
    }

    fn check_folders(set: &[(&str, &str)], config: &str, cache: &str) {
        let folders = Folders::from_vars(&vars(set));
        assert_eq!((folders.config.to_str(), folders.cache.to_str()), (Some(config), Some(cache)));
    }

    #[test]
    fn own_variables_win_over_xdg_and_home() {
        check_folders(&[("HOME", "/h")], "/h/.config/elenchus", "/h/.cache/elenchus");
        check_folders(
            &[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c"), ("XDG_CACHE_HOME", "/k")],
            "/c/elenchus",
            "/k/elenchus",
        );
        check_folders(&[("ELENCHUS_HOME", "/e"), ("ELENCHUS_CACHE", "/f"), ("XDG_CONFIG_HOME", "/c")], "/e", "/f");
    }

    #[test]
    fn the_hub_reads_the_variables_of_its_own_tools() {
        let cache = |set: &[(&str, &str)]| HubSettings::from_vars(&vars(set)).cache.display().to_string();
        assert_eq!(cache(&[("HOME", "/h")]), "/h/.cache/huggingface/hub");
        assert_eq!(cache(&[("HF_HOME", "/hf")]), "/hf/hub");
        assert_eq!(cache(&[("HF_HOME", "/hf"), ("HUGGINGFACE_HUB_CACHE", "/old")]), "/old");
        assert_eq!(cache(&[("HF_HUB_CACHE", "/new"), ("HUGGINGFACE_HUB_CACHE", "/old")]), "/new");
        let all = HubSettings::from_vars(&vars(&[
            ("HF_ENDPOINT", "http://mirror/"),
            ("HF_TOKEN", "hf_abc\n"),
            ("HF_HUB_OFFLINE", "true"),
        ]));
        assert_eq!(all.endpoint, "http://mirror");
        assert_eq!(all.token.as_ref().map(Secret::reveal), Some("hf_abc"));
        assert!(all.offline);
        assert!(!format!("{all:?}").contains("hf_abc"));
        assert_eq!(all.patience, Duration::from_secs(60));
        let patience = |text: &str| HubSettings::from_vars(&vars(&[("HF_HUB_DOWNLOAD_TIMEOUT", text)])).patience;
        assert_eq!(["2.5", "0", "soon", "-1"].map(|text| patience(text).as_millis()), [2500, 60_000, 60_000, 60_000]);
    }

    #[test]
    fn the_token_of_a_login_is_found() {
        let folder = tempfile::tempdir().expect("temp");
        let (own, other) = (folder.path().join("token"), folder.path().join("other"));
        std::fs::write(&own, "hf_login\n").expect("written");
        std::fs::write(&other, "hf_other").expect("written");
        let home = folder.path().to_str().expect("UTF-8");
        let token = |set: &[(&str, &str)]| {
            let set: Vec<_> = [("HF_HOME", home)].iter().chain(set).copied().collect();
            HubSettings::from_vars(&vars(&set)).token.map(|token| token.reveal().to_owned())
        };
        assert_eq!(token(&[]).as_deref(), Some("hf_login"));
        assert_eq!(token(&[("HF_TOKEN", "hf_a")]).as_deref(), Some("hf_a"));
        assert_eq!(token(&[("HUGGING_FACE_HUB_TOKEN", "hf_b")]).as_deref(), Some("hf_b"));
        assert_eq!(token(&[("HF_TOKEN_PATH", other.to_str().expect("UTF-8"))]).as_deref(), Some("hf_other"));
        assert_eq!(token(&[("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);
        std::fs::write(&own, "\n").expect("written");
        assert_eq!(token(&[]), None);
    }
}
