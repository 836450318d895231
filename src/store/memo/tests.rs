//! The memo: keys, sharing, purging, damage.

use super::*;
use crate::{
    exchange::Card,
    exchange::{
        Answers, Decoding, Finish, FloorUse, Item, Kind, LabelList, Message, RankRequest, Request, SayReply, SayRequest,
    },
    value::{Media, Moment, Time},
};

fn card(identity: &str) -> Card {
    Card {
        name: "a".into(),
        answers: vec![Answers::usual(Kind::Say)],
        identity: identity.into(),
        memo: true,
        own_labels: false,
    }
}

fn say(prompt: &str, temperature: Option<f32>) -> Request {
    let decoding = Decoding { temperature, ..Decoding::default() };
    Request::Say(SayRequest { decoding, ..SayRequest::new(vec![Message::new("user", prompt)]) })
}

fn rank(path: &str, digest: &str, start: f64, end: f64) -> Request {
    let time = Time::from_seconds;
    let (from, to) = (time(0.0), time(9.0));
    let media = Media::new(path, digest, from, to);
    let what = Item::Frame(Moment { media: Arc::new(media), start: time(start), end: time(end), text: None });
    Request::Rank(RankRequest {
        what,
        among: vec!["a".into()].into(),
        texts: vec!["a".into()].into(),
        floor: FloorUse::Unused,
    })
}

fn entry(request: &Request, text: &str, media: &[&str]) -> MemoEntry {
    MemoEntry {
        key: MemoKey::of(&card("1"), request, 0),
        identity: "1".into(),
        request: request_digest(request),
        kind: "say".into(),
        seed: None,
        reply: Reply::Say(SayReply::new(text, Finish::Stop)),
        media: media.iter().map(|digest| Medium::new(digest, &format!("/videos/{digest}.mp4"))).collect(),
        elapsed_ms: 5,
        run: "r".into(),
        path: "x".into(),
    }
}

#[test]
fn keys_contain_exactly_what_decides_the_reply() {
    let check = |same: bool, a: (&str, Request, u64), b: (&str, Request, u64)| {
        let key = |(identity, request, seed): &(&str, Request, u64)| MemoKey::of(&card(identity), request, *seed);
        assert_eq!(key(&a) == key(&b), same, "{a:?} {b:?}");
    };
    let greedy = || say("x", Some(0.0));
    check(true, ("1", greedy(), 1), ("1", greedy(), 2));
    check(false, ("1", greedy(), 1), ("2", greedy(), 1));
    check(false, ("1", greedy(), 1), ("1", say("y", Some(0.0)), 1));
    check(false, ("1", say("x", Some(0.5)), 1), ("1", say("x", Some(0.5)), 2));
    // the agent's own default may sample
    check(false, ("1", say("x", None), 1), ("1", say("x", None), 2));
    // a path and a frame's end do not count; the frame's start and the bytes do
    check(true, ("1", rank("a.mp4", "d", 1.0, 2.0), 1), ("1", rank("b.mp4", "d", 1.0, 3.0), 2));
    check(false, ("1", rank("a.mp4", "d", 1.0, 2.0), 1), ("1", rank("a.mp4", "d", 1.5, 2.0), 1));
    check(false, ("1", rank("a.mp4", "d", 1.0, 2.0), 1), ("1", rank("a.mp4", "e", 1.0, 2.0), 1));
}

#[test]
fn a_key_is_the_digest_of_plain_json() {
    /// The content of a key.
    #[derive(serde::Serialize)]
    struct Keyed<'a> {
        engine: &'a str,
        agent: &'a str,
        request: Request,
        seed: Option<u64>,
    }
    let labels: LabelList = (0..20).map(|n| format!("\"label\" {n} \"among\":[],\"texts\":[]")).collect();
    let texts = labels.worded("a photo of a {}\n");
    let ranked = |what, floor| Request::Rank(RankRequest { what, among: labels.clone(), texts: texts.clone(), floor });
    let subject = || Item::Text("\"among\":[],\"texts\":[]".into());
    let own = RankRequest {
        what: subject(),
        among: LabelList::default(),
        texts: LabelList::default(),
        floor: FloorUse::Unused,
    };
    let all = [
        say("x", Some(0.0)),
        say("é \"x\"", None),
        rank("a.mp4", "d", 1.0, 2.0),
        ranked(subject(), FloorUse::Unused),
        ranked(subject(), FloorUse::Optional),
        Request::Rank(own),
    ];
    for request in all {
        let (card, seed) = (card("a \"1\""), 7);
        let (request_json, seed_json) = (request.canonical(), request.samples().then_some(seed));
        let keyed = Keyed { engine: ENGINE, agent: &card.identity, request: request_json, seed: seed_json };
        let json = serde_json::to_vec(&keyed).expect("serialises");
        assert_eq!(MemoKey::of(&card, &request, seed).0, *blake3::hash(&json).as_bytes(), "{request:?}");
        let json = serde_json::to_vec(&request.canonical()).expect("serialises");
        assert_eq!(request_digest(&request), *blake3::hash(&json).as_bytes());
    }
}

#[tokio::test]
async fn other_connections_find_new_exchanges() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (Memo::open(folder.path()).expect("a memo"), Memo::open(folder.path()).expect("a memo"));
    let big = "long ".repeat(BIG / 4);
    let requests: Vec<Request> = (0..200).map(|n| say(&format!("{n}"), Some(0.0))).collect();
    let text = |n: usize| if n.is_multiple_of(50) { format!("{n} {big}") } else { format!("{n}") };
    // both write at the same time, half of it the same
    let put = |memo: &Memo, range: std::ops::Range<usize>| {
        range.map(|n| memo.put(entry(&requests[n], &text(n), &["v"]))).collect::<Vec<_>>()
    };
    for ack in put(&one, 0..150).into_iter().chain(put(&two, 50..200)) {
        ack.await.expect("the thread lives").expect("committed");
    }
    let keys: Vec<MemoKey> = requests.iter().map(|request| MemoKey::of(&card("1"), request, 0)).collect();
    let found = one.get_all(keys).await.expect("read");
    for (n, reply) in found.into_iter().enumerate() {
        assert_eq!(reply, Some(Reply::Say(SayReply::new(text(n), Finish::Stop))));
    }
    let stat = two.stat().expect("sound");
    assert_eq!((stat.exchanges, stat.media, stat.runs), (200, 1, 1));
    assert!((5..=1000).contains(&stat.asked_ms), "each took 5 ms, many at once: {}", stat.asked_ms);
    assert_eq!(std::fs::read_dir(folder.path().join("replies")).expect("listed").count(), 4);
}

#[tokio::test]
async fn purging_a_medium_removes_its_exchanges() {
    let folder = tempfile::tempdir().expect("a folder");
    let memo = Memo::open(folder.path()).expect("a memo");
    let secret = "secret ".repeat(BIG / 4);
    let put = async |prompt: &str, text: &str, media: &[&str]| {
        memo.put(entry(&say(prompt, Some(0.0)), text, media)).await.expect("alive").expect("kept");
    };
    put("a", "one", &["v"]).await;
    put("b", &secret, &["v", "w"]).await;
    put("c", "three", &["w"]).await;
    assert_eq!(memo.purge(&Purge::Media(vec!["v".into()])), Ok(2));
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
    assert_eq!(purge(folder.path(), &Purge::All), Ok(None), "the exchanges of a damaged file cannot be counted");
    drop(Memo::open(folder.path()).expect("a new memo"));
    let base = rusqlite::Connection::open(&file).expect("opened");
    base.pragma_update(None, "user_version", 99).expect("set");
    base.execute(
        "INSERT INTO exchanges (key, identity, request, kind, engine, bytes, made_ms, elapsed_ms, run, path)
                  VALUES ('k', 'i', 'r', 'say', '9.9.9', 1, 1, 1, 'r', 'p')",
        [],
    )
    .expect("put");
    check(&format!(
        "the memo in FOLDER was written by elenchus 9.9.9 in format 99; elenchus {ENGINE} reads formats 1 and 2"
    ));
}

#[tokio::test]
async fn the_time_of_an_exchange_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let memo = Memo::open(folder.path()).expect("a memo");
    memo.put(entry(&say("x", Some(0.0)), "x", &["v"])).await.expect("the thread lives").expect("committed");
    assert_eq!(memo.stat().expect("sound").asked_ms, 5);
}

#[test]
fn simultaneous_waits_count_once() {
    let check = |spans: &[(i64, i64)], expected: u64| assert_eq!(stat::covered(spans.to_vec()), expected, "{spans:?}");
    check(&[], 0);
    check(&[(0, 5)], 5);
    check(&[(0, 5), (0, 5), (1, 4)], 5);
    check(&[(0, 5), (3, 8), (20, 30)], 18);
    check(&[(0, 30), (3, 8), (20, 25)], 30);
}

/// A memo with one exchange: its folder, the key and the reply.
async fn one(prompt: &str, text: &str) -> (tempfile::TempDir, MemoKey, Reply) {
    let folder = tempfile::tempdir().expect("a folder");
    let kept = entry(&say(prompt, Some(0.0)), text, &["v"]);
    let (key, reply) = (kept.key, kept.reply.clone());
    Memo::open(folder.path()).expect("a memo").put(kept).await.expect("alive").expect("kept");
    (folder, key, reply)
}

fn base(folder: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.join("memo.sqlite")).expect("a database")
}

#[tokio::test]
async fn a_damaged_reply_does_not_count() {
    let check = async |damage: &str| {
        let (folder, key, reply) = one("x", "In the cafe.").await;
        let memo = Memo::open(folder.path()).expect("a memo");
        assert_eq!(memo.get(key), Ok(Some(reply)));
        base(folder.path()).execute_batch(damage).expect("damaged");
        assert_eq!(memo.get(key), Ok(None), "{damage}");
        assert!(memo.stat().is_ok(), "{damage}");
    };
    check("UPDATE exchanges SET reply = replace(reply, 'cafe', 'cave')").await;
    check("UPDATE exchanges SET digest = NULL").await;
    check("UPDATE exchanges SET digest = zeroblob(32)").await;
    check("UPDATE exchanges SET digest = 'text'").await;
    check("UPDATE exchanges SET reply = x'ff00'").await;
    check("UPDATE exchanges SET reply = NULL").await;
    check("UPDATE exchanges SET kind = 'rank'").await;
    // the reply of another exchange under this key
    check("UPDATE exchanges SET reply = '{\"rank\":[]}'").await;
}

#[tokio::test]
async fn a_reply_belongs_to_its_key() {
    let (folder, key, _) = one("x", "In the cafe.").await;
    let memo = Memo::open(folder.path()).expect("a memo");
    let other = entry(&say("y", Some(0.0)), "In the park.", &[]);
    let other_key = other.key;
    memo.put(other).await.expect("alive").expect("kept");
    let move_over =
        "UPDATE exchanges SET (reply, digest) = (SELECT reply, digest FROM exchanges WHERE id = 2) WHERE id = 1";
    base(folder.path()).execute_batch(move_over).expect("moved");
    assert!(memo.get(other_key).is_ok_and(|reply| reply.is_some()));
    assert_eq!(memo.get(key), Ok(None));
}

#[tokio::test]
async fn a_read_only_memo_can_be_read() {
    let (folder, key, reply) = one("x", "In the cafe.").await;
    let mut store = store::Database::readable(folder.path()).expect("readable");
    assert_eq!(store.get_all(&[key]), Ok(vec![Some(reply)]));
    assert_eq!(store.stat().expect("sound").exchanges, 1);
    let error = store.put_all(&[entry(&say("y", Some(0.0)), "y", &[])]).expect_err("not written");
    assert!(
        error.message.starts_with("the memo cannot be written: ") && error.sort == MemoErrorKind::Unwritable,
        "{error}"
    );
    assert!(store::Database::readable(&folder.path().join("replies")).is_none(), "a folder without a memo");
}

#[cfg(unix)]
#[tokio::test]
async fn a_memo_is_closed_to_others() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let (folder, ..) = one("x", &"long ".repeat(BIG / 4)).await;
    let modes = || -> Vec<u32> {
        let replies = std::fs::read_dir(folder.path().join("replies")).expect("listed").flatten().map(|e| e.path());
        let own =
            ["", "replies", "memo.sqlite", "memo.sqlite-wal", "memo.sqlite-shm"].map(|name| folder.path().join(name));
        own.into_iter().chain(replies).filter_map(|path| Some(std::fs::metadata(path).ok()?.mode() & 0o077)).collect()
    };
    let memo = Memo::open(folder.path()).expect("a memo");
    assert!(modes().len() >= 4 && modes().iter().all(|others| *others == 0), "{:?}", modes());
    drop(memo);
    for name in ["", "replies", "memo.sqlite"] {
        std::fs::set_permissions(folder.path().join(name), std::fs::Permissions::from_mode(0o777)).expect("opened");
    }
    let _memo = Memo::open(folder.path()).expect("a memo");
    assert!(modes().iter().all(|others| *others == 0), "{:?}", modes());
}

#[tokio::test]
async fn a_medium_is_known_by_its_paths_and_digest() {
    let folder = tempfile::tempdir().expect("a folder");
    let memo = Memo::open(folder.path()).expect("a memo");
    let digest = "0123456789abcdef".repeat(4);
    memo.put(entry(&say("x", Some(0.0)), "x", &[&digest])).await.expect("alive").expect("kept");
    let known = |name: &str| memo.digests_of(name).expect("read").len();
    assert_eq!(known(&format!("/videos/{digest}.mp4")), 1);
    assert_eq!(
        known(&format!("/videos/../videos/./{digest}.mp4")),
        0,
        "the folder is missing, so `..` cannot be resolved"
    );
    assert_eq!(known(&format!("{digest}.mp4")), 0, "another folder");
    assert_eq!((known(&digest), known("0123456789ABCDEF"), known("01234567"), known("0123456")), (1, 1, 1, 0));
    let stat = memo.stat().expect("sound");
    assert_eq!((stat.sources[0].exchanges, &stat.sources[0].digest), (1, &digest));
    assert_eq!(memo.purge(&Purge::Media(memo.digests_of(&digest).expect("read"))), Ok(1));
    assert_eq!(known(&digest), 0, "its path is removed too");
}

#[tokio::test]
async fn old_exchanges_are_purged() {
    let (folder, ..) = one("old", "x").await;
    base(folder.path()).execute_batch("UPDATE exchanges SET made_ms = made_ms - 7200000").expect("two hours ago");
    let memo = Memo::open(folder.path()).expect("a memo");
    memo.put(entry(&say("new", Some(0.0)), "x", &["v"])).await.expect("alive").expect("kept");
    let older = |hours: u64| memo.purge(&Purge::Older(std::time::Duration::from_secs(hours * 3600)));
    assert_eq!((older(3), older(1), older(1)), (Ok(0), Ok(1), Ok(0)));
    assert_eq!(memo.stat().expect("sound").exchanges, 1);
}

#[tokio::test]
async fn half_written_replies_are_removed() {
    let (folder, key, reply) = one("x", "y").await;
    let part = folder.path().join("replies/0123.4.part");
    std::fs::write(&part, "half").expect("written");
    let memo = Memo::open(folder.path()).expect("a memo");
    assert_eq!(memo.get(key), Ok(Some(reply)));
    drop(memo); // waits for the writing thread, which also sweeps
    assert!(!part.exists());
    std::fs::write(&part, "half").expect("written");
    assert_eq!(purge(folder.path(), &Purge::All), Ok(Some(1)));
    assert!(!part.exists());
}

#[tokio::test]
async fn a_memo_in_any_state_can_be_purged() {
    let check = async |damage: fn(&Path), expected: Option<u64>| {
        let (folder, ..) = one("x", &"long ".repeat(BIG / 4)).await;
        damage(folder.path());
        assert_eq!(purge(folder.path(), &Purge::All), Ok(expected));
        assert_eq!(std::fs::read_dir(folder.path().join("replies")).expect("listed").count(), 0);
        assert_eq!(Memo::open(folder.path()).expect("a memo").stat().expect("sound").exchanges, 0);
    };
    check(|_| {}, Some(1)).await;
    check(
        |folder| base(folder).execute_batch("PRAGMA foreign_keys = 0; DROP TABLE exchanges").expect("dropped"),
        Some(0),
    )
    .await;
    check(|folder| base(folder).pragma_update(None, "user_version", 77).expect("set"), None).await;
    check(|folder| std::fs::write(folder.join("memo.sqlite"), [0x5a; 9000]).expect("written"), None).await;
}

#[test]
fn a_folder_in_place_of_the_file_is_a_clear_error() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("memo.sqlite")).expect("made");
    for error in [Memo::open(folder.path()).err(), purge(folder.path(), &Purge::All).err()] {
        let error = error.expect("refused");
        assert!(error.message.ends_with("memo.sqlite is a folder; the memo's file belongs there"), "{error}");
        assert!(error.hint.expect("a hint").contains("move it away"));
    }
    assert!(folder.path().join("memo.sqlite").exists(), "the user's folder stays");
}

/// elenchus 0.1.0 wrote `tests/memo-0.1.0`: an answer, a segment of speech, and the frames of a video in a file.
#[test]
fn a_memo_of_version_0_1_0_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/memo-0.1.0");
    std::fs::create_dir(folder.path().join("replies")).expect("made");
    std::fs::copy(fixture.join("memo.sqlite"), folder.path().join("memo.sqlite")).expect("copied");
    for reply in std::fs::read_dir(fixture.join("replies")).expect("listed").flatten() {
        std::fs::copy(reply.path(), folder.path().join("replies").join(reply.file_name())).expect("copied");
    }
    assert!(store::Database::readable(folder.path()).is_none(), "its replies lack digests");
    let memo = Memo::open(folder.path()).expect("a memo");
    let stat = memo.stat().expect("sound");
    assert_eq!((stat.exchanges, stat.media), (3, 2));
    let keys: Vec<MemoKey> = {
        let base = base(folder.path());
        let mut all = base.prepare("SELECT key FROM exchanges ORDER BY kind").expect("a table");
        all.query_map([], |row| row.get(0).map(MemoKey)).and_then(Iterator::collect).expect("keys")
    };
    let mut replies = keys.iter().map(|key| memo.get(*key).expect("read").expect("a memo hit"));
    assert!(matches!(replies.next(), Some(Reply::Frames(moments)) if moments.len() == 240));
    assert!(matches!(replies.next(), Some(Reply::Hear(heard)) if heard[0].text.ends_with("look for ben.")));
    assert!(matches!(replies.next(), Some(Reply::Say(SayReply { text, .. })) if text.contains("cafe")));
    let sources: Vec<String> = stat.sources.into_iter().map(|source| source.digest).collect();
    assert_eq!(memo.purge(&Purge::Media(sources)), Ok(2));
}
