fn main() {
    let out = std::env::var("SCHEMA_DIR").expect("SCHEMA_DIR is not set");
    println!("cargo:rerun-if-changed={out}");
}
