fn main() {
    let found = std::path::Path::new("/opt/paylib/pay.h").exists();
    if !found {
        panic!(
            "

Could not find the payment library in /opt/paylib, and this crate
cannot be built without it.

Set PAYLIB_DIR to the directory of its header.
"
        );
    }
}
