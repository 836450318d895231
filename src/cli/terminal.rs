//! Asks a person at the terminal: questions on stderr, answers from stdin.

use super::print;
use crate::agent::person::LineReader;
use std::io::{BufRead, IsTerminal};

/// The terminal that the program was started from.
pub(crate) struct Terminal;

impl LineReader for Terminal {
    fn line(&self, question: &str) -> Result<String, String> {
        let input = std::io::stdin();
        if !input.is_terminal() {
            return Err("a person must answer, but no terminal is attached".into());
        }
        print::prompt(&format!("{question}\n> "));
        let mut line = String::new();
        match input.lock().read_line(&mut line) {
            Ok(0) => Err("the input ended".into()),
            Ok(_) => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}
