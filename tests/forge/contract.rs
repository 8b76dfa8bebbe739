//! A forge's published API description as a judge of requests: path, method, parameters and body, with everything refused that
//! the description does not name, even where it would allow it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::fake_api::Seen;

/// An OpenAPI 3.0 description.
pub(crate) struct Contract {
    document: Value,
    judges: Mutex<HashMap<String, jsonschema::Validator>>,
}

/// What a request was taken for.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    /// The path as described, `/repos/{owner}/{repo}/statuses/{sha}`.
    pub(crate) template: String,
    /// Its parameters, decoded.
    pub(crate) path: HashMap<String, String>,
    /// The body, if there was one.
    pub(crate) body: Value,
}

impl Contract {
    pub(crate) fn read(file: &str) -> Self {
        let bytes = std::fs::read(file).unwrap_or_else(|error| {
            panic!("{file}: {error}; for GitHub's description run `ci/runners up github-openapi`")
        });
        Self { document: serde_json::from_slice(&bytes).unwrap(), judges: Mutex::default() }
    }

    /// What this request is, or what the contract has against it.
    pub(crate) fn judge(&self, seen: &Seen) -> Result<Operation, String> {
        let (template, path) = self.find(seen)?;
        let described = &self.document["paths"][&template];
        let operation = &described[seen.method.to_lowercase()];
        let parameters: Vec<&Value> = [&described["parameters"], &operation["parameters"]]
            .into_iter()
            .filter_map(Value::as_array)
            .flatten()
            .map(|parameter| self.resolved(parameter))
            .collect();
        self.judge_query(seen, &parameters)?;
        for parameter in parameters.iter().filter(|p| p["in"] == "path") {
            let name = parameter["name"].as_str().unwrap();
            self.judge_text(&format!("{template} {name}"), &parameter["schema"], &path[name])?;
        }
        let body = self.judge_body(seen, &template, operation)?;
        Ok(Operation { template, path, body })
    }

    /// The described example of an answer, for a server that answers as the real one does.
    pub(crate) fn example(&self, template: &str, method: &str, status: u16) -> Value {
        let content = &self.document["paths"][template][method]["responses"][status.to_string()]["content"];
        let examples = content["application/json"]["examples"].as_object();
        let first = examples.and_then(|examples| examples.values().next());
        first.map(|example| self.resolved(example)["value"].clone()).unwrap_or(Value::Null)
    }

    fn find(&self, seen: &Seen) -> Result<(String, HashMap<String, String>), String> {
        let parts: Vec<&str> = seen.path.split('/').collect();
        let paths = self.document["paths"].as_object().unwrap();
        let mut known = false;
        for (template, described) in paths {
            let wanted: Vec<&str> = template.split('/').collect();
            let name = |part: &str| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')).map(str::to_owned);
            let fits = wanted.len() == parts.len()
                && wanted.iter().zip(&parts).all(|(w, p)| name(w).is_some_and(|_| !p.is_empty()) || w == p);
            if !fits {
                continue;
            }
            known = true;
            if described.get(seen.method.to_lowercase()).is_some() {
                let decode = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
                let path = wanted.iter().zip(&parts).filter_map(|(w, p)| Some((name(w)?, decode(p)))).collect();
                return Ok((template.clone(), path));
            }
        }
        Err(if known { "no such method there" } else { "no such path" }.to_owned())
    }

    fn judge_query(&self, seen: &Seen, parameters: &[&Value]) -> Result<(), String> {
        for (key, value) in &seen.query {
            let parameter = parameters.iter().find(|p| p["in"] == "query" && p["name"] == key.as_str());
            let parameter = parameter.ok_or_else(|| format!("no parameter {key} there"))?;
            self.judge_text(&format!("{} {key}", seen.path), &parameter["schema"], value)?;
        }
        for parameter in parameters.iter().filter(|p| p["in"] == "query" && p["required"] == true) {
            let name = parameter["name"].as_str().unwrap();
            if !seen.query.iter().any(|(key, _)| key == name) {
                return Err(format!("the parameter {name} is missing"));
            }
        }
        Ok(())
    }

    fn judge_text(&self, what: &str, schema: &Value, text: &str) -> Result<(), String> {
        let schema = self.strict(schema, 0, true);
        self.valid(&format!("{what} {schema}"), &schema, &typed(&schema, text))
    }

    fn judge_body(&self, seen: &Seen, template: &str, operation: &Value) -> Result<Value, String> {
        let described = self.resolved(&operation["requestBody"]);
        if seen.body.is_empty() {
            return if described["required"] == true { Err("a body is missing".to_owned()) } else { Ok(Value::Null) };
        }
        let kind = seen.header("content-type").split(';').next().unwrap_or_default().trim().to_owned();
        let content = described["content"].get(&kind).ok_or_else(|| format!("no body of the type {kind:?} there"))?;
        let schema = self.strict(&content["schema"], 0, true);
        let body = if kind == "application/x-www-form-urlencoded" {
            let mut fields = Map::new();
            for (key, value) in url::form_urlencoded::parse(&seen.body) {
                let known = &schema["properties"][key.as_ref()];
                if fields.insert(key.clone().into_owned(), typed(known, &value)).is_some() {
                    return Err(format!("{key} is there twice"));
                }
            }
            Value::Object(fields)
        } else {
            serde_json::from_slice(&seen.body).map_err(|error| format!("the body is no JSON: {error}"))?
        };
        self.valid(&format!("{} {template} body", seen.method), &schema, &body)?;
        Ok(body)
    }

    fn valid(&self, key: &str, schema: &Value, value: &Value) -> Result<(), String> {
        let mut judges = self.judges.lock().unwrap_or_else(PoisonError::into_inner);
        let judge = judges.entry(key.to_owned()).or_insert_with(|| {
            jsonschema::options().with_draft(jsonschema::Draft::Draft4).build(schema).expect("a schema")
        });
        let wrong: Vec<_> =
            judge.iter_errors(value).map(|error| format!("{} at {}", error, error.instance_path())).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }

    fn resolved<'v>(&'v self, value: &'v Value) -> &'v Value {
        match value["$ref"].as_str() {
            Some(pointer) => {
                self.document.pointer(pointer.trim_start_matches('#')).expect("a reference that leads somewhere")
            }
            None => value,
        }
    }

    /// The schema in JSON Schema's own words, references put in, and closed: an object has the properties it names, and no others.
    fn strict(&self, schema: &Value, depth: usize, closed: bool) -> Value {
        assert!(depth < 30, "a schema that never ends");
        let schema = self.resolved(schema);
        let Some(fields) = schema.as_object() else { return schema.clone() };
        let mut out = Map::new();
        for (key, value) in fields {
            let strict = match key.as_str() {
                "example" | "examples" | "nullable" | "deprecated" | "description" => continue,
                "properties" => {
                    let all = value.as_object().unwrap().iter();
                    Value::Object(
                        all.map(|(name, schema)| (name.clone(), self.strict(schema, depth + 1, true))).collect(),
                    )
                }
                "items" => self.strict(value, depth + 1, true),
                // An alternative beside properties names some of them only.
                "not" => self.strict(value, depth + 1, false),
                "oneOf" | "anyOf" | "allOf" => {
                    let whole = closed && !fields.contains_key("properties");
                    value.as_array().unwrap().iter().map(|schema| self.strict(schema, depth + 1, whole)).collect()
                }
                _ => value.clone(),
            };
            out.insert(key.clone(), strict);
        }
        if closed && out.contains_key("properties") {
            out.insert("additionalProperties".to_owned(), json!(false));
        }
        if schema["nullable"] == true
            && let Some(kind) = out.get("type").cloned()
        {
            out.insert("type".to_owned(), json!([kind, "null"]));
        }
        Value::Object(out)
    }
}

/// Text of an address or a form as the type it is described with.
fn typed(schema: &Value, text: &str) -> Value {
    let number = || text.parse::<i64>().map(Value::from);
    match schema["type"].as_str() {
        Some("integer" | "number") => number().unwrap_or_else(|_| text.into()),
        Some("boolean") if matches!(text, "true" | "false") => (text == "true").into(),
        // A project is named by its number or its path.
        None => number().unwrap_or_else(|_| text.into()),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(method: &str, target: &str, kind: &str, body: &str) -> Seen {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = axum::http::HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        Seen {
            method: method.into(),
            path: path.into(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers,
            body: body.as_bytes().to_vec(),
        }
    }

    /// A judge that lets everything pass proves nothing.
    #[test]
    fn github_refuses_what_it_does_not_describe() {
        let contract = crate::fake::github();
        let sha = "a".repeat(40);
        let status = format!("/repos/acme/app/statuses/{sha}");
        let json = "application/json";
        let good = contract.judge(&seen("POST", &status, json, r#"{"state": "success", "context": "x"}"#)).unwrap();
        assert_eq!(
            (good.path["sha"].as_str(), good.template.as_str()),
            (sha.as_str(), "/repos/{owner}/{repo}/statuses/{sha}")
        );
        for (method, path, body) in [
            ("POST", status.as_str(), r#"{"context": "x"}"#),
            ("POST", &status, r#"{"state": "running"}"#),
            ("POST", &status, r#"{"state": "success", "contxt": "x"}"#),
            ("POST", &status, r#"{"state": "success", "description": 1}"#),
            ("PUT", &status, r#"{"state": "success"}"#),
            ("POST", "/repos/acme/app/status/1", r#"{"state": "success"}"#),
            ("POST", &format!("{status}?dry=1"), r#"{"state": "success"}"#),
            ("PATCH", "/repos/acme/app/check-runs/4", r#"{"check_run_id": 4, "name": "x"}"#),
            ("PATCH", "/repos/acme/app/check-runs/four", r#"{"name": "x"}"#),
            ("PATCH", "/repos/acme/app/check-runs/4", r#"{"output": {"title": "t"}}"#),
            ("PATCH", "/repos/acme/app/check-runs/4", r#"{"output": {"summary": "s", "sumary": "s"}}"#),
            ("POST", "/repos/acme/app/check-runs", r#"{"name": "x"}"#),
            ("GET", "/repos/acme/app/issues/1/comments?per_page=many", ""),
        ] {
            assert!(contract.judge(&seen(method, path, json, body)).is_err(), "{method} {path} {body}");
        }
        let annotation =
            r#"{"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "m"}"#;
        let check = |n: usize| {
            let all = vec![annotation; n].join(",");
            format!(
                r#"{{"name": "x", "head_sha": "{sha}", "output": {{"title": "t", "summary": "s", "annotations": [{all}]}}}}"#
            )
        };
        assert!(contract.judge(&seen("POST", "/repos/acme/app/check-runs", json, &check(50))).is_ok());
        assert!(contract.judge(&seen("POST", "/repos/acme/app/check-runs", json, &check(51))).is_err());
        assert!(contract.example("/repos/{owner}/{repo}/check-runs", "post", 201)["id"].is_number());
    }

    #[test]
    fn ours_refuse_what_they_do_not_describe() {
        let form = "application/x-www-form-urlencoded";
        let gitlab = crate::fake::gitlab();
        let status = "/projects/acme%2Fapp/statuses/aaaa";
        let good = gitlab.judge(&seen("POST", status, form, "state=running&name=x&pipeline_id=4")).unwrap();
        assert_eq!((good.path["id"].as_str(), &good.body["pipeline_id"]), ("acme/app", &json!(4)));
        for (method, path, body) in [
            ("POST", status, "state=done"),
            ("POST", status, "name=x"),
            ("POST", status, "state=running&pipeline=4"),
            ("POST", status, "state=running&pipeline_id=four"),
            ("POST", "/projects/acme/app/statuses/aaaa", "state=running"),
            ("GET", "/projects/4/merge_requests/1/notes?sort=up", ""),
        ] {
            assert!(gitlab.judge(&seen(method, path, form, body)).is_err(), "{method} {path} {body}");
        }
        let gitea = crate::fake::gitea();
        let json = "application/json";
        assert!(gitea.judge(&seen("POST", "/repos/a/b/statuses/c", json, r#"{"state": "pending"}"#)).is_ok());
        for body in [r#"{"state": "running"}"#, r#"{"stat": "pending"}"#, "{}", "state=pending"] {
            assert!(gitea.judge(&seen("POST", "/repos/a/b/statuses/c", json, body)).is_err(), "{body}");
        }
        assert!(gitea.judge(&seen("GET", "/repos/a/b/issues/1/comments?per_page=100", json, "")).is_err());
    }
}
