//! What a caller decides for all runs: folders, the model hub, keys, trust, the network, devices. Plain data; the command line
//! makes it of its arguments and the environment, a server of its configuration.

use crate::{
    agent::roster::FindKey,
    error::Fault,
    hub::{Catalogue, Folders, HubSettings, Network, ProjectSearch, Trust},
    media::Access,
};
use std::{fmt, path::Path};

/// Made once, when a program starts.
#[derive(Clone)]
pub struct Settings {
    /// The user's folders.
    pub folders: Folders,
    /// The model hub.
    pub hub: HubSettings,
    /// Finds the keys that agent files name by `key_env`.
    pub keys: FindKey,
    /// True: the project of this process is trusted (`--trust`).
    pub trust: bool,
    /// True: all network is refused (`--offline`).
    pub offline: bool,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // keys are secrets
        f.debug_struct("Settings").field("folders", &self.folders).field("hub", &self.hub).finish_non_exhaustive()
    }
}

impl Settings {
    /// How much of the network may be used; `allow` permits media by URL and downloads.
    pub fn network(&self, allow: bool) -> Network {
        Network::new(self.offline, allow)
    }

    /// What may be opened; `allow` permits media by URL.
    pub fn access(&self, allow: bool) -> Access {
        Access::new(self.network(allow), &self.folders)
    }

    /// The search for names, from a dialogue file or from a folder.
    pub fn catalogue(&self, start: &Path, network: Network) -> Result<Catalogue, Fault> {
        let trust = Trust { this_run: self.trust, ..Trust::read(&self.folders)? };
        let search = ProjectSearch::from(start, &self.folders, &trust);
        let answers = crate::agent::spec::answers;
        Ok(Catalogue::new(search, self.folders.clone(), self.hub.clone(), network).with_answers(answers))
    }
}
