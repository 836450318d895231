//! The thoughts that some models write before their answer, between `<think>` and `</think>`. They do not belong to the
//! reply's text. The reply's token ids still hold them.

const BEGIN: &str = "<think>";
const END: &str = "</think>";

/// The answer in the text that a model wrote in a chat. Thoughts that do not end leave nothing. Some chat templates write
/// the first mark at the end of the prompt, so that the reply has the second one alone.
pub fn answer(said: &str) -> &str {
    let begins = said.trim_start().starts_with(BEGIN);
    match said.split_once(END) {
        Some((thoughts, answer)) if begins || !thoughts.contains(BEGIN) => answer.trim_start(),
        None if begins => "",
        _ => said,
    }
}

/// A filter for a reply that is sent piece by piece: nothing is sent before it is clear that the answer has begun.
#[derive(Debug, Default)]
pub struct Thoughts {
    held: String,
    answers: bool,
}

impl Thoughts {
    /// The part of the reply that can be sent after another piece.
    pub fn push(&mut self, piece: &str) -> String {
        if self.answers {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        let begun = self.held.trim_start();
        let may_think = BEGIN.starts_with(begun) || (begun.starts_with(BEGIN) && !begun.contains(END));
        let answer = answer(&self.held);
        if may_think || answer.is_empty() {
            return String::new();
        }
        self.answers = true;
        answer.to_owned()
    }

    /// The rest of a reply that ended.
    pub fn finish(&self) -> &str {
        if self.answers { "" } else { answer(&self.held) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer, and the same answer from pieces of every length.
    fn check(said: &str) -> String {
        let whole = answer(said).to_owned();
        let chars: Vec<char> = said.chars().collect();
        for length in 1..=chars.len() {
            let mut thoughts = Thoughts::default();
            let pieces = chars.chunks(length).map(|piece| piece.iter().collect::<String>());
            let sent: String = pieces.map(|piece| thoughts.push(&piece)).collect();
            assert_eq!(sent + thoughts.finish(), whole, "pieces of {length}");
        }
        whole
    }

    #[test]
    fn thoughts_are_no_part_of_the_answer() {
        assert_eq!(check("<think>\nHm. A < B.\n</think>\n\nIn the kitchen."), "In the kitchen.");
        assert_eq!(check("\n<think></think>No."), "No.");
        assert_eq!(check("<think>\nHm."), "");
        assert_eq!(check("<think>a</think>"), "");
    }

    #[test]
    fn other_replies_stay_as_they_are() {
        assert_eq!(check("In the <b>kitchen</b>."), "In the <b>kitchen</b>.");
        assert_eq!(check(" <thin"), " <thin");
        assert_eq!(check("Use <think> and </think>."), "Use <think> and </think>.");
        assert_eq!(answer("Hm.</think>\nYes."), "Yes.");
    }
}
