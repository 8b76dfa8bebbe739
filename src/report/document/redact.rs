//! Walks the free texts of a document: the places where a build, a registry or a person's configuration may have put a
//! secret. Structures with free text are taken apart whole, so that a new field cannot be forgotten.

use super::*;

pub(super) fn document(document: &mut Document, mask: &mut dyn FnMut(&mut String)) {
    document.failure.iter_mut().for_each(|f| failure(f, mask));
    document.notes.iter_mut().for_each(|n| problem(n, mask));
    document.retention.iter_mut().flat_map(|r| &mut r.left).for_each(|left| mask(&mut left.why));
    document.left_out.iter_mut().for_each(|d| mask(&mut d.why));
    document.builder.iter_mut().for_each(|b| mask(&mut b.endpoint));
    document.cache.iter_mut().flat_map(|c| &mut c.skipped).for_each(&mut *mask);
    document.context.untrusted_because.iter_mut().for_each(&mut *mask);
    if let Some(Signing { state: _, how, program: _, why }) = &mut document.signing {
        how.iter_mut().chain(why).for_each(&mut *mask);
    }
    document.builds.iter_mut().for_each(|b| build(b, mask));
}

fn build(build: &mut Build, mask: &mut dyn FnMut(&mut String)) {
    let Build {
        id: _,
        required: _,
        state: _,
        why,
        build_failure,
        failure: failed,
        plan: _,
        seconds: _,
        digest: _,
        image_id: _,
        verified,
        proof: proven,
        published: _,
        others,
        signatures: _,
        loaded: _,
        layout: _,
        leg: _,
        legs: _,
        targets,
        layers,
        caches,
        warnings,
        metadata,
    } = build;
    why.iter_mut().chain(verified).for_each(&mut *mask);
    proven.iter_mut().for_each(|p| proof(p, mask));
    build_failure.iter_mut().for_each(|f| broken(f, mask));
    failed.iter_mut().for_each(|f| failure(f, mask));
    targets.iter_mut().for_each(|d| mask(&mut d.why));
    others.iter_mut().flat_map(|o| o.hint.iter_mut().chain([&mut o.why])).for_each(&mut *mask);
    layers.iter_mut().for_each(|l| mask(&mut l.detail));
    layers.iter_mut().flat_map(|l| [l.base_image.as_mut(), l.platform.as_mut()]).flatten().for_each(&mut *mask);
    for CacheSource { name, read: _, why } in caches {
        why.iter_mut().chain([name]).for_each(&mut *mask);
    }
    warnings.iter_mut().for_each(|w| warning(w, mask));
    metadata.iter_mut().for_each(|m| value(m, mask));
}

fn proof(proof: &mut Proof, mask: &mut dyn FnMut(&mut String)) {
    let Proof {
        run_id: _,
        runner: _,
        min_trust: _,
        trust: _,
        passed: _,
        obstacles,
        checks,
        passes,
        materials,
        culprits: differing,
        provenance: _,
    } = proof;
    obstacles.iter_mut().for_each(&mut *mask);
    for Check { kind: _, subject, state: _, detail } in checks {
        [subject, detail].into_iter().for_each(&mut *mask);
    }
    for Pass { digest: _, seconds: _, plan_hash: _, environment, by } in passes {
        environment.values_mut().chain([by]).for_each(&mut *mask);
    }
    for Material { name, platform: _, digest: _ } in materials {
        mask(name);
    }
    differing.iter_mut().for_each(|c| culprits(c, mask));
}

fn culprits(culprits: &mut Culprits, mask: &mut dyn FnMut(&mut String)) {
    let Culprits { layers, config, ignored: _, listing: _, incomplete } = culprits;
    incomplete.iter_mut().for_each(&mut *mask);
    for ConfigChange { field, a, b } in config {
        [Some(field), a.as_mut(), b.as_mut()].into_iter().flatten().for_each(&mut *mask);
    }
    for CulpritLayer { platform: _, layer: _, instruction, location: _, origin, files, more: _, note } in layers {
        origin.iter_mut().chain(note).chain([instruction]).for_each(&mut *mask);
        for CulpritFile { path, how: _, cause: _, evidence, cure: _ } in files {
            [path, evidence].into_iter().for_each(&mut *mask);
        }
    }
}

fn failure(failure: &mut Failure, mask: &mut dyn FnMut(&mut String)) {
    failure.problems.iter_mut().for_each(|p| problem(p, mask));
}

fn problem(problem: &mut Problem, mask: &mut dyn FnMut(&mut String)) {
    let Problem { what, location: _, snippet, hint } = problem;
    mask(what);
    snippet.iter_mut().chain(hint).for_each(mask);
}

fn broken(failure: &mut BuildFailure, mask: &mut dyn FnMut(&mut String)) {
    let BuildFailure { summary, dockerfile: _, errors, tail } = failure;
    mask(summary);
    tail.iter_mut().for_each(&mut *mask);
    for BuildError { tool: _, location, message, raw } in errors {
        location.iter_mut().for_each(|at| mask(&mut at.file));
        mask(message);
        mask(raw);
    }
}

fn warning(warning: &mut Warning, mask: &mut dyn FnMut(&mut String)) {
    let Warning { message, detail, url, location: _ } = warning;
    [message, detail, url].into_iter().for_each(mask);
}

/// Strings anywhere in a JSON value, except what is a digest or a reference: keys of BuildKit's that name those.
fn value(json: &mut serde_json::Value, mask: &mut dyn FnMut(&mut String)) {
    match json {
        serde_json::Value::String(text) => mask(text),
        serde_json::Value::Array(items) => items.iter_mut().for_each(|v| value(v, mask)),
        serde_json::Value::Object(map) => {
            map.iter_mut().filter(|(key, _)| !is_name(key)).for_each(|(_, v)| value(v, mask));
        }
        _ => {}
    }
}

fn is_name(key: &str) -> bool {
    key == "digest" || key.ends_with(".digest") || key == "image.name" || key == "mediaType"
}
