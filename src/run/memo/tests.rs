//! The memo: keys, sharing, purging, damage.

use super::*;
use crate::{
    agent::Card,
    exchange::{Decoding, Finish, Item, Kind, Message, RankRequest, Request, SayReply, SayRequest},
    value::{Media, Moment, Time},
};

fn card(identity: &str) -> Card {
    Card { name: "a".into(), kinds: vec![Kind::Say], identity: identity.into(), memo: true }
}

fn say(prompt: &str, temperature: Option<f32>) -> Request {
    let decoding = Decoding { temperature, ..Decoding::default() };
    Request::Say(SayRequest { messages: vec![Message::new("user", prompt)], raw: false, decoding, choices: Vec::new() })
}

fn rank(path: &str, digest: &str, start: f64, end: f64) -> Request {
    let time = Time::from_seconds;
    let (from, to) = (time(0.0), time(9.0));
    let media = Media {
        path: path.into(),
        digest: digest.into(),
        start: from,
        end: to,
        has_video: true,
        has_audio: true,
        clock: None,
    };
    let what = Item::Frame(Moment { media: Arc::new(media), start: time(start), end: time(end), text: None });
    Request::Rank(RankRequest { what, among: vec!["a".into()], texts: vec!["a".into()] })
}

fn entry(request: &Request, text: &str, media: &[&str]) -> Entry {
    Entry {
        key: Key::of(&card("1"), request, 0),
        identity: "1".into(),
        request: request_digest(request),
        kind: "say".into(),
        seed: None,
        reply: Reply::Say(SayReply { text: text.into(), tokens: Vec::new(), finish: Finish::Stop }),
        media: media.iter().map(|digest| (*digest).to_owned()).collect(),
        elapsed_ms: 5,
        run: "r".into(),
        path: "x".into(),
    }
}

#[test]
fn keys_hold_what_decides_the_reply_and_nothing_else() {
    let check = |same: bool, a: (&str, Request, u64), b: (&str, Request, u64)| {
        let key = |(identity, request, seed): &(&str, Request, u64)| Key::of(&card(identity), request, *seed);
        assert_eq!(key(&a) == key(&b), same, "{a:?} {b:?}");
    };
    let greedy = || say("x", Some(0.0));
    check(true, ("1", greedy(), 1), ("1", greedy(), 2));
    check(false, ("1", greedy(), 1), ("2", greedy(), 1));
    check(false, ("1", greedy(), 1), ("1", say("y", Some(0.0)), 1));
    check(false, ("1", say("x", Some(0.5)), 1), ("1", say("x", Some(0.5)), 2));
    // the agent's own default may sample
    check(false, ("1", say("x", None), 1), ("1", say("x", None), 2));
    // a path does not matter, a frame's end does not matter, its start and the bytes do
    check(true, ("1", rank("a.mp4", "d", 1.0, 2.0), 1), ("1", rank("b.mp4", "d", 1.0, 3.0), 2));
    check(false, ("1", rank("a.mp4", "d", 1.0, 2.0), 1), ("1", rank("a.mp4", "d", 1.5, 2.0), 1));
    check(false, ("1", rank("a.mp4", "d", 1.0, 2.0), 1), ("1", rank("a.mp4", "e", 1.0, 2.0), 1));
}

#[tokio::test]
async fn what_is_put_is_there_in_another_process_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (Memo::open(folder.path()).expect("a memo"), Memo::open(folder.path()).expect("a memo"));
    let big = "long ".repeat(BIG / 4);
    let requests: Vec<Request> = (0..200).map(|n| say(&format!("{n}"), Some(0.0))).collect();
    let text = |n: usize| if n.is_multiple_of(50) { format!("{n} {big}") } else { format!("{n}") };
    // both write at once, half of it the same
    let put = |memo: &Memo, range: std::ops::Range<usize>| {
        range.map(|n| memo.put(entry(&requests[n], &text(n), &["v"]))).collect::<Vec<_>>()
    };
    for ack in put(&one, 0..150).into_iter().chain(put(&two, 50..200)) {
        ack.await.expect("the thread lives").expect("it is kept");
    }
    let keys: Vec<Key> = requests.iter().map(|request| Key::of(&card("1"), request, 0)).collect();
    let found = one.get_all(keys).await.expect("read");
    for (n, reply) in found.into_iter().enumerate() {
        assert_eq!(reply, Some(Reply::Say(SayReply { text: text(n), tokens: Vec::new(), finish: Finish::Stop })));
    }
    let stat = two.stat().expect("sound");
    assert_eq!((stat.exchanges, stat.media, stat.runs), (200, 1, 1));
    assert!((5..=1000).contains(&stat.asked_ms), "each took 5 ms, many at once: {}", stat.asked_ms);
    assert_eq!(std::fs::read_dir(folder.path().join("replies")).expect("listed").count(), 4);
}

#[tokio::test]
async fn purging_a_medium_removes_what_came_from_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let memo = Memo::open(folder.path()).expect("a memo");
    let secret = "secret ".repeat(BIG / 4);
    let put = async |prompt: &str, text: &str, media: &[&str]| {
        memo.put(entry(&say(prompt, Some(0.0)), text, media)).await.expect("alive").expect("kept");
    };
    put("a", "one", &["v"]).await;
    put("b", &secret, &["v", "w"]).await;
    put("c", "three", &["w"]).await;
    assert_eq!(memo.purge(&Purge::Media("v".into())), Ok(2));
    assert_eq!(memo.stat().expect("sound").exchanges, 1);
    assert_eq!(std::fs::read_dir(folder.path().join("replies")).expect("listed").count(), 0);
    assert_eq!(memo.purge(&Purge::All), Ok(1));
    assert_eq!(memo.stat().expect("sound").exchanges, 0);
}

#[test]
fn a_damaged_memo_is_a_clear_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("memo.sqlite");
    let check = |expected: &str| {
        let error = Memo::open(folder.path()).err().expect("an error");
        let message = error.message.replace(&folder.path().display().to_string(), "FOLDER");
        assert_eq!(message, expected);
        assert!(error.hint.expect("a hint").contains("elenchus memo purge"));
    };
    std::fs::write(&file, "this is not a database, but long enough to be taken for one ".repeat(100)).expect("written");
    check("the memo in FOLDER is damaged: file is not a database");
    Memo::erase(folder.path()).expect("erased");
    drop(Memo::open(folder.path()).expect("a new memo"));
    let base = rusqlite::Connection::open(&file).expect("opened");
    base.pragma_update(None, "user_version", 99).expect("set");
    check("the memo in FOLDER has version 99, expected 1");
}

#[tokio::test]
async fn the_time_of_an_exchange_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let memo = Memo::open(folder.path()).expect("a memo");
    memo.put(entry(&say("x", Some(0.0)), "x", &["v"])).await.expect("the thread lives").expect("it is kept");
    assert_eq!(memo.stat().expect("sound").asked_ms, 5);
}

#[test]
fn time_that_exchanges_waited_side_by_side_counts_once() {
    let check = |spans: &[(i64, i64)], expected: u64| assert_eq!(store::covered(spans.to_vec()), expected, "{spans:?}");
    check(&[], 0);
    check(&[(0, 5)], 5);
    check(&[(0, 5), (0, 5), (1, 4)], 5);
    check(&[(0, 5), (3, 8), (20, 30)], 18);
    check(&[(0, 30), (3, 8), (20, 25)], 30);
}
