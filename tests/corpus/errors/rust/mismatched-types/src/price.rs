pub fn total() -> u32 {
    "three"
}
