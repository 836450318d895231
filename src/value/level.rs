//! The levels of looking at a medium, cheapest first.

use super::Sense;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A level: what models do with a medium, and the senses of the lines that come from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Speech is written down.
    Speech,
    /// Places, things, people and activities are ranked.
    Ranking,
    /// Pictures are described in sentences.
    Captions,
    /// Sounds that are not speech are named.
    Sounds,
    /// Things are found in pictures.
    Detection,
    /// Text in pictures is read.
    Text,
}

impl Level {
    /// Every level, cheapest first.
    pub const ALL: &[Level] =
        &[Level::Speech, Level::Ranking, Level::Captions, Level::Sounds, Level::Detection, Level::Text];
    /// The levels of a log.
    pub const LOG: &[Level] = &[Level::Speech, Level::Ranking];

    /// Its word in arguments, files and messages.
    pub const fn word(self) -> &'static str {
        match self {
            Level::Speech => "speech",
            Level::Ranking => "ranking",
            Level::Captions => "captions",
            Level::Sounds => "sounds",
            Level::Detection => "detection",
            Level::Text => "text",
        }
    }

    /// The level with this word.
    pub fn of(word: &str) -> Option<Level> {
        Level::ALL.iter().copied().find(|level| level.word() == word)
    }

    /// The senses of its lines.
    pub const fn senses(self) -> &'static [Sense] {
        match self {
            Level::Speech => &[Sense::Heard],
            Level::Ranking => &[Sense::Seen, Sense::Done],
            Level::Captions => &[Sense::Caption],
            Level::Sounds => &[Sense::Sound],
            Level::Detection => &[Sense::Detected],
            Level::Text => &[Sense::Read],
        }
    }

    /// The levels that give lines of these senses, cheapest first. A summary comes from no level of its own.
    pub fn of_senses(senses: &[Sense]) -> Vec<Level> {
        let gives = |level: &Level| level.senses().iter().any(|own| senses.contains(own));
        Level::ALL.iter().copied().filter(gives).collect()
    }
}

/// The words that begin a part of a log's text, with the level that the part comes from. A part without such a word comes from ranking.
const LOG_WORDS: [(&str, Level); 5] = [
    ("Heard: ", Level::Speech),
    ("Caption: ", Level::Captions),
    ("Sound: ", Level::Sounds),
    ("Detected: ", Level::Detection),
    ("Text: ", Level::Text),
];

impl Level {
    /// The levels that a log's text about a moment rests on: `kitchen, cooking soup. Heard: we need milk.`
    pub fn of_log(text: &str) -> Vec<Level> {
        let (shown, heard) = match text.split_once(LOG_WORDS[0].0) {
            Some((shown, heard)) => (shown.trim(), heard),
            None => (text.trim(), ""),
        };
        let others = LOG_WORDS[1..].iter();
        let told = others.clone().filter(|(word, _)| shown.contains(word)).map(|(_, level)| *level);
        let is_looked = !shown.is_empty() && !others.clone().any(|(word, _)| shown.starts_with(word));
        let speech = (!heard.is_empty()).then_some(Level::Speech);
        let mut levels: Vec<Level> =
            speech.into_iter().chain(is_looked.then_some(Level::Ranking)).chain(told).collect();
        levels.sort_unstable();
        levels
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_known_by_senses_and_by_texts() {
        for sense in Sense::ALL {
            let levels = Level::of_senses(&[*sense]);
            assert_eq!(levels.len(), usize::from(*sense != Sense::Summary), "{sense}");
        }
        assert_eq!(Level::of_senses(&[Sense::Done, Sense::Heard]), [Level::Speech, Level::Ranking]);
        let check = |text: &str, expected: &[Level]| assert_eq!(Level::of_log(text), expected, "{text}");
        check("kitchen, cooking soup. Seen: mug. Heard: we need milk.", &[Level::Speech, Level::Ranking]);
        check("Heard: we need milk.", &[Level::Speech]);
        check("kitchen.", &[Level::Ranking]);
        check("Caption: I fly a kite.", &[Level::Captions]);
        check("Sound: a dog barks Heard: what is it?", &[Level::Speech, Level::Sounds]);
        check("Text: EXIT", &[Level::Text]);
        let all = [Level::Speech, Level::Ranking, Level::Detection, Level::Text];
        check("kitchen. Seen: mug. Detected: cup, pan. Text: EXIT. Heard: hello.", &all);
        check("", &[]);
        for level in Level::ALL {
            assert_eq!(Level::of(level.word()), Some(*level));
            assert_eq!(serde_json::to_string(level).expect("json"), format!("\"{level}\""));
        }
    }
}
