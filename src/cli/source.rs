//! Finds and compiles the dialogue that a command names, and prints its problems.

use super::{out::Out, print, settings::report};
use crate::{
    dialogue,
    error::Fault,
    files,
    hub::Network,
    plan::{self, CompileOptions, Plan, Problem},
    session::{DialogueSource, Settings, source::unreadable},
};

/// Finds a dialogue by a path, by `-` for standard input, or by a name such as `video_qa`.
pub(crate) fn find(name: &str, settings: &Settings, network: Network) -> Result<DialogueSource, Fault> {
    if name != "-" {
        return DialogueSource::find(name, settings, network);
    }
    let text =
        files::read_from(std::io::stdin(), dialogue::MAX_BYTES).map_err(|error| unreadable("<stdin>", &error))?;
    DialogueSource::given("<stdin>", text, settings, network)
}

/// Compiles a dialogue. Prints its problems (with JSON, the first one becomes the error) and fails if there are any.
pub(crate) fn compile(source: &DialogueSource, options: &CompileOptions, out: &Out) -> Result<Plan, Fault> {
    source.check_cast(options.cast.as_deref())?;
    let compiled = source.plan(options);
    report(&source.catalogue.verdicts, out)?;
    compiled.map_err(|problems| {
        show(source, &problems, out);
        let count = problems.len();
        let first = &problems[0];
        let place = format!("{}:{}:{}: {}", first.file, first.line, first.column, first.message);
        let message = match count {
            1 if out.json => place,
            1 => format!("{} has a problem", first.file),
            _ if out.json => format!("{place} (and {} more problems)", count - 1),
            _ => format!("{} has {count} problems", source.file),
        };
        Fault::refused(message)
    })
}

/// Prints problems on stderr, with their source lines.
pub(crate) fn show(source: &DialogueSource, problems: &[Problem], out: &Out) {
    if !out.json {
        for problem in problems {
            let shown = plan::render(problem, &source.text_of(&problem.file), out.colored());
            print::to_stderr_styled(&format!("{shown}\n"));
        }
    }
}
