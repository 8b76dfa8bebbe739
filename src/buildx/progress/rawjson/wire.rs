//! BuildKit's `SolveStatus` as its JSON stands, borrowed from the line. All fields are optional there.

use std::borrow::Cow;

use serde::Deserialize;

/// Reads a line; `None` when it is something else, an object of other fields included.
pub(super) fn parse(line: &[u8]) -> Option<Status<'_>> {
    let status: Status<'_> = serde_json::from_slice(line).ok()?;
    (!status.is_empty() || line.trim_ascii() == b"{}").then_some(status)
}

#[derive(Deserialize)]
pub(super) struct Status<'a> {
    #[serde(borrow, default)]
    pub(super) vertexes: Option<Vec<Vertex<'a>>>,
    #[serde(borrow, default)]
    pub(super) statuses: Option<Vec<VertexStatus<'a>>>,
    #[serde(borrow, default)]
    pub(super) logs: Option<Vec<Log<'a>>>,
    #[serde(borrow, default)]
    pub(super) warnings: Option<Vec<Warning<'a>>>,
}

impl Status<'_> {
    fn is_empty(&self) -> bool {
        self.vertexes.is_none() && self.statuses.is_none() && self.logs.is_none() && self.warnings.is_none()
    }
}

#[derive(Deserialize, Clone)]
pub(super) struct Vertex<'a> {
    #[serde(borrow)]
    pub(super) digest: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) started: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) completed: Cow<'a, str>,
    #[serde(default)]
    pub(super) cached: bool,
    #[serde(borrow, default)]
    pub(super) error: Cow<'a, str>,
    #[serde(borrow, default, rename = "progressGroup")]
    pub(super) group: Option<Group<'a>>,
}

impl Vertex<'_> {
    pub(super) fn ended(&self) -> bool {
        !self.completed.is_empty() || self.cached || !self.error.is_empty()
    }

    /// The same as it was before it ended.
    pub(super) fn beginning(&self) -> Self {
        Self { completed: "".into(), error: "".into(), cached: false, ..self.clone() }
    }

    /// The name to show: that of the group, if it has one.
    pub(super) fn title(&self) -> &str {
        self.group.as_ref().filter(|g| !g.weak && !g.name.is_empty()).map(|g| &*g.name).unwrap_or(&self.name)
    }
}

#[derive(Deserialize, Clone)]
pub(super) struct Group<'a> {
    #[serde(borrow, default)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) name: Cow<'a, str>,
    #[serde(default)]
    pub(super) weak: bool,
}

#[derive(Deserialize)]
pub(super) struct VertexStatus<'a> {
    #[serde(borrow, default)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) vertex: Cow<'a, str>,
    #[serde(default)]
    pub(super) current: i64,
    #[serde(default)]
    pub(super) total: i64,
    #[serde(borrow, default)]
    pub(super) timestamp: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) completed: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Log<'a> {
    #[serde(borrow, default)]
    pub(super) vertex: Cow<'a, str>,
    #[serde(default)]
    pub(super) stream: i64,
    #[serde(borrow, default)]
    pub(super) data: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Warning<'a> {
    #[serde(borrow, default)]
    pub(super) short: Cow<'a, str>,
    #[serde(default)]
    pub(super) detail: Vec<String>,
    #[serde(borrow, default)]
    pub(super) url: Cow<'a, str>,
    #[serde(borrow, default, rename = "sourceInfo")]
    pub(super) source: Option<Source<'a>>,
    #[serde(default)]
    pub(super) range: Option<Vec<Range>>,
}

#[derive(Deserialize)]
pub(super) struct Source<'a> {
    #[serde(borrow, default)]
    pub(super) filename: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Range {
    #[serde(default)]
    pub(super) start: Position,
}

#[derive(Deserialize, Default)]
pub(super) struct Position {
    #[serde(default)]
    pub(super) line: u32,
}
