//! One memory budget for all agents of a process. An agent that does not fit alone is refused, with the numbers, before
//! any weights load. Agents that do not fit together take turns (`pool`).

use crate::error::Fault;
pub use crate::files::size_text as size;
use crate::{
    hub::{WeightsPath, weights as weight_files},
    infer::{gguf::Gguf, weights::Safetensors},
};
use std::{collections::BTreeMap, path::Path};

/// The memory of activations, caches and buffers, as a share of the weights.
const BESIDE_WEIGHTS: f64 = 0.2;

/// The memory that one agent needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The agent's name.
    pub agent: String,
    /// The device: `cpu`, `cuda:0` or `metal`.
    pub device: String,
    /// Bytes of the weights in memory.
    pub weights: u64,
}

/// The memory of one device, and the agents that need it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DeviceBudget {
    /// The device.
    pub device: String,
    /// The bytes that agents may take; none if they are unknown and the user sets no limit.
    pub room: Option<u64>,
    /// The bytes that all agents need together.
    pub needed: u64,
}

impl DeviceBudget {
    /// True if the agents do not fit together, so that they take turns.
    pub fn is_tight(&self) -> bool {
        self.room.is_some_and(|room| self.needed > room)
    }

    /// The note for the user if the agents take turns.
    pub fn note(&self) -> Option<String> {
        let room = self.room.filter(|room| self.needed > *room)?;
        Some(format!(
            "{} has room for {}, and the agents need about {} together: they are loaded in turns, which takes longer",
            self.device,
            size(room),
            size(self.needed)
        ))
    }
}

/// The budget of each device. The room is the free memory (`free`: bytes by device), or `limit` bytes if the user sets a
/// lower limit. Fails with a message and a hint for each agent of `own` that does not fit alone; `others` are the agents of
/// other runs, which only count. A device with unknown free memory and no limit has room for all.
pub fn check(
    own: &[Need],
    others: &[Need],
    free: impl Fn(&str) -> Option<u64>,
    limit: Option<u64>,
) -> Result<Vec<DeviceBudget>, Vec<(String, String)>> {
    let mut by_device: BTreeMap<&str, (Vec<&Need>, u64)> = BTreeMap::new();
    for need in own {
        by_device.entry(&need.device).or_default().0.push(need);
    }
    for need in others {
        by_device.entry(&need.device).or_default().1 += with_rest(need.weights);
    }
    let (mut budgets, mut problems) = (Vec::new(), Vec::new());
    for (device, (needs, beside)) in by_device {
        let (room, has, free) = match (free(device), limit) {
            (Some(free), Some(limit)) if limit < free => (Some(limit), "has a limit of", ""),
            (None, Some(limit)) => (Some(limit), "has a limit of", ""),
            (Some(free), _) => (Some(free), "has", " free"),
            (None, None) => (None, "", ""),
        };
        let needed = beside + needs.iter().map(|need| with_rest(need.weights)).sum::<u64>();
        budgets.push(DeviceBudget { device: device.to_owned(), room, needed });
        let Some(room) = room else { continue };
        for need in needs.iter().filter(|need| with_rest(need.weights) > room) {
            let (agent, all) = (&need.agent, size(with_rest(need.weights)));
            problems.push((
                format!("{agent} needs about {all} alone, and {device} {has} {}{free}", size(room)),
                remedy(need.weights, room),
            ));
        }
    }
    if problems.is_empty() { Ok(budgets) } else { Err(problems) }
}

/// The changes that would make an agent fit.
fn remedy(weights: u64, room: u64) -> String {
    let fitting = room as f64 / (1.0 + BESIDE_WEIGHTS);
    let share = fitting / weights.max(1) as f64;
    let format = match share {
        share if share >= 0.53 => "half the bits would fit (`dtype: f16`, or a GGUF file of Q8_0), if it holds f32 now",
        share if share >= 0.3 => "a GGUF file of Q8_0 or Q5_K_M would fit, if it holds f32 now",
        share if share >= 0.15 => "a GGUF file of Q4_K_M would fit, if it holds f32 now",
        _ => "only a smaller model would fit",
    };
    format!(
        "{format}: weights of at most {} fit; or move the agent to another device (`device:`), or raise --memory",
        size(fitting as u64)
    )
}

/// Bytes of the weights with everything else that a model keeps in memory.
pub(super) fn with_rest(weights: u64) -> u64 {
    (weights as f64 * (1.0 + BESIDE_WEIGHTS)) as u64
}

/// Free bytes of a device (`cpu`, `cuda:0`, `metal`), if it reports them.
pub fn free_on(device: &str) -> Option<u64> {
    if device == "cpu" { free_memory() } else { crate::infer::device::free_memory(device) }
}

/// Bytes of a checkpoint's weights in memory if each value takes `bytes_each` (`None`: as in the file), on a CPU or
/// elsewhere. Only headers are read. Fails if a file is missing or damaged.
pub fn weights(checkpoint: &WeightsPath, bytes_each: Option<u64>, on_cpu: bool) -> Result<u64, Fault> {
    match checkpoint {
        WeightsPath::Gguf(path) => Gguf::sketch(path).map(|gguf| gguf.bytes(bytes_each, on_cpu)),
        WeightsPath::Folder(folder) => Ok(Safetensors::open(&weight_files::files(folder)?)?.bytes(bytes_each, on_cpu)),
    }
}

/// The memory that this process may still use, in bytes: `MemAvailable` of Linux, within the limit of the control
/// group.
pub fn free_memory() -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let group = |file: &str| {
        let text = std::fs::read_to_string(Path::new("/sys/fs/cgroup").join(file)).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let left_in_group = group("memory.max").zip(group("memory.current")).map(|(max, now)| max.saturating_sub(now));
    let available = available(&meminfo)?;
    Some(left_in_group.map_or(available, |left| left.min(available)))
}

/// The resident memory of this process, in bytes (`VmRSS` of Linux).
pub fn resident() -> Option<u64> {
    kilobytes(&std::fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

fn available(meminfo: &str) -> Option<u64> {
    kilobytes(meminfo, "MemAvailable:")
}

/// The number of bytes in a line such as `VmRSS:  12 kB`.
fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kb| kb * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks needs in f32 by (agent, device, weights). `expected` is one line for each budget or problem.
    fn check_fits(needs: &[(&str, &str, u64)], free: Option<u64>, most: Option<u64>, expected: &[&str]) {
        let needs: Vec<Need> = needs
            .iter()
            .map(|(agent, device, weights)| Need {
                agent: (*agent).into(),
                device: (*device).into(),
                weights: *weights,
            })
            .collect();
        let lines: Vec<String> = match check(&needs, &[], |device| free.filter(|_| device != "metal"), most) {
            Ok(budgets) => budgets.iter().map(|b| b.note().unwrap_or_else(|| format!("{} fits", b.device))).collect(),
            Err(problems) => problems.into_iter().map(|(problem, hint)| format!("{problem} ({hint})")).collect(),
        };
        assert_eq!(lines, expected);
    }

    #[test]
    fn agents_that_do_not_fit_together_take_turns() {
        let (two, pair) = (Some(2_000_000_000), [("eye", "cpu", 600_000_000), ("mind", "cpu", 1_200_000_000)]);
        check_fits(&[("eye", "cpu", 600_000_000), ("mind", "cpu", 1_000_000_000)], two, None, &["cpu fits"]);
        let turns = "cpu has room for 2.0 GB, and the agents need about 2.2 GB together: they are loaded in turns, which takes longer";
        check_fits(&pair, two, None, &[turns]);
        check_fits(&pair, two, Some(3_000_000_000), &[turns]);
        check_fits(&pair, None, Some(3_000_000_000), &["cpu fits"]);
    }

    #[test]
    fn an_agent_that_does_not_fit_alone_is_refused_with_the_numbers() {
        let rest = "; or move the agent to another device (`device:`), or raise --memory";
        let check = |room, numbers: &str, remedy: &str| {
            let expected = format!("mind needs about {numbers} ({remedy}{rest})");
            check_fits(&[("eye", "cpu", 6), ("mind", "cpu", 1_200_000_000)], None, Some(room), &[&expected]);
        };
        check(
            1_000_000_000,
            "1.4 GB alone, and cpu has a limit of 1.0 GB",
            "half the bits would fit (`dtype: f16`, or a GGUF file of Q8_0), if it holds f32 now: weights of at most 833 MB fit",
        );
        check(
            300_000_000,
            "1.4 GB alone, and cpu has a limit of 300 MB",
            "a GGUF file of Q4_K_M would fit, if it holds f32 now: weights of at most 250 MB fit",
        );
        check(
            1_000_000,
            "1.4 GB alone, and cpu has a limit of 1.0 MB",
            "only a smaller model would fit: weights of at most 833 kB fit",
        );
    }

    #[test]
    fn each_device_has_its_own_budget() {
        let apart = [("eye", "cuda:0", 600_000_000), ("mind", "cuda:1", 1_200_000_000)];
        check_fits(&apart, Some(1_500_000_000), None, &["cuda:0 fits", "cuda:1 fits"]);
        // the free memory is unknown
        check_fits(&[("eye", "metal", u64::MAX / 4)], Some(1), None, &["metal fits"]);
    }

    #[test]
    fn weights_are_counted_from_the_header() {
        let folder = tempfile::tempdir().expect("temp");
        let header = br#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},"b":{"dtype":"F16","shape":[],"data_offsets":[12,14]}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header);
        bytes.extend([0; 14]);
        std::fs::write(folder.path().join("model.safetensors"), &bytes).expect("written");
        let checkpoint = WeightsPath::Folder(folder.path().to_owned());
        let count = |each, on_cpu| weights(&checkpoint, each, on_cpu).expect("counted");
        assert_eq!(count(None, true), 14);
        assert_eq!(count(Some(4), false), 28);
        // The matrix stays in f16, the single number does not.
        assert_eq!(count(Some(4), true), 16);
        std::fs::write(folder.path().join("model.safetensors"), &bytes[..20]).expect("written");
        let error = weights(&checkpoint, None, true).expect_err("truncated").to_string();
        assert!(error.ends_with("is not a safetensors file, or is truncated"), "{error}");
    }

    #[test]
    fn available_memory_is_read_from_meminfo() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:    1024 kB\n"), Some(1_048_576));
        assert_eq!(available("MemTotal: 9 kB\n"), None);
    }
}
