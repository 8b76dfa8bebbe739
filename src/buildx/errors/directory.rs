//! Directories make and npm go through: paths that a recipe's or a script's tools name begin there.

use super::Found;

/// Deeper than anybody nests makes.
const DEPTH: usize = 64;

/// Puts make's directory, or that of npm's workspace, before relative paths, as `/src/lib/./core.c`: who does not find the file there looks for what
/// stands behind the dot.
pub(super) fn enter(lines: &[&str], found: &mut [Found]) {
    let mut inside: Vec<&str> = Vec::new();
    let mut entered: Vec<(usize, &str, &str)> = Vec::new();
    let mut at = Vec::with_capacity(lines.len());
    for (i, line) in lines.iter().enumerate() {
        if let Some((make, dir)) = line.split_once(": Entering directory ").filter(|(make, _)| is_make(make)) {
            let dir = dir.trim_matches(['\'', '`', '"']);
            entered.push((i, make, dir));
            if inside.len() < DEPTH {
                inside.push(dir);
            }
        } else if line.split_once(": Leaving directory ").is_some_and(|(make, _)| is_make(make)) {
            inside.pop();
        }
        at.push(inside.last().copied());
    }
    // A make says of itself how deep it is, `make[2]: ***`: what it entered may come after its errors, on the other stream.
    let own = |line: usize| {
        let (make, _) = lines.get(line)?.split_once(": *** ").filter(|(make, _)| is_make(make))?;
        let its = || entered.iter().filter(|(_, who, _)| *who == make);
        Some(its().rfind(|(i, ..)| *i < line).or_else(|| its().next()).map(|(.., dir)| *dir))
    };
    let workspaces = workspaces(lines);
    let workspace = |line: usize| workspaces.iter().find(|(end, _)| *end > line).map(|(_, dir)| *dir);
    for found in found {
        let Some(place) = found.error.location.as_mut().filter(|place| !place.file.starts_with('/')) else { continue };
        let dir =
            own(found.line).unwrap_or_else(|| at.get(found.line).copied().flatten()).or_else(|| workspace(found.line));
        if let Some(dir) = dir.filter(|dir| dir.starts_with('/')) {
            place.file = format!("{}/./{}", dir.trim_end_matches('/'), place.file);
        }
    }
}

fn is_make(name: &str) -> bool {
    let name = name.split('[').next().unwrap_or(name);
    name.ends_with("make")
}

/// Where npm says that a workspace's script failed, and in which directory: below what that script said.
fn workspaces<'a>(lines: &[&'a str]) -> Vec<(usize, &'a str)> {
    let said = |line: &'a str| line.strip_prefix("npm error ").or_else(|| line.strip_prefix("npm ERR! "));
    let failed = |line: &'a str| said(line).is_some_and(|said| said.starts_with("Lifecycle script "));
    let ends = lines.iter().enumerate().filter(|(_, line)| failed(line)).map(|(i, _)| i);
    ends.filter_map(|i| Some((i, lines[i..].iter().take(8).find_map(|line| said(line)?.strip_prefix("path "))?)))
        .collect()
}
