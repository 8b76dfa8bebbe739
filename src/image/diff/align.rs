//! Which layer of one image takes the place of which of another. Pure.

/// More comparisons than these are not made to find a common subsequence: hostile manifests name thousands of layers.
const MAX_WORK: usize = 1 << 20;

/// A layer as far as aligning needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key<'a> {
    /// What it holds: its diff_id, or its blob where the config does not tell.
    pub(super) content: &'a str,
    /// The instruction that made it.
    pub(super) created_by: &'a str,
}

/// Positions in each; at least one is there.
pub(super) type Pair = (Option<usize>, Option<usize>);

/// Pairs layers: first those with equal content, then between two of these those made by equal instructions, then what is left
/// in order.
pub(super) fn align(a: &[Key<'_>], b: &[Key<'_>]) -> Vec<Pair> {
    let all = gaps(0..a.len(), 0..b.len(), &|i, j| a[i].content == b[j].content);
    let mut pairs = Vec::new();
    for gap in all {
        match gap {
            Part::Equal(i, j) => pairs.push((Some(i), Some(j))),
            Part::Gap(left, right) => {
                let same = |i: usize, j: usize| !a[i].created_by.is_empty() && a[i].created_by == b[j].created_by;
                for inner in gaps(left, right, &same) {
                    match inner {
                        Part::Equal(i, j) => pairs.push((Some(i), Some(j))),
                        Part::Gap(left, right) => in_order(left, right, &mut pairs),
                    }
                }
            }
        }
    }
    pairs
}

enum Part {
    Equal(usize, usize),
    Gap(std::ops::Range<usize>, std::ops::Range<usize>),
}

fn in_order(mut left: std::ops::Range<usize>, mut right: std::ops::Range<usize>, pairs: &mut Vec<Pair>) {
    loop {
        match (left.next(), right.next()) {
            (None, None) => return,
            pair => pairs.push(pair),
        }
    }
}

/// A longest common subsequence, and what lies between its members.
fn gaps(a: std::ops::Range<usize>, b: std::ops::Range<usize>, equal: &impl Fn(usize, usize) -> bool) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut i, mut j) = (a.start, b.start);
    for (x, y) in common(&a, &b, equal) {
        if x > i || y > j {
            parts.push(Part::Gap(i..x, j..y));
        }
        parts.push(Part::Equal(x, y));
        (i, j) = (x + 1, y + 1);
    }
    if i < a.end || j < b.end {
        parts.push(Part::Gap(i..a.end, j..b.end));
    }
    parts
}

fn common(
    a: &std::ops::Range<usize>,
    b: &std::ops::Range<usize>,
    equal: &impl Fn(usize, usize) -> bool,
) -> Vec<(usize, usize)> {
    let shorter = a.len().min(b.len());
    let head = (0..shorter).take_while(|&k| equal(a.start + k, b.start + k)).count();
    let tail = (0..shorter - head).take_while(|&k| equal(a.end - 1 - k, b.end - 1 - k)).count();
    let mut pairs: Vec<_> = (0..head).map(|k| (a.start + k, b.start + k)).collect();
    pairs.extend(longest(&(a.start + head..a.end - tail), &(b.start + head..b.end - tail), equal));
    pairs.extend((0..tail).rev().map(|k| (a.end - 1 - k, b.end - 1 - k)));
    pairs
}

/// The usual table: `lengths[i][j]` is what the rests from `i` and `j` on have in common.
fn longest(
    a: &std::ops::Range<usize>,
    b: &std::ops::Range<usize>,
    equal: &impl Fn(usize, usize) -> bool,
) -> Vec<(usize, usize)> {
    let (n, m) = (a.len(), b.len());
    if n == 0 || m == 0 || n.saturating_mul(m) > MAX_WORK {
        return Vec::new();
    }
    let at = |i: usize, j: usize| i * (m + 1) + j;
    let mut lengths = vec![0_u32; (n + 1) * (m + 1)];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            lengths[at(i, j)] = match equal(a.start + i, b.start + j) {
                true => lengths[at(i + 1, j + 1)] + 1,
                false => lengths[at(i + 1, j)].max(lengths[at(i, j + 1)]),
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < n && j < m {
        if equal(a.start + i, b.start + j) {
            pairs.push((a.start + i, b.start + j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[at(i + 1, j)] >= lengths[at(i, j + 1)] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// `x1` is content `x1` made by `x`.
    fn keys<'a>(text: &'a str) -> Vec<Key<'a>> {
        text.split_whitespace().map(|content| Key { content, created_by: &content[..1] }).collect()
    }

    #[rstest]
    #[case("", "", "")]
    #[case("a1 b1", "a1 b1", "0-0 1-1")]
    #[case("a1 b1 c1", "a1 b2 c1", "0-0 1-1 2-2")]
    #[case("a1 b1", "a1 b2 c1", "0-0 1-1 x-2")]
    #[case("a1 c1", "a1 b1 c2", "0-0 x-1 1-2")]
    #[case("a1 b1 c1", "a1 c1", "0-0 1-x 2-1")]
    #[case("a1 b1", "c1 d1", "0-0 1-1")]
    #[case("a1 b1 c1 d1", "b1 c1 d1 a1", "0-x 1-0 2-1 3-2 x-3")]
    #[case("a1 a1 a1", "a1", "0-0 1-x 2-x")]
    fn layers_find_their_counterparts(#[case] a: &str, #[case] b: &str, #[case] want: &str) {
        let name = |side: Option<usize>| side.map_or("x".to_owned(), |i| i.to_string());
        let got: Vec<_> =
            align(&keys(a), &keys(b)).into_iter().map(|(i, j)| format!("{}-{}", name(i), name(j))).collect();
        assert_eq!(got.join(" "), want);
    }

    #[test]
    fn thousands_of_layers_are_no_work() {
        let names: Vec<String> = (0..20_000).map(|n| format!("a{n}")).collect();
        let others: Vec<String> = (0..20_000).map(|n| format!("b{n}")).collect();
        let key = |content: &'static str| Key { content, created_by: "" };
        let leak = |names: Vec<String>| -> Vec<Key<'static>> {
            names.into_iter().map(|name| key(Box::leak(name.into_boxed_str()))).collect()
        };
        assert_eq!(align(&leak(names), &leak(others)).len(), 20_000);
    }

    proptest::proptest! {
        #[test]
        fn every_layer_stands_once_and_in_order(a in "([abc][12] ){0,8}", b in "([abc][12] ){0,8}") {
            let (a, b) = (keys(&a), keys(&b));
            let pairs = align(&a, &b);
            let left: Vec<_> = pairs.iter().filter_map(|p| p.0).collect();
            let right: Vec<_> = pairs.iter().filter_map(|p| p.1).collect();
            assert_eq!(left, (0..a.len()).collect::<Vec<_>>());
            assert_eq!(right, (0..b.len()).collect::<Vec<_>>());
        }
    }
}
