//! Prints the receipt of `journal forget`.

use super::out::Out;
use crate::{error::Fault, session::forgetting::Receipt};

/// Prints what was removed.
pub(super) fn print(receipt: &Receipt, out: &Out) -> Result<(), Fault> {
    if out.json {
        return out.value(receipt);
    }
    out.text(format_args!("{} removed from the journal", counted(receipt.lines, "line")))?;
    match receipt.exchanges {
        Some(count) => out.text(format_args!("{} removed from the memo", counted(count, "exchange")))?,
        None => out.text("the whole memo was removed; its exchanges could not be counted")?,
    }
    out.text(format_args!("{} of texts and frames removed", counted(receipt.vectors, "vector")))?;
    receipt.files.iter().try_for_each(|file| out.text(format_args!("removed {}", file.display())))?;
    receipt.left.iter().for_each(|line| out.warn(format_args!("warning: {line}")));
    Ok(())
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
