//! The server from outside: its own API, with the starter cast on a sample day.

#[path = "serve/served.rs"]
mod served;

use serde_json::{Value as Json, json};
use served::{Place, Served};
use std::fs;

#[test]
fn questions_are_answered_with_evidence() {
    let served = Served::new(&[]);
    let digest = served.digest();
    let asked = served.post("/api/ask", &json!({ "question": "How many times did I cook soup?" }));
    let answer = asked.json();
    assert_eq!((asked.status, &answer["answer"]), (200, &json!("Once.")), "{answer}");
    assert_eq!(answer["evidence"][0]["digest"], digest.as_str(), "{answer}");
    assert_eq!((&answer["basis"], &answer["abstained"]), (&json!("computed"), &json!(false)));

    // the same as events: progress, then the answer, which leans on the turn before
    let body = json!({ "question": "And where?", "conversation": answer["conversation"] });
    let events = served.post_with("/api/ask", &[("Accept", "text/event-stream")], &body);
    assert_eq!(events.header("content-type").as_deref(), Some("text/event-stream"));
    let last = last_event(&events.text(), "answer");
    assert!(last["answer"].as_str().is_some_and(|text| text.contains("kitchen")), "{last}");
    assert_eq!(last["conversation"], answer["conversation"]);
    assert!(events.text().contains("event: progress\n"), "{}", events.text());

    // which model said what
    let run = served.get(&format!("/api/runs/{}", last["run"])).json();
    assert_eq!((&run["run"]["state"], &run["cast"]["mind"]), (&json!("answered"), &json!("starter-lm")), "{run}");
    let transcript = served.get(&format!("/api/runs/{}/transcript", last["run"])).text();
    fs::write(served.place.path("run.jsonl"), transcript).expect("written");
    let (replayed, _) = served.place.run(&["replay", "run.jsonl", "-q"], 0);
    assert!(replayed.contains("kitchen"), "{replayed}");

    let unanswerable = served.post("/api/ask", &json!({ "question": "What colour was the spaceship?" })).json();
    assert_eq!(unanswerable["abstained"], true, "{unanswerable}");
    for (body, message) in [
        (json!({ "question": " " }), "the question is empty"),
        (json!({ "question": "x".repeat(3000) }), "the question has 3000 characters"),
        (json!({ "question": "x", "colour": 1 }), "unknown field `colour`"),
        (json!({ "question": "x", "now": "soon" }), "now: found `soon`"),
        (json!({ "question": "x", "zone": "Mars/North" }), "zone: expected a zone"),
        (json!({ "question": "x", "videos": ["0000000000000000"] }), "the journal has no video"),
    ] {
        let refused = served.post("/api/ask", &body);
        assert!((400..500).contains(&refused.status) && refused.error().starts_with(message), "{}", refused.text());
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let place = Place::new();
    let (_, err) = place.run(&["serve", "days", "--port", "0", "--cast", "nosuch"], 2);
    assert!(err.contains("no cast is named `nosuch`"), "{err}");
    place.run(&["index", "days", "-q"], 0);
    place.cut("days/cut.mkv", 20);
    let whole = fs::read(place.path("days/cut.mkv")).expect("read");
    fs::write(place.path("days/cut.mkv"), &whole[..whole.len() * 3 / 4]).expect("written");
    let served = Served::of(place, &[]);
    let digest = served.digest();

    let german = json!({ "question": "Wo habe ich die Schlüssel zuletzt gesehen?" });
    let answer = served.post("/api/ask", &german).json();
    assert!(answer["note"].as_str().is_some_and(|note| note.contains("German")), "{answer}");
    let strange = served.post("/api/ask", &json!({ "question": "And where?", "conversation": "nope" }));
    assert_eq!((strange.status, strange.error().as_str()), (404, "no conversation has this name"));
    for (path, message) in [
        (format!("/api/media/{digest}/thumbnail?at=9999"), "at: expected a time in the video"),
        (format!("/api/media/{digest}/clip?from=-5&to=3"), "from and to: expected a part of the video"),
        ("/api/lines?foo=1".to_owned(), "unknown field `foo`"),
    ] {
        let refused = served.get(&path);
        assert!(refused.status == 400 && refused.error().contains(message), "{path}: {}", refused.text());
    }
    let numbers = json!({ "model": "starter-lm", "input": [[1, 2]] });
    let refused = served.post("/v1/embeddings", &numbers);
    assert_eq!(refused.error(), "input: expected a text or a list of texts");
    let silent = json!({ "model": "elenchus/journal_qa", "messages": [{ "role": "user", "content": "" }] });
    let refused = served.post("/v1/chat/completions", &silent).json();
    assert!(!refused.to_string().contains("-i "), "{refused}");

    // a file that was cut short is indexed as far as it goes, and says so
    let mut events = served.events("/api/events");
    served.post("/api/index", &json!({}));
    events.until("damaged: only its first");
}

/// The data of the last event of a name.
#[track_caller]
fn last_event(text: &str, name: &str) -> Json {
    let blocks = text.split("\n\n").filter_map(|block| block.split_once("\ndata: "));
    let found = blocks.filter(|(head, _)| head.trim() == format!("event: {name}")).last();
    serde_json::from_str(found.unwrap_or_else(|| panic!("no {name}: {text}")).1).expect("JSON")
}

#[test]
fn lines_are_read_corrected_exported_and_forgotten() {
    let served = Served::new(&[]);
    let digest = served.digest();
    let lines = served.get(&format!("/api/lines?video={digest}&senses=done")).json();
    let line = lines["lines"].as_array().expect("lines").iter().find(|line| line["text"] == "cooking soup");
    let id = line.expect("soup")["id"].clone();
    let behind = served.get(&format!("/api/lines/{id}")).json();
    assert!(behind["exchanges"][0]["reply"].is_object(), "{behind}");
    let page = served.get("/api/lines?skip=1&limit=1").json();
    assert_eq!(page["lines"].as_array().map(Vec::len), Some(1));
    assert!(page["total"].as_u64() > Some(2), "{page}");

    let hits = served.post("/api/search", &json!({ "words": "soups" })).json();
    assert_eq!(hits["hits"][0]["id"], id, "{hits}");
    let corrected = served.post(&format!("/api/lines/{id}/correct"), &json!({ "text": "stirring tea" })).json();
    assert_eq!((&corrected["text"], &corrected["corrects"]), (&json!("stirring tea"), &id));
    let again = served.post("/api/ask", &json!({ "question": "How many times did I stir tea?" })).json();
    assert_eq!(again["answer"], "Once.", "{again}");
    for body in [json!({}), json!({ "text": "x", "remove": true }), json!({ "text": " " })] {
        assert_eq!(served.post(&format!("/api/lines/{id}/correct"), &body).status, 400, "{body}");
    }
    assert_eq!(served.get("/api/lines/999999").status, 404);
    assert_eq!(served.get("/api/lines/none").status, 404);

    let srt = served.get(&format!("/api/export?format=srt&video={digest}"));
    assert!(srt.text().starts_with("1\n00:00:00,"), "{}", srt.text());
    assert_eq!(srt.header("content-disposition").as_deref(), Some("attachment; filename=\"journal.srt\""));
    assert_eq!(served.get("/api/export?format=srt").status, 400, "subtitles belong to one video");
    assert_eq!(served.get("/api/export?format=pdf").status, 400);

    // a run that read the lines names none of its videos
    let chat = json!({ "model": "elenchus/journal_qa", "messages": [{ "role": "user", "content": "Did I see a spaceship?" }] });
    assert_eq!(served.post("/v1/chat/completions", &chat).status, 200);
    assert!(served.get("/api/runs").json()["runs"].as_array().map(Vec::len) >= Some(2));
    let receipt = served.post("/api/forget", &json!({ "video": digest })).json();
    assert!(receipt["lines"].as_u64() > Some(3) && receipt["exchanges"].as_u64() > Some(3), "{receipt}");
    assert_eq!(served.get("/api/lines").json()["total"], 0);
    assert_eq!(served.get("/api/runs").json()["runs"].as_array().map(Vec::len), Some(0), "runs about it are gone");
    assert_eq!(served.get(&format!("/api/media/{digest}")).status, 404);
    assert!(served.place.holding("stirring tea").is_empty());
    assert_eq!(served.post("/api/forget", &json!({})).status, 400);
}

#[test]
fn videos_are_indexed_played_and_drawn() {
    let place = Place::new();
    place.cut("days/two.mp4", 40);
    fs::write(place.path("secret.mp4"), b"secret").expect("written");
    let served = Served::of(place, &[]);
    let library = served.get("/api/library").json();
    assert_eq!(library["videos"].as_array().map(Vec::len), Some(2), "{library}");
    assert!(library["videos"][0]["digest"].is_null());
    assert_eq!(served.post("/api/ask", &json!({ "question": "Where am I?" })).error(), "the journal is empty");

    for path in ["../secret.mp4", "/etc/hostname", "days/../../secret.mp4", "nothing.mp4", ""] {
        let refused = served.post("/api/index", &json!({ "paths": [path] }));
        assert_eq!(refused.status, 403, "{path}: {}", refused.text());
    }
    let mut events = served.events("/api/events");
    let queued = served.post("/api/index", &json!({ "paths": ["one.mp4"] })).json();
    assert_eq!(queued["queued"], 1, "{queued}");
    events.until("\"state\":\"done\"");
    let library = served.get("/api/library").json();
    let videos = library["videos"].as_array().expect("videos");
    let video = videos.iter().find(|video| video["job"]["state"] == "done").expect("the video");
    assert!(video["lines"].as_u64() > Some(3), "{video}");
    let digest = video["digest"].as_str().expect("a digest");

    let file = fs::read(served.place.path("days/one.mp4")).expect("read");
    let whole = served.get(&format!("/api/media/{digest}"));
    assert_eq!((whole.status, &whole.body, whole.header("content-type").as_deref()), (200, &file, Some("video/mp4")));
    let part = served.get_with(&format!("/api/media/{digest}"), &[("Range", "bytes=100-199")]);
    assert_eq!((part.status, part.body.as_slice()), (206, &file[100..200]));
    let beyond = served.get_with(&format!("/api/media/{digest}"), &[("Range", "bytes=999999999-")]);
    assert_eq!(beyond.status, 416);
    let picture = served.get(&format!("/api/media/{digest}/thumbnail?at=3"));
    assert!(picture.status == 200 && picture.body.starts_with(&[0xff, 0xd8]), "a JPEG file");
    let id = served.get("/api/lines?senses=seen").json()["lines"][0]["id"].clone();
    assert!(served.get(&format!("/api/lines/{id}/thumbnail")).body.starts_with(&[0xff, 0xd8]));
    let clip = served.get(&format!("/api/lines/{id}/clip"));
    assert!(clip.status == 200 && clip.body.windows(4).any(|window| window == b"ftyp"), "{}", clip.head);
    assert!(clip.header("content-disposition").is_some_and(|value| value.starts_with("attachment")));

    let part = served.get(&format!("/api/media/{digest}/clip?from=2&to=4"));
    assert!(part.status == 200 && part.body.windows(4).any(|window| window == b"ftyp"), "{}", part.head);
    for span in ["from=4&to=2", "from=100&to=200", "from=x&to=2", "from=NaN&to=2"] {
        assert_eq!(served.get(&format!("/api/media/{digest}/clip?{span}")).status, 400, "{span}");
    }

    // a video that was replaced is not shown as the old one
    fs::write(served.place.path("days/one.mp4"), b"another").expect("written");
    let gone = served.get(&format!("/api/media/{digest}"));
    assert!(gone.status == 410 && gone.error().contains("was replaced"), "{}", gone.text());
    let state = || {
        let library = served.get("/api/library").json();
        let videos = library["videos"].as_array().expect("videos").clone();
        videos.into_iter().find(|video| video["digest"] == digest).expect("the video")["file"].clone()
    };
    assert_eq!(state(), "replaced");
    fs::remove_file(served.place.path("days/one.mp4")).expect("removed");
    assert_eq!(state(), "gone");

    let graph = served.get("/api/dialogues/journal_qa/graph?expand=true");
    assert!(graph.text().starts_with("<svg"), "{}", graph.text());
    assert!(served.get("/api/dialogues").json()["dialogues"].as_array().expect("names").contains(&json!("video_qa")));
    assert_eq!(served.get("/api/dialogues/nothing/graph").status, 404);
}

#[test]
fn the_server_describes_itself_and_ends_in_order() {
    let mut served = Served::new(&[]);
    let document = served.get("/openapi.json").json();
    assert_eq!(document["openapi"], "3.0.3");
    let ask = &document["paths"]["/api/ask"]["post"];
    let body = ask["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str().expect("a schema");
    let name = body.rsplit('/').next().expect("a name");
    assert!(document["components"]["schemas"][name]["properties"]["question"].is_object(), "{name}");
    // each reference leads to a schema
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document["components"]["schemas"][reference].is_object(), "{reference}");
    }
    assert_eq!(served.get("/health").json()["status"], "ok");
    let metrics = served.get("/metrics").text();
    assert!(
        metrics.contains("elenchus_http_requests_total{method=\"GET\",route=\"/openapi.json\",status=\"200\"} 1"),
        "{metrics}"
    );
    let named = served.get_with("/health", &[("x-request-id", "abc-123")]);
    assert_eq!(named.header("x-request-id").as_deref(), Some("abc-123"));
    let odd = served.get_with("/health", &[("x-request-id", "a<b>")]);
    assert_ne!(odd.header("x-request-id").as_deref(), Some("a<b>"));
    assert_eq!(served.get("/nothing").status, 404);
    assert_eq!(
        served.request("DELETE", "/api/lines", &[("Authorization", &format!("Bearer {}", served.token))], b"").status,
        405
    );
    assert_eq!(served.stop(), Some(0));
    assert!(std::net::TcpStream::connect(&served.address).is_err(), "nobody listens any more");
}
