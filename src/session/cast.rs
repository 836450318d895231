//! Who plays in a session: the agent and the model of each role, and a digest of all that decides its answers.

use super::{LoadOptions, Session, confidence::SOURCE};
use crate::{
    agent::{
        journal::JournalAgent,
        media::MediaAgent,
        roster::Roster,
        spec::{self, Spec},
    },
    error::Fault,
    exchange::Kind,
    store::memo::ENGINE,
};
use indexmap::IndexMap;
use serde::Serialize;

/// The agent of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Player {
    /// The role.
    pub role: String,
    /// Its agent.
    pub agent: String,
    /// The agent's model: the source of its weights, or the model and address of an endpoint.
    pub model: String,
}

impl Session {
    /// The roles of the dialogue, in its order.
    pub fn players(&self) -> Vec<Player> {
        let player = |(role, played): (&String, &crate::plan::Role)| Player {
            role: role.clone(),
            agent: played.agent.clone(),
            model: self.model(&played.agent),
        };
        self.plan.roles.iter().map(player).collect()
    }

    /// Who words the answers: the role `mind`, else the first role that completes prompts.
    pub fn answering(&self) -> Option<Player> {
        let says = |role: &str| self.plan.roles.get(role).is_some_and(|role| role.kinds.contains(&Kind::Say));
        let mut players = self.players();
        let at = players.iter().position(|player| player.role == "mind" && says(&player.role));
        let at = at.or_else(|| players.iter().position(|player| says(&player.role)))?;
        Some(players.swap_remove(at))
    }

    fn model(&self, agent: &str) -> String {
        match spec::of(agent, &self.catalogue) {
            Ok(Spec::Local(local)) => local.source.to_string(),
            Ok(Spec::Remote(remote)) => format!("{} at {}", remote.model, remote.url),
            Ok(Spec::Translate(two)) => format!("{} with {}", self.model(&two.eye), self.model(&two.words)),
            Ok(Spec::Script(_)) => "script".to_owned(),
            Ok(Spec::Person { .. }) => "person".to_owned(),
            Err(_) => "unknown".to_owned(),
        }
    }

    /// A digest of the dialogue's texts, its agents and the seed. Two sessions of one digest give the same answers.
    pub async fn digest(&self, loading: &LoadOptions, seed: u64) -> Result<String, Fault> {
        let roster = self.load(loading).await?;
        let sources: Vec<(&String, &String)> =
            self.plan.sources.iter().filter(|(name, _)| !name.starts_with(SOURCE)).collect();
        let json = serde_json::to_vec(&(ENGINE, &self.plan.name, sources, identities(roster), seed));
        let json = json.map_err(Fault::failed)?;
        Ok(blake3::hash(&json).to_hex()[..16].to_owned())
    }
}

/// What identifies the agents of the dialogue's own roles.
pub(super) fn identities(roster: &Roster) -> IndexMap<&str, &str> {
    let own = |role: &str| ![MediaAgent::NAME, JournalAgent::NAME].contains(&role);
    let agents = roster.agents.iter().filter(|(role, _)| own(role));
    agents.map(|(role, agent)| (role.as_str(), agent.card().identity.as_str())).collect()
}
