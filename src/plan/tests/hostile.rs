use proptest::prelude::*;

use super::*;

/// What breaks careless code: separators of every syntax in use, control characters, text that is no ASCII.
fn word() -> impl Strategy<Value = String> {
    "([a-z/:,=@{}\"\\-\\.]|\\{sha:3\\}|\\{version|index:|\\.\\./|\\[|\n|\u{1b}|\u{202e}|é|日){0,12}"
}

fn words() -> impl Strategy<Value = Vec<String>> {
    // Few at a time, or no request would ever be a plan.
    prop_oneof![12 => Just(Vec::new()), 1 => proptest::collection::vec(word(), 1..3)]
}

prop_compose! {
    fn inputs()(
        one in proptest::collection::vec(proptest::option::weighted(0.08, word()), 8),
        many in proptest::collection::vec(words(), 9),
        switches in proptest::collection::vec(proptest::option::of(any::<bool>()), 2),
        local in any::<bool>(),
    ) -> Inputs {
        let [build_id, build_mode, context, file, target, provenance, sbom, builder] = one.try_into().unwrap();
        let [platforms, tags, labels, annotations, build_args, build_contexts, secret_envs, secret_files, cache_from] =
            many.try_into().unwrap();
        Inputs {
            build_id, build_mode, context, file, target, provenance, sbom, builder, platforms, labels, annotations,
            build_args, build_contexts, secret_envs, secret_files, local,
            secrets: tags.iter().map(Secret::new).collect(),
            ssh: cache_from.clone(), cache_to: tags.clone(), tags, cache_from,
            push: switches[0], load: switches[1],
            ..Inputs::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_inputs_make_a_plan_or_problems_and_never_a_panic(inputs in inputs(), branch in word(), tag in proptest::option::of(word())) {
        let mut request = request("version: 1\ntargets: [{id: t, kind: registry, path: a/b, tags: ['{branch}', x]}]");
        request.inputs = inputs;
        (request.context.branch, request.context.tag) = (Some(branch), tag);
        match resolve(&request) {
            Ok(plan) => {
                let text = crate::plan::render::text(&plan);
                prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
                prop_assert_eq!(&plan, &resolve(&request).unwrap(), "the same request is the same plan");
                for step in &plan.steps {
                    // `...` is a name as any other.
                    prop_assert!([&step.context, &step.dockerfile].iter().all(|path| path.split('/').next() != Some("..")));
                }
            }
            Err(failure) => prop_assert!(!failure.problems.is_empty()),
        }
    }
}
