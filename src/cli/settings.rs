//! Reads the environment and the global options: folders, the model hub, trust, the network. Nothing else does.

use super::{Global, out::Out};
use crate::{
    error::Fault,
    hub::{
        Folders, HubSettings, Network,
        verdict::{Verdict, Verdicts},
    },
};
use std::{ffi::OsString, sync::Arc};

pub(crate) use crate::session::Settings;

/// From the environment and the global options.
pub(crate) fn read(global: &Global) -> Settings {
    Settings {
        folders: Folders { uid: uid(), here: std::env::current_dir().ok(), ..Folders::from_vars(&variable) },
        hub: HubSettings::from_vars(&variable),
        keys: Arc::new(variable),
        trust: global.trust,
        offline: global.offline || Network::is_forbidden(&variable),
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
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The user id of this process.
#[cfg(unix)]
fn uid() -> Option<u32> {
    Some(uzers::get_effective_uid())
}

/// This system does not have user ids.
#[cfg(not(unix))]
fn uid() -> Option<u32> {
    None
}
