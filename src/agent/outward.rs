//! The announcement of data that leaves the machine, before the first byte is sent.

use super::remote::RemoteSpec;
use crate::{
    exchange::{Modalities, Modality, Request},
    hub::{HubSettings, verdict::plain},
};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// A transfer that is about to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outward {
    /// Requests to an endpoint.
    Endpoint {
        /// The agent's name.
        agent: String,
        /// The scheme, host and port of the endpoint.
        host: String,
        /// The model's name at the endpoint.
        model: String,
        /// The environment variable whose key is sent.
        key_env: Option<String>,
        /// The modalities of the data in the request.
        carried: Modalities,
    },
    /// A download from the model hub.
    Download {
        /// The agent's name.
        agent: String,
        /// The repository: `org/name`.
        repo: String,
        /// The scheme, host and port of the hub.
        hub: String,
        /// True if the token of `HF_TOKEN`, or of a login, is sent.
        token: bool,
    },
}

impl Outward {
    /// The line before models are asked for at the hub, for a command that does nothing else.
    pub fn pull(settings: &HubSettings) -> String {
        let token = if settings.token.is_some() { ", with your token of the hub" } else { "" };
        format!("network: models are asked for at {}{token}; nothing else is sent", host(&settings.endpoint))
    }

    /// A download of `repo` for an agent.
    pub fn download(agent: &str, repo: &str, settings: &HubSettings) -> Outward {
        let (agent, repo, hub) = (agent.to_owned(), repo.to_owned(), host(&settings.endpoint));
        Outward::Download { agent, repo, hub, token: settings.token.is_some() }
    }
}

impl fmt::Display for Outward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outward::Endpoint { agent, host, model, key_env, carried } => {
                let words: Vec<&str> = carried.iter().map(plural).collect();
                let words = match words.as_slice() {
                    [] => "requests".to_owned(),
                    [one] => (*one).to_owned(),
                    [first @ .., last] => format!("{} and {last}", first.join(", ")),
                };
                let (host, model) = (plain(host), plain(model));
                write!(f, "network: agent {agent} sends {words} to {host} (model {model}")?;
                match key_env {
                    Some(name) => write!(f, ", with the key in {})", plain(name)),
                    None => f.write_str(")"),
                }
            }
            Outward::Download { agent, repo, hub, token } => {
                let token = if *token { ", with your token of the hub" } else { "" };
                write!(f, "network: agent {agent} downloads {repo} from {hub}{token}; it sends nothing else")
            }
        }
    }
}

/// The word for a modality in messages.
fn plural(modality: Modality) -> &'static str {
    match modality {
        Modality::Text => "text",
        Modality::Image => "pictures",
        Modality::Sound => "sound",
        Modality::Video => "videos",
    }
}

/// The scheme, host and port of an address, without path, user name and password.
fn host(url: &str) -> String {
    reqwest::Url::parse(url).map_or("an unknown host".to_owned(), |url| url.origin().ascii_serialization())
}

/// A callback for each transfer that is about to begin.
pub type OnNetwork = Arc<dyn Fn(&Outward) + Send + Sync>;

/// Announces the data for an endpoint: before the first request, and before the first request with a new modality.
#[derive(Clone)]
pub struct Announcer {
    spec: RemoteSpec,
    announced: Arc<Mutex<Modalities>>,
    to: OnNetwork,
}

impl Announcer {
    /// An announcer for an endpoint, which calls `to`.
    pub fn new(spec: &RemoteSpec, to: OnNetwork) -> Announcer {
        Announcer { spec: spec.clone(), announced: Arc::default(), to }
    }

    /// Announces the request's modalities that are new. Call it before the request is sent.
    pub fn announce(&self, request: &Request) {
        let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        let carried = request.takes();
        if !carried.without(*announced).is_empty() {
            (self.to)(&Outward::Endpoint {
                agent: self.spec.name.clone(),
                host: host(&self.spec.url),
                model: self.spec.model.clone(),
                key_env: self.spec.key_env.clone(),
                carried,
            });
            *announced = announced.and(carried);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Answers, Decoding, Item, Kind, Message, SayRequest};
    use std::time::Duration;

    fn say(images: Vec<Item>) -> Request {
        let messages = vec![Message { images, ..Message::new("user", "hello") }];
        Request::Say(SayRequest::new(messages))
    }

    #[test]
    fn each_modality_is_announced_once_for_an_endpoint() {
        let spec = RemoteSpec {
            name: "far".into(),
            url: "https://me:secret@example.org:8443/v1?token=secret".into(),
            model: "m\u{1b}[1m".into(),
            key_env: Some("KEY".into()),
            answers: vec![Answers::usual(Kind::Say)],
            timeout: Duration::from_secs(1),
            reply_time: Duration::from_secs(1),
            reply_bytes: 1,
            extensions: Vec::new(),
            retries: 0,
            context_tokens: None,
            decoding: Decoding::default(),
        };
        let lines = Arc::new(Mutex::new(Vec::new()));
        let log = lines.clone();
        let note: OnNetwork = Arc::new(move |what: &Outward| log.lock().expect("lock").push(what.to_string()));
        let announcer = Announcer::new(&spec, note);
        announcer.announce(&say(Vec::new()));
        announcer.announce(&say(Vec::new()));
        let picture = crate::value::ImageFile { path: "a.png".into(), digest: "d".into() };
        announcer.announce(&say(vec![Item::Image(picture)]));
        announcer.announce(&say(Vec::new()));
        let to = "to https://example.org:8443 (model m\u{fffd}[1m, with the key in KEY)";
        let expected =
            [format!("network: agent far sends text {to}"), format!("network: agent far sends text and pictures {to}")];
        assert_eq!(*lines.lock().expect("lock"), expected);
    }

    #[test]
    fn the_announcement_of_a_download_names_hub_and_token() {
        let vars = |name: &str| (name == "HF_ENDPOINT").then(|| "http://mirror:80/x".into());
        let settings = HubSettings::from_vars(&vars);
        let line = Outward::download("big", "org/name", &settings).to_string();
        assert_eq!(line, "network: agent big downloads org/name from http://mirror; it sends nothing else");
    }
}
