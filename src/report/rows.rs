//! The first rows of a list or a table, and how many more there are.

/// Rows of most tables and lists; the document has all of them.
pub(super) const ROWS: usize = 300;

/// As many rows as may be shown, and how many are not.
pub(super) fn first(rows: impl IntoIterator<Item = String>, limit: usize) -> (String, usize) {
    let mut rows = rows.into_iter();
    let shown = rows.by_ref().take(limit).collect();
    (shown, rows.count())
}
