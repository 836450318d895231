//! Requests and replies on the wire, and the canonical form of a request.

use super::*;
use crate::value::{ImageFile, JournalLine, LineLabel, Media, Sense, Time, TimeBase};
use std::sync::Arc;

fn time(ticks: i64) -> Time {
    Time { ticks, base: TimeBase { num: 1, den: 1000 } }
}

fn medium(path: &str) -> Arc<Media> {
    let (start, end) = (time(0), time(60_000));
    Arc::new(Media::new(path, "d1", start, end))
}

fn moment(path: &str) -> Moment {
    Moment { media: medium(path), start: time(1000), end: time(2000), text: None }
}

/// Lines of the medium at `path` for the journal.
fn append(path: &str) -> JournalRequest {
    let labels = vec![LineLabel { text: "keys".into(), score: Some(0.5), role: Some("things".into()) }];
    let line = JournalLine { moment: moment(path), sense: Sense::Seen, text: "keys".into(), labels };
    JournalRequest::Append {
        writer: "log.lines".into(),
        medium: medium(path),
        senses: vec![Sense::Seen],
        lines: vec![line],
    }
}

/// One request of each kind with its reply, about the medium at `path`.
fn one_of_each(path: &str) -> Vec<(Request, Reply)> {
    let what = Item::Frame(moment(path));
    let among = LabelList::from(vec!["cafe".to_owned()]);
    let texts = among.worded("a photo of a {}");
    let image = Item::Image(ImageFile { path: format!("{path}.png"), digest: "d2".into() });
    let messages = vec![Message { images: vec![image, Item::Sound(moment(path))], ..Message::new("user", "Where?") }];
    let scored = vec![Scored { text: "cafe".into(), score: 0.5, probability: 1.0, floor: Some(0.25) }];
    let said = SayReply {
        logprobs: vec![TokenLogprob { id: Some(1), text: "In".into(), logprob: -0.1 }],
        scores: vec![ChoiceScore { text: "In the cafe.".into(), logprob: -1.7 }],
        tokens: vec![1, 2],
        thinking: "It has cups.".into(),
        ..SayReply::new("In the cafe.", Finish::Stop)
    };
    let (start, end, language) = (Some(time(5)), None, Some("en".to_owned()));
    let hear = HearRequest {
        audio: medium(path),
        start,
        end,
        language,
        timestamps: true,
        words: false,
        decoding: Decoding::default(),
    };
    let heard = vec![Speech::new(time(5), time(9), "hello")];
    let say = SayRequest::new(messages);
    let look =
        LookRequest { images: vec![what.clone()], video: true, prompt: "Where?".into(), decoding: Decoding::default() };
    let frames = FramesRequest::new(medium(path), Sampling::Every(0.1));
    let among_lines =
        Searched::Lines(vec![GivenLine { text: "keys".into(), start_s: Some(1.0), end_s: None, vectors: Vec::new() }]);
    let (vectors, filter) = (vec![RoleVector { role: "words".into(), vector: vec![1.0] }], LineFilter::default());
    let search = SearchRequest { among: among_lines, text: "keys".into(), vectors, filter, top: 3, apart_s: 1.5 };
    let why = vec![HitReason::Words(vec!["keys".into()]), HitReason::Meaning(0.5)];
    let hit = SearchHit { place: Some(0), score: 0.75, why, ..SearchHit::default() };
    let asked = AskUserRequest {
        name: "tour.room".into(),
        text: "Which room?".into(),
        choices: vec!["In the cafe.".into(), "the hall".into()],
        default: Some("the hall".into()),
        ..AskUserRequest::default()
    };
    let (min, overlap) = (MIN_SCORE, MAX_OVERLAP);
    let detect = DetectRequest { what: what.clone(), among: among.clone(), texts: texts.clone(), min, overlap };
    let found = vec![Detection { label: "cafe".into(), score: 0.5, area: [0.0, 1.5, 20.0, 30.0] }];
    vec![
        (
            Request::Rank(RankRequest { what: what.clone(), among, texts, floor: FloorUse::Required }),
            Reply::Rank(scored),
        ),
        (Request::Say(say), Reply::Say(said.clone())),
        (Request::Look(look), Reply::Look(said.clone())),
        (Request::Hear(hear), Reply::Hear(heard)),
        (Request::Embed(EmbedRequest::new(what)), Reply::Embed(vec![0.6, 0.8])),
        (Request::Frames(frames), Reply::Frames(vec![moment(path)])),
        (Request::Journal(append(path)), Reply::Journal(JournalReply::Added(1))),
        (Request::Search(search), Reply::Search(vec![hit])),
        (Request::AskUser(asked), Reply::AskUser(said)),
        (Request::Detect(detect), Reply::Detect(found)),
    ]
}

#[test]
fn every_kind_survives_serialisation() {
    let all = one_of_each("day.mp4");
    assert!(Kind::ALL.iter().all(|kind| all.iter().any(|(request, _)| request.kind() == *kind)), "one of each kind");
    for (request, reply) in all {
        let json = serde_json::to_string(&request).expect("requests serialise");
        assert_eq!(serde_json::from_str::<Request>(&json).expect("and come back"), request);
        let json = serde_json::to_string(&reply).expect("replies serialise");
        assert_eq!(serde_json::from_str::<Reply>(&json).expect("and come back"), reply);
        assert_eq!(request.fits(&reply), Ok(()));
    }
}

/// Memo keys and transcripts of earlier versions stay valid.
#[test]
fn a_request_for_all_frames_does_not_mention_distinct() {
    let asked = FramesRequest::new(medium("day.mp4"), Sampling::Every(1.0));
    let json = serde_json::to_string(&asked).expect("JSON");
    assert!(json.ends_with(r#""sampling":{"every":1.0}}"#), "{json}");
    assert_eq!(serde_json::from_str::<FramesRequest>(&json).expect("read"), asked);
    let distinct = serde_json::to_string(&FramesRequest { distinct: Some(0.02), ..asked }).expect("JSON");
    assert!(distinct.ends_with(r#""sampling":{"every":1.0},"distinct":0.02}"#), "{distinct}");
}

#[test]
fn a_request_is_identified_by_digests_and_can_be_relocated() {
    for ((here, reply), (there, _)) in one_of_each("day.mp4").into_iter().zip(one_of_each("/elsewhere/copy.mp4")) {
        assert_eq!(here.canonical(), there.canonical());
        assert_eq!(here.digests(), there.digests());
        let mut json = Vec::new();
        here.canonical_json(&mut |part| json.extend_from_slice(part));
        let plain = serde_json::to_vec(&here.canonical()).expect("serialises");
        assert_eq!(String::from_utf8(json), String::from_utf8(plain));
        let paths = |digest: &str| (digest == "d1").then(|| "/elsewhere/copy.mp4".to_owned());
        let moved = here.relocated(&|digest| paths(digest).or_else(|| Some("/elsewhere/copy.mp4.png".to_owned())));
        assert_eq!(moved, there);
        assert_eq!(here.in_own_terms(there.in_own_terms(reply.clone())), reply);
    }
}

#[test]
fn own_labels_come_best_first_and_from_agents_that_have_some() {
    let what = Item::Text("x".into());
    let rank = |among: &[&str]| {
        let among: LabelList = among.iter().map(|label| (*label).to_owned()).collect();
        Request::Rank(RankRequest { what: what.clone(), texts: among.clone(), among, floor: FloorUse::Unused })
    };
    let check = |request: &Request, reply: &[(&str, f32)], expected: Result<(), &str>| {
        let scored =
            |(text, score): &(&str, f32)| Scored { text: (*text).into(), score: *score, probability: 0.5, floor: None };
        let found = request.fits(&Reply::Rank(reply.iter().map(scored).collect()));
        assert_eq!(found.as_ref().map_err(String::as_str).copied(), expected);
    };
    check(&rank(&[]), &[("a", 2.0), ("b", 2.0), ("a", 1.0)], Ok(()));
    check(&rank(&[]), &[], Err("found no labels, expected the agent's own"));
    let unsorted = "found the agent's own labels in another order, expected the best first";
    check(&rank(&[]), &[("a", 1.0), ("b", 2.0)], Err(unsorted));
    let odd = "found the score NaN for `b`, expected a finite number";
    check(&rank(&[]), &[("a", 1.0), ("b", f32::NAN)], Err(odd));
    check(&rank(&["b", "a"]), &[("b", 1.0), ("a", 2.0)], Ok(()));

    let (name, identity) = ("eye".to_owned(), "weights".to_owned());
    let json = format!(
        r#"{{"name":"{name}","answers":[{{"kind":"rank","takes":["text"]}}],"identity":"{identity}","memo":true}}"#
    );
    let card: Card = serde_json::from_str(&json).expect("a card of an earlier version");
    assert_eq!(serde_json::to_string(&card).expect("serialises"), json);
    let refused = "eye: the list of candidates is empty, and the agent has no labels of its own";
    assert_eq!(card.check(&rank(&[])).map_err(|fault| fault.to_string()), Err(refused.to_owned()));
    assert_eq!(card.check(&rank(&["a"])), Ok(()));
    assert_eq!(Card { own_labels: true, ..card }.check(&rank(&[])), Ok(()));
}

#[test]
fn a_reply_to_another_request_is_refused_by_name() {
    let all = one_of_each("day.mp4");
    let (rank, say) = (&all[0], &all[1]);
    assert_eq!(rank.0.fits(&say.1), Err("found a `say` reply to a `rank` request".to_owned()));
    assert!(rank.0.fits(&Reply::Rank(Vec::new())).is_err());
    assert!(all[4].0.fits(&Reply::Embed(vec![f32::NAN])).is_err());
}

#[test]
fn the_content_of_a_request_follows_from_its_items() {
    let takes: Vec<String> = one_of_each("day.mp4").iter().map(|(request, _)| request.takes().to_string()).collect();
    assert_eq!(
        takes,
        ["image", "text, image, sound", "text, image", "sound", "image", "video", "text", "text", "text", "image"]
    );
}
