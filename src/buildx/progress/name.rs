//! Reads a vertex's name: `[linux/amd64 build 2/5] RUN make` is the second of five steps of stage `build`.
//!
//! Names are made by BuildKit's Dockerfile frontend (`frontend/dockerfile/dockerfile2llb`, `prefixCommand`).

use crate::buildx::event::Layer;

/// Longest detail of a layer, in characters.
const MAX_DETAIL: usize = 60;

/// The layer-making step a name tells of, with nothing yet about how it ran; `None` for steps that are BuildKit's own
/// (`[internal] …`, `[auth] …`, `exporting to image`, `importing cache manifest …`).
pub(super) fn layer(name: &str) -> Option<Layer> {
    let (prefix, command) = name.strip_prefix('[')?.split_once(']')?;
    let (mut layer, command) = (prefix_of(prefix)?, command.trim_start());
    let (instruction, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    if instruction.is_empty() {
        return None;
    }
    layer.instruction = instruction.to_owned();
    layer.base_image = (instruction.eq_ignore_ascii_case("FROM")).then(|| base_image(rest)).flatten();
    layer.detail = match &layer.base_image {
        Some(image) => detail(image.split('@').next().unwrap_or(image)),
        None => detail(rest),
    };
    Some(layer)
}

/// `linux/amd64 build 2/5`: platform and stage may be missing, the count may not.
fn prefix_of(prefix: &str) -> Option<Layer> {
    let mut words: Vec<&str> = prefix.split_whitespace().collect();
    let (index, total) = words.pop()?.split_once('/')?;
    let mut layer = Layer { index: count(index)?, total: count(total)?, ..Layer::default() };
    if words.first().is_some_and(|word| word.contains('/')) {
        layer.platform = Some(words.remove(0).to_owned());
    }
    match words.as_slice() {
        [] => Some(layer),
        [stage] => Some(Layer { stage: (*stage).to_owned(), ..layer }),
        _ => None,
    }
}

fn count(digits: &str) -> Option<u32> {
    digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))
}

fn base_image(rest: &str) -> Option<String> {
    rest.split_whitespace().find(|word| !word.starts_with("--")).map(str::to_owned)
}

/// White space collapsed, cut to [`MAX_DETAIL`] characters with the last one telling of the cut.
fn detail(rest: &str) -> String {
    let words: Vec<&str> = rest.split_whitespace().take(MAX_DETAIL).collect();
    let text = words.join(" ");
    match text.char_indices().nth(MAX_DETAIL) {
        Some(_) => text.chars().take(MAX_DETAIL - 1).chain(['…']).collect(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_layers_are_read() {
        for (name, platform, stage, index, total, instruction, detail, base) in [
            ("[2/5] RUN make", None, "", 2, 5, "RUN", "make", None),
            ("[build 2/5] RUN make  all", None, "build", 2, 5, "RUN", "make all", None),
            ("[stage-1 2/3] COPY --from=build /a /b", None, "stage-1", 2, 3, "COPY", "--from=build /a /b", None),
            ("[linux/arm64 4/4] RUN x", Some("linux/arm64"), "", 4, 4, "RUN", "x", None),
            ("[linux/arm/v7 build 1/4] RUN x", Some("linux/arm/v7"), "build", 1, 4, "RUN", "x", None),
            ("[linux/amd64->arm64 build 1/4] RUN x", Some("linux/amd64->arm64"), "build", 1, 4, "RUN", "x", None),
            ("[build  1/10] WORKDIR /src", None, "build", 1, 10, "WORKDIR", "/src", None),
            (
                "[1/2] FROM docker.io/library/busybox:1@sha256:ab",
                None,
                "",
                1,
                2,
                "FROM",
                "docker.io/library/busybox:1",
                Some("docker.io/library/busybox:1@sha256:ab"),
            ),
            ("[1/1] FROM --platform=linux/amd64 x:1", None, "", 1, 1, "FROM", "x:1", Some("x:1")),
            ("[2/2] RUN", None, "", 2, 2, "RUN", "", None),
        ] {
            let got = layer(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(got.platform.as_deref(), platform, "{name}");
            assert_eq!((got.stage.as_str(), got.index, got.total), (stage, index, total), "{name}");
            assert_eq!((got.instruction.as_str(), got.detail.as_str()), (instruction, detail), "{name}");
            assert_eq!(got.base_image.as_deref(), base, "{name}");
        }
    }

    #[test]
    fn builders_own_steps_are_left_out() {
        for name in [
            "",
            "[internal] load build definition from Dockerfile",
            "[linux/arm64 internal] load metadata for docker.io/library/busybox:latest",
            "[auth] library/busybox:pull token for example",
            "[context app] load from client",
            "exporting to image",
            "importing cache manifest from localhost:5000/app:cache",
            "resolve image config for docker-image://docker.io/docker/dockerfile:1",
            "docker-image://docker.io/docker/dockerfile:1@sha256:00",
            "[2/5]",
            "[2/5",
            "[a b 2/5] RUN x",
            "[+2/5] RUN x",
            "[2/99999999999999] RUN x",
        ] {
            assert_eq!(layer(name), None, "{name}");
        }
    }

    #[test]
    fn details_are_at_most_sixty_characters() {
        let of = |rest: &str| layer(&format!("[2/2] RUN {rest}")).map(|l| l.detail).unwrap_or_default();
        assert_eq!(of(&"x".repeat(60)), "x".repeat(60));
        let cut = of(&"ä".repeat(61));
        assert_eq!(cut, format!("{}…", "ä".repeat(59)));
        assert_eq!(of("a\n\tb"), "a b");
    }
}
