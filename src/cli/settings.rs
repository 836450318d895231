//! What the environment and the global options say of the user: folders, the model hub, trust, the network.

use super::{Global, out::Out};
use crate::{
    error::Fault,
    hub::{
        Folders, Hub, HubSettings, Network, Search, Trust,
        verdict::{Verdict, Verdicts},
    },
    media::Access,
};
use std::{ffi::OsString, path::Path};

/// Read once, when the program starts.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The user's folders.
    pub folders: Folders,
    hub: HubSettings,
    trust: bool,
    offline: bool,
}

impl Settings {
    /// From the environment and the global options.
    pub fn new(global: &Global) -> Settings {
        Settings {
            folders: Folders { uid: uid(), here: std::env::current_dir().ok(), ..Folders::from_vars(&variable) },
            hub: HubSettings::from_vars(&variable),
            trust: global.trust,
            offline: global.offline || Network::is_forbidden(&variable),
        }
    }

    /// How much of the network a verb may use that was given `--allow-network` or not.
    pub fn network(&self, allow: bool) -> Network {
        Network::new(self.offline, allow)
    }

    /// What such a verb may open.
    pub fn access(&self, allow: bool) -> Access {
        Access::new(self.network(allow), &self.folders)
    }

    /// Where names are looked up for a dialogue file, or for a folder.
    pub fn hub(&self, start: &Path, network: Network) -> Result<Hub, Fault> {
        let trust = Trust { this_run: self.trust, ..Trust::read(&self.folders)? };
        let search = Search::from(start, &self.folders, &trust);
        Ok(Hub::new(search, self.folders.clone(), self.hub.clone(), network).with_answers(crate::agent::spec::answers))
    }
}

/// Says what was decided about files of the project, and gives the line of one that must not be read.
pub(crate) fn tell(verdicts: &Verdicts, out: &Out) -> Result<(), Fault> {
    let mut refused = None;
    for verdict in verdicts.take() {
        match verdict {
            Verdict::Replaces { .. } => out.note(format_args!("note: {verdict}")),
            Verdict::Yields { .. } => out.warn(format_args!("warning: {verdict}")),
            Verdict::Refused(line) => {
                refused.get_or_insert(line);
            }
        }
    }
    refused.map_or(Ok(()), |line| Err(Fault::refused(line)))
}

/// A variable of the process's environment; an empty one counts as unset.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The user id of this process.
#[cfg(unix)]
fn uid() -> Option<u32> {
    Some(uzers::get_effective_uid())
}

/// This system has no user ids.
#[cfg(not(unix))]
fn uid() -> Option<u32> {
    None
}
