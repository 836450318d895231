//! The kinds of named text files that dialogues use: one table of their folders, endings and words. The build script reads
//! this file too, so it imports nothing.

/// Kinds of things that dialogues name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// Another dialogue, for `call`.
    Dialogue,
    /// `prompts/NAME.md`
    Prompt,
    /// `vocab/NAME.txt`
    Labels,
    /// `agents/NAME.yaml`
    Agent,
    /// `casts/NAME.yaml`
    Cast,
}

/// All that differs between kinds.
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
    pub const ALL: [Resource; 5] =
        [Resource::Dialogue, Resource::Prompt, Resource::Labels, Resource::Cast, Resource::Agent];

    const fn row(self) -> Row {
        match self {
            Resource::Dialogue => row("examples", "yaml", "dialogue", "dialogue", "dialogues"),
            Resource::Prompt => row("prompts", "md", "prompt", "prompt", "prompts"),
            Resource::Labels => row("vocab", "txt", "labels", "label list", "labels"),
            Resource::Agent => row("agents", "yaml", "agent", "agent", "agents"),
            Resource::Cast => row("casts", "yaml", "cast", "cast", "casts"),
        }
    }

    /// The folder of a project that holds such files.
    pub const fn folder(self) -> &'static str {
        self.row().folder
    }

    /// How the names of such files end, without the dot.
    pub const fn ending(self) -> &'static str {
        self.row().ending
    }

    /// The word for it in JSON, and the first part of a name in `Plan::sources`.
    pub const fn word(self) -> &'static str {
        self.row().word
    }

    /// One such thing, in messages.
    pub const fn noun(self) -> &'static str {
        self.row().noun
    }

    /// Several such things, in lists and commands.
    pub const fn plural(self) -> &'static str {
        self.row().plural
    }

    /// `agents/NAME.yaml`. Names may be written with the folder and the ending, and without.
    pub fn file(self, name: &str) -> String {
        let Row { folder, ending, .. } = self.row();
        let name = name.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name);
        let name = name.strip_suffix(ending).and_then(|rest| rest.strip_suffix('.')).unwrap_or(name);
        format!("{folder}/{name}.{ending}")
    }
}
