//! The output of commands: results as JSON or text on stdout, notes and errors on stderr, colour as the user wants it.

use super::{Exit, Global, print};
use crate::{error::Fault, telemetry::SPANS};
use serde::Serialize;
use std::io::IsTerminal;
use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// When output has colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// True if output on stderr may have colour.
    pub(super) fn colored(self) -> bool {
        match self {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            }
        }
    }
}

/// The destination of a command's output.
#[derive(Debug, Clone)]
pub(crate) struct Out {
    /// Print results and errors as JSON.
    pub json: bool,
    /// Print only results and errors.
    pub quiet: bool,
    pub(crate) color: ColorChoice,
}

impl Out {
    /// The output for these global options.
    pub(super) fn new(global: &Global) -> Out {
        Out { json: global.json, quiet: global.quiet, color: global.color }
    }

    /// True if output on stderr may have colour.
    pub(super) fn colored(&self) -> bool {
        self.color.colored()
    }

    /// True if a progress bar can be drawn.
    pub(super) fn bars(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// Prints a result as text, with a line break at the end.
    pub(super) fn text(&self, text: impl std::fmt::Display) -> Result<(), Fault> {
        let text = text.to_string();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        ignore_closed_pipe(print::to_stdout(&format!("{text}{end}")))
    }

    /// Prints a result as one line of JSON.
    pub(super) fn value(&self, value: &impl Serialize) -> Result<(), Fault> {
        let text = serde_json::to_string(value).expect("results serialise: this is a bug");
        self.text(text)
    }

    /// Prints a piece of a streamed result at once.
    pub(super) fn piece(&self, text: &str) -> Result<(), Fault> {
        ignore_closed_pipe(print::piece_to_stdout(text))
    }

    /// Prints a note for the user on stderr, unless `-q` is set.
    pub(super) fn note(&self, text: impl std::fmt::Display) {
        if !self.quiet {
            print::to_stderr(&text.to_string());
        }
    }

    /// Prints a warning on stderr, even with `-q`: a file is ignored, or data leaves the machine.
    pub(super) fn warn(&self, text: impl std::fmt::Display) {
        print::to_stderr(&text.to_string());
    }

    /// Prints a failure: an `error:` line and a `hint:` line on stderr, or JSON on stdout.
    pub(super) fn failure(&self, failure: &Fault) {
        if self.json && !is_full(&print::to_stdout(&format!("{}\n", failure_json(failure)))) {
            return;
        }
        if !failure.message.is_empty() {
            let (red, cyan, plain) =
                if self.colored() { ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m") } else { ("", "", "") };
            let message = failure.to_string();
            let (message, hint) = (print::foreign(&message), failure.hint.as_deref().map(print::foreign));
            print::to_stderr_styled(&format!("{red}error:{plain} {message}"));
            if let Some(hint) = hint {
                print::to_stderr_styled(&format!("{cyan}hint:{plain} {hint}"));
            }
        }
    }
}

/// The JSON of a failure: `{"error": {"code", "kind", "message", "hint"}}`. The hint may be null.
pub(crate) fn failure_json(fault: &Fault) -> String {
    let exit = Exit::from(&fault.kind);
    let error =
        serde_json::json!({ "code": exit as u8, "kind": exit, "message": fault.to_string(), "hint": fault.hint });
    serde_json::json!({ "error": error }).to_string()
}

/// True if stdout cannot take the text, as on a full disk. A closed pipe is not an error.
pub(super) fn is_full(result: &std::io::Result<()>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() != std::io::ErrorKind::BrokenPipe)
}

/// Prints help, the version or a mistake in the arguments on stdout. Gives `exit`, or reports on stderr that stdout
/// cannot take the text.
pub(super) fn help(text: &str, exit: Exit) -> Exit {
    printed(print::to_stdout(text), exit)
}

/// `exit` if text was written to stdout; else reports why not.
pub(super) fn printed(result: std::io::Result<()>, exit: Exit) -> Exit {
    let Err(failure) = ignore_closed_pipe(result) else { return exit };
    print::to_stderr(&format!("error: {failure}"));
    Exit::from(&failure.kind)
}

/// Ignores a closed pipe, because `head` closes its end early.
fn ignore_closed_pipe(result: std::io::Result<()>) -> Result<(), Fault> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Fault::failed(format_args!("the result cannot be written: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Sends `tracing` events to stderr: warnings by default, more with `-v`; `RUST_LOG` overrides both. With the feature `otel`, spans go to
/// a collector until the returned value is dropped.
pub(crate) fn log(global: &Global, colored: bool, kind: &LogKind) -> LogGuard {
    let default = match (global.quiet, global.verbose) {
        (true, _) => "error",
        // who reads JSON wants each request
        #[cfg(feature = "serve")]
        (_, 0) if *kind == LogKind::ServerJson => "elenchus::serve=info,warn",
        (_, 0) => "warn",
        (_, 1) => "elenchus=info,warn",
        (_, _) => "elenchus=debug,info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| default.into());
    // what people say belongs in no log
    let filter = match format!("{SPANS}=off").parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    let lines = fmt::layer().with_writer(|| print::Log);
    let lines = match kind {
        LogKind::Command => lines.with_ansi(colored).without_time().with_target(false).boxed(),
        #[cfg(feature = "serve")]
        LogKind::Server => lines.with_ansi(colored).with_target(false).boxed(),
        #[cfg(feature = "serve")]
        LogKind::ServerJson => lines.json().flatten_event(true).boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
    #[cfg(feature = "otel")]
    let (subscriber, spans) = {
        let (layer, spans) = super::telemetry::layer(global);
        (subscriber.with(layer), spans)
    };
    // A second call (tests in one process) changes nothing.
    let _ = subscriber.try_init();
    LogGuard {
        #[cfg(feature = "otel")]
        _spans: spans,
    }
}

/// Spans go to a collector until this is dropped, if the program can send some.
pub(crate) struct LogGuard {
    #[cfg(feature = "otel")]
    _spans: super::telemetry::Exporting,
}

/// What a log is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogKind {
    /// A command, which a person watches.
    Command,
    /// A server: with times.
    #[cfg(feature = "serve")]
    Server,
    /// The same as JSON, one object a line, with each request.
    #[cfg(feature = "serve")]
    ServerJson,
}
