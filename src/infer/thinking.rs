//! The thoughts that some models write before their answer, between `<think>` and `</think>`. They have a field of their
//! own beside the reply's text. The reply's token ids hold both.

const BEGIN: &str = "<think>";
const END: &str = "</think>";

/// True if a prompt ends with the first mark, as some chat templates write it: the reply then begins with thoughts.
pub fn opens(prompt: &str) -> bool {
    prompt.trim_end().ends_with(BEGIN)
}

/// The thoughts and the answer in the text that a model wrote in a chat. Thoughts that do not end leave no answer.
/// `opened`: the prompt ended with the first mark, so that the reply has the second one alone.
pub fn split(said: &str, opened: bool) -> (&str, &str) {
    let begun = said.trim_start().strip_prefix(BEGIN);
    match said.split_once(END) {
        Some((thoughts, answer)) if begun.is_some() || !thoughts.contains(BEGIN) => {
            let thoughts = thoughts.trim();
            (thoughts.strip_prefix(BEGIN).unwrap_or(thoughts).trim(), answer.trim_start())
        }
        None if begun.is_some() || opened => (begun.unwrap_or(said).trim(), ""),
        _ => ("", said),
    }
}

/// A filter for a reply that is sent piece by piece: nothing is sent before it is clear that the answer has begun.
#[derive(Debug, Default)]
pub struct Thoughts {
    held: String,
    opened: bool,
    answers: bool,
}

impl Thoughts {
    /// The prompt ended with the first mark.
    pub fn open(&mut self) {
        self.opened = true;
    }

    /// [`split`] for this reply.
    pub fn split<'a>(&self, said: &'a str) -> (&'a str, &'a str) {
        split(said, self.opened)
    }

    /// The part of the reply that can be sent after another piece.
    pub fn push(&mut self, piece: &str) -> String {
        if self.answers {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        let begun = self.held.trim_start();
        let may_think = BEGIN.starts_with(begun) || ((self.opened || begun.starts_with(BEGIN)) && !begun.contains(END));
        let (_, answer) = self.split(&self.held);
        if may_think || answer.is_empty() {
            return String::new();
        }
        self.answers = true;
        answer.to_owned()
    }

    /// The rest of a reply that ended.
    pub fn finish(&self) -> &str {
        if self.answers { "" } else { self.split(&self.held).1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The thoughts and the answer, and the same answer from pieces of every length.
    fn check_after(opened: bool, said: &str, expected: (&str, &str)) {
        assert_eq!(split(said, opened), expected);
        let chars: Vec<char> = said.chars().collect();
        for length in 1..=chars.len() {
            let mut thoughts = Thoughts { opened, ..Thoughts::default() };
            let pieces = chars.chunks(length).map(|piece| piece.iter().collect::<String>());
            let sent: String = pieces.map(|piece| thoughts.push(&piece)).collect();
            assert_eq!(sent + thoughts.finish(), expected.1, "pieces of {length}");
        }
    }

    fn check(said: &str, expected: (&str, &str)) {
        check_after(false, said, expected);
    }

    #[test]
    fn thoughts_are_no_part_of_the_answer() {
        check("<think>\nHm. A < B.\n</think>\n\nIn the kitchen.", ("Hm. A < B.", "In the kitchen."));
        check("\n<think></think>No.", ("", "No."));
        check("<think>\nHm.", ("Hm.", ""));
        check("<think>a</think>", ("a", ""));
    }

    #[test]
    fn a_prompt_may_open_the_thoughts() {
        assert!(opens("<|assistant|>\n<think>\n") && !opens("<think>\n\n</think>\n\n"));
        check_after(true, "Hm.</think>\nYes.", ("Hm.", "Yes."));
        check_after(true, "Hm. Is it", ("Hm. Is it", ""));
        check_after(true, "\n<think>Hm.</think>Yes.", ("Hm.", "Yes."));
        // some models forget the first mark
        assert_eq!(split("Hm.</think>\nYes.", false), ("Hm.", "Yes."));
    }

    #[test]
    fn other_replies_stay_as_they_are() {
        check("In the <b>kitchen</b>.", ("", "In the <b>kitchen</b>."));
        check(" <thin", ("", " <thin"));
        check("Use <think> and </think>.", ("", "Use <think> and </think>."));
    }
}
