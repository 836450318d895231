//! What metrics make of a text before they compare it: SQuAD's normalisation, Whisper's English normaliser, and the
//! tokens of captions.

mod digits;
mod numbers;
mod ptb;
mod squad;
pub mod whisper;

pub use ptb::{WordSplit, tokens};
pub use squad::normalise;

use icu_properties::{CodePointMapData, props::GeneralCategory};

/// The general category of a character.
fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

/// True for white space as Python's `str.split` and `\s` see it.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// True for letters, digits and `_`, as Python's `\w` sees them.
fn is_word(c: char) -> bool {
    use GeneralCategory as G;
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    matches!(
        category(c),
        G::UppercaseLetter
            | G::LowercaseLetter
            | G::TitlecaseLetter
            | G::ModifierLetter
            | G::OtherLetter
            | G::DecimalNumber
            | G::LetterNumber
            | G::OtherNumber
    )
}

/// The value of a decimal digit of any script, as Python's `\d` and `int` see it.
fn digit(c: char) -> Option<u32> {
    if c.is_ascii() {
        return c.to_digit(10);
    }
    if category(c) != GeneralCategory::DecimalNumber {
        return None;
    }
    // the digits of a script are ten neighbours, from zero to nine; blocks that touch are whole tens
    let is_digit =
        |code: u32| char::from_u32(code).is_some_and(|before| category(before) == GeneralCategory::DecimalNumber);
    let run = (1..60).take_while(|back| is_digit(c as u32 - back)).count() as u32;
    Some(run % 10)
}

/// The parts of a text between white space.
fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}
