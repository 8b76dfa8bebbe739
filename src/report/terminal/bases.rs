//! Base images in a log: BuildKit ends the step of a `FROM` once for looking it up, once for each layer fetched and again
//! for unpacking; people want one line. It is held back until something is built on it.

use std::time::Duration;

/// Base images of the builds that are running.
#[derive(Debug, Default)]
pub(super) struct Bases(Vec<Base>);

/// A `FROM` that ended at least once.
#[derive(Debug)]
struct Base {
    build: String,
    vertex: String,
    title: String,
    took: Duration,
    cached: bool,
    said: bool,
}

impl Bases {
    /// The step ended, perhaps not for the last time.
    pub(super) fn ended(&mut self, build: &str, vertex: &str, title: String, took: Duration, cached: bool) {
        let took = if cached { Duration::ZERO } else { took };
        let known = self.0.iter_mut().find(|base| base.build == build && base.vertex == vertex);
        if let Some(base) = known {
            base.took += took;
            base.cached &= cached;
            return;
        }
        self.0.push(Base { build: build.to_owned(), vertex: vertex.to_owned(), title, took, cached, said: false });
    }

    /// Those of a build (or of all) that wait to be said: title, how long they took, and whether they were cached. Each
    /// is given once.
    pub(super) fn due(&mut self, build: Option<&str>) -> Vec<(String, Duration, bool)> {
        let waiting = self.0.iter_mut().filter(|base| !base.said && build.is_none_or(|build| base.build == build));
        waiting
            .map(|base| {
                base.said = true;
                (base.title.clone(), base.took, base.cached)
            })
            .collect()
    }
}

/// Whether the step of this name is a base image.
pub(super) fn is_base(name: &str) -> bool {
    name.starts_with('[') && name.split_once("] ").is_some_and(|(_, rest)| rest.starts_with("FROM "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_image_is_said_once() {
        let mut bases = Bases::default();
        let ms = Duration::from_millis;
        bases.ended("app", "a", "[1/2] FROM x".into(), ms(30), false);
        bases.ended("app", "a", "[1/2] FROM x".into(), ms(12), false);
        bases.ended("app", "b", "[2/2] FROM y".into(), ms(9), true);
        bases.ended("other", "a", "[1/2] FROM x".into(), ms(1), false);
        assert_eq!(
            bases.due(Some("app")),
            [("[1/2] FROM x".into(), ms(42), false), ("[2/2] FROM y".into(), ms(0), true)]
        );
        bases.ended("app", "a", "[1/2] FROM x".into(), ms(50), false);
        assert_eq!(bases.due(None), [("[1/2] FROM x".into(), ms(1), false)]);
    }

    #[test]
    fn base_images_are_told_from_other_steps() {
        assert!(is_base("[build 1/4] FROM docker.io/library/rust:1.95"));
        assert!(!is_base("[build 2/4] RUN echo FROM x"));
        assert!(!is_base("[internal] load metadata for docker.io/library/rust:1.95"));
    }
}
