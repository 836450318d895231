//! How a local model hears speech, as an agent file says it.

use super::{At, Reading, written};
use crate::exchange::HearingSettings;

written! { "`hearing`",
    /// How a local model hears speech. Models that decode a sound once have no use for it.
    pub struct HearingWritten {
        /// The temperatures of the attempts at a stretch of sound whose text is unlikely or repeats itself, `[0, 0.2, 0.4, 0.6,
        /// 0.8, 1]` if absent; 0 is greedy. A request with a temperature of its own has one attempt.
        pub temperatures: Option<Vec<At<f64>>>,
        /// True if the model reads the text before each stretch of sound. Names stay the same then, but repeated text is
        /// likelier.
        pub previous_text: Option<bool>,
        /// True if a small network finds where somebody speaks, so that the model hears nothing else; false if absent.
        pub voice: Option<bool>,
    }
}

/// The most attempts.
const MAX_ATTEMPTS: usize = 16;
/// The highest temperature.
const MAX_TEMPERATURE: f64 = 2.0;

impl HearingWritten {
    /// The settings, with the defaults of those that are not there.
    pub fn hearing(&self) -> HearingSettings {
        let usual = HearingSettings::default();
        let numbers = |all: &Vec<At<f64>>| all.iter().map(|at| at.value as f32).collect();
        HearingSettings {
            temperatures: self.temperatures.as_ref().map_or(usual.temperatures, numbers),
            previous_text: self.previous_text.unwrap_or(usual.previous_text),
            voice: self.voice.unwrap_or(usual.voice),
        }
    }

    /// Reports temperatures out of range, and a number of them that is not usable.
    pub(super) fn check(&self, pos: super::Pos, reading: &mut Reading) {
        let Some(temperatures) = &self.temperatures else { return };
        if temperatures.is_empty() || temperatures.len() > MAX_ATTEMPTS {
            let found = temperatures.len();
            let message = format!("found {found} `temperatures`, expected 1 to {MAX_ATTEMPTS}");
            reading.problem("wrong-value", pos, message, None);
        }
        for at in temperatures.iter().filter(|at| !(0.0..=MAX_TEMPERATURE).contains(&at.value)) {
            let message =
                format!("found {} in `temperatures`, expected a number from 0 to {MAX_TEMPERATURE}", at.value);
            reading.problem("wrong-value", at.pos, message, None);
        }
    }
}
