//! Which note is ours: it opens with our marker, and was written by whoever writes now. Anybody can copy a marker.

use sha2::{Digest as _, Sha256};

/// A note as it stands on the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) id: u64,
    pub(super) author: String,
    /// The forge says that the author is a program.
    pub(super) robot: bool,
    pub(super) body: String,
}

/// Who writes with this token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Me {
    /// An account.
    Login(String),
    /// A GitHub App, which cannot ask for its own name. No person can write as one.
    App,
}

impl Me {
    /// The note to be written anew, if there is one.
    pub(super) fn own<'n>(&self, notes: &'n [Standing], marker: &str) -> Option<&'n Standing> {
        notes.iter().find(|note| {
            let mine = match self {
                Self::Login(login) => note.author.eq_ignore_ascii_case(login),
                Self::App => note.robot,
            };
            mine && note.body.trim_start().starts_with(marker)
        })
    }
}

/// The first line of our notes, which nobody sees. Jobs of other names have notes of their own.
pub(super) fn marker(context: &str) -> String {
    let hash = hex::encode(Sha256::digest(context.as_bytes()));
    format!("<!-- stagefreight:note:{} -->", &hash[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_note_of_ours_is_ours() {
        let marker = marker("--> evil <!--");
        assert_eq!(marker.matches("-->").count(), 1, "a name cannot end the comment it is in");
        let note =
            |id, author: &str, robot, body: &str| Standing { id, author: author.into(), robot, body: body.into() };
        let ours = format!("{marker}\ntext");
        let notes = [
            note(1, "mallory", false, &ours),
            note(2, "github-actions[bot]", true, &format!("> {ours}")),
            note(3, "ada", false, "a word"),
            note(4, "github-actions[bot]", true, &ours),
            note(5, "Ada", false, &ours),
        ];
        assert_eq!(Me::App.own(&notes, &marker).map(|n| n.id), Some(4));
        assert_eq!(Me::Login("ada".into()).own(&notes, &marker).map(|n| n.id), Some(5));
        assert_eq!(Me::Login("eve".into()).own(&notes, &marker), None);
        assert_eq!(Me::App.own(&notes, &super::marker("other")), None);
    }
}
