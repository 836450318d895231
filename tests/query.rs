//! Questions as typed queries: wordings, the lexicon against all label lists, hostile input, and times in their zones.

use elenchus::query::{
    Asks, Context, Coverage, Day, Mark, MediaSpan, Month, Order, Point, Query, TimeRelation, When, Word, parse,
    resolve, words,
};
use elenchus::value::DayClock;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn questions_become_queries() {
    let text = fs::read_to_string(root().join("tests/query/cases.txt")).expect("the cases");
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (question, expected) = line.split_once(" => ").expect("question => query");
        let query = parse(question);
        let found = format!("{}{query}", if query.parsed { "" } else { "ask: " });
        if found != expected {
            wrong.push(format!("{question}\n  found    {found}\n  expected {expected}"));
        }
        seen.insert(question);
    }
    assert!(seen.len() >= 400, "{} cases", seen.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), seen.len(), wrong.join("\n"));
}

#[test]
fn queries_have_typed_parts() {
    let query = parse("What did I eat between 10 and 11 yesterday?");
    let clock = |hour| Mark::Clock { hour, minute: 0, second: None, either_half: true, or_media: false };
    let point = |hour| Point { day: Some(Day::DaysAgo(1)), part: None, time: Some(clock(hour)) };
    let when = When { relation: TimeRelation::Between, point: point(10), to: Some(point(11)) };
    let expected =
        Query { asks: Asks::What, when: Some(when), topic: "eat".to_owned(), parsed: true, ..Query::default() };
    assert_eq!(query, expected);
    let query = parse("the third time I drank coffee");
    assert_eq!((query.order, query.topic.as_str()), (Order::Nth(3), "drank coffee"));
}

/// Checks that almost all questions of the starter's examination need no language model.
#[test]
fn the_starters_questions_are_parsed() {
    let text = fs::read_to_string(root().join("tests/starter/questions.jsonl")).expect("the questions");
    let (mut all, mut open) = (0, Vec::new());
    for line in text.lines() {
        let case: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let query = parse(case["question"].as_str().expect("a question"));
        all += 1;
        if !query.parsed {
            open.push(case["question"].to_string());
        }
    }
    assert!(all >= 91 && open.len() * 20 <= all, "{} of {all} are not parsed: {open:?}", open.len());
}

/// The label lists of `vocab/`, with their entries. An ImageNet entry is `name: definition`; only its name is a label.
fn label_lists() -> Vec<(PathBuf, Vec<String>)> {
    let (mut folders, mut lists) = (vec![root().join("vocab")], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("a list");
            let entries = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
            let names = entries.map(|entry| entry.split(':').next().unwrap_or_default().to_lowercase());
            lists.push((path.clone(), names.collect()));
        }
    }
    lists
}

/// Words of time, order and quantity that labels use as well. A label is more than such a word.
const SHARED: &[&str] =
    &["around", "evening", "first", "two", "three", "four", "five", "half", "long", "night", "time"];

#[test]
fn the_lexicon_has_no_label() {
    let known: BTreeSet<&str> = words().map(|(word, _)| word).collect();
    let function: BTreeSet<&str> =
        words().filter(|(_, group)| *group == Word::Function).map(|(word, _)| word).collect();
    let (mut wrong, mut entries) = (BTreeSet::new(), 0);
    for (path, labels) in label_lists() {
        for label in labels {
            entries += 1;
            // `can` is a verb at most places; the order of the words decides
            if known.contains(label.as_str()) && label != "can" {
                wrong.insert(format!("`{label}` is a label of {}", path.display()));
            }
            for word in label.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()) {
                if known.contains(word) && !function.contains(word) && !SHARED.contains(&word) {
                    wrong.insert(format!("`{word}` is in the label `{label}` of {}", path.display()));
                }
            }
        }
    }
    assert!(entries > 4000 && known.len() > 350, "{entries} labels, {} words", known.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Checks that no label is taken for a misspelt word of the lexicon, or for a time.
#[test]
fn labels_are_topics() {
    let (mut wrong, mut all) = (Vec::new(), 0);
    for (path, labels) in label_lists() {
        for label in labels.iter().filter(|label| label.chars().all(|c| c.is_alphabetic() || c == ' ')) {
            let activity = path.ends_with("activities.txt");
            let (question, topic) = if activity {
                (format!("Where was Ben {label}?"), format!("Ben {label}"))
            } else {
                (format!("Where did Ben see the {label}?"), format!("Ben see the {label}"))
            };
            let query = parse(&question);
            all += 1;
            if query.topic != topic || !query.parsed || query.when.is_some() {
                wrong.push(format!("{label}: {query}"));
            }
        }
    }
    assert!(all > 3000, "{all} labels");
    assert!(wrong.len() * 200 <= all, "{} of {all}: {wrong:#?}", wrong.len());
}

#[test]
fn hostile_questions_take_milliseconds() {
    let long = |piece: &str| piece.repeat(10_000 / piece.len());
    let pieces = [
        "a",
        "? ",
        "at 9 ",
        "between 10 and ",
        "after ",
        "the last ",
        "when I ",
        "what is the number of ",
        "1:2:3:",
        "'",
        "o'",
        "8.",
        "two minutes and ",
        "before and after that, ",
        "\u{0130}t's ",
        "it's ",
        "10-",
        "昨日の",
        "a, ",
        "every time I ",
        "ago ",
        "what i what i is ",
        "the first time I ",
        "with x over ",
        "\u{202e}",
        "n't ",
        "mroning ",
        "following ",
        "like ",
        "and then ",
    ];
    for piece in pieces {
        let text = long(piece);
        let started = Instant::now();
        let query = parse(&text);
        let shown = query.to_string();
        assert!(started.elapsed() < Duration::from_millis(900), "{piece:?} took {:?}", started.elapsed());
        assert!(shown.len() < 200_000, "{piece:?}: {} bytes", shown.len());
    }
}

proptest! {
    #[test]
    fn any_text_gives_a_query(text in "\\PC{0,80}", words in prop::collection::vec("[a-z':0-9.,?-]{1,9}|at|after|the|last|when|between|and|minutes|ago|i|did|what", 0..20)) {
        for text in [text, words.join(" ")] {
            let query = parse(&text);
            prop_assert!(!query.to_string().contains('\n'));
            let json = serde_json::to_string(&query).expect("JSON");
            prop_assert_eq!(&serde_json::from_str::<Query>(&json).expect("the same type"), &query);
            if let Some(when) = &query.when {
                let context = Context { now_ms: 1_775_000_000_000, zone: "Europe/Berlin".to_owned(), media: vec![video(0.0, 120.0)] };
                let resolved = resolve(when, &context).expect("a zone");
                prop_assert!(resolved.media.iter().all(|window| window.from_s >= 0.0 && window.to_s <= 120.0));
            }
        }
    }
}

fn video(start_s: f64, end_s: f64) -> MediaSpan {
    MediaSpan { start_s, end_s, wall_start_ms: None, clock: None }
}

/// The milliseconds of a local time such as `2026-03-29T02:30`, by the zone's offset in hours.
fn ms(local: &str, offset_h: i64) -> i64 {
    let utc: jiff::Timestamp = format!("{local}:00Z").parse().expect("a time");
    utc.as_millisecond() - offset_h * 3_600_000
}

/// The wall-clock intervals of a question, as local times of the zone (`from - to`, `at` for points).
fn wall(question: &str, now: (&str, i64), zone: &str, media: &[MediaSpan]) -> String {
    let query = parse(question);
    assert!(query.parsed, "{question}: {query}");
    let when = query.when.expect("a time");
    let context = Context { now_ms: ms(now.0, now.1), zone: zone.to_owned(), media: media.to_vec() };
    let resolved = resolve(&when, &context).expect("a zone");
    let zone = jiff::tz::TimeZoneDatabase::bundled().get(zone).expect("a zone");
    let local = |ms: i64| match jiff::Timestamp::from_millisecond(ms) {
        Ok(time) => {
            let offset = zone.to_offset(time);
            format!("{}{offset}", offset.to_datetime(time).strftime("%m-%d %H:%M"))
        }
        Err(_) => "…".to_owned(),
    };
    let shown = resolved.wall.iter().map(|window| match window.at_ms {
        Some(at_ms) => format!("at {}", local(at_ms)),
        None => format!("{} - {}", local(window.from_ms), local(window.to_ms)),
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[test]
fn days_resolve_in_their_zone() {
    // a Wednesday
    let check = |question: &str, expected: &str| {
        assert_eq!(wall(question, ("2026-03-11T15:00", 1), "Europe/Berlin", &[]), expected, "{question}");
    };
    check("What did I do today?", "03-11 00:00+01 - 03-12 00:00+01");
    check("What did I do yesterday?", "03-10 00:00+01 - 03-11 00:00+01");
    check("What did I do the day before yesterday?", "03-09 00:00+01 - 03-10 00:00+01");
    check("What did I do on Wednesday?", "03-11 00:00+01 - 03-12 00:00+01");
    check("What did I do last Wednesday?", "03-04 00:00+01 - 03-05 00:00+01");
    check("What did I do on Tuesday?", "03-10 00:00+01 - 03-11 00:00+01");
    check("What did I do last Tuesday?", "03-10 00:00+01 - 03-11 00:00+01");
    check("What did I do on Thursday?", "03-05 00:00+01 - 03-06 00:00+01");
    check("What did I do on 3 March?", "03-03 00:00+01 - 03-04 00:00+01");
    check("What did I do on the 12th?", "02-12 00:00+01 - 02-13 00:00+01");
    check("What did I do two weeks ago?", "02-23 00:00+01 - 03-02 00:00+01");
    check("What did I do this week?", "03-09 00:00+01 - 03-16 00:00+01");
    check("What did I do last week?", "03-02 00:00+01 - 03-09 00:00+01");
    check("What did I do at the weekend?", "03-07 00:00+01 - 03-09 00:00+01");
    check("What did I do last month?", "02-01 00:00+01 - 03-01 00:00+01");
    check("What did I do in the last three days?", "03-09 00:00+01 - 03-12 00:00+01");
    check("What did I do this morning?", "03-11 05:00+01 - 03-11 12:00+01");
    check("What did I do last night?", "03-10 18:00+01 - 03-11 05:00+01");
    check("What did I do yesterday evening?", "03-10 17:00+01 - 03-10 23:00+01");
    check("What did I do on Monday at 9?", "at 03-09 09:00+01");
    check("What did I do on Monday at 3?", "at 03-09 15:00+01");
    check("What did I do at nine in the evening yesterday?", "at 03-10 21:00+01");
    check("What did I do at 10:30 at night yesterday?", "at 03-10 22:30+01");
    check("What did I do at 10:30 yesterday?", "at 03-10 10:30+01");
    check("What did I do between 10 and 11 yesterday?", "03-10 10:00+01 - 03-10 11:00+01");
    check("What did I do between 11 and 1 yesterday?", "03-10 11:00+01 - 03-10 13:00+01");
    check("What did I do from Monday to Tuesday?", "03-09 00:00+01 - 03-11 00:00+01");
    check("What did I do from Friday to Monday?", "03-06 00:00+01 - 03-10 00:00+01");
    check("What did I do before 9 on Monday?", "03-09 00:00+01 - 03-09 09:00+01");
    check("What did I do after 9 on Monday?", "03-09 09:00+01 - 03-10 00:00+01");
    check("What did I do before yesterday?", "… - 03-10 00:00+01");
    check("What did I do since Monday?", "03-09 00:00+01 - 03-11 15:00+01");
    check("What will I do tomorrow?", "03-12 00:00+01 - 03-13 00:00+01");
}

#[test]
fn years_months_and_leap_days_end_rightly() {
    let check = |question: &str, now: &str, expected: &str| {
        assert_eq!(wall(question, (now, 0), "UTC", &[]), expected, "{question} {now}");
    };
    check("What did I do yesterday?", "2026-01-01T09:00", "12-31 00:00+00 - 01-01 00:00+00");
    check("What did I do on 31 December?", "2026-01-02T09:00", "12-31 00:00+00 - 01-01 00:00+00");
    check("What did I do last month?", "2026-01-31T09:00", "12-01 00:00+00 - 01-01 00:00+00");
    check("What did I do last year?", "2026-06-01T09:00", "01-01 00:00+00 - 01-01 00:00+00");
    check("What did I do yesterday?", "2028-03-01T09:00", "02-29 00:00+00 - 03-01 00:00+00");
    check("What did I do yesterday?", "2026-03-01T09:00", "02-28 00:00+00 - 03-01 00:00+00");
    // the latest year that has it
    check("What did I do on February 29th?", "2026-03-01T09:00", "02-29 00:00+00 - 03-01 00:00+00");
    check("What did I do on the 31st?", "2026-03-01T09:00", "01-31 00:00+00 - 02-01 00:00+00");
    check("What did I do on 30 February 2026?", "2026-03-01T09:00", "");
    check("What did I do last Monday?", "2026-01-05T09:00", "12-29 00:00+00 - 12-30 00:00+00");
    check("What did I do last weekend?", "2026-03-08T09:00", "02-28 00:00+00 - 03-02 00:00+00");
    check("What did I do at the weekend?", "2026-03-08T09:00", "03-07 00:00+00 - 03-09 00:00+00");
}

#[test]
fn daylight_saving_is_right_on_both_days() {
    let berlin = |question: &str, now: (&str, i64), expected: &str| {
        assert_eq!(wall(question, now, "Europe/Berlin", &[]), expected, "{question}");
    };
    // the clock is put forward from 02:00 to 03:00: 23 hours
    berlin("What did I do today?", ("2026-03-29T12:00", 2), "03-29 00:00+01 - 03-30 00:00+02");
    berlin("What did I do today at 01:59?", ("2026-03-29T12:00", 2), "at 03-29 01:59+01");
    berlin("What did I do today at 02:30?", ("2026-03-29T12:00", 2), "at 03-29 03:30+02");
    berlin("What did I do this morning?", ("2026-03-29T12:00", 2), "03-29 05:00+02 - 03-29 12:00+02");
    berlin("What did I do last night?", ("2026-03-29T12:00", 2), "03-28 18:00+01 - 03-29 05:00+02");
    berlin("Where was I two hours ago?", ("2026-03-29T04:00", 2), "at 03-29 01:00+01");
    // the clock is put back from 03:00 to 02:00: 25 hours, and 02:30 happens twice
    berlin("What did I do today?", ("2026-10-25T12:00", 1), "10-25 00:00+02 - 10-26 00:00+01");
    berlin("What did I do today at 02:30?", ("2026-10-25T12:00", 1), "at 10-25 02:30+02, at 10-25 02:30+01");
    berlin("What did I do between 02:00 and 03:00 today?", ("2026-10-25T12:00", 1), "10-25 02:00+02 - 10-25 03:00+01");
    berlin("What did I do yesterday?", ("2026-10-26T00:30", 1), "10-25 00:00+02 - 10-26 00:00+01");
    let york = |question: &str, now: (&str, i64), expected: &str| {
        assert_eq!(wall(question, now, "America/New_York", &[]), expected, "{question}");
    };
    york("What did I do today?", ("2026-03-08T12:00", -4), "03-08 00:00-05 - 03-09 00:00-04");
    york("What did I do today?", ("2026-11-01T12:00", -5), "11-01 00:00-04 - 11-02 00:00-05");
    york("What did I do today at 01:30?", ("2026-11-01T12:00", -5), "at 11-01 01:30-04, at 11-01 01:30-05");
}

/// The intervals of a question in some media, in presentation seconds: `medium:from-to`, `@` and the exact time for points.
fn media(question: &str, media: &[MediaSpan]) -> String {
    let query = parse(question);
    assert!(query.parsed, "{question}: {query}");
    let context =
        Context { now_ms: ms("2026-03-11T15:00", 1), zone: "Europe/Berlin".to_owned(), media: media.to_vec() };
    let resolved = resolve(&query.when.expect("a time"), &context).expect("a zone");
    let shown = resolved.media.iter().map(|window| {
        let at = window.at_s.map(|at_s| format!("@{at_s:.2}")).unwrap_or_default();
        format!("{}:{:.2}-{:.2}{at}", window.medium, window.from_s, window.to_s)
    });
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { format!("{:?}", resolved.coverage) } else { shown.join(", ") }
}

#[test]
fn a_plain_video_has_presentation_time() {
    let check =
        |question: &str, expected: &str| assert_eq!(media(question, &[video(0.0, 120.0)]), expected, "{question}");
    check("What was I doing at 00:26?", "0:24.00-29.00@26.00");
    check("What was I doing around 00:26?", "0:16.00-37.00@26.00");
    check("What was I doing at 01:59?", "0:117.00-120.00@119.00");
    check("What was I doing at 02:30?", "Unknown");
    check("What was I doing after one minute?", "0:58.00-63.00@60.00");
    check("What happened in the first two minutes?", "0:0.00-120.00");
    check("What happened in the last minute?", "0:60.00-120.00");
    check("What happened at the beginning?", "0:0.00-12.00");
    check("What happened at the end?", "0:108.00-120.00");
    check("What happened halfway through?", "0:54.00-66.00");
    check("What happened between 00:30 and 01:00?", "0:30.00-60.00");
    check("What happened before 00:30?", "0:0.00-30.00");
    check("What happened after 01:30?", "0:90.00-120.00");
    check("What happened at minute 5?", "Nothing");
    check("What happened on Tuesday?", "Unknown");
    check("What happened at 3 pm?", "Unknown");
    assert_eq!(media("What happened at 1:02:03?", &[video(0.0, 7200.0)]), "0:3721.00-3726.00@3723.00");
    // the presentation time of a medium need not begin at 0
    assert_eq!(media("What happened at 00:10?", &[video(5.0, 60.0)]), "0:13.00-18.00@15.00");
}

#[test]
fn a_video_with_a_clock_has_times_of_day() {
    let clock = Some(DayClock { start_min: 7 * 60, pace: 420.0 });
    let day = MediaSpan { clock, ..video(0.0, 120.0) };
    let check = |question: &str, expected: &str| assert_eq!(media(question, &[day]), expected, "{question}");
    // 07:00 to 21:00
    check("What was I doing at 08:10?", "0:9.71-10.43@10.00");
    check("What was I doing at ten past eight?", "0:9.71-10.43@10.00");
    check("What was I doing at eight in the evening?", "0:111.14-112.00@111.43".replace("112.00", "111.86").as_str());
    check("What was I doing at 3?", "0:68.29-69.00@68.57");
    // no time of its day: a time of the medium
    check("What was I doing at 01:28?", "0:86.00-91.00@88.00");
    check("What was I doing at 23:00?", "Nothing");
    check("What did I do this morning?", "0:0.00-42.86");
    check("What did I do in the evening?", "0:85.71-120.00");
    check("What did I do between 9 and 10?", "0:17.14-25.71");
    check("What did I do today?", "0:0.00-120.00");
    check("What did I do yesterday?", "Unknown");
    check("What did I do in the last minute?", "0:60.00-120.00");
    // over midnight
    let night = MediaSpan { clock: Some(DayClock { start_min: 22 * 60, pace: 60.0 }), ..video(0.0, 240.0) };
    assert_eq!(media("What did I do at 01:00?", &[night]), "0:178.00-183.00@180.00");
    assert_eq!(media("What did I do at midnight?", &[night]), "0:118.00-123.00@120.00");
}

#[test]
fn dated_videos_have_wall_clock_time() {
    let at = |local: &str, minutes: f64| MediaSpan { wall_start_ms: Some(ms(local, 1)), ..video(0.0, minutes * 60.0) };
    // Monday 08:00 to 09:00, Tuesday 20:00 to 21:00; now is Wednesday 15:00
    let two = [at("2026-03-09T08:00", 60.0), at("2026-03-10T20:00", 60.0)];
    let check = |question: &str, expected: &str| assert_eq!(media(question, &two), expected, "{question}");
    check("What did I do on Monday?", "0:0.00-3600.00");
    check("What did I do yesterday?", "1:0.00-3600.00");
    check("What did I do on Monday at 08:30?", "0:1680.00-1980.00@1800.00");
    check("What did I do on Monday at half past eight?", "0:1680.00-1980.00@1800.00");
    // the half of the day that was recorded
    check("What did I do yesterday at half past eight?", "1:1680.00-1980.00@1800.00");
    check("What did I do on Sunday?", "Nothing");
    check("What will I do tomorrow?", "Future");
    check("What did I do since Tuesday?", "1:0.00-3600.00");
    check("What did I do in the last hour?", "Nothing");
    check("What did I do at the end?", "0:3300.00-3600.00, 1:3300.00-3600.00");
    check("What did I do at the end on Monday?", "0:3300.00-3600.00");
    check("What did I do in the evening?", "1:0.00-3600.00");
    let coverage = |question: &str, media: &[MediaSpan]| {
        let context =
            Context { now_ms: ms("2026-03-11T15:00", 1), zone: "Europe/Berlin".to_owned(), media: media.to_vec() };
        resolve(&parse(question).when.expect("a time"), &context).expect("a zone").coverage
    };
    assert_eq!(coverage("What did I do on Monday?", &two), Coverage::Recorded);
    assert_eq!(coverage("What did I do on Monday?", &[video(0.0, 60.0)]), Coverage::Unknown);
}

#[test]
fn an_unknown_zone_is_an_error() {
    let when = When {
        relation: TimeRelation::At,
        point: Point { day: Some(Day::InMonth { month: Month::May, year: None }), ..Point::default() },
        to: None,
    };
    let context = Context { now_ms: 0, zone: "Mars/Olympus".to_owned(), media: Vec::new() };
    let error = resolve(&when, &context).expect_err("no such zone");
    assert_eq!(error.to_string(), "unknown time zone `Mars/Olympus`, expected an IANA name such as `Europe/Berlin`");
}

#[test]
fn extreme_contexts_give_no_panic() {
    let questions = [
        "What did I do yesterday?",
        "What did I do at 9?",
        "in the last 99999 days",
        "99999 years ago",
        "an hour ago",
        "between 10 and 9 on 31 December 9999",
        "in the last hour",
        "on 1 January 1900",
        "tonight",
        "last month",
        "since 9",
        "at the end",
        "after 99999 minutes",
    ];
    for question in questions {
        let Some(when) = parse(question).when else { continue };
        for now_ms in [i64::MIN, -1, 0, i64::MAX] {
            for wall_start_ms in [None, Some(i64::MIN), Some(i64::MAX), Some(0)] {
                for end_s in [0.0, -1.0, 1e300, f64::NAN] {
                    let media = vec![MediaSpan {
                        start_s: 0.0,
                        end_s,
                        wall_start_ms,
                        clock: Some(DayClock { start_min: 1439, pace: 86_400.0 }),
                    }];
                    let context = Context { now_ms, zone: "Europe/Berlin".to_owned(), media };
                    resolve(&when, &context).expect("a zone");
                }
            }
        }
    }
}
