//! The comma-separated `key=value` specs that buildx flags take (`type=registry,ref=…`, `id=x,src=…`): one line of CSV.

/// Puts a spec together. A field with a comma, a quote or a line end is quoted, so a hostile path cannot add fields.
pub fn spec(fields: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (key, value) in fields {
        if !out.is_empty() {
            out.push(',');
        }
        let field = format!("{key}={value}");
        if field.contains([',', '"', '\n', '\r']) {
            out.push('"');
            out.push_str(&field.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&field);
        }
    }
    out
}

/// Splits a spec into its fields; quotes may surround a whole field. `None` where a quote is not closed.
pub fn fields(spec: &str) -> Option<Vec<String>> {
    let (mut fields, mut rest) = (Vec::new(), spec);
    loop {
        let (field, tail) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => rest.find(',').map_or((rest.to_owned(), ""), |at| (rest[..at].to_owned(), &rest[at..])),
        };
        fields.push(field);
        match tail.strip_prefix(',') {
            Some(next) => rest = next,
            None if tail.is_empty() => return Some(fields),
            None => return None,
        }
    }
}

/// The text up to the closing quote, doubled quotes made one, and what follows.
fn quoted_field(quoted: &str) -> Option<(String, &str)> {
    let (mut field, mut rest) = (String::new(), quoted);
    loop {
        let at = rest.find('"')?;
        field.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None => return Some((field, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn specs_are_csv() {
        assert_eq!(spec(&[("id", "x"), ("src", "a/b")]), "id=x,src=a/b");
        assert_eq!(spec(&[("id", "x"), ("src", "a,type=env\"b")]), "id=x,\"src=a,type=env\"\"b\"");
        assert_eq!(fields("id=x,\"src=a,\"\"b\",c"), Some(vec!["id=x".into(), "src=a,\"b".into(), "c".into()]));
        assert_eq!(fields("\"open"), None);
        assert_eq!(fields("\"a\"b"), None);
        assert_eq!(fields(""), Some(vec![String::new()]));
    }

    proptest! {
        #[test]
        fn reading_undoes_writing(values in proptest::collection::vec("(a|,|\"|\n|=|é| ){0,6}", 1..4)) {
            let pairs: Vec<(&str, &str)> = values.iter().map(|v| ("k", v.as_str())).collect();
            let expected: Vec<String> = values.iter().map(|v| format!("k={v}")).collect();
            prop_assert_eq!(fields(&spec(&pairs)), Some(expected));
        }

        #[test]
        fn reading_never_panics(text in ".{0,60}") {
            let _ = fields(&text);
        }
    }
}
