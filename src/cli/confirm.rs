//! Asks the user to confirm something, at the terminal.

use super::print;
use crate::error::Fault;
use std::io::{self, BufRead, IsTerminal};

/// True if the user agrees. `--yes` (`yes`) agrees at once. Fails without a terminal, because nobody can be asked.
pub(crate) fn confirm(question: &str, yes: bool, hint: &str) -> Result<bool, Fault> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return Err(Fault::refused(format!("{question} Nobody can be asked without a terminal")).hint(hint));
    }
    print::prompt(&format!("{question} [y/N] "));
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}
