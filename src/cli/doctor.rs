//! `elenchus doctor`

use super::{
    Exit,
    out::Out,
    progress::Bars,
    session::{self, block_on},
    source::Source,
};
use crate::doctor::{self, Status};
use crate::error::Fault;
use crate::hub::Hub;
use std::{path::Path, sync::Arc};

/// What `doctor` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  elenchus doctor --json\n\nExit code 1 if something will not work.")]
pub(crate) struct Args {
    /// Look at this device: auto, cpu, cuda:N or metal
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,
}

impl Args {
    pub fn run(self, out: &Out) -> Result<Exit, Fault> {
        let source = Source { file: String::new(), text: String::new(), hub: Hub::at(Path::new(".")) };
        let bars = Arc::new(Bars::new(out));
        let options = session::options(&source, self.device, &bars);
        let checks = block_on(async { Ok(doctor::examine(&options).await) })?;
        if out.json {
            out.value(&checks)?;
        } else {
            for check in &checks {
                let word = match check.status {
                    Status::Ok => "ok",
                    Status::Warn => "warn",
                    Status::Fail => "FAIL",
                };
                out.text(format!("{word:>5}  {:14} {}", check.name, check.detail))?;
                if let Some(hint) = &check.hint {
                    out.text(format!("{:>5}  {:14} hint: {hint}", "", ""))?;
                }
            }
        }
        let failed = checks.iter().any(|check| check.status == Status::Fail);
        Ok(if failed { Exit::Failed } else { Exit::Answered })
    }
}
