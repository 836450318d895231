//! `elenchus doctor`

use super::{
    Exit,
    out::Out,
    progress::Bars,
    session::{self, block_on},
    settings::{Settings, report},
};
use crate::doctor::{self, Status};
use crate::error::Fault;
use crate::hub::Network;
use crate::session::Engine;
use std::{path::Path, sync::Arc};

/// The arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  elenchus doctor --json\n  elenchus doctor --network\n\nThe exit code is 1 if a check fails."
)]
pub(crate) struct Args {
    /// Check this device: auto, cpu, cuda:N or metal
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,
    /// Contact agents behind endpoints too; without this option no server is contacted
    #[arg(long)]
    network: bool,
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let network = if self.network { settings.network(false) } else { Network::Off };
        let catalogue = settings.catalogue(Path::new("."), network)?;
        let bars = Arc::new(Bars::new(out));
        let engine = Engine::new(settings.clone());
        let options = engine.options(&catalogue, &self.device, &session::listener(&bars, Default::default()));
        let examine = async { Ok(doctor::examine(&options).await) };
        let checks = block_on(|cancel| async move { session::unless(&cancel, examine).await })?;
        // a file that cannot be used is a failed check, so the error is not needed here
        let _ = report(&catalogue.verdicts, out);
        if out.json {
            out.value(&checks)?;
        } else {
            for check in &checks {
                let word = check.status.word();
                out.text(format!("{word:>5}  {:24} {}", check.name, check.detail))?;
                if let Some(hint) = &check.hint {
                    out.text(format!("{:>5}  {:24} hint: {hint}", "", ""))?;
                }
            }
        }
        let failed = checks.iter().any(|check| check.status == Status::Fail);
        Ok(if failed { Exit::Failed } else { Exit::Answered })
    }
}
