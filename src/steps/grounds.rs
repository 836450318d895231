//! Checks that the question and the cited entries support a reply, by their words and without a model.
//!
//! A small model answers any question, even nonsense, in the tone of a right answer. The check finds four kinds of
//! unsupported answers: the log contains no word of the question, the reply cites no entry, a word of the reply is
//! neither in the question nor in the cited entries, or a yes-or-no question has another answer. It cannot find a wrong
//! answer that uses words of the cited entries. Its word lists are English.

use crate::prompt::english::{
    ASKING, FUNCTION, INTERROGATIVE, asks_yes_or_no, content, is_clock, listed, stem, stems, words,
};
use std::collections::HashSet;

/// The first words of the answer to a yes-or-no question.
const YES_OR_NO: &[&str] = &["yes", "no", "not", "never"];

/// The beginnings of a negative answer, which no entry can support.
const NEGATIVE: &[&str] = &["no", "not", "never", "none", "nobody", "nothing", "nowhere", "zero"];

/// Numbers as words, from zero; `count` also reads `once` and `twice`.
const NUMBERS: &[&str] = &["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/// Why the log does not support the reply; `None` if it does. `cited` are the texts of the cited entries, `log` those
/// of all entries.
pub(super) fn unsupported(question: &str, reply: &str, cited: &[&str], log: &[&str]) -> Option<String> {
    let (said, asked) = (words(reply), words(question));
    let begins = |list: &[&str]| said.first().is_some_and(|word| list.contains(&word.as_str()));
    if asks_yes_or_no(question) && !begins(YES_OR_NO) {
        return Some("the question asks for yes or no".into());
    }
    if begins(NEGATIVE) {
        return None;
    }
    if asked.iter().all(|word| listed(FUNCTION, word)) {
        return Some("the question asks for nothing".into());
    }
    let about = content(&asked, &[FUNCTION, INTERROGATIVE, ASKING]);
    let known = stems(log);
    // an entry's time answers a question with a clock time, and is not part of the entry's text
    if !about.is_empty() && about.iter().all(|(stem, _)| !known.contains(stem)) && !asked.iter().any(|w| is_clock(w)) {
        let about: Vec<&str> = about.iter().map(|(_, word)| *word).collect();
        return Some(format!("no entry of the log has a word of the question ({})", about.join(", ")));
    }
    if cited.is_empty() {
        return Some("it cites no entry".into());
    }
    if let Some(count) = count(&said) {
        let wrong = count != cited.len();
        return wrong.then(|| format!("it counts {count}, but cites {}", cited.len()));
    }
    let support: HashSet<String> = stems(cited).into_iter().chain(asked.iter().map(|word| stem(word))).collect();
    let strange = content(&said, &[FUNCTION]).into_iter().find(|(stem, _)| !support.contains(stem));
    strange.map(|(_, word)| format!("neither a cited entry nor the question has `{word}`"))
}

/// The number in an answer such as `twice` or `three times`.
fn count(said: &[String]) -> Option<usize> {
    let number = |word: &str| NUMBERS.iter().position(|n| *n == word).or_else(|| word.parse().ok());
    match said {
        [only] if only == "once" => Some(1),
        [only] if only == "twice" => Some(2),
        [word, times] if times == "times" || times == "time" => number(word),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &[&str] = &[
        "kitchen, cooking soup. With: two people. Seen: keys.",
        "street, riding a bike. Heard: i promise to call tom.",
        "kitchen, chopping vegetables. Seen: keys, banana.",
    ];

    /// `cited` are numbers of entries, from 1. `expected` is empty for a supported reply.
    fn check(question: &str, reply: &str, cited: &[usize], expected: &str) {
        let cited: Vec<&str> = cited.iter().map(|number| LOG[number - 1]).collect();
        assert_eq!(unsupported(question, reply, &cited, LOG).unwrap_or_default(), expected, "{question} {reply}");
    }

    #[test]
    fn supported_answers_are_kept() {
        check("Where did I last see the keys?", "In the kitchen.", &[3], "");
        check("Did I ride my bike?", "Yes.", &[2], "");
        check("Have I chopped the vegetables?", "Yes.", &[3], "");
        check("What did I promise?", "To call tom.", &[2], "");
        check("What was I doing at 00:10?", "Riding a bike.", &[2], "");
        check("Quick, 00:10, my activity?", "Riding a bike.", &[2], "");
        check("How many times did I see the keys?", "Twice.", &[1, 3], "");
        check("When did I last cook soup?", "At 00:00.", &[1], "");
        check("How many people were in the kitchen?", "Two people.", &[1], "");
        check("Is it a bike or a car that I rode?", "A bike.", &[2], "");
        check("Is it known where my keys are?", "In the kitchen.", &[3], "");
    }

    #[test]
    fn negative_answers_need_no_support() {
        check("Did I iron the shirt?", "No.", &[], "");
        check("Who was at the beach?", "Nobody.", &[], "");
    }

    #[test]
    fn questions_without_a_word_in_the_log_get_no_answer() {
        let strange = |words: &str| format!("no entry of the log has a word of the question ({words})");
        check("What is the capital of France?", "In the kitchen.", &[1], &strange("capital, france"));
        check("asdf qwer", "In the kitchen.", &[1], &strange("asdf, qwer"));
        check("最後に鍵を見たのは", "I promise to call tom.", &[2], &strange("最後に鍵を見たのは"));
        check("?", "To call tom.", &[2], "the question asks for nothing");
        check("And before that?", "Cooking soup.", &[1], "the question asks for nothing");
        check("", "Cooking soup.", &[1], "the question asks for nothing");
    }

    #[test]
    fn a_yes_or_no_question_gets_yes_or_no() {
        check("Was I alone in the kitchen?", "Two people.", &[1], "the question asks for yes or no");
        check("Was I alone in the kitchen?", "Nobody.", &[1], "the question asks for yes or no");
        check("Was I alone in the kitchen?", "No.", &[1], "");
    }

    #[test]
    fn citations_must_support_the_answer() {
        check("Where are my keys?", "In the kitchen.", &[], "it cites no entry");
        let nowhere = |word: &str| format!("neither a cited entry nor the question has `{word}`");
        check("Where are my keys?", "In the cafe.", &[1], &nowhere("cafe"));
        check("Who did I meet?", "Anna.", &[2], &nowhere("anna"));
        check("How many people were in the kitchen?", "Three people.", &[1], &nowhere("three"));
        check("How many times did I see the keys?", "Once.", &[1, 3], "it counts 1, but cites 2");
        check("How often did I see the keys?", "3 times.", &[1, 3], "it counts 3, but cites 2");
    }
}
