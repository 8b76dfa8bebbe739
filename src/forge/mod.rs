//! What a run writes to the forge: a commit status at its start and its end, a check run, one note on the request.
//!
//! Nothing here can fail a run or hold it up for long: every wait is bounded, and what could not be written becomes one
//! warning. Knows neither registry nor buildx, and says nothing of its own: the words come from `report`.

mod author;
mod gitea;
mod github;
mod gitlab;
mod place;
mod session;
mod trouble;
mod wanted;
mod wire;
mod word;

pub use session::{Session, start};
pub use wanted::Wanted;
pub use word::{Level, Remark, State, Word, clip_bytes, clip_chars};
