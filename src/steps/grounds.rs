//! Checks that the question and the cited entries support a reply, by their words and without a model.
//!
//! A small model answers any question, even nonsense, in the tone of a right answer. The check finds four kinds of
//! unsupported answers: the log contains no word of the question, the reply cites no entry, a word of the reply is
//! neither in the question nor in the cited entries, or a yes-or-no question has another answer. It cannot find a wrong
//! answer that uses words of the cited entries. Its word lists are English.

use std::collections::HashSet;

/// Words without content of their own.
const FUNCTION: &str = "a an the this that these those it its itself i me my mine myself you your yours we us our ours he him his \
    she her hers they them their is are was were be been being am do does did done doing have has had having will would shall \
    should can could may might must and or but if then than so as of at by for with from to in into on onto off out over under \
    up down about around near before after during while until since not no yes nor any some all both each every either neither \
    there here very just only ever even still also too again please s t d ll re ve m don didn wasn isn";

/// Question words.
const INTERROGATIVE: &str = "what which who whom whose when where whereabouts why how";

/// The first words of a yes-or-no question.
const AUXILIARY: &str = "did was were am is are have has had do does";

/// The first words of its answer.
const YES_OR_NO: &[&str] = &["yes", "no", "not", "never"];

/// Words that are frequent in questions about a log and need not occur in the log.
const ASKING: &str = "see saw seen look looked say said tell told talk talked speak spoke spoken word words name names call called \
    hear heard ask asked meet met introduce introduced person persons people somebody someone anybody anyone nobody body folk \
    folks others other man woman alone go went gone going come came get got happen happened thing things something anything \
    nothing time times moment moments day today first last latest recent recently most once twice often many much number count \
    place places room location spot promise promised make made agree agreed gave give reason activity busy engaged next previous \
    previously later earlier end start started begin began leave left put find found lose lost know remember recall remind show \
    state know minute minutes second seconds hour hours clock";

/// The beginnings of a negative answer, which no entry can support.
const NEGATIVE: &[&str] = &["no", "not", "never", "none", "nobody", "nothing", "nowhere", "zero"];

/// Numbers as words, from zero; `count` also reads `once` and `twice`.
const NUMBERS: &[&str] = &["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/// Why the log does not support the reply; `None` if it does. `cited` are the texts of the cited entries, `log` those
/// of all entries.
pub(super) fn unsupported(question: &str, reply: &str, cited: &[&str], log: &[&str]) -> Option<String> {
    let (said, asked) = (words(reply), words(question));
    let begins = |list: &[&str]| said.first().is_some_and(|word| list.contains(&word.as_str()));
    if asks_yes_or_no(&asked) && !begins(YES_OR_NO) {
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

/// True for a yes-or-no question such as `Was I alone?`. False for `Is it known where I was?` and `Was it tea or
/// milk?`.
fn asks_yes_or_no(asked: &[String]) -> bool {
    let other = |word: &String| listed(INTERROGATIVE, word) || word == "or";
    asked.first().is_some_and(|word| listed(AUXILIARY, word)) && !asked.iter().any(other)
}

/// The words of a text in lower case, without punctuation. A clock time is one word.
fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace('’', "'").replace("'s", "");
    let ends = |c: char| !(c.is_alphanumeric() || c == ':');
    text.split(ends).map(|word| word.trim_matches(':').to_owned()).filter(|word| !word.is_empty()).collect()
}

fn is_clock(word: &str) -> bool {
    word.contains(':') && word.split(':').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()))
}

fn listed(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|listed| listed == word)
}

/// The words that are neither clock times nor in a list, each with its stem.
fn content<'a>(words: &'a [String], lists: &[&str]) -> Vec<(String, &'a str)> {
    let counts = |word: &&String| !is_clock(word) && !lists.iter().any(|list| listed(list, word));
    words.iter().filter(counts).map(|word| (stem(word), word.as_str())).collect()
}

fn stems(texts: &[&str]) -> HashSet<String> {
    texts.iter().flat_map(|text| words(text)).map(|word| stem(&word)).collect()
}

/// A word without the endings of English inflection: `riding`, `ride` and `rides` have one stem. An irregular form has
/// its own.
fn stem(word: &str) -> String {
    const MIN_LETTERS: usize = 3;
    let cut = ["ing", "ed", "es", "s"].iter().find_map(|ending| {
        let rest = word.strip_suffix(ending)?;
        (rest.chars().count() >= MIN_LETTERS).then_some(rest)
    });
    let mut letters: Vec<char> = cut.unwrap_or(word).chars().collect();
    if letters.len() > MIN_LETTERS && letters.ends_with(&['e']) {
        letters.pop();
    }
    // `hammer` and `hammering` need nothing; `chop` and `chopping` do
    if letters.len() > MIN_LETTERS && letters.last() == letters.get(letters.len() - 2) {
        letters.pop();
    }
    if let Some(last) = letters.last_mut().filter(|last| **last == 'y') {
        *last = 'i';
    }
    letters.into_iter().collect()
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

    #[test]
    fn inflected_words_have_one_stem() {
        let check = |words: &str| {
            let stems: HashSet<String> = words.split(' ').map(stem).collect();
            assert_eq!(stems.len(), 1, "{words}: {stems:?}");
        };
        for words in
            ["ride rides riding", "play plays played playing", "carry carries carried carrying", "chop chopping"]
        {
            check(words);
        }
        for words in ["dish dishes", "key keys", "hammer hammering hammered", "wash washed washing", "bike bikes"] {
            check(words);
        }
    }
}
