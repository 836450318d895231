//! Which steps of a plan depend on which others, across calls and loops.

use crate::plan::{Block, Inside};
use std::collections::{HashMap, HashSet};

/// The steps that each step needs, by path without numbers: `log / place`, `refine round / draft`.
#[derive(Debug, Default)]
pub(super) struct Depends(HashMap<String, Vec<String>>);

impl Depends {
    /// The dependencies of a dialogue's steps.
    pub(super) fn of(block: &Block) -> Depends {
        let mut all = Depends::default();
        all.add(block, "", &[]);
        all
    }

    /// Adds a block whose steps all need `inherited`. Gives their paths.
    fn add(&mut self, block: &Block, prefix: &str, inherited: &[String]) -> Vec<String> {
        let paths: Vec<String> = block.steps.iter().map(|step| format!("{prefix}{}", step.name)).collect();
        for (step, path) in block.steps.iter().zip(&paths) {
            let mut needs = inherited.to_vec();
            needs.extend(step.needs.iter().map(|need| paths[*need].clone()));
            // the value of a loop or a call depends on the steps inside
            let inside = match step.step.inside() {
                Inside::Calls { block, .. } => self.add(&block, &format!("{path} / "), &needs),
                Inside::Repeats { block, .. } => {
                    let prefix = format!("{path} round / ");
                    // a round depends on all steps of the round before it
                    let rounds = block.steps.iter().map(|step| format!("{prefix}{}", step.name));
                    let all: Vec<String> = needs.iter().cloned().chain(rounds).collect();
                    self.add(&block, &prefix, &all)
                }
                Inside::Nothing | Inside::Asks(_) => Vec::new(),
            };
            needs.extend(inside);
            self.0.insert(path.clone(), needs);
        }
        paths
    }

    /// True if the step at `path` depends on one of `others`. A path that is not known depends on each.
    pub(super) fn any(&self, path: &str, others: &HashSet<String>) -> bool {
        let (mut open, mut seen) = (vec![path], HashSet::new());
        while let Some(path) = open.pop() {
            let Some(needs) = self.0.get(path) else { return !others.is_empty() };
            for need in needs {
                if others.contains(need) {
                    return true;
                }
                if seen.insert(need.as_str()) {
                    open.push(need);
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialogue::{MemoryLibrary, Resource},
        plan::{CompileOptions, compile_text},
    };

    #[test]
    fn dependencies_pass_through_loops() {
        let text = "version: 1\ndialogue: d\ninputs: { q: text }\ncast: { mind: teller }\nsteps:\n  \
                    a: { say: { agent: mind, text: \"{{ q }}\" } }\n  \
                    b: { say: { agent: mind, text: \"{{ q }}\" } }\n  \
                    c: { loop: { steps: { x: { say: { agent: mind, text: \"{{ a }}\" } }, y: { compute: \"{{ x }}\" } }, until: \"{{ y }}\", max_rounds: 3 } }\n  \
                    e: { compute: \"{{ [b, c.y] }}\" }\nanswer: \"{{ e }}\"\n";
        let library = MemoryLibrary::default().with(Resource::Agent, "teller", "script: []");
        let plan = compile_text(text, "d.yaml", &library, &CompileOptions::default())
            .unwrap_or_else(|problems| panic!("{problems:?}"));
        let all = Depends::of(&plan.block);
        let check = |path: &str, other: &str, expected: bool| {
            let others = HashSet::from([other.to_owned()]);
            assert_eq!(all.any(path, &others), expected, "{path} on {other}");
        };
        check("b", "a", false);
        check("c round / x", "a", true);
        check("c round / x", "c round / x", true);
        check("c round / x", "b", false);
        check("e", "c round / x", true);
        check("e", "a", true);
        check("unknown", "a", true);
        assert!(!all.any("unknown", &HashSet::new()));
    }
}
