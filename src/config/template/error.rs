//! What can be wrong with a template, and how to mend it.

/// Why a template cannot be read or rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `{name}` is no variable.
    #[error("`{{{name}}}` is not a template variable")]
    UnknownVariable {
        /// As written.
        name: String,
        /// The nearest variable, if one is near.
        nearest: Option<String>,
    },
    /// `{name` without `}`.
    #[error("`{{{name}` is not closed")]
    NotClosed {
        /// As written.
        name: String,
    },
    /// The part after the colon does not fit the variable.
    #[error("`{{{written}}}`: {why}")]
    Argument {
        /// What stands between the braces.
        written: String,
        /// What is wanted.
        why: String,
    },
    /// `{var:name}` names nothing in `vars`.
    #[error("`{{var:{name}}}`: there is no such name in `vars`")]
    UnknownVar {
        /// As written.
        name: String,
        /// The nearest name in `vars`, if one is near.
        nearest: Option<String>,
    },
    /// Variables that need each other.
    #[error("`vars` go round in a circle: {}", .0.join(" → "))]
    Cycle(Vec<String>),
    /// `{env:NAME}` of a variable that is not set.
    #[error("`{{env:{0}}}`: the environment variable {0} is not set, or empty")]
    EnvUnset(String),
    /// The variable has no value in this run.
    #[error("`{{{name}}}` has no value in this run: {why}")]
    NoValue {
        /// What stands between the braces.
        name: String,
        /// Why there is none.
        why: String,
    },
    /// The template, or what it becomes, is too large.
    #[error("the template is too large")]
    TooLarge,
    /// The result, or what stands literally in the template, is no tag.
    #[error("not a legal tag: {0}")]
    NotATag(String),
}

impl TemplateError {
    /// What to do about it, if there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownVariable { nearest: Some(nearest), .. } => Some(format!("did you mean `{{{nearest}}}`?")),
            Self::UnknownVariable { nearest: None, .. } => Some(format!(
                "variables are {}; to keep braces as text, write `${{…}}` or put a blank after `{{`",
                super::variables().iter().map(|v| v.name).collect::<Vec<_>>().join(", ")
            )),
            Self::NotClosed { .. } => Some("close it with `}`".to_owned()),
            Self::UnknownVar { nearest: Some(nearest), .. } => Some(format!("did you mean `{{var:{nearest}}}`?")),
            Self::UnknownVar { name, nearest: None } => Some(format!("add `{name}: …` under `vars`")),
            Self::EnvUnset(name) => Some(format!("set {name} in the job, or take it out of the template")),
            Self::Cycle(_) => Some("let one of them hold its value itself".to_owned()),
            Self::TooLarge => Some("templates hold at most 16 KiB and become at most 64 KiB".to_owned()),
            Self::NotATag(_) => {
                Some("a tag is 1 to 128 letters, digits, `_`, `.` and `-`, not starting with `.` or `-`".to_owned())
            }
            Self::NoValue { .. } | Self::Argument { .. } => None,
        }
    }
}
