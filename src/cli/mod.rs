//! The command line: one file for each command. Results go to stdout, everything else to stderr.

mod ask;
mod boxes;
mod calibrate;
mod check;
mod common;
mod completions;
mod confirm;
mod cut;
mod decoding;
mod describe;
mod doctor;
mod downloads;
mod eval;
mod eval_data;
mod eval_table;
mod eval_tell;
mod exit;
mod forget;
mod graph;
mod index;
mod init;
mod journal;
mod levels;
mod list;
#[cfg(feature = "mcp")]
mod mcp;
mod memo;
mod models;
mod models_keep;
mod models_pull;
mod names;
mod out;
mod plan;
mod print;
mod progress;
mod replay;
mod run;
mod schema;
mod search;
#[cfg(feature = "serve")]
mod serve;
mod session;
mod settings;
mod setup;
mod show;
mod signals;
mod source;
#[cfg(feature = "otel")]
mod telemetry;
mod terminal;
mod test;
mod trust;
mod try_given;
mod try_one;
mod try_reply;
mod try_several;
mod turns;

pub use exit::Exit;

use crate::{error::Fault, infer::guard::is_guarded};
use clap::{CommandFactory, Parser, Subcommand};
use out::Out;
use std::path::PathBuf;

/// Answer questions about first-person video with local models that see, hear and reason.
#[derive(Debug, Parser)]
#[command(name = "elenchus", version, max_term_width = 100, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  elenchus ask day.mp4 \"Where did I last see the keys?\"
  elenchus check examples/video_qa.yaml
  elenchus try --model DIR --image a.png --among labels.txt --template \"a photo of a {}\" --json

Exit codes: 0 answered, 1 ran but failed, 2 dialogue or arguments refused, 3 bad input media, \
4 model missing or unloadable, 5 deadline spent, 6 abstained (--fail-on-abstain), \
129, 130, 143 stopped by SIGHUP, SIGINT (Ctrl-C), SIGTERM.";

/// The options of every command.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Global {
    /// Print the result as JSON on stdout (errors too)
    #[arg(long, global = true)]
    json: bool,
    /// Print only the result and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Print more; repeat it for still more (RUST_LOG overrides it)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Colours: auto (a terminal, and NO_COLOR is not set), always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: out::ColorChoice,
    /// Trust the project for this run: allow its endpoints, keys and links; its files replace yours and the program's
    #[arg(long, global = true)]
    trust: bool,
    /// Refuse all network access: endpoints, downloads, media by URL (also ELENCHUS_OFFLINE=1)
    #[arg(long, global = true)]
    offline: bool,
    /// The folder of the journal [default: ~/.local/share/elenchus/journal]
    #[arg(long, global = true, value_name = "FOLDER", env = "ELENCHUS_JOURNAL", hide_env_values = true)]
    journal_folder: Option<PathBuf>,
}

impl Global {
    /// The options that matter for help, which clap shows before it reads the arguments.
    fn of(args: &[String]) -> Global {
        let has = |flag: &str| args.iter().any(|arg| arg == flag);
        let (json, trust, offline) = (has("--json"), has("--trust"), has("--offline"));
        Global { json, quiet: false, verbose: 0, color: out::ColorChoice::Auto, trust, offline, journal_folder: None }
    }
}

/// The commands, in the order of `--help`.
#[derive(Debug, Subcommand)]
enum Command {
    /// Ask questions about videos, or about the whole journal
    Ask(ask::Args),
    /// Choose, download and test models that fit this machine
    Setup(setup::Args),
    /// Look at videos once, and write down in the journal what was seen, done and heard
    Index(index::Args),
    /// Find lines of the journal by their words
    Search(search::Args),
    /// Show, export, correct or forget lines of the journal
    Journal(journal::Args),
    /// Serve the page and the API, for browsers and programs
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    /// Give an assistant tools to search and ask the journal (Model Context Protocol)
    #[cfg(feature = "mcp")]
    Mcp(mcp::Args),
    /// Run a dialogue
    Run(run::Args),
    /// Predict the cost of a run: exchanges, tokens, memory and time
    Plan(plan::Args),
    /// Report every problem of dialogues, with file, line and column
    Check(check::Args),
    /// Draw a dialogue's graph
    Graph(graph::Args),
    /// Run the tests of dialogues, with scripted replies
    Test(test::Args),
    /// Answer again from a transcript, without a model or video
    Replay(replay::Args),
    /// Ask one agent or checkpoint alone
    Try(Box<try_one::Args>),
    /// Score a dialogue on cases with known answers
    Eval(eval::Args),
    /// Show, explain or empty the memo of finished exchanges
    Memo(memo::Args),
    /// List the dialogues, prompts, labels, casts and agents that can be named
    List(list::Args),
    /// Print a dialogue, prompt, label list, cast or agent
    Show(show::Args),
    /// Write a small project to start from
    Init(init::Args),
    /// Make the background vectors that `floor: true` needs
    Calibrate(calibrate::Args),
    /// Download, list, check and remove models
    Models(models::Args),
    /// Print the JSON Schema of dialogues, for editors
    Schema(schema::Args),
    /// Trust a project folder, or show or change the list of trusted folders
    Trust(trust::Args),
    /// Check the installation and the agents
    Doctor(doctor::Args),
    /// Print shell completions
    Completions(completions::Args),
}

impl Command {
    /// What its log is for.
    fn log(&self) -> out::LogKind {
        match self {
            #[cfg(feature = "serve")]
            Command::Serve(args) if args.log_json => out::LogKind::ServerJson,
            #[cfg(feature = "serve")]
            Command::Serve(_) => out::LogKind::Server,
            _ => out::LogKind::Command,
        }
    }
}

/// Runs the program with this process's arguments, and gives its exit code.
pub fn main() -> std::process::ExitCode {
    hide_guarded_panics();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let out = Out::new(&args.global);
    let _spans = out::log(&args.global, out.colored(), &args.command.log());
    let settings = settings::read(&args.global);
    let result = match args.command {
        Command::Ask(args) => args.run(&out, &settings),
        Command::Setup(args) => args.run(&out, &settings),
        Command::Index(args) => args.run(&out, &settings),
        Command::Search(args) => args.run(&out, &settings),
        Command::Journal(args) => args.run(&out, &settings),
        #[cfg(feature = "serve")]
        Command::Serve(args) => args.run(&out, &settings),
        #[cfg(feature = "mcp")]
        Command::Mcp(args) => args.run(&settings),
        Command::Run(args) => args.run(&out, &settings),
        Command::Check(args) => args.run(&out, &settings),
        Command::Graph(args) => args.run(&out, &settings),
        Command::Plan(args) => args.run(&out, &settings),
        Command::Test(args) => args.run(&out, &settings),
        Command::Replay(args) => args.run(&out),
        Command::Try(args) => args.run(&out, &settings),
        Command::Eval(args) => args.run(&out, &settings),
        Command::Memo(args) => args.run(&out, &settings),
        Command::List(args) => args.run(&out, &settings),
        Command::Show(args) => args.run(&out, &settings),
        Command::Init(args) => args.run(&out, &settings),
        Command::Calibrate(args) => args.run(&out, &settings),
        Command::Models(args) => args.run(&out, &settings),
        Command::Trust(args) => args.run(&out, &settings),
        Command::Doctor(args) => args.run(&out, &settings),
        Command::Schema(args) => args.run(&out),
        Command::Completions(args) => args.run(&out),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            out.failure(&failure);
            Exit::from(&failure.kind).into()
        }
    }
}

/// Hides panics of models: each is reported as an error of its agent. The debug log has their position.
fn hide_guarded_panics() {
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| match is_guarded() {
        true => tracing::debug!("{info}"),
        false => shown(info),
    }));
}

/// Prints help and version to stdout (code 0), and mistakes to stderr, or with `--json` as JSON to stdout (code 2).
fn usage(error: &clap::Error) -> std::process::ExitCode {
    let args: Vec<String> = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let json = args.iter().any(|arg| arg == "--json");
    if error.kind() == clap::error::ErrorKind::DisplayHelp
        && let Some(dialogue) = describe::dialogue(&args)
    {
        let global = Global::of(&args);
        let out = Out::new(&global);
        match describe::help(dialogue, &out, &settings::read(&global)) {
            Ok(text) => match out::help(&text, Exit::Answered) {
                Exit::Answered if !json => {} // the general help follows
                exit => return exit.into(),
            },
            Err(failure) => {
                out.failure(&failure);
                return Exit::from(&failure.kind).into();
            }
        }
    }
    if error.kind() == clap::error::ErrorKind::DisplayVersion && json {
        let version = env!("CARGO_PKG_VERSION");
        let text = serde_json::json!({ "name": "elenchus", "version": version }).to_string() + "\n";
        return out::help(&text, Exit::Answered).into();
    }
    let hint = near_command(error, &args);
    if error.use_stderr() && json {
        let fault = Fault::refused(mistake(&error.to_string()));
        let text = format!("{}\n", out::failure_json(&Fault { hint, ..fault }));
        return out::help(&text, Exit::Refused).into();
    } else if error.use_stderr() {
        // The message names the arguments, which may contain any text.
        let said = error.render();
        let plain = !out::ColorChoice::Auto.colored();
        print::to_stderr_styled((if plain { said.to_string() } else { said.ansi().to_string() }).trim_end());
        if let Some(hint) = hint {
            print::to_stderr(&format!("\nhint: {hint}"));
        }
    } else {
        return out::printed(error.print(), Exit::Answered).into();
    }
    Exit::Refused.into()
}

/// A hint with the most similar command, if clap has no tip.
fn near_command(error: &clap::Error, args: &[String]) -> Option<String> {
    if error.kind() != clap::error::ErrorKind::InvalidSubcommand || error.to_string().contains("tip:") {
        return None;
    }
    let names: Vec<String> = command().get_subcommands().map(|known| known.get_name().to_owned()).collect();
    let given = args.iter().find(|arg| !arg.starts_with('-'))?;
    // a command at one typing error comes before a merely similar one
    let slip = names.iter().find(|name| strsim::osa_distance(given, name) == 1);
    let hint = slip.map(|name| format!("did you mean `{name}`?"));
    hint.or_else(|| crate::problem::closest(given, names.iter().map(String::as_str)))
}

/// clap's error in one line: its text before the usage. If clap shows help instead, a command is missing.
fn mistake(text: &str) -> String {
    let Some(said) = text.strip_prefix("error: ") else { return "a command is missing; see --help".to_owned() };
    let lines =
        said.lines().take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more")).map(str::trim);
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The whole command line, for completions and tests.
pub fn command() -> clap::Command {
    Args::command()
}
