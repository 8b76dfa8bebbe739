//! Inputs written down again as flags, so that another process of ours reads the same ones. The inverse of reading.

use super::Inputs;
use crate::secret::Secret;

impl Inputs {
    /// Values by input name, each as its flag takes them. They hold secrets: only for a private file.
    pub fn written(&self) -> Vec<(&'static str, Vec<String>)> {
        // Every field by name: a new input that is forgotten here does not compile.
        let Self {
            config,
            build_id,
            build_mode,
            context,
            file,
            target,
            platforms,
            platform_leg,
            tags,
            labels,
            annotations,
            build_args,
            build_contexts,
            secrets,
            secret_envs,
            secret_files,
            ssh,
            cache_from,
            cache_to,
            no_cache,
            pull,
            push,
            load,
            provenance,
            sbom,
            backend,
            builder,
            report,
            dry_run,
            local,
            verbose,
        } = self;
        let text = |value: &Option<String>| value.iter().cloned().collect::<Vec<_>>();
        let list = |values: &[String]| values.iter().map(|value| quoted(value)).collect::<Vec<_>>();
        let given = |value: Option<bool>| value.iter().map(ToString::to_string).collect::<Vec<_>>();
        let all = [
            ("config", text(config)),
            ("build-id", text(build_id)),
            ("build-mode", text(build_mode)),
            ("context", text(context)),
            ("file", text(file)),
            ("target", text(target)),
            ("platforms", list(platforms)),
            ("platform-leg", text(platform_leg)),
            ("tags", list(tags)),
            ("labels", list(labels)),
            ("annotations", list(annotations)),
            ("build-args", list(build_args)),
            ("build-contexts", list(build_contexts)),
            ("secrets", secrets.iter().map(Secret::reveal).map(quoted).collect()),
            ("secret-envs", list(secret_envs)),
            ("secret-files", list(secret_files)),
            ("ssh", list(ssh)),
            ("cache-from", list(cache_from)),
            ("cache-to", list(cache_to)),
            ("no-cache", given(*no_cache)),
            ("pull", given(*pull)),
            ("push", given(*push)),
            ("load", given(*load)),
            ("provenance", text(provenance)),
            ("sbom", text(sbom)),
            ("backend", text(backend)),
            ("builder", text(builder)),
            ("dry-run", given(Some(*dry_run))),
            ("local", given(Some(*local))),
            ("report", list(report)),
            ("verbose", given(Some(*verbose))),
        ];
        all.into_iter().filter(|(_, values)| !values.is_empty()).collect()
    }
}

/// A value of a list, quoted whatever it holds.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::inputs::{INPUTS, InputKind};

    fn read(given: &BTreeMap<&'static str, Vec<String>>) -> Inputs {
        Inputs::resolve(&|name| given.get(name).cloned(), &crate::environment::Vars::default()).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(values in proptest::collection::vec("[ -~]{0,12}|\"|a,b|é\n\"x\"", INPUTS.len())) {
            let given: BTreeMap<_, _> = INPUTS.iter().zip(values).map(|(spec, value)| match spec.kind {
                InputKind::Bool => (spec.name, vec![(value.len() % 2 == 0).to_string()]),
                InputKind::Text => (spec.name, vec![value]),
                InputKind::List | InputKind::Lines => (spec.name, vec![quoted(&value), quoted("b=1, \"two\"")]),
            }).collect();
            let inputs = read(&given);
            let again: BTreeMap<_, _> = inputs.written().into_iter().collect();
            prop_assert_eq!(read(&again), inputs);
        }
    }

    #[test]
    fn every_input_is_written() {
        let given: BTreeMap<_, _> = INPUTS
            .iter()
            .filter(|spec| !spec.token)
            .map(|spec| (spec.name, vec![if spec.kind == InputKind::Bool { "true" } else { "a=b" }.to_owned()]))
            .collect();
        let names: Vec<_> = read(&given).written().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, INPUTS.iter().filter(|spec| !spec.token).map(|spec| spec.name).collect::<Vec<_>>());
    }
}
