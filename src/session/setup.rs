//! What `elenchus setup` proposes: a cast that fits the machine, with sizes and the expected time of an hour of video.

use super::{Settings, pulling::Pulling};
use crate::{
    agent::{
        Agent, budget,
        list::{self, CastRow},
        work::{self, Work},
    },
    error::Fault,
    exchange::Kind,
    hub::{Catalogue, space},
    infer::{
        config::Config,
        cost::{CostModel, Phase},
        device,
    },
    models,
};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// The pictures of an hour of video: `video_log` looks at one each second.
const PICTURES: f64 = 3600.0;
/// The windows of 30 seconds in an hour of sound.
const WINDOWS: f64 = 120.0;
/// The tokens of a window that is full of speech: 150 words a minute are 75 words, and a word has about 4 tokens in 3.
const WINDOW_TOKENS: f64 = 100.0;
/// The part of the speed of large products that a model reaches. Small products and passes between them take the rest.
const EFFICIENCY: f64 = 0.5;

/// What a machine has, as far as it decides the cast.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Machine {
    /// Free memory of the machine in bytes, if the system tells.
    pub memory: Option<u64>,
    /// Processor cores.
    pub cores: usize,
    /// The device that models run on: `cuda:0`, `metal` or `cpu`.
    pub device: String,
    /// Free memory of that device in bytes; that of the machine for the CPU.
    pub device_memory: Option<u64>,
    /// Free bytes of the disk of the hub's cache.
    pub disk: Option<u64>,
}

impl Machine {
    /// Looks at this machine. `device`: the one to use, or `auto`.
    pub fn look(device: &str, settings: &Settings) -> Machine {
        let device = if device == "auto" { device::automatic() } else { device }.to_owned();
        Machine {
            memory: budget::free_memory(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            device_memory: budget::free_on(&device),
            disk: space::free(&settings.hub.cache),
            device,
        }
    }

    /// The cast that fits, and why.
    pub fn proposed(&self) -> (&'static str, String) {
        let accelerator = (self.device != "cpu").then_some(self.device_memory).flatten();
        let shown = |bytes: u64| budget::size(bytes);
        match (accelerator, self.memory) {
            (Some(bytes), _) if bytes >= 70_000_000_000 => {
                ("server", format!("{} has {} free", self.device, shown(bytes)))
            }
            (Some(bytes), _) if bytes >= 11_000_000_000 => {
                ("workstation", format!("{} has {} free", self.device, shown(bytes)))
            }
            (_, Some(bytes)) if bytes < 3_000_000_000 => (
                "starter",
                format!("only {} of memory are free, and the smallest real cast needs about 3 GB", shown(bytes)),
            ),
            (Some(bytes), _) => ("laptop", format!("{} has {} free", self.device, shown(bytes))),
            (None, Some(bytes)) => {
                ("laptop", format!("no graphics card is used, and {} of memory are free", shown(bytes)))
            }
            (None, None) => ("laptop", "no graphics card is used".to_owned()),
        }
    }
}

/// One agent of a proposed cast.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProposedAgent {
    /// Its name.
    pub agent: String,
    /// The roles that it plays.
    pub roles: Vec<String>,
    /// The description in its file.
    pub about: Option<String>,
    /// The place of its weights.
    pub source: String,
    /// The licence that the hub states; null if it states none, or if it was not asked.
    pub license: Option<String>,
    /// Bytes of its files; null if they are unknown.
    pub bytes: Option<u64>,
    /// Bytes that must be downloaded.
    pub missing: u64,
    /// True if it can be used without a download.
    pub present: bool,
    /// The seconds that it needs for an hour of video; null if it is not asked for each moment, or if it is unknown.
    pub seconds_per_hour: Option<f64>,
    /// True if the seconds are estimated from the size of the model, and not measured.
    pub estimated: bool,
}

/// The agents of a cast, each once, with the roles that each plays.
fn agents(rows: Vec<CastRow>) -> Vec<ProposedAgent> {
    let mut found: Vec<ProposedAgent> = Vec::new();
    for CastRow { role, agent } in rows {
        match found.iter_mut().find(|known| known.agent == agent.name) {
            Some(known) => known.roles.push(role),
            None => found.push(ProposedAgent {
                roles: vec![role],
                about: agent.about,
                source: agent.place,
                license: None,
                bytes: agent.bytes,
                missing: 0,
                present: agent.present,
                seconds_per_hour: None,
                estimated: false,
                agent: agent.name,
            }),
        }
    }
    found
}

/// The agents of a cast with what the hub tells of them. The time is estimated from the configuration of each model and
/// the measured speed of the device. Fails if the cast does not exist.
pub async fn propose(
    cast: &str,
    catalogue: &Catalogue,
    pulling: &Pulling,
    machine: &Machine,
) -> Result<Vec<ProposedAgent>, Fault> {
    let mut found = agents(list::of_cast(cast, catalogue)?);
    let device = machine.device.clone();
    let speed = tokio::task::spawn_blocking(move || device::speed(&device)).await.map_err(Fault::failed)??;
    for (wanted, plan) in pulling.plans() {
        let source = wanted.source.to_string();
        for agent in
            found.iter_mut().filter(|agent| agent.source == source || Some(&agent.agent) == wanted.agent.as_ref())
        {
            agent.source.clone_from(&source);
            let Some(plan) = plan else { continue };
            (agent.bytes, agent.missing) = (Some(plan.bytes()), plan.missing());
            agent.present = agent.missing == 0;
            agent.license.clone_from(&plan.license);
            let config = pulling.config(plan).await;
            agent.seconds_per_hour = config.and_then(|text| estimated(&text, &agent.roles, speed));
            agent.estimated = agent.seconds_per_hour.is_some();
        }
    }
    Ok(found)
}

/// The seconds of an hour of video for a model with this configuration on a device of this speed.
fn estimated(config: &str, roles: &[String], speed: f64) -> Option<f64> {
    let config = Config::new("config.json", serde_json::from_str(config).ok()?);
    let family = models::family(None, &config).ok()?;
    let cost: CostModel = (family.cost)(&config).ok()?;
    let (pictures, windows) = per_hour(roles);
    let sound = cost.sound.flops + WINDOW_TOKENS * cost.reply.flops;
    let flops = pictures * cost.picture.flops + windows * sound;
    (flops > 0.0).then_some(flops / (speed * EFFICIENCY))
}

/// The pictures and the windows of sound of an hour that these roles perceive.
fn per_hour(roles: &[String]) -> (f64, f64) {
    let plays = |role: &str| roles.iter().any(|own| own == role);
    (if plays("eye") { PICTURES } else { 0.0 }, if plays("ear") { WINDOWS } else { 0.0 })
}

/// The seconds of an hour of video for an agent, by its measured speeds; none if it is not asked for each moment, or was
/// never measured. Blocks.
pub fn measured(agent: &Arc<dyn Agent>, roles: &[String]) -> Option<f64> {
    let (pictures, windows) = per_hour(roles);
    let local = *agent.locals().first()?;
    local.meter().flush();
    let known = local.meter().known();
    let seconds = |units: &[(Phase, f64)]| {
        let units: BTreeMap<Phase, f64> = units.iter().copied().collect();
        work::seconds(&Work { units, flops: 0.0 }, &known)
    };
    match agent.card().can(Kind::Hear) && windows > 0.0 {
        true => {
            let all = seconds(&[(Phase::Sound, windows), (Phase::Reply, windows * WINDOW_TOKENS)]);
            all.or_else(|| seconds(&[(Phase::Sound, windows)]))
        }
        false if pictures > 0.0 => seconds(&[(Phase::Picture, pictures)]),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cast_follows_from_the_memory() {
        let check = |device: &str, device_memory: Option<u64>, memory: Option<u64>, expected: &str| {
            let machine = Machine { memory, cores: 4, device: device.into(), device_memory, disk: None };
            assert_eq!(machine.proposed().0, expected, "{machine:?}");
        };
        let gb = |n: u64| Some(n * 1_000_000_000);
        check("cuda:0", gb(79), gb(100), "server");
        check("cuda:0", gb(23), gb(32), "workstation");
        check("cuda:0", gb(11), gb(32), "workstation");
        check("cuda:0", gb(7), gb(32), "laptop");
        check("metal", gb(20), gb(20), "workstation");
        check("cpu", gb(128), gb(128), "laptop");
        check("cpu", gb(2), gb(2), "starter");
        check("cpu", None, None, "laptop");
    }

    #[test]
    fn the_time_follows_from_the_configuration() {
        let config = r#"{"model_type": "whisper", "d_model": 512, "encoder_layers": 6, "encoder_attention_heads": 8,
            "decoder_layers": 6, "decoder_attention_heads": 8, "encoder_ffn_dim": 2048, "decoder_ffn_dim": 2048,
            "vocab_size": 51865, "num_mel_bins": 80, "max_source_positions": 1500, "max_target_positions": 448}"#;
        let time = |roles: &[&str], speed: f64| {
            estimated(config, &roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>(), speed)
        };
        let slow = time(&["ear"], 1e11).expect("known");
        assert!((60.0..1000.0).contains(&slow), "{slow}");
        assert_eq!(time(&["ear"], 2e11), Some(slow / 2.0));
        assert_eq!((time(&["mind"], 1e11), estimated("{}", &["ear".to_owned()], 1e11)), (None, None));
    }
}
