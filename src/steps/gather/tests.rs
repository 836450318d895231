//! Tests of gathering: which lines a question is about, and which answers follow from them.

use super::*;

fn log() -> Vec<LogLine> {
    let texts = [
        "kitchen, cooking soup. Seen: keys, mug. Heard: please go to the office and look for ben.",
        "hallway, checking the list. With: one person. Seen: torch.",
        "office, typing on the laptop. With: two people. Heard: nice to meet you, i am oscar.",
        "office, carrying the keys. Seen: lamp.",
        "street, riding a bike. Seen: keys.",
        "kitchen, cooking soup. Heard: i promise to call tom.",
        "cafe, drinking coffee. Seen: mug, cake.",
    ];
    log_of(&texts)
}

/// Lines of ten seconds each.
fn log_of(texts: &[&str]) -> Vec<LogLine> {
    let line = |(number, text): (usize, &&str)| {
        let start = number as f64 * 10.0;
        LogLine { start, end: start + 10.0, text: (*text).to_owned(), ..LogLine::default() }
    };
    texts.iter().enumerate().map(line).collect()
}

/// The lines from 1, and the computed answer.
#[track_caller]
fn check(question: &str, lines: &[usize], answer: Option<&str>) {
    let found = gather(question, None, &log(), 0, "UTC");
    let places: Vec<usize> = found.lines.iter().map(|place| place + 1).collect();
    assert_eq!((places.as_slice(), found.answer.as_deref()), (lines, answer), "{question}: {}", found.searched);
}

#[test]
fn time_order_and_quantity_choose_lines() {
    check("How many times did I cook soup?", &[1, 6], Some("Twice."));
    check("How often was I in the office?", &[3, 4], Some("Once."));
    check("When did I last cook soup?", &[6], Some("At 00:50."));
    check("When did I first cook soup?", &[1], Some("At 00:00."));
    check("What was I doing at 00:42?", &[5], Some("Riding a bike."));
    check("What did I do after riding a bike?", &[6], Some("Cooking soup."));
    check("What was I doing right before I drank coffee?", &[6], Some("Cooking soup."));
    check("How long did I ride a bike?", &[5], Some("10 seconds."));
    check("Which places was I in between 00:21 and 00:49, in order?", &[3, 4, 5], Some("Office and street."));
    check("What did I do first, drink coffee or check the list?", &[2, 7], Some("Checking the list."));
    check("How many people were in the office?", &[2, 3, 4, 5], None);
    check("How many people were in the hallway?", &[2], Some("One person."));
}

#[test]
fn turns_of_phrase_ask_the_same() {
    // who is met, what is carried
    check("Who did I run into?", &[3], Some("Oscar."));
    check("Which person did I come across in the office?", &[3], Some("Oscar."));
    check("What was the length of my stay at the hallway?", &[2], Some("10 seconds."));
    check("Did I have the keys in my hands at all?", &[4], Some("Yes."));
    check("How many times were the keys in my hands?", &[4], Some("Once."));
    check("The keys that I was lugging around, when did I first have them in my hands?", &[4], Some("At 00:30."));
    // what a verb without a label leaves
    check("What was the duration of me grabbing that coffee?", &[7], Some("10 seconds."));
    check("Did I grab the mug?", &[], Some("No."));
    // the sentence before
    check(
        "There's the first time I cooked soup. Directly after that, what did I do?",
        &[2],
        Some("Checking the list."),
    );
    check("I rode a bike, and then what did I do?", &[6], Some("Cooking soup."));
    check("yo what was I in the middle of at 00:42?", &[5], Some("Riding a bike."));
    check("00:21 to 00:49, list the spots I was at, first to last please", &[3, 4, 5], Some("Office and street."));
    // an answer says more than the question
    check("What did I carry in the keys?", &[], None);
    // what is left out, and what is the most
    check("Apart from the kitchen, where else did I see the keys?", &[5], None);
    check("Where did I see the keys, not counting the street?", &[4], None);
    check("Which activity did I do the most often?", &[1, 2, 3, 4, 5, 6, 7], Some("Cooking soup."));
    check("Where did I spend the most time?", &[1, 2, 3, 4, 5, 6, 7], Some("Kitchen and office."));
    check("What colours were the keys?", &[], None);
    check("At 00:35 I saw something. What was it?", &[4], Some("The lamp."));
    // errands, sides and quotations
    check("What took me to the office?", &[1], Some("To look for ben."));
    check("Did I ride a bike before or after I was in the office?", &[3, 5], Some("After."));
    check("When did I hear \"nice to meet you\"?", &[3], Some("At 00:20."));
    // what was only mentioned has no time of the wearer's
    check("When did I see Ben?", &[], None);
}

#[test]
fn a_log_without_a_place_or_an_activity_denies_nothing() {
    for text in ["unknown place. Seen: mug.", "Heard: we need milk.", "unknown place. Heard: we need milk."] {
        let found = gather("Did I drink coffee?", None, &log_of(&[text]), 0, "UTC");
        assert_eq!((found.answer, found.is_missing), (None, true), "{text}");
    }
}

#[test]
fn other_senses_are_neither_places_nor_counted_twice() {
    let log = log_of(&[
        "bathroom, brushing teeth. Seen: watch. Detected: suitcase, watch. Text: EXIT.",
        "kitchen, cooking soup. Seen: mug. Detected: pan. Sound: kettle. Heard: we need milk.",
        "Detected: suitcase",
    ]);
    let answer = |question: &str| gather(question, None, &log, 0, "UTC");
    assert_eq!(answer("Where did I last see the watch?").place.as_deref(), Some("bathroom"));
    assert_eq!(answer("Where did I last see the suitcase?").place.as_deref().unwrap_or_default(), "");
    assert_eq!(answer("How many times did I see the watch?").answer.as_deref(), Some("Once."));
    assert_eq!(answer("Where did I see the pan?").place.as_deref(), Some("kitchen"));
    assert_eq!(answer("What was I doing in the bathroom?").fitting, [0]);
    assert_eq!(answer("Where did I see EXIT?").fitting, [0]);
    let last = answer("What was the last place I was at?").answer.unwrap_or_default();
    assert!(!last.contains("Detected"), "{last}");
}

#[test]
fn a_word_asks_for_all_that_it_covers() {
    let log = log_of(&[
        "palace, visiting a museum. Seen: bouncy castle, tourist.",
        "dressing room, getting dressed. Seen: wardrobe.",
        "toilet, wiping the table. Seen: wooden spoon.",
    ]);
    for (question, answer) in [
        ("What kind of building did I see?", Some("The palace and the bouncy castle.")),
        ("What piece of furniture was in the room?", Some("The wardrobe and the table.")),
        ("What was the woman wearing?", None),
    ] {
        assert_eq!(gather(question, None, &log, 0, "UTC").answer.as_deref(), answer, "{question}");
    }
}

#[test]
fn an_activity_is_done_and_a_thing_is_seen() {
    // an activity: only where it was done
    check("Did I carry the keys?", &[4], Some("Yes."));
    check("Did I carry the mug?", &[], Some("No."));
    check("Was I reading a book?", &[], Some("No."));
    check("Am I ill?", &[], None);
    check("Was it raining in the cafe?", &[], None);
    // a thing: wherever it was, with the neighbours for the mind
    check("Where did I last see the keys?", &[5], None);
    check("WHERE ARE MY KEYS", &[5], None);
    check("Where did I see the lmap?", &[4], None);
    check("Where did I see the lump?", &[], None);
    check("Where is the spaceship?", &[], None);
    assert!(gather("Where is the spaceship?", None, &log(), 0, "UTC").is_missing);
}

#[test]
fn speech_holds_names_promises_and_reasons() {
    check("Who did I meet?", &[3], Some("Oscar."));
    check("What did I promise?", &[6], Some("To call tom."));
    check("Why did I go to the office?", &[1], Some("To look for ben."));
    check("What was said at 00:55?", &[6], Some("I promise to call tom."));
}

/// A log in which people mention things.
fn mentions() -> Vec<LogLine> {
    let heard = [
        "the violin belongs to oscar.",
        "grace left the ring in the kitchen.",
        "call anna on tuesday.",
        "lucy comes at six.",
        "who took the medal?",
        "i found a yellow umbrella. only twelve minutes left.",
        "lucy forgot to play the guitar.",
        "please buy six bags of rice.",
    ];
    let line = |(number, said): (usize, &&str)| {
        let start = number as f64 * 10.0;
        let place = if number == 4 { "workshop" } else { "kitchen" };
        let text = format!("{place}, reading a book. Seen: violin. Heard: {said}");
        LogLine { start, end: start + 10.0, text, ..LogLine::default() }
    };
    heard.iter().enumerate().map(line).collect()
}

#[test]
fn what_somebody_said_answers() {
    let check = |question: &str, lines: &[usize], answer: Option<&str>| {
        let found = gather(question, None, &mentions(), 0, "UTC");
        let places: Vec<usize> = found.lines.iter().map(|place| place + 1).collect();
        let found = (if answer.is_some() { places.as_slice() } else { lines }, found.answer.as_deref());
        assert_eq!(found, (lines, answer), "{question}");
    };
    check("Who does the violin belong to?", &[1], Some("Oscar."));
    check("Whose violin is it?", &[1], Some("Oscar."));
    check("Who left the ring in the kitchen?", &[2], Some("Grace."));
    check("Where did Grace leave the ring?", &[2], Some("In the kitchen."));
    check("What did Grace do with the ring?", &[2], Some("Someone said: \"Grace left the ring in the kitchen.\""));
    check("Who am I supposed to call on Tuesday?", &[3], Some("Anna."));
    check("When is Lucy coming?", &[4], Some("At six."));
    check("What was said about the medal?", &[5], Some("Who took the medal?"));
    check("What did I hear in the workshop?", &[5], Some("Who took the medal?"));
    check("Somebody mentioned what they had found. What was it?", &[6], Some("A yellow umbrella."));
    check("How many minutes were left, according to somebody?", &[6], Some("Twelve."));
    check("What did Lucy forget to do?", &[7], Some("To play the guitar."));
    check("How many bags of rice should I buy?", &[8], Some("Six."));
    // nobody says it
    check("Who took the medal?", &[], None);
    check("Whose ring is it?", &[], None);
    check("What did Martin ask me to buy?", &[], None);
    check("How old is Lucy?", &[], None);
    // what others say about a thing is not what I did with it
    check("Did I play the guitar?", &[], Some("No."));
    check("Where did I buy rice?", &[], None);
}

#[test]
fn other_words_for_the_same_are_understood() {
    check("When did I ride my bicycle?", &[5], Some("At 00:40."));
    check("How often was I cycling?", &[5], Some("Once."));
    check("Did I prepare soup?", &[1, 6], Some("Yes."));
    check("how many tiems did i cook suop", &[1, 6], Some("Twice."));
    check("HOW MANY VISITS TO THE OFFICE DID I MAKE", &[3, 4], Some("Once."));
    check("How long did I spend cooking altogether?", &[1, 6], Some("20 seconds."));
    // an eye that knows both words tells the things apart
    check("Where did I see the cap?", &[], None);
    assert!(gather("Where did I put my handbag?", None, &mentions(), 0, "UTC").is_missing);
}

#[test]
fn sides_are_compared_and_wholes_are_listed() {
    check("Which did I do first, riding a bike or checking the list?", &[2, 5], Some("Checking the list."));
    check("Which did I spend more time on, cooking soup or riding a bike?", &[1, 5, 6], Some("Cooking soup."));
    check("Lamp or soup: which of them came last?", &[4, 6], Some("Cooking soup."));
    check(
        "Which places did I visit, in order?",
        &[1, 2, 3, 4, 5, 6, 7],
        Some("Kitchen, hallway, office, street, kitchen and cafe."),
    );
    check("Which things did I see in the office?", &[3, 4], Some("Lamp."));
    check("What was the last thing I did?", &[7], Some("Drinking coffee."));
    check("What was the very first thing I saw?", &[1], Some("The keys and the mug."));
    check(
        "What did I do between 00:21 and 00:49?",
        &[3, 4, 5],
        None.or(Some("Typing on the laptop, carrying the keys and riding a bike.")),
    );
}

#[test]
fn a_place_is_given_to_the_mind_for_its_preposition() {
    let place = |question: &str| gather(question, None, &log(), 0, "UTC").place;
    assert_eq!(place("Where did I last see the keys?").as_deref(), Some("street"));
    assert_eq!(place("WHERE ARE MY KEYS").as_deref(), Some("street"));
    assert_eq!(place("Where was I at 00:35?").as_deref(), Some("office"));
    assert_eq!(place("Where is the spaceship?"), None);
    assert_eq!(place("What did I promise?"), None);
}

#[test]
fn days_and_clocks_are_those_of_the_media() {
    let at = |text: &str| text.parse::<jiff::Timestamp>().expect("a time").as_millisecond();
    let day = |medium: &str, start: &str, end: &str, clock: &str| LogLine {
        medium: medium.into(),
        end: 10.0,
        clock: Some(clock.into()),
        wall_ms: Some((at(start), at(end))),
        text: "kitchen, cooking soup.".into(),
        ..LogLine::default()
    };
    let log = [
        day("mon", "2026-11-16T07:00:00Z", "2026-11-16T08:10:00Z", "07:00-08:10"),
        day("tue", "2026-11-17T07:00:00Z", "2026-11-17T08:10:00Z", "07:00-08:10"),
    ];
    let check = |question: &str, lines: &[usize], answer: Option<&str>| {
        let found = gather(question, None, &log, at("2026-11-17T21:00:00Z"), "UTC");
        assert_eq!((found.lines.as_slice(), found.answer.as_deref()), (lines, answer), "{question}");
    };
    check("How many times did I cook soup on Monday?", &[0], Some("Once."));
    check("How many times did I cook soup?", &[0, 1], Some("Twice."));
    check("On how many days did I cook soup?", &[0, 1], Some("Two days."));
    check("When did I cook soup yesterday?", &[0], Some("At 07:00."));
    check("When did I last cook soup?", &[1], Some("On Tuesday at 07:00."));
    check("Did I cook soup on Sunday?", &[], None);
}

#[test]
fn a_hostile_log_is_read_in_time() {
    let long = "Seen: Heard: With: , ".repeat(2000);
    let line = |n: usize| LogLine { start: n as f64, end: n as f64, text: long.clone(), ..LogLine::default() };
    let log: Vec<LogLine> = (0..50).map(line).collect();
    for question in ["How many times did I see it?", "", "?", &"after ".repeat(500)] {
        let found = gather(question, None, &log, i64::MAX, "UTC");
        assert!(found.lines.len() <= MAX_LINES);
    }
}
