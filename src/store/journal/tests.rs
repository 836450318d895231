//! Tests of the journal: what is added, read, found, corrected and forgotten.

use super::{export::ExportFormat, *};
use crate::{
    exchange::{GivenLine, HitReason, LineFilter, RoleVector, Searched, TimeSpan},
    store::{
        index::{IndexKey, NewVector, VectorSense, VectorStretch},
        memo::MemoKey,
        vectors::ModelDigest,
    },
    value::{JournalLine, Level, LineLabel, Media, Moment, Sense, Time, WallClock},
};
use std::sync::Arc;

fn media(name: &str, wall: Option<&str>) -> Arc<Media> {
    let wall = wall.map(|at| WallClock {
        at_ms: at.parse::<jiff::Timestamp>().expect("a time").as_millisecond(),
        zone: "Europe/Berlin".into(),
    });
    Arc::new(Media {
        wall,
        ..Media::new(
            format!("/days/{name}.mp4"),
            format!("{name}0123456789"),
            Time::from_seconds(0.0),
            Time::from_seconds(3600.0),
        )
    })
}

fn line(medium: &Arc<Media>, start: f64, sense: Sense, text: &str) -> JournalLine {
    let (start, end) = (Time::from_seconds(start), Time::from_seconds(start + 10.0));
    let moment = Moment { media: medium.clone(), start, end, text: None };
    JournalLine { moment, sense, text: text.into(), labels: Vec::new() }
}

fn append(journal: &Journal, key: u8, medium: &Arc<Media>, senses: &[Sense], lines: &[JournalLine]) {
    let request = JournalRequest::Append {
        writer: "log.history".into(),
        medium: medium.clone(),
        senses: senses.to_vec(),
        lines: lines.to_vec(),
    };
    let exchanges = vec![(MemoKey([7; 32]), 0.0, 5.0, false), (MemoKey([8; 32]), 0.0, 3600.0, true)];
    let origin = LineOrigin { cast: "eye: clip".into(), exchanges };
    let reply = journal.answer(&request, &[key; 32], &origin).expect("added");
    assert_eq!(reply, JournalReply::Added(lines.len()));
}

fn texts(journal: &Journal, filter: &LineFilter) -> Vec<String> {
    journal.lines(filter, false, 100).expect("lines").into_iter().map(|stored| stored.line.text).collect()
}

fn day() -> (Journal, Arc<Media>) {
    let (journal, medium) = (Journal::in_memory().expect("open"), media("day", Some("2026-11-23T08:00:00Z")));
    let lines = [
        line(&medium, 0.0, Sense::Done, "washing the dishes"),
        line(&medium, 0.0, Sense::Seen, "kitchen. Seen: keys, mug"),
        line(&medium, 20.0, Sense::Heard, "please call Tom"),
        line(&medium, 40.0, Sense::Seen, "street. Seen: bicycle"),
        line(&medium, 1800.0, Sense::Seen, "cafe. Seen: keys"),
    ];
    append(&journal, 1, &medium, &[Sense::Seen, Sense::Done, Sense::Heard], &lines);
    (journal, medium)
}

#[test]
fn the_same_request_adds_nothing_a_second_time() {
    let (journal, medium) = day();
    let (before, number) = (texts(&journal, &LineFilter::default()), journal.revision().expect("state").number);
    let lines = journal.lines(&LineFilter::default(), false, 100).expect("lines");
    let again: Vec<JournalLine> = lines.into_iter().map(|stored| stored.line).collect();
    append(&journal, 1, &medium, &[Sense::Seen, Sense::Done, Sense::Heard], &again);
    assert_eq!(texts(&journal, &LineFilter::default()), before);
    assert_eq!(journal.revision().expect("state").number, number);
}

#[test]
fn newer_lines_of_the_writer_take_the_place_of_older_ones_and_old_revisions_stay() {
    let (journal, medium) = day();
    let old = journal.revision().expect("state");
    append(&journal, 2, &medium, &[Sense::Seen], &[line(&medium, 5.0, Sense::Seen, "garden")]);
    assert_eq!(texts(&journal, &LineFilter::default()), ["washing the dishes", "garden", "please call Tom"]);
    let read = |revision: Revision| {
        let request = JournalRequest::Read { revision, filter: LineFilter::default() };
        match journal.answer(&request, &[0; 32], &LineOrigin::default()).expect("read") {
            JournalReply::Lines(lines) => lines.len(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(read(old), 5);
    assert_eq!(read(journal.revision().expect("state")), 3);
    let other = Revision { journal: "another".into(), number: 0 };
    let request = JournalRequest::Read { revision: other, filter: LineFilter::default() };
    assert!(journal.answer(&request, &[0; 32], &LineOrigin::default()).is_err());
    // the first request again makes its own lines the current ones
    append(&journal, 1, &medium, &[Sense::Seen], &[line(&medium, 0.0, Sense::Seen, "kitchen")]);
    assert_eq!(texts(&journal, &LineFilter { senses: vec![Sense::Seen], ..LineFilter::default() }), ["kitchen"]);
}

#[test]
fn a_medium_whose_lines_were_replaced_is_indexed_again() {
    let (journal, medium) = day();
    let (plan, senses) = ([7; 32], [Sense::Seen, Sense::Done, Sense::Heard]);
    let is_indexed = || journal.is_indexed(&medium, Level::Ranking, &plan).expect("read");
    journal.mark_indexed(&medium, Level::LOG, &plan).expect("marked");
    let lines: Vec<JournalLine> = journal
        .lines(&LineFilter::default(), false, 100)
        .expect("lines")
        .into_iter()
        .map(|stored| stored.line)
        .collect();
    // the same request changes nothing, so the plan still reads its own lines
    append(&journal, 1, &medium, &senses, &lines);
    assert!(is_indexed());
    // another cast, run without `index`, found nothing
    append(&journal, 2, &medium, &senses, &[]);
    assert!(texts(&journal, &LineFilter::default()).is_empty());
    assert!(!is_indexed());
    // the plan's run is asked again, and brings its lines back
    append(&journal, 1, &medium, &senses, &lines);
    assert_eq!(texts(&journal, &LineFilter::default()).len(), 5);
}

#[test]
fn lines_are_filtered_by_sense_time_and_medium() {
    let (journal, _) = day();
    let other = media("other", None);
    append(&journal, 9, &other, &[Sense::Seen], &[line(&other, 0.0, Sense::Seen, "beach")]);
    let check = |filter: LineFilter, expected: &[&str]| assert_eq!(texts(&journal, &filter), expected, "{filter:?}");
    check(LineFilter { senses: vec![Sense::Heard], ..LineFilter::default() }, &["please call Tom"]);
    check(LineFilter { media: vec![other.digest.clone()], ..LineFilter::default() }, &["beach"]);
    let played = |from: f64, to: f64| LineFilter { within: vec![TimeSpan::Played(from, to)], ..LineFilter::default() };
    check(played(10.0, 25.0), &["please call Tom"]);
    check(played(1810.0, 1900.0), &[]);
    let at = |text: &str| text.parse::<jiff::Timestamp>().expect("a time").as_millisecond();
    let wall = TimeSpan::Wall(at("2026-11-23T08:30:00Z"), at("2026-11-23T09:00:00Z"));
    check(LineFilter { within: vec![wall], ..LineFilter::default() }, &["cafe. Seen: keys"]);
    let as_of = LineFilter { as_of_ms: Some(at("2026-11-23T08:00:30Z")), ..LineFilter::default() };
    check(as_of, &["washing the dishes", "kitchen. Seen: keys, mug", "please call Tom", "beach"]);
    // a line that goes on at that time may tell of what comes after
    let as_of = LineFilter { as_of_ms: Some(at("2026-11-23T08:00:29Z")), ..LineFilter::default() };
    check(as_of, &["washing the dishes", "kitchen. Seen: keys, mug", "beach"]);
}

#[test]
fn a_line_knows_its_origin() {
    let (journal, _) = day();
    let lines = journal.lines(&LineFilter::default(), false, 100).expect("lines");
    let of = |text: &str| lines.iter().find(|stored| stored.line.text.contains(text)).expect("a line");
    assert_eq!(of("dishes").exchanges, [MemoKey([7; 32])]);
    assert_eq!(of("Tom").exchanges, [MemoKey([8; 32])]);
    assert!(of("cafe").exchanges.is_empty() && of("cafe").cast == "eye: clip");
}

#[test]
fn a_correction_wins_and_is_kept() {
    let (journal, medium) = day();
    let seen = LineFilter { senses: vec![Sense::Seen], ..LineFilter::default() };
    let id = journal.lines(&seen, false, 100).expect("lines")[1].id;
    let correction = Correction { text: Some("street. Seen: scooter".into()), sense: None };
    let new = journal.correct(id, &correction).expect("corrected");
    assert_eq!((new.corrects, new.line.moment.start.seconds()), (Some(id), 40.0));
    assert_eq!(texts(&journal, &seen), ["kitchen. Seen: keys, mug", "street. Seen: scooter", "cafe. Seen: keys"]);
    assert!(journal.correct(id, &correction).is_err(), "the old line was corrected before");
    assert!(journal.correct(999, &correction).is_err());
    // another cast sees the medium again: the user is still right
    let again = [line(&medium, 0.0, Sense::Seen, "office"), line(&medium, 38.0, Sense::Seen, "road")];
    append(&journal, 3, &medium, &[Sense::Seen], &again);
    assert_eq!(texts(&journal, &seen), ["office", "street. Seen: scooter"]);
    let all = journal.lines(&seen, true, 100).expect("lines");
    assert_eq!(all.iter().filter(|stored| stored.is_superseded).count(), 4);
    // an empty text removes a line
    journal.correct(new.id, &Correction { text: Some(String::new()), sense: None }).expect("removed");
    assert_eq!(texts(&journal, &seen), ["office"]);
}

#[test]
fn words_find_lines_in_any_inflection_and_with_typing_errors() {
    let (journal, medium) = day();
    let check = |text: &str, expected: &[&str]| {
        let request = |among| SearchRequest {
            among,
            text: text.into(),
            vectors: Vec::new(),
            filter: LineFilter::default(),
            top: 3,
            apart_s: 0.0,
        };
        let own = journal
            .search(&request(Searched::Journal(journal.revision().expect("state"))), &RoleModels::new())
            .expect("hits");
        let found: Vec<&str> = own.iter().filter_map(|hit| Some(hit.line.as_ref()?.text.as_str())).collect();
        assert_eq!(found, expected, "{text}");
        assert!(own.iter().all(|hit| (0.0..=1.0).contains(&hit.score)));
        // the same lines as a list give the same hits
        let lines = journal.lines(&LineFilter::default(), false, 100).expect("lines");
        let given = |stored: &StoredLine| GivenLine {
            text: stored.line.text.clone(),
            start_s: Some(stored.line.moment.start.seconds()),
            end_s: None,
            vectors: Vec::new(),
        };
        let hits = journal
            .search(&request(Searched::Lines(lines.iter().map(given).collect())), &RoleModels::new())
            .expect("hits");
        let found: Vec<&str> = hits.iter().map(|hit| lines[hit.place.expect("a place")].line.text.as_str()).collect();
        assert_eq!(found, expected, "{text}, in a list");
    };
    check("Did I wash the dish?", &["washing the dishes"]);
    check("where are my keys", &["cafe. Seen: keys", "kitchen. Seen: keys, mug"]);
    check("bicylce", &["street. Seen: bicycle"]);
    check("KEYS in the cafe", &["cafe. Seen: keys", "kitchen. Seen: keys, mug"]);
    check("spaceship", &[]);
    check("\" OR text:* NEAR(", &[]);
    let _ = medium;
}

#[test]
fn neighbours_of_one_event_are_one_hit() {
    let journal = Journal::in_memory().expect("open");
    let lines: Vec<GivenLine> = [0.0, 10.0, 20.0, 300.0]
        .iter()
        .map(|start| GivenLine {
            text: "washing hands".into(),
            start_s: Some(*start),
            end_s: Some(start + 10.0),
            vectors: Vec::new(),
        })
        .collect();
    let check = |apart_s: f64, expected: &[usize]| {
        let among = Searched::Lines(lines.clone());
        let filter = LineFilter::default();
        let request = SearchRequest { among, text: "wash hands".into(), vectors: Vec::new(), filter, top: 9, apart_s };
        let hits = journal.search(&request, &RoleModels::new()).expect("hits");
        assert_eq!(hits.iter().filter_map(|hit| hit.place).collect::<Vec<_>>(), expected);
    };
    check(0.0, &[0, 1, 2, 3]);
    check(5.0, &[0, 3]);
}

#[test]
fn meaning_finds_lines_without_common_words() {
    let journal = Journal::in_memory().expect("open");
    let line = |text: &str, vector: [f32; 2]| GivenLine {
        text: text.into(),
        start_s: None,
        end_s: None,
        vectors: vec![RoleVector { role: "words".into(), vector: vector.to_vec() }],
    };
    let lines = vec![line("cooking soup", [0.0, 1.0]), line("riding a bike", [0.8, 0.6]), line("cycling", [1.0, 0.0])];
    let vectors = vec![RoleVector { role: "words".into(), vector: vec![1.0, 0.0] }];
    let (among, filter) = (Searched::Lines(lines), LineFilter::default());
    let request = SearchRequest { among, text: "bike ride".into(), vectors, filter, top: 2, apart_s: 0.0 };
    let hits = journal.search(&request, &RoleModels::new()).expect("hits");
    assert_eq!(hits.iter().filter_map(|hit| hit.place).collect::<Vec<_>>(), [1, 2]);
    assert!(matches!(hits[0].why.as_slice(), [HitReason::Words(words), HitReason::Meaning(_)] if words.len() == 2));
}

#[test]
fn forgotten_lines_leave_no_bytes() {
    let folder = tempfile::tempdir().expect("temp");
    let journal = Journal::open(&folder.path().join("j")).expect("open");
    let (one, two) = (media("one", None), media("two", None));
    append(
        &journal,
        1,
        &one,
        &[Sense::Heard],
        &[
            line(&one, 0.0, Sense::Heard, "my name is Rumpelstiltskin"),
            line(&one, 90.0, Sense::Heard, "the zebra sleeps"),
        ],
    );
    append(&journal, 2, &two, &[Sense::Heard], &[line(&two, 0.0, Sense::Heard, "hello there")]);
    let bytes = |needle: &str| {
        let files = std::fs::read_dir(folder.path().join("j")).expect("listed").flatten();
        files
            .filter(|file| {
                let content = std::fs::read(file.path()).expect("read").to_ascii_lowercase();
                content.windows(needle.len()).any(|window| window == needle.as_bytes())
            })
            .count()
    };
    assert!(bytes("rumpelstiltskin") > 0 && bytes("zebra") > 0);
    let gone = journal.forget(&Forget::Word("Rumpelstiltskin".into())).expect("forgotten");
    assert_eq!((gone.lines, gone.digests.as_slice()), (1, &[one.digest.clone()][..]));
    assert_eq!(bytes("rumpelstiltskin"), 0);
    assert!(bytes("zebra") > 0);
    let span = Forget::Media { digests: vec![one.digest.clone()], span: Some((0.0, 50.0)) };
    assert_eq!(journal.forget(&span).expect("forgotten").lines, 0);
    let whole = Forget::Media { digests: journal.digests_of("/days/one.mp4").expect("known"), span: None };
    let gone = journal.forget(&whole).expect("forgotten");
    assert_eq!((gone.lines, gone.media), (1, 1));
    assert_eq!((bytes("zebra"), bytes("one.mp4"), bytes(&one.digest)), (0, 0, 0));
    assert_eq!(texts(&journal, &LineFilter::default()), ["hello there"]);
}

#[test]
fn processes_share_a_journal_and_a_newer_one_is_refused() {
    let folder = tempfile::tempdir().expect("temp");
    let add = |n: u8| {
        let journal = Journal::open(folder.path()).expect("open");
        let medium = media(&format!("day{n}"), None);
        append(&journal, n, &medium, &[Sense::Seen], &[line(&medium, 0.0, Sense::Seen, &format!("place {n}"))]);
    };
    std::thread::scope(|scope| (0..8).for_each(|n| drop(scope.spawn(move || add(n)))));
    let journal = Journal::open(folder.path()).expect("open");
    assert_eq!(journal.stat(None).expect("stat").media.len(), 8);
    assert_eq!(journal.revision().expect("state").number, 8);
    drop(journal);
    let base = rusqlite::Connection::open(folder.path().join("journal.sqlite")).expect("open");
    base.pragma_update(None, "user_version", 99).expect("set");
    let error = Journal::open(folder.path()).expect_err("refused");
    assert!(error.message.contains("format 99") && error.hint.is_some(), "{error}");
}

#[test]
fn a_known_time_is_kept_and_a_new_one_moves_the_lines() {
    let journal = Journal::in_memory().expect("open");
    let wall = |journal: &Journal| journal.lines(&LineFilter::default(), false, 9).expect("lines")[0].wall_ms;
    let bare = media("day", None);
    append(&journal, 1, &bare, &[Sense::Seen], &[line(&bare, 60.0, Sense::Seen, "kitchen")]);
    assert_eq!(wall(&journal), None);
    let dated = media("day", Some("2026-11-23T08:00:00Z"));
    append(&journal, 1, &dated, &[Sense::Seen], &[line(&dated, 60.0, Sense::Seen, "kitchen")]);
    let at = "2026-11-23T08:01:00Z".parse::<jiff::Timestamp>().expect("a time").as_millisecond();
    assert_eq!(wall(&journal), Some((at, at + 10_000)));
    append(&journal, 1, &bare, &[Sense::Seen], &[line(&bare, 60.0, Sense::Seen, "kitchen")]);
    assert_eq!(wall(&journal), Some((at, at + 10_000)));
}

#[test]
fn exports_are_what_other_programs_read() {
    let journal = Journal::in_memory().expect("open");
    let medium = media("day", Some("2026-11-23T08:00:00Z"));
    let label = LineLabel { text: "keys".into(), score: Some(0.5), role: Some("things".into()) };
    let seen = JournalLine { labels: vec![label], ..line(&medium, 61.5, Sense::Seen, "kitchen, \"big\" <one>") };
    append(&journal, 1, &medium, &[Sense::Seen], &[seen]);
    let lines = journal.lines(&LineFilter::default(), false, 9).expect("lines");
    let all: Vec<String> =
        ExportFormat::ALL.iter().map(|(name, format)| format!("--- {name}\n{}", format.write(&lines))).collect();
    insta::assert_snapshot!(all.join("\n").replace("\r\n", "\n"));
}

/// A unit vector in one of eight directions, mixed with the next one.
fn toward(direction: usize, share: f32) -> Vec<f32> {
    let mut vector = vec![0.0; 8];
    vector[direction % 8] = 1.0 - share;
    vector[(direction + 1) % 8] += share;
    vector
}

/// A journal whose lines and frames have vectors: each line its own direction, and frames that all show direction 5 at 1800 s.
fn with_vectors(journal: &Journal, medium: &Arc<Media>) -> RoleModels {
    let model = ModelDigest::of("a model");
    let key = |sense| IndexKey { model, sense };
    let others: Vec<Vec<f32>> = (0..40).map(|n| (0..8).map(|i| ((n * 8 + i) as f32 * 1.7).sin()).collect()).collect();
    for sense in VectorSense::ALL {
        journal.with_index(key(sense), "eye", |index| index.set_background(&others)).expect("kept");
    }
    let lines = journal.lines_without_vectors(key(VectorSense::Lines), &medium.digest).expect("lines");
    let vectors =
        lines.iter().enumerate().map(|(n, (id, _))| NewVector { id: Some(*id), at: None, vector: toward(n, 0.0) });
    assert_eq!(journal.add_vectors(key(VectorSense::Lines), "eye", vectors.collect()).expect("added"), lines.len());
    let frame = |n: usize| {
        let (start, end) = (Time::from_seconds(1700.0 + n as f64), Time::from_seconds(1701.0 + n as f64));
        let shows =
            if (98..=103).contains(&n) { toward(5, 0.05 * n.abs_diff(100) as f32) } else { toward(2 + n % 2, 0.5) };
        NewVector { id: None, at: Some(VectorStretch { medium: medium.digest.clone(), start, end }), vector: shows }
    };
    let frames = (0..200).map(frame).collect();
    assert_eq!(journal.add_vectors(key(VectorSense::Frames), "eye", frames).expect("added"), 200);
    RoleModels::from([("words".to_owned(), model)])
}

fn meaning(
    journal: &Journal,
    models: &RoleModels,
    vector: Vec<f32>,
    filter: LineFilter,
    apart_s: f64,
) -> Vec<SearchHit> {
    let vectors = vec![RoleVector { role: "words".into(), vector }];
    let among = Searched::Journal(journal.revision().expect("state"));
    let request = SearchRequest { among, text: "something quite different".into(), vectors, filter, top: 5, apart_s };
    journal.search(&request, models).expect("hits")
}

#[test]
fn lines_and_frames_are_found_by_meaning() {
    let (journal, medium) = day();
    let before = journal.revision().expect("state");
    let models = with_vectors(&journal, &medium);
    let hits = meaning(&journal, &models, toward(1, 0.0), LineFilter::default(), 0.0);
    let first = hits[0].line.as_ref().expect("a line");
    assert_eq!(first.text, "kitchen. Seen: keys, mug");
    assert!(matches!(hits[0].why.as_slice(), [HitReason::Meaning(cosine)] if *cosine > 0.99), "{:?}", hits[0].why);
    assert!(hits[0].id.is_some() && hits[0].score > 0.8, "{hits:?}");
    // a peak among the frames counts for the line that tells of it
    let hits = meaning(&journal, &models, toward(5, 0.0), LineFilter::default(), 0.0);
    let first = hits[0].line.as_ref().expect("a line");
    assert_eq!((hits.len(), first.text.as_str()), (1, "cafe. Seen: keys"));
    assert!(matches!(hits[0].why.as_slice(), [HitReason::Frame { at_s, .. }] if *at_s == 1800.0), "{:?}", hits[0].why);
    // without such a line, the frame itself is the hit
    let done = LineFilter { senses: vec![Sense::Done], ..LineFilter::default() };
    assert!(meaning(&journal, &models, toward(5, 0.0), done, 0.0).is_empty());
    let id = hits[0].id.expect("a line of the journal");
    journal.correct(id, &Correction { text: Some(String::new()), sense: None }).expect("removed");
    let hits = meaning(&journal, &models, toward(5, 0.0), LineFilter::default(), 0.0);
    assert_eq!(hits[0].frame.as_ref().map(|frame| frame.start.seconds()), Some(1800.0));
    // filters hold for frames, and an earlier state has no vectors
    let played = |from: f64, to: f64| LineFilter { within: vec![TimeSpan::Played(from, to)], ..LineFilter::default() };
    assert_eq!(
        meaning(&journal, &models, toward(5, 0.0), played(1801.5, 1900.0), 0.0)[0]
            .frame
            .as_ref()
            .map(|f| f.start.seconds()),
        Some(1801.0)
    );
    let as_of = "2026-11-23T08:20:00Z".parse::<jiff::Timestamp>().expect("a time").as_millisecond();
    let early = LineFilter { as_of_ms: Some(as_of), ..LineFilter::default() };
    assert!(meaning(&journal, &models, toward(5, 0.0), early, 0.0).is_empty());
    let vectors = vec![RoleVector { role: "words".into(), vector: toward(1, 0.0) }];
    let (among, filter) = (Searched::Journal(before), LineFilter::default());
    let request = SearchRequest { among, text: "otherwise".into(), vectors, filter, top: 5, apart_s: 0.0 };
    assert!(journal.search(&request, &models).expect("hits").is_empty());
    // other models' vectors never count
    let others = RoleModels::from([("words".to_owned(), ModelDigest::of("another model"))]);
    assert!(meaning(&journal, &others, toward(1, 0.0), LineFilter::default(), 0.0).is_empty());
}

#[test]
fn hits_of_one_event_are_one_with_all_reasons() {
    let (journal, medium) = day();
    let models = with_vectors(&journal, &medium);
    let vectors = vec![RoleVector { role: "words".into(), vector: toward(0, 0.0) }];
    let among = Searched::Journal(journal.revision().expect("state"));
    let (filter, text) = (LineFilter::default(), "washing in the kitchen".into());
    let request = SearchRequest { among, text, vectors, filter, top: 5, apart_s: 5.0 };
    let hits = journal.search(&request, &models).expect("hits");
    assert_eq!(hits.len(), 1, "{hits:?}");
    let why: Vec<String> = hits[0].why.iter().map(ToString::to_string).collect();
    assert_eq!(why, ["words: washing", "meaning: 1.00", "also seen"]);
}

#[test]
fn forgotten_lines_and_frames_have_no_vectors() {
    let folder = tempfile::tempdir().expect("temp");
    let journal = Journal::open(folder.path()).expect("open");
    let medium = media("day", None);
    append(
        &journal,
        1,
        &medium,
        &[Sense::Heard],
        &[line(&medium, 0.0, Sense::Heard, "the zebra sleeps"), line(&medium, 1800.0, Sense::Heard, "hello there")],
    );
    let models = with_vectors(&journal, &medium);
    let counts = |journal: &Journal| {
        let mut counts: Vec<u64> = journal.indexes().into_iter().map(|(_, about)| about.count).collect();
        counts.sort_unstable();
        counts
    };
    assert_eq!(counts(&journal), [2, 200]);
    assert_eq!(journal.forget(&Forget::Word("zebra".into())).expect("forgotten").vectors, 1);
    assert_eq!(counts(&journal), [1, 200]);
    let part = Forget::Media { digests: vec![medium.digest.clone()], span: Some((1790.0, 1810.0)) };
    assert_eq!(journal.forget(&part).expect("forgotten").vectors, 21);
    assert!(meaning(&journal, &models, toward(5, 0.0), LineFilter::default(), 0.0).is_empty());
    // vectors of what was forgotten meanwhile are not added
    let key = IndexKey { model: ModelDigest::of("a model"), sense: VectorSense::Lines };
    let late = vec![NewVector { id: Some(1), at: None, vector: toward(1, 0.0) }];
    assert_eq!(journal.add_vectors(key, "eye", late).expect("left out"), 0);
    let whole = Forget::Media { digests: vec![medium.digest.clone()], span: None };
    journal.forget(&whole).expect("forgotten");
    assert_eq!(counts(&journal), [0, 0]);
    // an index that cannot be read goes as a whole
    let file = fs_of(&folder.path().join("vectors"));
    std::fs::write(&file, b"no database".repeat(900)).expect("written");
    journal.forget(&Forget::Word("zebra".into())).expect("forgotten");
    drop(journal);
    assert!(Journal::open(folder.path()).expect("open").indexes().len() <= 1);
}

/// The first index in a folder.
fn fs_of(folder: &std::path::Path) -> std::path::PathBuf {
    let files = std::fs::read_dir(folder).expect("listed").flatten().map(|entry| entry.path());
    files.filter(|file| file.extension().is_some_and(|ending| ending == "sqlite")).min().expect("an index")
}

#[test]
fn damaged_vectors_do_not_stop_a_search() {
    let folder = tempfile::tempdir().expect("temp");
    let journal = Journal::open(folder.path()).expect("open");
    let medium = media("day", None);
    append(&journal, 1, &medium, &[Sense::Heard], &[line(&medium, 0.0, Sense::Heard, "quite different weather")]);
    let models = with_vectors(&journal, &medium);
    drop(journal);
    for entry in std::fs::read_dir(folder.path().join("vectors")).expect("listed").flatten() {
        if entry.path().extension().is_some_and(|ending| ending == "sqlite") {
            let base = rusqlite::Connection::open(entry.path()).expect("open");
            base.execute("UPDATE blocks SET vectors = zeroblob(length(vectors))", []).expect("damaged");
        }
    }
    let journal = Journal::open(folder.path()).expect("open");
    let hits = meaning(&journal, &models, toward(0, 0.0), LineFilter::default(), 0.0);
    assert!(hits.len() == 1 && matches!(hits[0].why.as_slice(), [HitReason::Words(_)]), "{hits:?}");
    assert!(journal.indexes().is_empty(), "they are computed again");
}
