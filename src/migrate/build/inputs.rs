//! The inputs of docker/build-push-action, and what becomes of each. `docs/migrating.md` says the same.

/// What becomes of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Read by name below: to the configuration, or kept on the step where it is not the same in every run.
    Read,
    /// The step has an input of the same name and meaning.
    Same,
    /// Gone, and nothing is lost: why.
    Gone(&'static str),
    /// Gone, and something is lost: what, and what to do.
    Lost(&'static str, &'static str),
    /// The step cannot move with it: what to do.
    Stops(&'static str),
}

/// Every input of docker/build-push-action.
pub(super) const INPUTS: &[(&str, Fate)] = &[
    ("context", Fate::Read),
    ("file", Fate::Read),
    ("target", Fate::Read),
    ("platforms", Fate::Read),
    ("build-args", Fate::Read),
    ("labels", Fate::Read),
    ("annotations", Fate::Read),
    ("tags", Fate::Read),
    ("push", Fate::Read),
    ("outputs", Fate::Read),
    ("attests", Fate::Read),
    ("builder", Fate::Read),
    ("load", Fate::Same),
    ("build-contexts", Fate::Same),
    ("secrets", Fate::Same),
    ("secret-envs", Fate::Same),
    ("secret-files", Fate::Same),
    ("ssh", Fate::Same),
    ("cache-from", Fate::Same),
    ("cache-to", Fate::Same),
    ("no-cache", Fate::Same),
    ("pull", Fate::Same),
    ("provenance", Fate::Same),
    ("sbom", Fate::Same),
    ("github-token", Fate::Gone("it was for contexts that are fetched from git; the checkout is built now")),
    (
        "no-cache-filters",
        Fate::Lost(
            "`no-cache-filters` has no counterpart",
            "these stages come from the cache now; `no-cache: true` leaves all of it out",
        ),
    ),
    ("add-hosts", Fate::Stops("names for RUN steps cannot be given; let them be resolved by DNS")),
    ("allow", Fate::Stops("entitlements are not given to builds")),
    ("cgroup-parent", Fate::Stops("it is a matter of your BuildKit daemon's configuration")),
    ("network", Fate::Stops("RUN steps have the builder's network; name one of your own with `builder`")),
    ("shm-size", Fate::Stops("RUN --mount=type=tmpfs,target=/dev/shm,size=… in the Dockerfile says it")),
    ("ulimit", Fate::Stops("it is a matter of your BuildKit daemon's configuration")),
    ("call", Fate::Stops("checks are no build; keep this step beside the new one")),
];
