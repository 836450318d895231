//! The caller's settings for all runs: folders, the model hub, keys, trust and the network. They are plain data. The
//! command line makes them from its arguments and the environment, a server from its configuration.

use crate::{
    agent::roster::FindKey,
    error::Fault,
    hub::{Catalogue, Folders, HubSettings, Network, ProjectSearch, Trust},
    media::Access,
};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// The settings of a process, made once at its start.
#[derive(Clone)]
pub struct Settings {
    /// The user's folders.
    pub folders: Folders,
    /// The model hub.
    pub hub: HubSettings,
    /// Reads the environment variables that `key_env` names.
    pub keys: FindKey,
    /// True if the project of this process is trusted (`--trust`).
    pub trust: bool,
    /// True if all network access is refused (`--offline`).
    pub offline: bool,
    /// The folder of the journal.
    pub journal: PathBuf,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // keys are left out, because they are secrets
        f.debug_struct("Settings").field("folders", &self.folders).field("hub", &self.hub).finish_non_exhaustive()
    }
}

impl Settings {
    /// The permitted network access; `allow` permits media by URL and downloads.
    pub fn network(&self, allow: bool) -> Network {
        Network::new(self.offline, allow)
    }

    /// The rules for opening media; `allow` permits media by URL.
    pub fn access(&self, allow: bool) -> Access {
        Access::new(self.network(allow), &self.folders)
    }

    /// The catalogue of names for a dialogue file or a folder `start`. Fails if the list of trusted folders cannot be
    /// read.
    pub fn catalogue(&self, start: &Path, network: Network) -> Result<Catalogue, Fault> {
        let trust = Trust { this_run: self.trust, ..Trust::read(&self.folders)? };
        let search = ProjectSearch::from(start, &self.folders, &trust);
        let answers = crate::agent::spec::answers;
        Ok(Catalogue::new(search, self.folders.clone(), self.hub.clone(), network).with_answers(answers))
    }
}
