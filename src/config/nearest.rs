//! The name somebody probably meant.

/// The candidate nearest to what was written, if it is near enough to be worth suggesting: at most a third of its letters apart,
/// swapped neighbours counting as one, capitals and `-`/`_` not at all.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Names are short; whatever is longer was not meant as one, and the distance costs time in proportion to the square.
    if written.len() > 64 {
        return None;
    }
    let written = folded(written);
    let allowed = (written.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| !candidate.is_empty() && candidate.len() <= 64)
        .map(|candidate| (strsim::damerau_levenshtein(&written, &folded(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn folded(name: &str) -> String {
    name.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let keys = ["dockerfile", "context", "platforms", "id", "tags"];
        for (written, found) in [
            ("docker-file", Some("dockerfile")),
            ("Dockerfile", Some("dockerfile")),
            ("contxet", Some("context")),
            ("platform", Some("platforms")),
            ("tag", Some("tags")),
            ("ID", Some("id")),
            ("zzz", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, keys), found, "{written}");
        }
        assert_eq!(nearest(&"a".repeat(100_000), keys), None);
    }
}
