//! Makes the settings from the environment and the global options. Only this module reads the environment for settings.

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

/// The settings from the environment and the global options.
pub(crate) fn read(global: &Global) -> Settings {
    let here = std::env::current_dir().ok();
    let folders = Folders { uid: uid(), here, zone: zone(), ..Folders::from_vars(&variable) };
    Settings {
        journal: global.journal_folder.clone().unwrap_or_else(|| folders.journal()),
        folders,
        hub: HubSettings::from_vars(&variable),
        keys: Arc::new(variable),
        trust: global.trust,
        offline: is_offline(global),
    }
}

/// True if the network may not be used.
pub(super) fn is_offline(global: &Global) -> bool {
    global.offline || Network::is_forbidden(&variable)
}

/// Prints the verdicts about files of the project. Fails if one of them is refused.
pub(crate) fn report(verdicts: &Verdicts, out: &Out) -> Result<(), Fault> {
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

/// The value of an environment variable; an empty one counts as unset.
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The name of the system's time zone, UTC if it has none.
fn zone() -> String {
    let zone = jiff::tz::TimeZone::try_system().ok();
    zone.and_then(|zone| zone.iana_name().map(str::to_owned)).unwrap_or_else(|| "UTC".to_owned())
}

/// The user id of this process.
#[cfg(unix)]
fn uid() -> Option<u32> {
    Some(uzers::get_effective_uid())
}

/// No user id, because this system has none.
#[cfg(not(unix))]
fn uid() -> Option<u32> {
    None
}
