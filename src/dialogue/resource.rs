//! The kinds of named text files that dialogues use: one table of their folders, endings and words. The build script
//! includes this file, so it imports nothing.

/// A kind of resource that a dialogue can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// Another dialogue, for `call`.
    Dialogue,
    /// `prompts/NAME.md`
    Prompt,
    /// `vocab/NAME.txt`
    Labels,
    /// `schemas/NAME.json`
    Schema,
    /// `agents/NAME.yaml`
    Agent,
    /// `casts/NAME.yaml`
    Cast,
    /// `calibrations/CAST.json`
    Calibration,
}

/// All differences between the kinds.
struct Row {
    folder: &'static str,
    ending: &'static str,
    word: &'static str,
    noun: &'static str,
    plural: &'static str,
}

const fn row(
    folder: &'static str,
    ending: &'static str,
    word: &'static str,
    noun: &'static str,
    plural: &'static str,
) -> Row {
    Row { folder, ending, word, noun, plural }
}

impl Resource {
    /// All kinds, in the order in which they are listed.
    pub const ALL: [Resource; 7] = [
        Resource::Dialogue,
        Resource::Prompt,
        Resource::Labels,
        Resource::Schema,
        Resource::Cast,
        Resource::Calibration,
        Resource::Agent,
    ];

    const fn row(self) -> Row {
        match self {
            Resource::Dialogue => row("examples", "yaml", "dialogue", "dialogue", "dialogues"),
            Resource::Prompt => row("prompts", "md", "prompt", "prompt", "prompts"),
            Resource::Labels => row("vocab", "txt", "labels", "label list", "labels"),
            Resource::Schema => row("schemas", "json", "schema", "schema", "schemas"),
            Resource::Agent => row("agents", "yaml", "agent", "agent", "agents"),
            Resource::Cast => row("casts", "yaml", "cast", "cast", "casts"),
            Resource::Calibration => row("calibrations", "json", "calibration", "calibration", "calibrations"),
        }
    }

    /// The folder of a project for files of this kind.
    pub const fn folder(self) -> &'static str {
        self.row().folder
    }

    /// The ending of file names of this kind, without the dot.
    pub const fn ending(self) -> &'static str {
        self.row().ending
    }

    /// The word for this kind in JSON, and the first part of a name in `Plan::sources`.
    pub const fn word(self) -> &'static str {
        self.row().word
    }

    /// The singular noun, for messages.
    pub const fn noun(self) -> &'static str {
        self.row().noun
    }

    /// The plural noun, for lists and commands.
    pub const fn plural(self) -> &'static str {
        self.row().plural
    }

    /// The path of a resource in a project, such as `agents/NAME.yaml`. `name` may include the folder and the ending.
    pub fn file(self, name: &str) -> String {
        let Row { folder, ending, .. } = self.row();
        let name = name.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name);
        let name = name.strip_suffix(ending).and_then(|rest| rest.strip_suffix('.')).unwrap_or(name);
        format!("{folder}/{name}.{ending}")
    }
}
