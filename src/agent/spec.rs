//! Converts a checked agent file to the settings of its agent, and applies the rules for untrusted projects.

use super::{
    RETRIES,
    remote::RemoteSpec,
    translate::{LABELS, TranslateSpec},
};
use crate::{
    dialogue::{
        self, AgentFile, At, DecodeWritten, EndpointWritten, LimitsWritten, ModelWritten, Resource, WhoWritten,
    },
    exchange::{Answers, Decoding, HearingSettings, Script},
    hub::{
        Catalogue, FoundFile, HubError, WeightsPath, WeightsSource,
        checkpoint::Origin,
        inside,
        verdict::{plain, ways_out},
    },
    infer::{causal::KvFormat, checkpoint::mark, config::Config, gguf::Gguf},
    models,
};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// The default of an endpoint's `timeout`: large models need long.
const TIMEOUT: Duration = Duration::from_secs(120);
/// The default of `reply_time`, for streamed replies.
const REPLY_TIME: Duration = Duration::from_secs(600);
/// The default of `reply_bytes`: an hour of speech with its times has less than one MiB.
const REPLY_BYTES: usize = 8 << 20;

/// The settings of an agent, by its sort.
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    /// A model on this machine.
    Local(LocalConfig),
    /// An endpoint.
    Remote(RemoteSpec),
    /// An image classifier and a text embedder as one agent.
    Translate(TranslateSpec),
    /// A script.
    Script(Script),
    /// A person at the terminal.
    Person {
        /// The text before each question.
        greeting: Option<String>,
    },
}

/// The settings of an agent file for a local model, before its checkpoint is found.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalConfig {
    /// The source of the weights.
    pub source: WeightsSource,
    /// The base of relative paths.
    pub origin: Origin,
    /// The model family; if absent, `config.json` determines it.
    pub family: Option<String>,
    /// The number format: `f32`, `f16` or `bf16`; if absent, the device determines it.
    pub dtype: Option<String>,
    /// The format of the keys and values that a language model keeps.
    pub kv_cache: KvFormat,
    /// The device: `cpu`, `cuda:N` or `metal`; if absent, the best one is used.
    pub device: Option<String>,
    /// The defaults of requests without decoding settings.
    pub decoding: Decoding,
    /// The maximum requests in one call of the model.
    pub batch: Option<usize>,
    /// The maximum requests that may wait.
    pub queue: Option<usize>,
    /// The maximum tokens of prompt and reply together.
    pub context_tokens: Option<usize>,
    /// The most pixels of a picture that it looks at, if fewer than its checkpoint states.
    pub picture_pixels: Option<usize>,
    /// How it hears speech.
    pub hearing: HearingSettings,
}

impl Spec {
    /// The settings in the file of the agent `name`, which was found at `origin`. Fails if the file names no sort of
    /// agent.
    pub fn new(name: &str, file: &AgentFile, origin: &Origin) -> Result<Spec, HubError> {
        match file.who() {
            Some(WhoWritten::Model(model)) => Ok(Spec::Local(local(model, file, origin)?)),
            Some(WhoWritten::Endpoint(endpoint)) => Ok(Spec::Remote(remote(name, endpoint, file))),
            Some(WhoWritten::Translate(two)) => Ok(Spec::Translate(TranslateSpec {
                eye: two.eye.value.clone(),
                words: two.words.value.clone(),
                labels: two.labels.as_ref().map_or(LABELS, |labels| labels.value),
                senses: BTreeMap::new(),
            })),
            Some(WhoWritten::Script(script)) => Ok(Spec::Script(script.clone())),
            Some(WhoWritten::Person(person)) => Ok(Spec::Person { greeting: person.greeting.clone() }),
            None => Err(HubError::plain(format!(
                "agents/{name}.yaml must name a `model`, an `endpoint`, a `script`, a `person` or `translate`"
            ))),
        }
    }

    /// Fails if the file belongs to an untrusted project and names something that only a trusted one may use. These are
    /// an endpoint (which receives data and a key from the environment), a download, and weights outside of the
    /// project.
    pub fn admit(&self, found: &FoundFile, catalogue: &Catalogue) -> Result<(), HubError> {
        let Some(project) = &found.stranger else { return Ok(()) };
        let refused = match self {
            Spec::Remote(remote) => Some(format!(
                "it names the endpoint {}{}, and only a trusted project may use an endpoint",
                plain(&remote.url),
                remote.key_env.as_ref().map_or(String::new(), |name| format!(" and the key in {}", plain(name)))
            )),
            Spec::Local(local) => match &local.source {
                WeightsSource::Hub { .. } => catalogue
                    .resolver()
                    .local(&local.source, &local.origin)
                    .err()
                    .map(|_| format!("it names {}, and only a trusted project may download models", local.source)),
                WeightsSource::Path(path) | WeightsSource::Gguf(path)
                    if catalogue.resolver().is_own_model(path, &local.origin) =>
                {
                    let shown = plain(&path.display().to_string());
                    Some(format!("{shown} is in your folder of models, and only a trusted project may use it"))
                }
                WeightsSource::Path(path) | WeightsSource::Gguf(path) => {
                    inside::check_all(project, &catalogue.resolver().against(path, &local.origin))
                        .err()
                        .map(|why| format!("the weights at {}: {why}", plain(&path.display().to_string())))
                }
            },
            // the rules apply to the two agents of a translator when they are read
            Spec::Translate(_) | Spec::Script(_) | Spec::Person { .. } => None,
        };
        match refused {
            None => Ok(()),
            Some(why) => Err(HubError::refused(format!("{} is refused: {why}; {}", found.file, ways_out(project)))),
        }
    }
}

/// Finds and reads an agent's file. Fails if it is missing, has a mistake, or if [`Spec::admit`] refuses it.
pub fn of(name: &str, catalogue: &Catalogue) -> Result<Spec, HubError> {
    let (file, found) = file(name, catalogue)?;
    let mut spec = Spec::new(name, &file, &found.origin)?;
    spec.admit(&found, catalogue)?;
    let list = file.translate.as_ref().and_then(|two| two.senses.as_ref());
    if let (Spec::Translate(two), Some(list)) = (&mut spec, list) {
        two.senses = senses(&list.value, catalogue).map_err(|error| {
            let place = format!("{}:{}:{}", found.file, list.pos.line, list.pos.column);
            HubError { message: format!("{place}: {}", error.message), ..error }
        })?;
    }
    Ok(spec)
}

/// The file of an agent that [`Spec::admit`] refuses, and why; `None` for any other agent.
pub fn refusal(name: &str, catalogue: &Catalogue) -> Option<(String, HubError)> {
    let (file, found) = file(name, catalogue).ok()?;
    let spec = Spec::new(name, &file, &found.origin).ok()?;
    if let Spec::Translate(two) = &spec {
        // the two are agents of their own; one that is a translator is refused elsewhere
        let is_plain = |name: &&String| !matches!(of(name, catalogue), Ok(Spec::Translate(_)));
        return [&two.eye, &two.words].into_iter().filter(is_plain).find_map(|name| refusal(name, catalogue));
    }
    spec.admit(&found, catalogue).err().map(|why| (found.file, why))
}

/// The meanings of labels, from a list with `label: meaning` on each line.
fn senses(name: &str, catalogue: &Catalogue) -> Result<BTreeMap<String, String>, HubError> {
    let found = catalogue.find(Resource::Labels, name).map_err(|error| HubError::refused(error.to_string()))?;
    let Some(found) = found else {
        let names = catalogue.names(Resource::Labels);
        let hint = crate::problem::closest(name, names.iter().map(String::as_str));
        return Err(HubError { hint, ..HubError::plain(format!("found no label list `{name}` for `senses`")) });
    };
    let pair = |(n, line)| match dialogue::sense(line) {
        Ok(pair) => pair.map(|(label, meaning)| Ok((label.to_owned(), meaning.to_owned()))),
        Err(why) => Some(Err(HubError::plain(format!("{}:{}: {why}", found.file, n + 1)))),
    };
    found.text.trim_start_matches('\u{feff}').lines().enumerate().filter_map(pair).collect()
}

/// An agent's file as written, and where it was found.
pub fn file(name: &str, catalogue: &Catalogue) -> Result<(AgentFile, FoundFile), HubError> {
    let found = catalogue.find(Resource::Agent, name).map_err(|error| HubError::refused(error.to_string()))?;
    let Some(found) = found else {
        let names = catalogue.names(Resource::Agent);
        let hint = crate::problem::closest(name, names.iter().map(String::as_str));
        return Err(HubError { hint, ..HubError::plain(format!("agents/{name}.yaml does not exist")) });
    };
    let file = dialogue::agent_file(&found.text, &found.file).map_err(|problems| match problems.first() {
        Some(first) => HubError::plain(format!("{}:{}:{}: {}", first.file, first.line, first.column, first.message)),
        None => HubError::plain(format!("{} cannot be read", found.file)),
    })?;
    Ok((file, found))
}

/// The kinds of request that an agent answers, if they are known without loading, downloading or unpacking it.
pub fn answers(name: &str, catalogue: &Catalogue) -> Option<Vec<Answers>> {
    let (file, found) = file(name, catalogue).ok()?;
    let spec = Spec::new(name, &file, &found.origin).ok()?;
    match spec {
        Spec::Local(_) if spec.admit(&found, catalogue).is_err() => None,
        Spec::Local(local) => {
            let resolver = catalogue.resolver();
            let config = match resolver.peek_config(&local.source, &local.origin) {
                Some(text) => {
                    let mut config = serde_json::from_str(&text).ok()?;
                    mark(&mut config, resolver.peek_modules(&local.source, &local.origin));
                    config
                }
                None => match resolver.local(&local.source, &local.origin).ok()? {
                    WeightsPath::Gguf(file) => Gguf::sketch(&file).and_then(|gguf| gguf.config()).ok()?,
                    WeightsPath::Folder(_) => return None,
                },
            };
            let config = Config::new("config.json", config);
            models::family(local.family.as_deref(), &config).ok().map(|family| family.answers.to_vec())
        }
        _ => file.answers(),
    }
}

fn local(model: &ModelWritten, file: &AgentFile, origin: &Origin) -> Result<LocalConfig, HubError> {
    let unless_auto = |text: &Option<At<String>>| {
        text.as_ref().map(|text| text.value.clone()).filter(|text| !text.is_empty() && text != "auto")
    };
    let source = match (&model.path, &model.hub, &model.gguf) {
        (Some(path), ..) => WeightsSource::Path(PathBuf::from(&path.value)),
        (None, Some(hub), gguf) => WeightsSource::hub(&hub.value, gguf.as_ref().map(|file| file.value.as_str()))?,
        (None, None, Some(gguf)) => WeightsSource::Gguf(PathBuf::from(&gguf.value)),
        (None, None, None) => return Err(HubError::plain("`model` must have a `path`, `hub` or `gguf`")),
    };
    let limit = |pick: fn(&LimitsWritten) -> &Option<At<usize>>| {
        file.limits.as_ref().and_then(|limits| pick(limits).as_ref()).map(|at| at.value)
    };
    Ok(LocalConfig {
        source,
        origin: origin.clone(),
        family: unless_auto(&model.family),
        dtype: unless_auto(&model.dtype),
        kv_cache: model.kv_cache.as_ref().and_then(|format| KvFormat::named(&format.value)).unwrap_or_default(),
        device: unless_auto(&model.device),
        decoding: file.decode.as_ref().map(DecodeWritten::decoding).unwrap_or_default(),
        batch: limit(|limits| &limits.batch),
        queue: limit(|limits| &limits.queue),
        context_tokens: limit(|limits| &limits.context_tokens),
        picture_pixels: limit(|limits| &limits.picture_pixels),
        hearing: file.hearing.as_ref().map(|written| written.hearing()).unwrap_or_default(),
    })
}

fn remote(name: &str, endpoint: &EndpointWritten, file: &AgentFile) -> RemoteSpec {
    let limits = file.limits.as_ref();
    RemoteSpec {
        name: name.to_owned(),
        url: endpoint.url.value.clone(),
        model: endpoint.model.value.clone(),
        key_env: endpoint.key_env.as_ref().map(|name| name.value.clone()),
        answers: endpoint.answers(),
        timeout: endpoint.timeout.as_ref().map_or(TIMEOUT, |timeout| timeout.value.0),
        reply_time: limits.and_then(|limits| limits.reply_time.as_ref()).map_or(REPLY_TIME, |time| time.value.0),
        reply_bytes: limits.and_then(|limits| limits.reply_bytes.as_ref()).map_or(REPLY_BYTES, |bytes| bytes.value),
        extensions: endpoint.extensions.iter().flatten().map(|name| name.value.clone()).collect(),
        retries: endpoint.retries.as_ref().map_or(RETRIES, |retries| retries.value.min(100) as u32),
        context_tokens: limits.and_then(|limits| limits.context_tokens.as_ref()).map(|tokens| tokens.value),
        decoding: file.decode.as_ref().map(DecodeWritten::decoding).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Kind;

    fn spec(yaml: &str) -> Spec {
        let file = dialogue::agent_file(yaml, "agents/a.yaml").expect("an agent file");
        Spec::new("a", &file, &Origin::Folder("agents".into())).expect("a spec")
    }

    #[test]
    fn every_sort_of_agent_file_is_read() {
        let Spec::Local(local) = spec(
            "model: { path: starter/lm, dtype: auto, device: 'cuda:1' }\ndecode: { temperature: 0.2 }\nlimits: { batch: 4, picture_pixels: 9 }\nhearing: { temperatures: [0, 0.5] }",
        ) else {
            panic!("a local agent")
        };
        assert_eq!(
            (local.source, local.dtype, local.device.as_deref()),
            (WeightsSource::Path("starter/lm".into()), None, Some("cuda:1"))
        );
        assert_eq!((local.decoding.temperature, local.batch, local.queue), (Some(0.2), Some(4), None));
        assert_eq!(local.picture_pixels, Some(9));
        assert_eq!(local.hearing, HearingSettings { temperatures: vec![0.0, 0.5], ..HearingSettings::default() });
        let Spec::Remote(remote) =
            spec("endpoint: { url: 'http://localhost:1/v1', model: m, answers: [hear], timeout: 3s }")
        else {
            panic!("a remote agent")
        };
        assert_eq!(
            (remote.answers, remote.timeout, remote.retries),
            (vec![Answers::usual(Kind::Hear)], Duration::from_secs(3), RETRIES)
        );
        assert_eq!((remote.reply_bytes, remote.reply_time), (8 << 20, Duration::from_secs(600)));
        let limited =
            "endpoint: { url: 'http://localhost:1/v1', model: m }\nlimits: { reply_bytes: 1000, reply_time: 2m }";
        let Spec::Remote(remote) = spec(limited) else { panic!("a remote agent") };
        assert_eq!((remote.reply_bytes, remote.reply_time), (1000, Duration::from_secs(120)));
        assert_eq!(spec("person: { greeting: Hello. }"), Spec::Person { greeting: Some("Hello.".into()) });
        assert!(matches!(spec("script: [one, two]"), Spec::Script(Script::InOrder(replies)) if replies.len() == 2));
    }
}
