use proptest::prelude::*;
use reqwest::header::{HeaderName, HeaderValue};
use rstest::rstest;

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    pairs.iter().map(pair).collect()
}

#[rstest]
#[case("</v2/a/tags/list?last=b&n=2>; rel=\"next\"", Some("https://r.example.com/v2/a/tags/list?last=b&n=2"))]
#[case("<?last=b>; rel=next", Some("https://r.example.com/v2/a/tags/list?last=b"))]
#[case("</x>; rel=\"prev\", </y>; rel=\"next\"", Some("https://r.example.com/y"))]
// What a registry behind a proxy takes for its address; the login stays with the real one.
#[case(
    "<http://10.0.0.7:5000/v2/a/tags/list?last=b>; rel=\"next\"",
    Some("https://r.example.com/v2/a/tags/list?last=b")
)]
#[case("</v2/a/tags/list?last=b>", None)]
#[case("nonsense", None)]
fn the_next_page_is_found(#[case] link: &str, #[case] expected: Option<&str>) {
    let here = Url::parse("https://r.example.com/v2/a/tags/list?n=2").unwrap();
    let next = next_page(&headers(&[("link", link)]), &here).unwrap();
    assert_eq!(next.as_ref().map(Url::as_str), expected);
}

#[test]
fn a_page_that_leads_to_itself_is_refused() {
    let here = Url::parse("https://r.example.com/v2/a/tags/list?n=2").unwrap();
    assert!(next_page(&headers(&[("link", "<?n=2>; rel=next")]), &here).is_err());
}

proptest! {
    #[test]
    fn any_link_is_borne_and_stays_at_home(link in "[ -~]{0,200}") {
        let here = Url::parse("https://r.example.com/v2/a/tags/list").unwrap();
        if let Ok(Some(next)) = next_page(&headers(&[("link", &link)]), &here) {
            prop_assert!(same_origin(&next, &here));
        }
    }
}

#[rstest]
#[case(r#"{"name":"a","tags":["v1","latest"]}"#, Some(2))]
#[case(r#"{"name":"a","tags":null}"#, Some(0))]
#[case(r#"{"name":"a"}"#, Some(0))]
#[case(r#"{"tags":["ok","not a tag"]}"#, None)]
#[case("<html>", None)]
fn a_page_is_read_whole_or_not_at_all(#[case] body: &str, #[case] count: Option<usize>) {
    assert_eq!(page(body.as_bytes()).ok().map(|tags| tags.len()), count);
}
