//! What the environment and the global options say of the user: folders, the model hub, trust, the network.

use super::{Global, out::Out};
use crate::{
    error::Fault,
    hub::{
        Folders, Hub, HubSettings, Network, Search, Trust,
        folders::process_vars,
        verdict::{Verdict, Verdicts},
    },
};
use std::path::Path;

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
            folders: Folders::from_env(),
            hub: HubSettings::from_env(),
            trust: global.trust,
            offline: global.offline,
        }
    }

    /// How much of the network a verb may use that was given `--allow-network` or not.
    pub fn network(&self, allow: bool) -> Network {
        Network::new(self.offline, &process_vars, allow)
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
