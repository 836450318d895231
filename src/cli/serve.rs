//! `elenchus serve [FOLDER…]`

use super::{
    Exit,
    common::{bytes, device, duration},
    out::Out,
    session::block_on,
    settings::Settings,
};
use crate::{
    error::Fault,
    files,
    private::{private_folder, write_private},
    serve::{ServeAddress, ServeLimits, ServeOptions, Server, secret},
    session::Engine,
};
use serde_json::json;
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// The longest token that is read, in bytes.
const LONGEST_TOKEN: usize = 4096;

/// The options of a program that answers for others: `serve` and `mcp`.
#[derive(Debug, clap::Args)]
pub(super) struct AnsweringArgs {
    /// Use the agents of casts/NAME.yaml in all dialogues
    #[arg(long, value_name = "NAME")]
    cast: Option<String>,
    /// Device of local models: auto, cpu, cuda:N or metal
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = device)]
    device: String,
    /// Maximum memory of all models on a device (4GB) [default: the free memory]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory: Option<u64>,
    /// The dialogue that answers questions, with the inputs `videos` and `question`
    #[arg(long, value_name = "DIALOGUE", default_value = "journal_qa")]
    dialogue: String,
    /// The longest time of a run
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    timeout: Duration,
}

impl AnsweringArgs {
    /// What is served: these options, and else the usual.
    pub(super) fn options(self, folders: Vec<PathBuf>) -> ServeOptions {
        ServeOptions {
            cast: self.cast,
            device: self.device,
            memory: self.memory,
            folders,
            answering: self.dialogue,
            limits: ServeLimits { run_time: self.timeout, ..ServeLimits::default() },
            ..ServeOptions::default()
        }
    }
}

/// The arguments of `serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus serve                                    # the page, about the videos of the journal
  elenchus serve videos/ --cast real                # the page can index the videos of this folder
  elenchus serve --port 0 --json                    # a free port, printed as JSON
  curl -H \"Authorization: Bearer $(cat ~/.local/share/elenchus/token)\" http://127.0.0.1:8080/v1/models

A browser opens the printed link, which works once. A program sends the token of --token-file. Only this machine can connect, unless --host \
names another address; then put a proxy with TLS in front, because the connection is not encrypted.")]
pub(crate) struct Args {
    /// Folders whose videos the page lists and may index
    #[arg(value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// The address to listen at
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// The port; 0 chooses a free one
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    port: u16,
    /// Another name by which this server may be called (glasses.local); repeat it for several
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// The file with the token that programs send. A missing one is made [default: ~/.local/share/elenchus/token]
    #[arg(long, value_name = "FILE", conflicts_with = "no_auth")]
    token_file: Option<PathBuf>,
    /// Let everybody on this machine in, without a token
    #[arg(long)]
    no_auth: bool,
    #[command(flatten)]
    answering: AnsweringArgs,
    /// The dialogue that looks at videos
    #[arg(long, value_name = "DIALOGUE", default_value = "video_log")]
    log: String,
    /// Runs at the same time
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024))]
    max_runs: u16,
    /// Requests that may wait for a run; further ones are told to come again (429)
    #[arg(long, value_name = "COUNT", default_value_t = 16)]
    queue: u16,
    /// The longest request, with its pictures and videos
    #[arg(long, value_name = "SIZE", default_value = "256MB", value_parser = bytes)]
    max_body: u64,
    /// Write the log as JSON, one object a line
    #[arg(long)]
    pub(super) log_json: bool,
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let file = self.token_file.clone().unwrap_or_else(|| token_file(settings));
        let token = if self.no_auth { None } else { Some(token(&file)?) };
        let (shown, is_open) = (out.clone(), self.no_auth);
        let first = std::sync::Once::new();
        let on_link = Box::new(move |link: &str| {
            let mut is_first = false;
            first.call_once(|| is_first = true);
            // the first one is a result of the command
            let told = match (is_first, shown.json) {
                (true, true) => shown.value(&json!({ "link": link })),
                (true, false) => shown.text(format_args!("open {link}")),
                (false, _) => {
                    shown.note(format_args!("the link was used; for another browser: {link}"));
                    Ok(())
                }
            };
            if let Err(fault) = told {
                tracing::warn!("{fault}");
            }
        });
        let usual = self.answering.options(self.folders);
        let limits = ServeLimits {
            runs: self.max_runs.into(),
            queue: self.queue.into(),
            body: self.max_body,
            ..usual.limits.clone()
        };
        let options = ServeOptions { looking: self.log, limits, ..usual };
        let at = ServeAddress { host: self.host, port: self.port, names: self.allow_host, token, on_link };
        let engine = Arc::new(Engine::new(settings.clone()));
        block_on(|cancel| async move {
            let server = Server::bind(engine, at, options, cancel).await?;
            let address = server.address();
            match is_open {
                true if out.json => out.value(&json!({ "link": format!("http://{address}/") }))?,
                true => out.text(format_args!("open http://{address}/"))?,
                false => out.note(format_args!("programs send the token in {}", file.display())),
            }
            if !self.host.is_loopback() {
                out.warn("warning: other machines can connect, and what they send and get is not encrypted: put a proxy with TLS in front");
                if self.host.is_unspecified() {
                    out.note(format_args!(
                        "from another machine, open the link with this machine's address and port {}",
                        address.port()
                    ));
                }
            }
            if server.lacks_videos() {
                out.note("the folders have no videos or sounds yet; the page lists them as soon as there are some");
            }
            out.note("Ctrl-C ends the server");
            server.run().await;
            Ok(Exit::Answered)
        })
    }
}

/// The usual file of the token: beside the journal's usual folder.
fn token_file(settings: &Settings) -> PathBuf {
    settings.folders.journal().with_file_name("token")
}

/// The token in a file. A missing file is made, with a new token that only the user can read.
fn token(file: &Path) -> Result<String, Fault> {
    let shown = file.display();
    match files::read_text(file, LONGEST_TOKEN) {
        Ok(text) => {
            let token = text.trim().to_owned();
            let is_plain = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
            if !is_plain {
                let fault = Fault::refused(format!("{shown} has no token"));
                return Err(
                    fault.hint("a token is one line of letters, digits and signs; remove the file for a new one")
                );
            }
            Ok(token)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let token = secret();
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists());
            let made = folder.map_or(Ok(()), private_folder);
            let written = made.and_then(|()| write_private(file, format!("{token}\n").as_bytes()));
            written.map_err(|error| Fault::refused(format!("{shown} cannot be written: {error}")))?;
            Ok(token)
        }
        Err(error) => Err(Fault::refused(format!("{shown} cannot be read: {error}"))),
    }
}
