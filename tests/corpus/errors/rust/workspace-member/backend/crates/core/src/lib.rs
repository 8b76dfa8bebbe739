pub fn greet(name: String) -> String {
    let kept = name;
    format!("{name} {kept}")
}
