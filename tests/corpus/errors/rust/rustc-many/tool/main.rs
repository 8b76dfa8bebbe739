use std::collections::NoSuchMap;

fn main() {
    let x: i32 = missing();
    println!("{}", x + y);
}
